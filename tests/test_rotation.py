"""Rotation of vector signals."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from scipy.spatial.transform import Rotation as Scipy

from tfspec.augment import Rotation

SEED = tf.constant([4, 2])


def signals(rng, examples=5) -> np.ndarray:
    return rng.standard_normal((examples, 80, 3)).astype(np.float32)


def test_it_turns_as_scipy_does(rng):
    x, layer = signals(rng), Rotation(180.0)
    params = layer.sample(len(x), SEED)
    received = layer.apply(tf.constant(x), params)
    turns = np.deg2rad(params["degrees"].numpy())[:, np.newaxis] * params["axis"].numpy()
    expected = [Scipy.from_rotvec(turn).apply(example) for turn, example in zip(turns, x, strict=True)]
    np.testing.assert_allclose(received, expected, atol=2e-6)


def test_lengths_and_angles_between_vectors_stay(rng):
    x = signals(rng)
    received = Rotation(180.0)(x, seed=SEED).numpy()
    products = x @ x.transpose(0, 2, 1)
    np.testing.assert_allclose(received @ received.transpose(0, 2, 1), products, atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(received[:, :3]), np.linalg.det(x[:, :3]), rtol=1e-4)


@pytest.mark.parametrize("max_degrees", [0.0, 15.0, 180.0])
def test_angles_are_uniform_up_to_the_largest_and_axes_on_the_sphere(max_degrees):
    params = Rotation(max_degrees).sample(4000, SEED)
    degrees, axes = params["degrees"].numpy(), params["axis"].numpy()
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1, atol=1e-6)
    for along_one in axes.T:  # Archimedes: each coordinate of a point on the sphere is uniform
        assert scipy.stats.kstest(along_one, scipy.stats.uniform(-1, 2).cdf).pvalue > 0.005
    assert degrees.max() <= max_degrees
    if max_degrees:
        assert scipy.stats.kstest(degrees, scipy.stats.uniform(0, max_degrees).cdf).pvalue > 0.005


@pytest.mark.parametrize("shape", [(2, 50), (2, 50, 2), (2, 5, 5, 3)])
def test_what_has_not_three_axes_is_refused(shape):
    with pytest.raises(ValueError, match="incompatible"):
        Rotation()(np.zeros(shape, np.float32))
