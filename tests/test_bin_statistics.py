"""The dense network on statistics of each bin."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfspec.models import bin_statistics
from tfspec.models.bin_statistics import FrameStatistics


def test_statistics_are_numpy_s(rng):
    x = rng.normal(3, 2, (4, 50, 7, 2)).astype(np.float32)
    expected = [x.mean(1), x.std(1), x.min(1), x.max(1)]
    received = FrameStatistics()(x)
    np.testing.assert_allclose(received, np.stack(expected, axis=1), rtol=1e-5)
    assert received.shape == FrameStatistics().compute_output_shape(x.shape)


def test_the_order_of_frames_is_nothing_to_it(rng):
    model = bin_statistics((None, 7, 2), 3)
    x = rng.normal(0, 1, (4, 50, 7, 2)).astype(np.float32)
    np.testing.assert_allclose(model(x[:, rng.permutation(50)]), model(x), atol=1e-5)
    assert model(x[:, :20]).shape == (4, 3)
    assert np.isfinite(model(np.zeros_like(x))).all()


def test_a_bin_is_nothing_to_another(rng):
    x = rng.normal(0, 1, (1, 50, 7, 2)).astype(np.float32)
    changed = x.copy()
    changed[:, :, 3, 1] += rng.normal(0, 1, 50)
    different = np.asarray(FrameStatistics()(x) != FrameStatistics()(changed))
    assert set(zip(*np.nonzero(different.any(axis=(0, 1))), strict=True)) == {(3, 1)}


@pytest.mark.parametrize(("dropout", "layers"), [(0.5, 3), (0.0, 0)])
def test_dropout_may_be_none(dropout, layers):
    model = bin_statistics((10, 7, 2), 3, dropout)
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in model.layers) == layers


@pytest.mark.slow
def test_it_tells_apart_what_differs_in_one_bin_alone(rng, tmp_path):
    keras.utils.set_random_seed(0)
    labels = np.arange(240) % 2
    x = rng.normal(0, 1, (240, 30, 9, 2)).astype(np.float32)
    x[labels == 1, :, 4, 1] += 0.7
    model = bin_statistics(x.shape[1:], 2, dropout=0.2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(x[:160], labels[:160], batch_size=16, epochs=20, verbose=0)
    assert model.evaluate(x[160:], labels[160:], verbose=0)[1] > 0.9
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x[:5]), model(x[:5]))


def test_what_is_always_the_same_has_finite_gradients():
    features = tf.Variable(tf.zeros([1, 5, 3, 1]))
    with tf.GradientTape() as tape:
        deviation = FrameStatistics()(features)[:, 1]
    assert np.isfinite(tape.gradient(deviation, features)).all()
