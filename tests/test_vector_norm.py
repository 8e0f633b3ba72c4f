import keras
import numpy as np
import pytest
import tensorflow as tf

from tfspec.frontends import Spectrogram, VectorNorm


def test_norm_is_numpy_s(rng):
    signals = rng.standard_normal((2, 50, 3)).astype(np.float32)
    norm = np.linalg.norm(signals, axis=2, keepdims=True)
    np.testing.assert_allclose(VectorNorm()(signals), norm, rtol=1e-6)
    both = VectorNorm(keep_axes=True)(signals)
    np.testing.assert_allclose(both, np.concatenate([signals, norm], axis=2), rtol=1e-6)


def test_turning_the_sensor_changes_nothing(rng):
    signals = rng.standard_normal((2, 50, 3)).astype(np.float32)
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    np.testing.assert_allclose(VectorNorm()(signals @ rotation), VectorNorm()(signals), rtol=1e-5)


@pytest.mark.parametrize("keep_axes", [False, True])
def test_shape_config_and_dataset(keep_axes, rng, tmp_path):
    signals = rng.standard_normal((2, 50, 3)).astype(np.float32)
    model = keras.Sequential([keras.Input((50, 3)), VectorNorm(keep_axes), Spectrogram(16, 8)])
    assert model.compute_output_shape((None, 50, 3)) == (None, 5, 9, 4 if keep_axes else 1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(signals), model(signals))
    (mapped,) = tf.data.Dataset.from_tensors(signals).map(VectorNorm(keep_axes))
    np.testing.assert_allclose(mapped, VectorNorm(keep_axes)(signals), rtol=1e-6)


def test_signals_of_one_channel_are_refused():
    with pytest.raises(ValueError, match="min_ndim=3"):
        VectorNorm()(np.zeros((2, 50)))
