"""Warp: features faster, slower, earlier, later, and of another voice."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import map_coordinates

from tfspec.augment import Warp

NOTHING = {"time_factor": 1.0, "time_shift": 0.0, "bin_factor": 1.0, "bin_shift": 0.0}


def applied(layer, x, **params):
    """Apply with the same parameters to each example."""
    return layer.apply(tf.constant(x), {name: [value] * len(x) for name, value in (NOTHING | params).items()})


def test_it_is_scipy_s_interpolation(rng):
    """Frame t is taken from (t − middle) · factor + middle + shift, bin b from b · factor + shift."""
    x = rng.normal(0, 1, (5, 31, 17, 2)).astype(np.float32)
    layer = Warp(fill=-3.0)
    params = layer.sample(5, [1, 2])
    for i, received in enumerate(layer.apply(tf.constant(x), params).numpy()):
        own = {name: float(values[i]) for name, values in params.items() if name != "applied"}
        frames = 15 + own["time_factor"] * (np.arange(31) - 15) + 31 * own["time_shift"]
        bins = np.clip(np.arange(17) * own["bin_factor"] + own["bin_shift"], 0, 16)
        for channel in (0, 1):
            at = np.meshgrid(frames, bins, indexing="ij")
            expected = map_coordinates(x[i, ..., channel], at, order=1, mode="nearest")
            expected[(frames < 0) | (frames > 30)] = -3
            np.testing.assert_allclose(received[..., channel], expected, atol=1e-4)


def test_without_stretch_and_shift_nothing_changes(rng):
    x = rng.normal(0, 1, (3, 20, 9, 1)).astype(np.float32)
    np.testing.assert_array_equal(applied(Warp(), x), x)
    np.testing.assert_array_equal(Warp(1, 0, 1, 0)(x), x)


@pytest.mark.parametrize(("fill", "filled"), [(0.0, 0.0), ("mean", 4.5)])
def test_what_comes_from_outside_of_time_is_filled(fill, filled):
    x = np.arange(10, dtype=np.float32).reshape(1, 10, 1, 1)
    later = applied(Warp(fill=fill), x, time_shift=-0.3)
    np.testing.assert_allclose(np.ravel(later), [filled] * 3 + [0, 1, 2, 3, 4, 5, 6])


def test_the_outermost_bins_are_repeated():
    x = np.arange(1, 6, dtype=np.float32).reshape(1, 1, 5, 1)
    np.testing.assert_allclose(np.ravel(applied(Warp(), x, bin_shift=2.0)), [3, 4, 5, 5, 5])
    np.testing.assert_allclose(np.ravel(applied(Warp(), x, bin_shift=-2.0)), [1, 1, 1, 2, 3])


def test_draws_are_uniform_up_to_the_greatest():
    params = Warp(1.2, 0.3, 1.1, 4.0).sample(4000, [3, 4])
    for name, greatest in (("time_factor", np.log(1.2)), ("bin_factor", np.log(1.1))):
        drawn = np.log(params[name])
        assert abs(drawn).max() <= greatest + 1e-6
        assert drawn.std() == pytest.approx(greatest / 3**0.5, rel=0.05)
    assert np.std(params["time_shift"]) == pytest.approx(0.3 / 3**0.5, rel=0.05)
    assert np.std(params["bin_shift"]) == pytest.approx(4.0 / 3**0.5, rel=0.05)
    assert abs(np.corrcoef([params[name] for name in NOTHING]) - np.eye(4)).max() < 0.06


@pytest.mark.parametrize(
    ("name", "value"), [("time_factor", 0.9), ("bin_factor", 0.0), ("time_shift", -0.1), ("bin_shift", -1)]
)
def test_wrong_numbers_are_named(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` must be at least .*Received: {name}={value}"):
        Warp(**{name: value})
