import hypothesis
import keras
import librosa
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf
from agreement import few_examples
from families import others_slow
from hypothesis import strategies as st

from tfspec.dsp import compression
from tfspec.frontends import PCEN, Decibel, Log, MelSpectrogram, Spectrogram

LEVELS = np.array([0, -60, 40, -200])


def pictures(rng, *shape) -> np.ndarray:
    """Return (4, …) powers, each over 100 dB, that differ by 240 dB."""
    levels = rng.uniform(-100, 0, (4, *shape)) + LEVELS.reshape(4, *[1] * len(shape))
    return (10 ** (levels / 10)).astype(np.float32)


# ---------------------------------------------------------------- decibels


@pytest.mark.parametrize("shape", [(20, 10), (20, 5, 2)])
@pytest.mark.parametrize("floor, dynamic_range_db", [(1e-10, 80.0), (1e-5, 30.0), (1e-3, None)])
def test_decibels_of_each_example_are_librosas(shape, floor, dynamic_range_db, rng):
    power = pictures(rng, *shape)
    decibels = compression.decibels(tf.constant(power), floor=floor, dynamic_range_db=dynamic_range_db)
    expected = [librosa.power_to_db(one, amin=floor, top_db=dynamic_range_db) for one in power]
    np.testing.assert_allclose(decibels, expected, atol=1e-4)


@pytest.mark.parametrize("power, to_decibels", [(2, librosa.power_to_db), (1, librosa.amplitude_to_db)])
@pytest.mark.parametrize(
    "reference, ref", [(1.0, 1.0), (0.02, 0.02), (1e-7, 1e-7), (300, 300), ("max", np.max)]
)
@pytest.mark.parametrize("floor", [1e-10, 1e-5, 1e-3])
@pytest.mark.parametrize("dynamic_range_db", [None, 80.0, 25.0])
def test_decibel_is_librosas(dynamic_range_db, floor, reference, ref, power, to_decibels, rng):
    features = pictures(rng, 20, 5, 2)
    received = Decibel(floor, dynamic_range_db, reference, power)(features)
    exact = features.astype(np.float64)
    expected = [to_decibels(one, ref=ref, amin=floor, top_db=dynamic_range_db) for one in exact]
    np.testing.assert_allclose(received, expected, atol=1e-4)


@pytest.mark.parametrize("power, to_decibels", [(2, librosa.power_to_db), (1, librosa.amplitude_to_db)])
@pytest.mark.parametrize("reference, ref", [(1.0, 1.0), (20.0, 20.0), ("max", np.max)])
def test_decibels_of_silence_are_librosas(reference, ref, power, to_decibels):
    silence = np.zeros((2, 3, 4, 1))
    expected = to_decibels(silence, ref=ref, amin=1e-5)
    np.testing.assert_allclose(Decibel(1e-5, 80.0, reference, power)(silence), expected, atol=1e-4)


def test_decibels_of_a_spectrogram_are_librosas(rng):
    signal = rng.standard_normal(8000).astype(np.float32)
    power = np.abs(librosa.stft(signal.astype(np.float64), n_fft=400, hop_length=160)) ** 2
    layers = [Spectrogram(400, 160, center=True, window_place="center", power=2), Decibel()]
    received = keras.Sequential(layers)(signal[np.newaxis])[0, ..., 0]
    np.testing.assert_allclose(received, librosa.power_to_db(power).T, atol=0.01)


# ---------------------------------------------------------------- logarithm


@pytest.mark.parametrize("floor, offset", [(1e-10, 0.0), (1e-3, 0.0), (1e-10, 1e-6), (1e-3, 0.5), (1.0, 1.0)])
def test_log_is_that_of_the_larger_of_floor_and_features_with_offset(floor, offset, rng):
    features = np.append(pictures(rng, 20, 5, 2)[0].ravel(), 0).reshape(1, -1, 1, 1).astype(np.float32)
    expected = np.log(np.maximum(features.astype(np.float64) + offset, floor))
    np.testing.assert_allclose(Log(floor, offset)(features), expected, rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------- per-channel energy normalisation


@pytest.mark.parametrize("known", [True, False], ids=["known length", "unknown length"])
@pytest.mark.parametrize("coefficient", others_slow([0.9, 0.3, 0.06, 0.002], 0.9, 0.06))
def test_smoothed_is_scipys_filter_that_starts_from_one(coefficient, known, rng):
    for frames in (1, 2, 3, 31, 700):
        energy = rng.uniform(size=(2, frames, 3, 1)).astype(np.float32)
        expected, _ = scipy.signal.lfilter(
            [coefficient], [1, coefficient - 1], energy, axis=1, zi=np.full((2, 1, 3, 1), 1 - coefficient)
        )
        shape = energy.shape if known else [None, None, 3, 1]
        graph = tf.function(
            lambda x: compression.smoothed(x, coefficient), input_signature=[tf.TensorSpec(shape)]
        )
        np.testing.assert_allclose(graph(energy), expected, rtol=1e-5)


@few_examples
@hypothesis.given(
    frames=st.one_of(st.integers(1, 12), st.sampled_from([100, 431])),
    sample_rate=st.sampled_from([8000, 22050, 44100]),
    frame_step=st.sampled_from([80, 256, 512, 4096]),
    gain=st.floats(0.1, 1),
    bias=st.floats(0.1, 10),
    power=st.floats(0.1, 1),
    time_constant=st.floats(0.02, 2),
    floor=st.sampled_from([1e-9, 1e-6, 1e-3]),
    scale=st.sampled_from([1.0, 1e3, 2.0**31]),
    seed=st.integers(0, 99),
)
def test_pcen_is_librosas(frames, frame_step, floor, scale, seed, **options):
    rng = np.random.default_rng(seed)
    energy = 10 ** rng.uniform(-7, 0, (2, frames, 6, 2)) * (rng.uniform(size=(2, frames, 6, 2)) > 0.1)
    energy = energy.astype(np.float32)
    received = PCEN(frame_step=frame_step, floor=floor, scale=scale, **options)(energy)
    options["sr"] = options.pop("sample_rate")
    expected = librosa.pcen(
        scale * energy.astype(np.float64), hop_length=frame_step, eps=floor, axis=1, **options
    )
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=2e-5 * options["bias"] ** options["power"])


@pytest.mark.parametrize("scale", [1.0, 2.0**31])
def test_pcen_of_a_mel_spectrogram_is_librosas(scale, rng):
    signal = (
        0.1 * rng.standard_normal(22050).astype(np.float32) * np.linspace(1, 1e-3, 22050, dtype=np.float32)
    )
    layers = [MelSpectrogram(frame_length=1024, frame_step=256), PCEN(22050, 256, scale=scale)]
    bands = librosa.feature.melspectrogram(y=signal.astype(np.float64), n_fft=1024, hop_length=256)
    expected = librosa.pcen(scale * bands, sr=22050, hop_length=256).T
    received = keras.Sequential(layers)(signal[np.newaxis])[0, ..., 0]
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=2e-6 * max(1, expected.max()))
