import functools

import hypothesis
import keras
import librosa
import numpy as np
import pytest
import tensorflow as tf
from agreement import (
    as_librosa,
    assert_same_power,
    few_examples,
    golden,
    loud_quiet_and_silent,
    short,
    transforms,
)
from hypothesis import strategies as st

from tfspec.dsp import mel
from tfspec.frontends import Decibel, FrequencyRamp, MelSpectrogram, MultiResolutionMel, Standardize

GOLDEN = golden()
ignore_empty_bands = pytest.mark.filterwarnings("ignore:Empty filters")

# ---------------------------------------------------------------- scales and filter banks


@pytest.mark.parametrize("scale, htk", [("slaney", False), ("htk", True)])
def test_mel_scale_is_librosas(scale, htk):
    hz = np.linspace(0, 24000, 997)
    np.testing.assert_allclose(mel.hz_to_mel(hz, scale), librosa.hz_to_mel(hz, htk=htk), rtol=1e-12)
    mels = mel.hz_to_mel(hz, scale)
    np.testing.assert_allclose(mel.mel_to_hz(mels, scale), librosa.mel_to_hz(mels, htk=htk), rtol=1e-12)
    np.testing.assert_allclose(mel.mel_to_hz(mels, scale), hz, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("scale, htk", [("slaney", False), ("htk", True)])
@pytest.mark.parametrize("norm", ["slaney", None])
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
@ignore_empty_bands
def test_mel_filter_bank_is_librosas(
    num_mel_bins, fft_length, sample_rate, lower_hz, upper_hz, norm, scale, htk
):
    bank = mel.mel_filter_bank(
        num_mel_bins, fft_length, sample_rate, lower_hz, upper_hz, scale, norm == "slaney"
    )
    options = {"sr": sample_rate, "n_fft": fft_length, "n_mels": num_mel_bins, "dtype": np.float64}
    expected = librosa.filters.mel(**options, fmin=lower_hz, fmax=upper_hz, htk=htk, norm=norm)
    assert bank.dtype == np.float32
    np.testing.assert_allclose(bank, expected.T, rtol=1e-6, atol=1e-7 * expected.max())


@pytest.mark.parametrize("arguments", [(80, 513, 16000, 80.0, 7600.0), (20, 201, 8000, 0.0, 4000.0)])
def test_mel_filter_bank_straight_in_mel_is_tensorflows(arguments):
    num_mel_bins, bins, sample_rate, lower_hz, upper_hz = arguments
    expected = tf.signal.linear_to_mel_weight_matrix(*arguments, dtype=tf.float64)
    options = {"scale": "htk", "area_norm": False, "straight_in": "mel"}
    bank = mel.mel_filter_bank(num_mel_bins, 2 * (bins - 1), sample_rate, lower_hz, upper_hz, **options)
    np.testing.assert_allclose(bank, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "name, num_mel_bins, fft_length, lower_hz, upper_hz, area_norm",
    [
        ("bank_160", 160, 2048, 25, 7500, False),
        ("bank_40", 40, 512, 0, 8000, False),
        ("bank_40_slaney_norm", 40, 512, 0, 8000, True),
    ],
)
def test_mel_filter_bank_is_torchaudios(name, num_mel_bins, fft_length, lower_hz, upper_hz, area_norm):
    bank = mel.mel_filter_bank(num_mel_bins, fft_length, 16000, lower_hz, upper_hz, "htk", area_norm)
    np.testing.assert_allclose(bank, GOLDEN[name], rtol=1e-6, atol=1e-7 * GOLDEN[name].max())


@pytest.mark.parametrize("scale, htk", [("slaney", False), ("htk", True)])
def test_band_frequencies_are_librosas(scale, htk):
    layer = MelSpectrogram(16000, 20, 60.0, 7000.0, scale)
    expected = librosa.mel_frequencies(22, fmin=60, fmax=7000, htk=htk)[1:-1]
    np.testing.assert_allclose(layer.band_frequencies, expected)


# ---------------------------------------------------------------- MelSpectrogram


@st.composite
def mel_options(draw):
    """Draw our options and librosa's names for the same."""
    sample_rate = draw(st.sampled_from([8000, 16000, 22050]))
    ours = {
        "sample_rate": sample_rate,
        "num_mel_bins": draw(st.integers(1, 40)),
        "lower_hz": draw(st.sampled_from([0.0, 20.0, 333.3])),
        "upper_hz": draw(st.sampled_from([None, 0.45 * sample_rate, 2000.0])),
        "mel_scale": draw(st.sampled_from(["slaney", "htk"])),
        "area_norm": draw(st.booleans()),
        "power": draw(st.sampled_from([1, 2])),
        "center": draw(st.booleans()),
        "pad_mode": draw(st.sampled_from(["constant", "reflect", "edge"])),
    }
    librosas = {
        "sr": sample_rate,
        "n_mels": ours["num_mel_bins"],
        "fmin": ours["lower_hz"],
        "fmax": ours["upper_hz"],
        "htk": ours["mel_scale"] == "htk",
        "norm": "slaney" if ours["area_norm"] else None,
    } | {name: ours[name] for name in ("power", "center", "pad_mode")}
    return ours, librosas


@few_examples
@hypothesis.given(mel_options(), transforms(), st.integers(0, 2000), st.integers(0, 99))
@pytest.mark.filterwarnings("ignore:Empty filters", "ignore:n_fft")
def test_mel_spectrogram_is_librosas(options, transform, more_samples, seed):
    ours, librosas = options
    signal = loud_quiet_and_silent(transform["fft_length"] + more_samples, seed)
    layer = MelSpectrogram(**ours, **transform, allow_empty_bands=True)
    received = layer(signal[np.newaxis])
    if ours["center"] and ours["pad_mode"] == "reflect":  # librosa's own is wrong at some steps
        signal, librosas["center"] = np.pad(signal, transform["fft_length"] // 2, "reflect"), False
    expected = librosa.feature.melspectrogram(
        y=signal.astype(np.float64), **librosas, **as_librosa(transform), dtype=np.float64
    ).T
    assert_same_power(received[0, ..., 0], expected)
    if expected.max() > 0:
        floor, to_decibels = 1e-6 * expected.max(), {1: librosa.amplitude_to_db, 2: librosa.power_to_db}
        decibels = Decibel(float(floor), None, power=ours["power"])(received)[0, ..., 0]
        levels = to_decibels[ours["power"]](expected, amin=floor, top_db=None)
        np.testing.assert_allclose(decibels, levels, atol=0.01)


def librosas_mel():
    signal = GOLDEN["signal"]
    exact = signal.astype(np.float64)
    yield {}, signal[np.newaxis], librosa.feature.melspectrogram(y=exact).T
    yield (
        {"sample_rate": 16000, "num_mel_bins": 64, "frame_length": 1024, "frame_step": 256},
        signal[np.newaxis],
        librosa.feature.melspectrogram(y=exact, sr=16000, n_mels=64, n_fft=1024, hop_length=256).T,
    )


def torchaudios_mel():
    yield {}, short(GOLDEN), GOLDEN["mel_default"]
    yield (
        {"num_mel_bins": 40, "lower_hz": 60, "upper_hz": 7600, "mel_scale": "slaney", "area_norm": True}
        | {"frame_length": 400, "frame_step": 160, "fft_length": 512, "window": "hamming"},
        short(GOLDEN),
        GOLDEN["mel_slaney_hamming"],
    )


def tensorflows_mel():
    signal = GOLDEN["signal"][np.newaxis]
    for length, step, fft_length, bands in [(1024, 256, 1024, 80), (401, 160, 512, 40)]:
        magnitude = abs(tf.signal.stft(signal, length, step, fft_length))
        weights = tf.signal.linear_to_mel_weight_matrix(bands, fft_length // 2 + 1, 16000, 80.0, 7600.0)
        options = {
            "frame_length": length,
            "frame_step": step,
            "fft_length": fft_length,
            "num_mel_bins": bands,
        }
        yield options, signal, tf.matmul(magnitude, weights)[0]
        if length == 1024:
            yield {}, signal, tf.matmul(magnitude, weights)[0]


WITNESSES = {"librosa": librosas_mel, "torchaudio": torchaudios_mel, "tf": tensorflows_mel}


@pytest.mark.parametrize("preset", MelSpectrogram.PRESETS)
def test_mel_spectrogram_by_preset_is_the_librarys(preset):
    for options, signal, expected in WITNESSES[preset]():
        received = MelSpectrogram.preset(preset, **options)(signal)[0, ..., 0]
        assert_same_power(received, np.asarray(expected))


def test_decibels_by_torchaudios_preset_are_torchaudios():
    mels = MelSpectrogram.preset("torchaudio")(short(GOLDEN))
    np.testing.assert_allclose(Decibel()(mels)[0, ..., 0], GOLDEN["mel_default_db"], atol=0.001)


@pytest.mark.parametrize("bands", [1, 63, 64, 128])
def test_bands_are_gathered_as_by_one_product(bands, rng):
    power = rng.random((2, 3, 257), np.float32)
    banks = [mel.mel_filter_bank(bands, 512, 16000, 0, 8000), np.zeros([257, bands], np.float32)]
    banks.append((rng.random((257, bands)) > 0.9).astype(np.float32))
    for bank in banks:
        np.testing.assert_allclose(mel.in_bands(tf.constant(power), bank), power @ bank, rtol=1e-5)


def test_empty_bands_are_zero_where_allowed():
    bands = MelSpectrogram.preset("torchaudio")(short(GOLDEN)).numpy().max((0, 1, 3))
    assert np.flatnonzero(bands == 0).tolist() == [0, 3, 6, 13]


# ---------------------------------------------------------------- MultiResolutionMel


def test_multi_resolution_mel_is_four_of_torchaudios():
    received = MultiResolutionMel()(GOLDEN["signal"][np.newaxis])
    frames = GOLDEN["multi_resolution_frames"]
    assert received.shape == (1, 160, 160, 4)
    assert_same_power(received.numpy()[0, frames], GOLDEN["multi_resolution_power"])
    decibels = Decibel(dynamic_range_db=None)(received).numpy()[0]
    np.testing.assert_allclose(decibels[frames], GOLDEN["multi_resolution_db"], atol=0.001)
    np.testing.assert_allclose(decibels.mean((0, 1)), GOLDEN["multi_resolution_mean"], atol=0.001)


@few_examples
@hypothesis.given(
    st.lists(st.integers(8, 300), min_size=1, max_size=3),
    st.integers(1, 60).map(lambda half: 2 * half),
    st.sampled_from([300, 512, 513]),
    st.integers(600, 1500),
    st.booleans(),
)
@ignore_empty_bands
def test_multi_resolution_mel_is_librosas_of_the_signal_with_half_a_step_of_zeros(
    window_lengths, frame_step, fft_length, samples, slaneys
):
    options = {"mel_scale": "slaney" if slaneys else "htk", "area_norm": slaneys, "allow_empty_bands": True}
    layer = MultiResolutionMel(16000, 12, 50.0, None, window_lengths, frame_step, fft_length, **options)
    signal = loud_quiet_and_silent(samples, frame_step)
    received = layer(signal[np.newaxis])[0]
    assert fft_length % 2 or received.shape == (samples // frame_step, 12, len(window_lengths))
    padded = np.pad(np.pad(signal.astype(np.float64), frame_step // 2), fft_length // 2, "reflect")
    for view, length in enumerate(window_lengths):
        expected = librosa.feature.melspectrogram(
            y=padded,
            sr=16000,
            n_fft=fft_length,
            hop_length=frame_step,
            win_length=length,
            center=False,
            n_mels=12,
            fmin=50,
            htk=not slaneys,
            norm="slaney" if slaneys else None,
            dtype=np.float64,
        ).T
        assert_same_power(received[..., view], expected[1:-1])


@pytest.mark.parametrize("make", [MultiResolutionMel, functools.partial(MelSpectrogram.preset, "tf")])
@pytest.mark.parametrize("sample_rate", [4000, 8000, 11025])
def test_low_rates_are_told_what_the_upper_limit_may_be(make, sample_rate):
    with pytest.raises(ValueError, match="upper_hz=None is that half"):
        make(sample_rate=sample_rate)
    assert make(sample_rate=sample_rate, upper_hz=None).upper_hz == sample_rate / 2


@pytest.mark.parametrize("gain", [1.0, 1e-4])
def test_scaled_multi_resolution_mel_is_the_published_feature(gain, rng):
    """Of overlapped speech, written down once more with librosa and NumPy, in float64."""
    signal = (gain * (0.1 * rng.standard_normal(16000) + GOLDEN["signal"][:16000])).astype(np.float32)
    padded = np.pad(np.pad(signal.astype(np.float64), 50), 1024, "reflect")
    views = []
    for length in (250, 500, 750, 1000):
        mels = librosa.feature.melspectrogram(
            y=padded, sr=16000, n_fft=2048, hop_length=100, win_length=length, window="hann", center=False,
            n_mels=160, fmin=25, fmax=7500, htk=True, norm=None, dtype=np.float64,
        )  # fmt: skip
        views.append(10 * np.log10(np.maximum(mels, 1e-10)).T[1:-1])
    expected = np.stack(views, -1)
    expected = (expected - expected.mean((0, 1))) / 20 + np.linspace(-0.5, 0.5, 160)[:, np.newaxis]
    layers = [MultiResolutionMel(), Decibel(1e-10, None), Standardize((1, 2), 20.0), FrequencyRamp()]
    received = keras.Sequential(layers)(signal[np.newaxis])
    assert received.shape == (1, 160, 160, 4)
    np.testing.assert_allclose(received[0], expected, atol=1e-3)  # a fiftieth of a decibel


@pytest.mark.parametrize("fixed", ["center", "pad_mode", "pad_end", "pad", "window_place", "frame_length"])
def test_multi_resolution_mel_places_its_frames_itself(fixed):
    with pytest.raises(TypeError, match=f"'{fixed}'"):
        MultiResolutionMel(**{fixed: 1})
