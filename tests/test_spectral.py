import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import tensorflow as tf

from tfspec.dsp import cepstral, compression, mel, spectral


@pytest.mark.parametrize("length", [2, 7, 64, 401])
@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "rectangular"])
def test_window_is_scipys(name, length):
    window = spectral.window(name, length)
    assert window.dtype == np.float32
    np.testing.assert_allclose(window, scipy.signal.get_window(name, length), atol=1e-7)


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


def test_mel_scale_is_librosas():
    hz = np.linspace(0, 24000, 997)
    np.testing.assert_allclose(mel.hz_to_mel(hz), librosa.hz_to_mel(hz), rtol=1e-12)
    mels = np.linspace(0, 60, 997)
    np.testing.assert_allclose(mel.mel_to_hz(mels), librosa.mel_to_hz(mels), rtol=1e-12)
    np.testing.assert_allclose(mel.mel_to_hz(mel.hz_to_mel(hz)), hz, rtol=1e-12)


@pytest.mark.parametrize(
    "num_mel_bins, fft_length, sample_rate, lower_hz, upper_hz",
    [
        (128, 512, 22050, 0, 11025),
        (40, 400, 16000, 60, 7600),
        (20, 2048, 44100, 0, 22050),
        (64, 1023, 8000, 100, 4000),
        (12, 256, 48000, 2000, 15000),
        (3, 64, 100, 0.5, 45),
        (1, 512, 16000, 0, 8000),
        (128, 128, 16000, 0, 8000),
    ],
)
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_mel_filter_bank_is_librosas(num_mel_bins, fft_length, sample_rate, lower_hz, upper_hz):
    bank = mel.mel_filter_bank(num_mel_bins, fft_length, sample_rate, lower_hz, upper_hz)
    expected = librosa.filters.mel(
        sr=sample_rate, n_fft=fft_length, n_mels=num_mel_bins, fmin=lower_hz, fmax=upper_hz
    )
    assert bank.dtype == np.float32
    np.testing.assert_allclose(bank, expected.T, atol=1e-6 * expected.max())


@pytest.mark.parametrize("num_inputs, num_outputs", [(1, 1), (4, 4), (40, 13), (128, 39)])
def test_dct_matrix_is_scipys(num_inputs, num_outputs, rng):
    x = rng.standard_normal((5, num_inputs))
    expected = scipy.fft.dct(x, norm="ortho")[:, :num_outputs]
    np.testing.assert_allclose(x @ cepstral.dct_matrix(num_inputs, num_outputs), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 20, 10), (4, 20, 5, 2)])
@pytest.mark.parametrize("floor, dynamic_range_db", [(1e-10, 80.0), (1e-5, 30.0), (1e-3, None)])
def test_decibels_of_each_example_are_librosas(shape, floor, dynamic_range_db, rng):
    levels = np.array([0, -60, 40, -200]).reshape(-1, *[1] * (len(shape) - 1))
    power = (10 ** ((rng.uniform(-100, 0, shape) + levels) / 10)).astype(np.float32)
    decibels = compression.decibels(tf.constant(power), floor=floor, dynamic_range_db=dynamic_range_db)
    expected = [librosa.power_to_db(one, amin=floor, top_db=dynamic_range_db) for one in power]
    np.testing.assert_allclose(decibels, expected, atol=1e-4)
