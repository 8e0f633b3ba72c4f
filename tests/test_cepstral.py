import hypothesis
import librosa
import numpy as np
import pytest
import scipy.fft
import tensorflow as tf
from agreement import (
    as_librosa,
    assert_same,
    few_examples,
    golden,
    loud_quiet_and_silent,
    short,
    transforms,
)
from hypothesis import strategies as st

from tfspec.dsp import cepstral
from tfspec.frontends import MFCC, Deltas

GOLDEN = golden()

# ---------------------------------------------------------------- cosine transform and liftering


@pytest.mark.parametrize("dct_type", cepstral.DCT_TYPES)
@pytest.mark.parametrize("norm", ["ortho", None])
@pytest.mark.parametrize("num_inputs, num_outputs", [(2, 1), (4, 4), (40, 13), (128, 39)])
def test_dct_matrix_is_scipys(num_inputs, num_outputs, norm, dct_type, rng):
    x = rng.standard_normal((5, num_inputs))
    expected = scipy.fft.dct(x, dct_type, norm=norm)[:, :num_outputs]
    received = x @ cepstral.dct_matrix(num_inputs, num_outputs, dct_type, norm)
    np.testing.assert_allclose(received, expected, atol=1e-6 * abs(expected).max())


def test_dct_of_a_single_input_is_itself():
    np.testing.assert_allclose(cepstral.dct_matrix(1, 1), 1)


@pytest.mark.parametrize("num_inputs, num_outputs", [(4, 4), (40, 13), (80, 80)])
def test_dct_matrix_of_norm_htk_is_tensorflows(num_inputs, num_outputs, rng):
    x = rng.standard_normal((5, num_inputs)).astype(np.float32)
    expected = tf.signal.mfccs_from_log_mel_spectrograms(x)[:, :num_outputs]
    received = x @ cepstral.dct_matrix(num_inputs, num_outputs, norm="htk")
    np.testing.assert_allclose(received, expected, atol=1e-5)


@pytest.mark.parametrize("lifter", [1, 10.5, 22, 100])
def test_lifter_is_librosas(lifter, rng):
    levels = rng.standard_normal((40, 6))
    expected = librosa.feature.mfcc(S=levels, n_mfcc=13, lifter=lifter).T
    received = levels.T @ cepstral.dct_matrix(40, 13, lifter=lifter)
    np.testing.assert_allclose(received, expected, atol=1e-6 * abs(expected).max())


# ---------------------------------------------------------------- MFCC


@st.composite
def mfcc_options(draw):
    """Draw our options and librosa's names for the same."""
    bands = draw(st.integers(2, 30))
    ours = {
        "num_coefficients": draw(st.integers(1, bands)),
        "sample_rate": draw(st.sampled_from([8000, 16000, 22050])),
        "num_mel_bins": bands,
        "lower_hz": draw(st.sampled_from([0.0, 60.0])),
        "upper_hz": draw(st.sampled_from([None, 3800.0])),
        "dct_type": draw(st.sampled_from([1, 2, 3])),
        "dct_norm": draw(st.sampled_from(["ortho", None])),
        "lifter": draw(st.sampled_from([0, 22, 7.5])),
        "mel_scale": draw(st.sampled_from(["slaney", "htk"])),
        "area_norm": draw(st.booleans()),
        "center": draw(st.booleans()),
        "pad_mode": draw(st.sampled_from(["constant", "edge"])),
    }
    mels = {"sr": ours["sample_rate"], "n_mels": bands, "fmin": ours["lower_hz"], "fmax": ours["upper_hz"]}
    mels |= {"htk": ours["mel_scale"] == "htk", "norm": "slaney" if ours["area_norm"] else None}
    mels |= {"center": ours["center"], "pad_mode": ours["pad_mode"], "dtype": np.float64}
    cepstra = {"n_mfcc": ours["num_coefficients"], "dct_type": ours["dct_type"], "norm": ours["dct_norm"]}
    return ours, mels, cepstra | {"lifter": ours["lifter"]}


@few_examples
@hypothesis.given(
    mfcc_options(),
    transforms(),
    st.sampled_from([80.0, 40.0, None]),
    st.integers(0, 2000),
    st.integers(0, 99),
)
@pytest.mark.filterwarnings("ignore:Empty filters", "ignore:n_fft")
def test_mfcc_is_librosas_at_any_options(options, transform, dynamic_range_db, more_samples, seed):
    ours, mels, cepstra = options
    signal = loud_quiet_and_silent(transform["fft_length"] + more_samples, seed)
    layer = MFCC(**ours, **transform, dynamic_range_db=dynamic_range_db, allow_empty_bands=True)
    exact = signal.astype(np.float64)
    bands = librosa.feature.melspectrogram(y=exact, **mels, **as_librosa(transform))
    expected = librosa.feature.mfcc(S=librosa.power_to_db(bands, top_db=dynamic_range_db), **cepstra).T
    received = layer(signal[np.newaxis])[0, ..., 0].numpy()
    # 0.01 dB in every band at once
    weights = abs(cepstral.dct_matrix(*[ours[name] for name in DCT_ARGUMENTS])).sum(0)
    assert received.shape == expected.shape
    assert (abs(received - expected) <= 0.01 * weights + 1e-5 * abs(expected).max()).all()


DCT_ARGUMENTS = ("num_mel_bins", "num_coefficients", "dct_type", "dct_norm", "lifter")


@pytest.mark.parametrize(
    "ours, librosas",
    [
        ({"num_coefficients": 39}, {"n_mfcc": 39, "n_fft": 512, "hop_length": 128}),
        (
            {
                "num_coefficients": 13,
                "sample_rate": 16000,
                "num_mel_bins": 40,
                "lower_hz": 60,
                "upper_hz": 7600,
            }
            | {"frame_length": 400, "frame_step": 160, "fft_length": 512, "window": "hamming"},
            {"n_mfcc": 13, "sr": 16000, "n_mels": 40, "fmin": 60, "fmax": 7600}
            | {"win_length": 400, "hop_length": 160, "n_fft": 512, "window": "hamming"},
        ),
        (
            {"num_mel_bins": 30, "frame_length": 401, "frame_step": 99, "pad_mode": "reflect"},
            {"n_mels": 30, "n_fft": 401, "hop_length": 99, "pad_mode": "reflect"},
        ),
        (
            {"num_mel_bins": 30, "frame_length": 400, "frame_step": 160, "center": False},
            {"n_mels": 30, "n_fft": 400, "hop_length": 160, "center": False},
        ),
    ],
)
def test_mfcc_is_librosas(ours, librosas, rng):
    signal = 0.1 * rng.standard_normal(17640).astype(np.float32)
    signal[5000:9000] = 0
    signal[12000:] = np.sin(0.3 * np.arange(5640))
    expected = librosa.feature.mfcc(y=signal.astype(np.float64), **{"sr": 22050, "n_mfcc": 20} | librosas)
    assert expected[0].min() < -300
    np.testing.assert_allclose(MFCC(**ours)(signal[np.newaxis])[0, ..., 0], expected.T, atol=0.01)


def test_mfcc_of_silence_is_the_floor():
    coefficients = MFCC(20, num_mel_bins=64, dynamic_range_db=None)(np.zeros((1, 4000)))[0, ..., 0]
    np.testing.assert_allclose(coefficients[:, 0], -100 * np.sqrt(64), rtol=1e-5)
    np.testing.assert_allclose(coefficients[:, 1:], 0, atol=1e-3)


def librosas_mfcc():
    signal = GOLDEN["signal"]
    for ours, librosas in [
        ({}, {}),
        ({"lifter": 22, "num_coefficients": 13, "dct_type": 3}, {"lifter": 22, "n_mfcc": 13, "dct_type": 3}),
    ]:
        yield ours, signal[np.newaxis], librosa.feature.mfcc(y=signal.astype(np.float64), **librosas).T


def torchaudios_mfcc():
    yield {}, short(GOLDEN), GOLDEN["mfcc_default"]
    options = {"num_coefficients": 13, "compression": "log", "frame_step": 160, "num_mel_bins": 23}
    yield options, short(GOLDEN), GOLDEN["mfcc_log"]


def tensorflows_mfcc():
    signal = GOLDEN["signal"][np.newaxis]
    for length, fft_length, step, bands, coefficients in [(1024, 1024, 256, 80, 13), (401, 512, 160, 40, 20)]:
        magnitude = abs(tf.signal.stft(signal, length, step, fft_length))
        weights = tf.signal.linear_to_mel_weight_matrix(bands, fft_length // 2 + 1, 16000, 80.0, 7600.0)
        levels = tf.math.log(tf.matmul(magnitude, weights) + 1e-6)
        options = {
            "frame_length": length,
            "fft_length": fft_length,
            "frame_step": step,
            "num_mel_bins": bands,
        }
        expected = tf.signal.mfccs_from_log_mel_spectrograms(levels)[0, :, :coefficients]
        yield options | {"num_coefficients": coefficients}, signal, expected
        if length == 1024:
            yield {}, signal, expected


WITNESSES = {"librosa": librosas_mfcc, "torchaudio": torchaudios_mfcc, "tf": tensorflows_mfcc}


@pytest.mark.parametrize("preset", MFCC.PRESETS)
def test_mfcc_by_preset_is_the_librarys(preset):
    for options, signal, expected in WITNESSES[preset]():
        received = MFCC.preset(preset, **options)(signal)[0, ..., 0]
        assert_same(received, expected, rtol=2e-6)


# ---------------------------------------------------------------- deltas


def derivatives(layer, features):
    """Return what a layer appends to (frames, bins)."""
    received = layer(features[np.newaxis, ..., np.newaxis])[0, ..., 0].numpy()
    np.testing.assert_array_equal(received[:, : features.shape[1]], features)
    return np.split(received[:, features.shape[1] :], layer.orders, axis=1)


@pytest.mark.parametrize("frames", [9, 10, 40])
@pytest.mark.parametrize("width", [3, 5, 7, 9])
def test_deltas_are_librosas(width, frames, rng):
    features = rng.standard_normal((frames, 5)).astype(np.float32)
    orders = min(3, width - 1)
    for order, received in enumerate(derivatives(Deltas(orders, width), features), start=1):
        expected = librosa.feature.delta(features.astype(np.float64), width=width, order=order, axis=0)
        assert_same(received, expected)


@pytest.mark.parametrize("frames", [1, 2, 5, 20])
@pytest.mark.parametrize("width", [3, 5, 9])
def test_deltas_by_the_nearest_frame_are_librosas(width, frames, rng):
    features = rng.standard_normal((frames, 5)).astype(np.float32)
    for order, received in enumerate(derivatives(Deltas(2, width, "nearest"), features), start=1):
        options = {"width": width, "order": order, "axis": 0, "mode": "nearest"}
        expected = librosa.feature.delta(features.astype(np.float64), **options)
        np.testing.assert_allclose(received, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["mfcc_default", "mfcc_log"])
def test_deltas_by_the_nearest_frame_are_torchaudios(name):
    layer = Deltas(1, 5, "nearest")
    (first,) = derivatives(layer, GOLDEN[name])
    assert_same(first, GOLDEN[f"{name}_delta"], rtol=1e-6)
    (second,) = derivatives(layer, first)
    assert_same(second, GOLDEN[f"{name}_delta2"], rtol=1e-6)


def test_deltas_of_mfccs_are_torchaudios():
    mfcc = MFCC.preset("torchaudio")(short(GOLDEN))
    (first,) = derivatives(Deltas(1, 5, "nearest"), mfcc[0, ..., 0].numpy())
    assert_same(first, GOLDEN["mfcc_default_delta"])


def test_too_few_frames_for_deltas_are_refused():
    message = "needs at least `width` frames; .*nearest.* takes any number.*Received: {} frames, width=9"
    layer = Deltas(1, 9)
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 3, 1])])
    assert unknown(np.ones((2, 9, 3, 1), np.float32)).shape == (2, 9, 6, 1)
    for frames in (0, 1, 5, 8):
        with pytest.raises(ValueError, match=message.format(frames)):
            layer(np.ones((2, frames, 3, 1)))
        with pytest.raises(tf.errors.InvalidArgumentError, match=message.format("fewer")):
            unknown(np.ones((2, frames, 3, 1), np.float32))
