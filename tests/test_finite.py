"""Signals that are not finite, huge or tiny: one answer from Keras, the SavedModel and the TFLite file."""

import functools
import zipfile

import hypothesis.extra.numpy as hnp
import keras
import numpy as np
import pytest
import tensorflow as tf
from families import others_slow
from hypothesis import given, settings
from hypothesis import strategies as st

from tfspec.data.sources.simulate import PICTURE_SHAPE
from tfspec.dsp import finite
from tfspec.export.quantization import has_loop
from tfspec.export.saved_model import write_saved_model
from tfspec.export.tflite import tflite_model
from tfspec.export.tflite_file import TFLiteClassifier
from tfspec.frontends import PCEN, Decibel, MelSpectrogram, Spectrogram, Standardize, VectorNorm
from tfspec.models import Classifier, at_temperature, conv2d, ensemble
from tfspec.pipelines import Capture24, OverlappedSpeech, RadioSignals, Rainforest, SpeechCommands

GREATEST = np.finfo(np.float32).max
NAMES = ["a", "b", "c"]
PIPELINES = {
    "keywords, recurrent": (SpeechCommands.preset("recurrent"), (4000,), 22050),
    "keywords, convolutional": (SpeechCommands(), (4000,), 16000),
    "keywords, published": (SpeechCommands.preset("published", model="conv2d"), (4000,), 22050),
    "wrist": (Capture24(sample_rate=20), (200, 3), 20),
    "wrist, published": (Capture24.preset("published"), (1000, 3), 100),
    "rainforest": (Rainforest(), (24000,), 48000, conv2d),
    "rainforest, its network": (Rainforest(weights="none"), (24000,), 48000),
    "radio": (RadioSignals(), PICTURE_SHAPE, None),
    "radio, published": (RadioSignals(network="efficientnet_b0", weights="none"), PICTURE_SHAPE, None),
    "overlaps": (OverlappedSpeech(), (4000,), 16000, conv2d),
    "overlaps, its network": (OverlappedSpeech(poolings=("average",), width=1), (4000,), 16000),
}
"""Pipeline, shape, sample rate and, where its own network takes long to convert, a small one."""
LAYERS = {
    "pcen of loud powers": [MelSpectrogram.preset("librosa", frame_length=4096), PCEN(scale=2.0**31)],
    "standardised powers": [Spectrogram(4096, 512, window="rectangular", power=2), Standardize()],
    "bins of powers": [Spectrogram(256, 64, power=2), Standardize((1,))],
    "norms": [VectorNorm(), Spectrogram(256, 64, power=2), Decibel(dynamic_range_db=None)],
}


@functools.cache
def _classifier(name):
    keras.utils.set_random_seed(0)
    if name in LAYERS:
        shape = (20000, 2) if name == "norms" else (20000,)
        front_end, rate = keras.Sequential(LAYERS[name]), 8000
        features = front_end.compute_output_shape((None, *shape))[1:]
        single = conv2d((None, *features[1:]), len(NAMES))
        backbone = at_temperature(ensemble([single, keras.models.clone_model(single)]), 2.0)
    else:
        pipeline, shape, rate, *smaller = PIPELINES[name]
        front_end = pipeline.front_end()
        features = front_end.compute_output_shape((None, *shape))[1:]
        backbone = [*smaller, pipeline.backbone][0](features, len(NAMES))
    return Classifier(front_end, backbone, NAMES, shape, rate)


def _signals(shape):
    """Return signals by name: with something not finite, and finite ones at both ends of what there is."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(-1, 1, shape).astype(np.float32)
    signs = np.sign(noise)

    def with_one(value):
        signal = noise.copy()
        signal[tuple(size // 2 for size in shape)] = value
        return signal

    unusable = {str(value): with_one(value) for value in (np.nan, np.inf, -np.inf)}
    unusable["all nan"] = np.full(shape, np.nan, np.float32)
    unusable["inf and -inf"] = np.inf * signs
    usable = {
        "noise": noise,
        "silence": 0 * np.abs(noise),
        "negative zeros": -0.0 * np.abs(noise),
        "24 bits": np.round(noise * 2**23),
        **{f"noise of {size:g}": noise * np.float32(size) for size in (1e12, 1e19, 1e30, GREATEST)},
        "greatest, alternating": GREATEST * np.where(np.indices(shape).sum(0) % 2, 1, -1),
        "greatest throughout": np.full(shape, GREATEST),
        "one greatest": with_one(-GREATEST),
        **{f"noise of {size:g}": noise * np.float32(size) for size in (1e-30, 1e-37, 1e-40)},
        "denormals": np.float32(1.4e-45) * signs,
    }
    return unusable, {name: signal.astype(np.float32) for name, signal in usable.items()}


@functools.cache
def _batch(shape):
    """Return all signals in a random order, so that neighbours would be seen, and which can be used."""
    unusable, usable = _signals(shape)
    order = np.random.default_rng(1).permutation(len(usable) + len(unusable))
    return np.stack([*usable.values(), *unusable.values()])[order], order < len(usable)


def _tflite(classifier, folder, quantize):
    calibration = [_signals(classifier.signal_shape)[1]["noise"][np.newaxis]]
    (folder / "model.tflite").write_bytes(tflite_model(classifier, quantize, calibration))
    return TFLiteClassifier(folder / "model.tflite")


@pytest.mark.parametrize("name", others_slow([*PIPELINES, *LAYERS], "keywords, recurrent"))
def test_all_backends_give_nan_for_what_is_not_finite_and_the_same_numbers_for_all_else(name, tmp_path):
    classifier = _classifier(name)
    signals, usable = _batch(classifier.signal_shape)
    write_saved_model(classifier, tmp_path / "saved_model")
    served = tf.saved_model.load(str(tmp_path / "saved_model")).signatures["serving_default"]
    served = served(signal=tf.constant(signals))
    for logits in (classifier(signals).numpy(), served["logits"].numpy()):
        assert np.isnan(logits[~usable]).all()
        assert np.isfinite(logits[usable]).all()

    expected = classifier.probabilities(signals)
    assert (np.isnan(expected).any(axis=1) == ~usable).all()
    for received in (served["probabilities"], _tflite(classifier, tmp_path, "none").probabilities(signals)):
        np.testing.assert_allclose(
            received, expected, atol=1e-2
        )  # logarithms of rounding errors differ so much


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PIPELINES, *LAYERS])
def test_quantised_files_give_nan_for_what_is_not_finite_and_numbers_for_all_else(name, tmp_path):
    classifier = _classifier(name)
    signals, usable = _batch(classifier.signal_shape)
    mode = "dynamic" if has_loop(classifier) else "int8"
    received = _tflite(classifier, tmp_path, mode).probabilities(signals)
    assert np.isnan(received[~usable]).all()
    np.testing.assert_allclose(received[usable].sum(axis=1), 1, atol=1e-3)


def test_what_is_ordinary_stays_as_it_is_bit_for_bit(rng):
    for size in (2.0**-60, 1.0, 2.0**23, 2.0**32):
        signal = rng.uniform(-size, size, (3, 100, 2)).astype(np.float32)
        assert finite.tamed(signal).numpy().tobytes() == signal.tobytes()


@pytest.mark.parametrize("size", [2.0**33, 1e30, GREATEST])
def test_what_is_too_loud_is_turned_down_as_a_whole(rng, size):
    signal = (rng.uniform(-1, 1, (2, 100)) * size).astype(np.float32)
    both = finite.tamed(np.concatenate([signal, signal / size])).numpy()
    np.testing.assert_allclose(np.abs(both[:2]).max(axis=1), 2.0**32, rtol=1e-6)
    scale = np.abs(signal).max(axis=1, keepdims=True) / np.float32(2.0**32)
    np.testing.assert_allclose(both[:2], signal / scale, rtol=1e-5)
    np.testing.assert_array_equal(both[2:], signal / size)


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5), elements=st.floats(width=32))
)
@settings(deadline=None, max_examples=100)
def test_any_floats_are_tamed_and_told_apart(signal):
    tamed = finite.tamed(signal).numpy()
    assert np.isfinite(tamed).all()
    assert (np.abs(tamed) <= 2.0**32 * (1 + 1e-6)).all()
    assert not ((tamed != 0) & (np.abs(tamed) < finite.FAINTEST)).any()
    per_example = np.isfinite(signal).reshape(len(signal), -1).all(axis=1)
    np.testing.assert_array_equal(finite.all_finite(signal).numpy()[:, 0], per_example)


@pytest.mark.parametrize("axis", [(1,), (1, 2), (1, 2, 3)])
@pytest.mark.parametrize("size", [1e15, 1e20, 1e30])
def test_standardize_gives_of_huge_powers_what_it_gives_of_small_ones(rng, axis, size):
    powers = rng.exponential(size=(2, 20, 8, 1)).astype(np.float32)
    expected = Standardize(axis, epsilon=1e-10)(powers)
    np.testing.assert_allclose(Standardize(axis)(powers * np.float32(size)), expected, atol=1e-5)


def test_an_earlier_file_gains_this(tmp_path):
    classifier = _classifier("keywords, recurrent")
    classifier.save(tmp_path / "model.keras")  # which holds nothing of it
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert "finite" not in archive.read("config.json").decode()
    signals, usable = _batch(classifier.signal_shape)
    received = keras.saving.load_model(tmp_path / "model.keras", compile=False)(signals).numpy()
    np.testing.assert_array_equal(np.isnan(received).any(axis=1), ~usable)
