import functools

import hypothesis
import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import tensorflow as tf
from agreement import (
    as_librosa,
    assert_same_spectrum,
    few_examples,
    golden,
    short,
    transforms,
)
from families import others_slow
from hypothesis import strategies as st

from tfspec.dsp import spectral
from tfspec.frontends import Spectrogram

GOLDEN = golden()

# ---------------------------------------------------------------- windows, transforms, padding


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("length", [2, 7, 64, 401])
@pytest.mark.parametrize(
    "name", ["hann", "hamming", "blackman", "rectangular", ("kaiser", 8.6), ["tukey", 0.3]]
)
def test_window_is_scipys(name, length, periodic):
    window = spectral.window(name, length, periodic)
    assert window.dtype == np.float32
    family, *parameters = [name] if isinstance(name, str) else name
    symmetric = getattr(scipy.signal.windows, {"rectangular": "boxcar"}.get(family, family))
    expected = symmetric(length + 1, *parameters)[:-1] if periodic else symmetric(length, *parameters)
    np.testing.assert_allclose(window, expected, atol=1e-7)


def test_unknown_window_is_refused():
    for name in ("hanning window", "kaiser", ("kaiser", 1, 2, 3, 4), 3 + 4j):
        with pytest.raises(ValueError, match=r"`window` must be a name .*Received: window="):
            spectral.window(name, 8)


@pytest.mark.parametrize("fft_length", [1, 2, 64, 512, 3, 120, 400, 511])
@pytest.mark.parametrize("part", [1, 0.7])
def test_real_fft_is_numpys(fft_length, part, rng):
    frames = rng.standard_normal((2, 5, max(1, int(part * fft_length)))).astype(np.float32)
    real, imaginary = spectral.real_fft(tf.constant(frames), fft_length)
    expected = np.fft.rfft(frames.astype(np.float64), fft_length)
    assert real.dtype == imaginary.dtype == tf.float32
    np.testing.assert_allclose(
        real.numpy() + 1j * imaginary.numpy(), expected, atol=1e-6 * abs(expected).max()
    )


@pytest.mark.parametrize("fft_length", [400, 1000, 2047])
def test_real_fft_by_the_matrix_is_as_exact_at_the_last_bin_as_at_the_first(fft_length):
    turns = np.outer(np.arange(fft_length // 2 + 1), np.arange(fft_length)) / fft_length
    tones = np.cos(2 * np.pi * turns).astype(np.float32)
    real, imaginary = spectral.real_fft(tf.constant(tones), fft_length)
    expected = np.fft.rfft(tones.astype(np.float64))
    np.testing.assert_allclose(real, expected.real, atol=1e-6 * fft_length)
    np.testing.assert_allclose(imaginary, expected.imag, atol=1e-6 * fft_length)


@pytest.mark.parametrize("frame_length, frame_step, fft_length", [(64, 16, 64), (50, 20, 64), (50, 70, 90)])
def test_power_spectrogram_is_the_transform_of_every_whole_frame(frame_length, frame_step, fft_length, rng):
    signal = rng.standard_normal((2, 500)).astype(np.float32)
    window = rng.uniform(size=frame_length).astype(np.float32)
    frames = [
        signal[:, start : start + frame_length] * window
        for start in range(0, 500, frame_step)
        if start + frame_length <= 500
    ]
    expected = abs(np.fft.rfft(np.stack(frames, axis=1).astype(np.float64), fft_length)) ** 2
    power = spectral.power_spectrogram(tf.constant(signal), window, frame_step, fft_length)
    assert power.dtype == tf.float32
    np.testing.assert_allclose(power, expected, rtol=1e-4, atol=1e-6 * expected.max())


@pytest.mark.parametrize("known", [True, False], ids=["known length", "unknown length"])
@pytest.mark.parametrize("mode", ["constant", "reflect", "symmetric", "edge"])
def test_padded_is_numpys(mode, known, rng):
    signal = rng.standard_normal((3, 9)).astype(np.float32)
    shape = signal.shape if known else [None, None]
    for before, after in [(0, 0), (0, 3), (4, 0), (2, 5), (8, 8), (-2, 1), (3, -4), (-1, -2)]:
        cut = signal[:, max(0, -before) : 9 + min(0, after)]
        expected = np.pad(cut, [(0, 0), (max(0, before), max(0, after))], mode)
        pad = functools.partial(spectral.padded, before=before, after=after, mode=mode)
        graph = tf.function(pad, input_signature=[tf.TensorSpec(shape)])
        np.testing.assert_array_equal(pad(tf.constant(signal)), expected)
        np.testing.assert_array_equal(graph(signal), expected)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_safe_sqrt_is_the_root_and_has_a_gradient_at_zero(jit_compile):
    @tf.function(jit_compile=jit_compile)
    def root_and_gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            root = spectral.raised(x, 1)
        return root, tape.gradient(root, x)

    root, gradient = root_and_gradient(tf.constant([0.0, 1e-30, 0.25, 9.0]))
    np.testing.assert_allclose(root, [0, 1e-15, 0.5, 3], rtol=1e-6)
    np.testing.assert_allclose(gradient, [0, 5e14, 1, 1 / 6], rtol=1e-6)


@pytest.mark.parametrize("exponent", [0.3, 1, 1.5, 2, 3])
def test_raised_is_the_power_of_the_magnitude_with_a_gradient_at_zero(exponent):
    power = tf.constant([0.0, 0.25, 9.0])
    with tf.GradientTape() as tape:
        tape.watch(power)
        raised = spectral.raised(power, exponent)
    np.testing.assert_allclose(raised, np.array([0, 0.5, 3]) ** exponent, rtol=1e-6)
    gradient = tape.gradient(raised, power)
    assert gradient[0] == (1 if exponent == 2 else 0)
    np.testing.assert_allclose(gradient[1:], exponent / 2 * np.array([0.5, 3]) ** (exponent - 2), rtol=1e-6)


# ---------------------------------------------------------------- blocks

FRAME_LENGTH, FRAME_STEP = 7, 3
WEIGHTS = np.random.default_rng(1).standard_normal((FRAME_LENGTH, 2, 3)).astype(np.float32)


def frame_features(signal):
    """Return (rows, frames, 2, 3) that tell every sample of a frame from every other."""
    frames = tf.signal.frame(signal, FRAME_LENGTH, FRAME_STEP)
    return tf.sin(tf.einsum("bts,skc->btkc", frames, WEIGHTS))


@functools.cache
def blocked(block_frames: int, known: bool, jit_compile: bool):
    """Return a function from signal and slope to features and gradient, block by block."""

    def features_and_gradient(signal, slope):
        with tf.GradientTape() as tape:
            tape.watch(signal)
            features = spectral.in_blocks(frame_features, signal, FRAME_LENGTH, FRAME_STEP, block_frames)
        if jit_compile and not known:  # XLA has no gradients of loops over lists of unknown length
            return features, None
        return features, tape.gradient(features, signal, slope)

    unknown = [tf.TensorSpec([None, None]), tf.TensorSpec([None, None, 2, 3])]
    return tf.function(
        features_and_gradient, input_signature=None if known else unknown, jit_compile=jit_compile
    )


def assert_blocks_are_the_whole(batch, frames, more_samples, block_frames, known, jit_compile):
    rng = np.random.default_rng([batch, frames])
    samples = FRAME_LENGTH + (frames - 1) * FRAME_STEP + more_samples
    signal = tf.constant(rng.standard_normal((batch, samples)), tf.float32)
    slope = tf.constant(rng.standard_normal((batch, frames, 2, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(signal)
        expected = frame_features(signal)
    features, gradient = blocked(block_frames, known, jit_compile)(signal, slope)
    assert features.shape == expected.shape
    np.testing.assert_allclose(features, expected, atol=2e-6)
    if gradient is not None:
        np.testing.assert_allclose(gradient, tape.gradient(expected, signal, slope), atol=2e-5)


@pytest.mark.parametrize("block_frames", others_slow([1, 2, 5, 12, 1000], 5))
def test_blocks_of_signals_of_unknown_size_are_the_whole_and_so_are_their_gradients(block_frames):
    for batch in range(6):
        for frames in (1, 2, 3, 4, 5, 6, 11, 12, 13, 25):
            assert_blocks_are_the_whole(batch, frames, batch % FRAME_STEP, block_frames, False, False)


drawn_blocks = hypothesis.given(
    batch=st.integers(0, 6),
    frames=st.integers(1, 30),
    more_samples=st.integers(0, FRAME_STEP - 1),
    block_frames=st.integers(1, 40),
)


@few_examples
@drawn_blocks
def test_blocks_of_signals_of_known_size_are_the_whole_and_so_are_their_gradients(**drawn):
    assert_blocks_are_the_whole(**drawn, known=True, jit_compile=False)


@pytest.mark.parametrize("known", others_slow([True, False], True), ids=["known size", "unknown size"])
@hypothesis.settings(max_examples=4, deadline=None, phases=[hypothesis.Phase.generate])
@drawn_blocks
def test_blocks_compiled_by_xla_are_the_whole_and_so_are_gradients_of_known_size(known, **drawn):
    assert_blocks_are_the_whole(**drawn, known=known, jit_compile=True)


@pytest.mark.parametrize("shape", [(5, 24), (None, None)], ids=["known size", "unknown size"])
@pytest.mark.parametrize("block_frames, blocks", [(1, 55), (4, 15), (10, 10), (30, 3), (1000, 1)])
def test_blocks_are_no_larger_and_no_more_than_asked_for(block_frames, blocks, shape):
    frames_of_blocks = []

    def function(signal):
        frames = tf.signal.frame(signal, 4, 2)
        with tf.control_dependencies([tf.py_function(frames_of_blocks.append, [tf.size(frames) // 4], [])]):
            return tf.identity(frames)

    graph = tf.function(
        lambda signal: spectral.in_blocks(function, signal, 4, 2, block_frames),
        input_signature=[tf.TensorSpec(shape)],
    )
    assert graph(np.zeros((5, 24), np.float32)).shape == (5, 11, 4)
    assert len(frames_of_blocks) == blocks
    assert max(frames_of_blocks) <= block_frames


# ---------------------------------------------------------------- Spectrogram


@few_examples
@hypothesis.given(transforms(), st.integers(0, 1500), st.integers(0, 99))
def test_spectrogram_is_tensorflows_stft(transform, more_samples, seed):
    samples = transform["frame_length"] + more_samples
    signal = np.random.default_rng(seed).standard_normal((2, samples)).astype(np.float32)
    window = scipy.signal.get_window(transform["window"], transform["frame_length"])
    expected = tf.abs(
        tf.signal.stft(
            signal,
            transform["frame_length"],
            transform["frame_step"],
            transform["fft_length"],
            window_fn=lambda length, dtype: tf.constant(window, dtype),
        )
    )
    assert_same_spectrum(Spectrogram(**transform)(signal)[..., 0], expected)


def test_default_window_is_tensorflows(rng):
    signal = rng.standard_normal((2, 17640)).astype(np.float32)
    assert_same_spectrum(Spectrogram(512, 128)(signal)[..., 0], tf.abs(tf.signal.stft(signal, 512, 128)))


@few_examples
@hypothesis.given(
    transforms(),
    st.sampled_from([False, "constant", "reflect", "symmetric", "edge"]),
    st.sampled_from([1, 2]),
    st.integers(0, 1500),
    st.integers(0, 99),
)
def test_spectrogram_is_librosas(transform, center, power, more_samples, seed):
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal(transform["fft_length"] + more_samples).astype(np.float32)
    layer = Spectrogram(
        **transform, center=bool(center), pad_mode=center or "constant", window_place="center", power=power
    )
    received = layer(signal[np.newaxis])[0, ..., 0]
    padding = {"center": bool(center), "pad_mode": center or "constant"}
    if center in ("reflect", "symmetric"):  # librosa's own is wrong at some steps
        signal, padding["center"] = np.pad(signal, transform["fft_length"] // 2, center), False
    expected = librosa.stft(signal.astype(np.float64), **as_librosa(transform), **padding)
    assert_same_spectrum(received, np.abs(expected.T) ** power)


@pytest.mark.parametrize("window", ["hann", "hamming", ("kaiser", 6.0)])
def test_spectrogram_of_three_channels_is_scipys_times_the_sum_of_the_window(window, rng):
    signal = rng.standard_normal((2, 3000, 3)).astype(np.float32)
    options = {"window": window, "nperseg": 120, "noverlap": 72, "boundary": None, "padded": False, "axis": 1}
    _, _, expected = scipy.signal.stft(
        signal.astype(np.float64), **options
    )  # (batch, bins, channels, frames)
    expected = abs(expected).transpose(0, 3, 1, 2) * scipy.signal.get_window(window, 120).sum()
    received = Spectrogram(120, 48, window=window)(signal)
    assert received.shape == expected.shape == (2, 61, 61, 3)
    assert_same_spectrum(received, expected)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("frame_length", [64, 65])
def test_symmetric_and_periodic_windows_are_scipys(frame_length, periodic, rng):
    signal = rng.standard_normal((1, 500)).astype(np.float32)
    window = scipy.signal.get_window("hann", frame_length, fftbins=periodic)
    frames = np.lib.stride_tricks.sliding_window_view(signal[0].astype(np.float64), frame_length)[::20]
    received = Spectrogram(frame_length, 20, periodic=periodic)(signal)[0, ..., 0]
    assert_same_spectrum(received, abs(np.fft.rfft(frames * window)))


def librosas_spectrogram():
    signal = GOLDEN["signal"]
    yield {}, signal[np.newaxis], np.abs(librosa.stft(signal.astype(np.float64))).T
    options = {"frame_length": 400, "frame_step": 160, "fft_length": 512, "window": "hamming"}
    expected = np.abs(librosa.stft(signal.astype(np.float64), **as_librosa(options))) ** 2
    yield options | {"power": 2}, signal[np.newaxis], expected.T


def torchaudios_spectrogram():
    for name, options in [
        ("default", {}),
        ("320", {"frame_length": 320, "fft_length": 400, "frame_step": 160}),
    ]:
        frames = GOLDEN[f"stft_{name}_frames"]
        yield options, short(GOLDEN), GOLDEN[f"stft_{name}_power"], frames
        yield options | {"power": 1}, short(GOLDEN), GOLDEN[f"stft_{name}_magnitude"], frames
    real, imaginary = np.moveaxis(GOLDEN["stft_replicate_complex"].astype(np.float64), -1, 0)
    options = {"frame_step": 100, "pad_mode": "edge", "power": 1}
    yield options, short(GOLDEN), np.hypot(real, imaginary), GOLDEN["stft_replicate_frames"]


def tensorflows_spectrogram():
    signal = GOLDEN["signal"][np.newaxis]
    yield {}, signal, abs(tf.signal.stft(signal, 1024, 256))[0]
    for length, step, fft_length in [(400, 160, 512), (401, 160, 401), (255, 100, 256)]:
        options = {"frame_length": length, "frame_step": step, "fft_length": fft_length}
        yield options, signal, abs(tf.signal.stft(signal, length, step, fft_length))[0]
        expected = tf.signal.stft(signal[:, :777], length, step, fft_length, pad_end=True)
        yield options | {"pad_end": True}, signal[:, :777], abs(expected)[0]


WITNESSES = {
    "librosa": librosas_spectrogram,
    "torchaudio": torchaudios_spectrogram,
    "tf": tensorflows_spectrogram,
}


@pytest.mark.parametrize("preset", Spectrogram.PRESETS)
def test_spectrogram_by_preset_is_the_librarys(preset):
    for options, signal, expected, *frames in WITNESSES[preset]():
        received = Spectrogram.preset(preset, **options)(signal)[0, ..., 0].numpy()
        assert_same_spectrum(received[frames[0]] if frames else received, expected)


@pytest.mark.parametrize("fft_length", [512, 640])
@pytest.mark.parametrize("max_bin", [0, 96])
def test_the_lowest_bins_are_those_of_the_whole(fft_length, max_bin, rng):
    signal = rng.standard_normal((2, 2000), np.float32)
    lowest = Spectrogram(fft_length, 100, max_bin=max_bin)
    whole = Spectrogram(fft_length, 100)(signal)[:, :, : max_bin + 1]
    np.testing.assert_allclose(lowest(signal), whole, rtol=1e-4, atol=1e-4)
    assert lowest.compute_output_shape((2, 2000)) == whole.shape
    hertz = Spectrogram(fft_length).bin_frequencies(100)[: max_bin + 1]
    np.testing.assert_array_equal(lowest.bin_frequencies(100), hertz)


def test_no_bin_is_kept_that_there_is_not():
    with pytest.raises(
        ValueError, match=r"`max_bin` must be an integer from 0 to 256. Received: max_bin=257"
    ):
        Spectrogram(512, 128, max_bin=257)


def test_bin_frequencies_are_librosas():
    for fft_length in (400, 401):
        expected = librosa.fft_frequencies(sr=22050, n_fft=fft_length)
        np.testing.assert_allclose(Spectrogram(300, fft_length=fft_length).bin_frequencies(22050), expected)


def test_a_tone_has_its_peak_in_its_bin():
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)[np.newaxis]
    magnitude = Spectrogram(400, 160)(tone).numpy()[0, :, :, 0]
    assert (magnitude.argmax(axis=1) == 1000 * 400 // 8000).all()
    np.testing.assert_allclose(magnitude.max(axis=1), 100, rtol=1e-4)
