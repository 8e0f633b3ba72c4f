"""The augmentation that draws pictures in other ways."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import tensorflow as tf

from tfspec.augment import Rendering

SEED = tf.constant([2, 7])
NOTHING = {"max_blur": 0, "max_noise": 0, "fold": 0, "invert": 0}


def draw(layer, x, **params) -> np.ndarray:
    """Apply with some of what is drawn replaced, and all that turns and moves put out."""
    still = {"up": False, "left": False, "shift": 0.0}
    drawn = layer.sample(len(x), SEED)
    for name, value in {**still, **params}.items():
        drawn[name] = tf.fill([len(x)], value)
    return layer.apply(tf.constant(x), drawn).numpy()


@pytest.fixture
def pictures(rng):
    return rng.uniform(1, 3, (9, 12, 16)).astype(np.float32)


def test_turned_and_moved_nothing_is_lost(pictures):
    layer = Rendering(**NOTHING)
    np.testing.assert_array_equal(draw(layer, pictures), pictures)
    np.testing.assert_array_equal(draw(layer, pictures, up=True), pictures[:, ::-1])
    np.testing.assert_array_equal(draw(layer, pictures, left=True), pictures[:, :, ::-1])
    np.testing.assert_array_equal(draw(layer, pictures, shift=0.25), np.roll(pictures, 4, axis=2))


def test_turns_and_shifts_are_as_likely_as_each_other():
    drawn = Rendering().sample(4000, SEED)
    for name in ("up", "left"):
        assert scipy.stats.binomtest(int(drawn[name].numpy().sum()), 4000).pvalue > 0.01
    assert scipy.stats.kstest(drawn["shift"].numpy(), "uniform").pvalue > 0.01
    assert scipy.stats.binomtest(int(drawn["inverted"].numpy().sum()), 4000, Rendering().invert).pvalue > 0.01


@pytest.mark.parametrize("axis", [1, 2])
def test_blur_is_scipys_correlation_with_three_weights(pictures, axis):
    layer = Rendering(**{**NOTHING, "max_blur": 1 / 3})
    weights = {"frame_blur": 0.0, "bin_blur": 0.0, ("frame_blur", "bin_blur")[axis - 1]: 0.2}
    expected = scipy.ndimage.correlate1d(pictures, [0.2, 0.6, 0.2], axis=axis, mode="nearest")
    np.testing.assert_allclose(draw(layer, pictures, **weights), expected, rtol=1e-5)


def test_noise_has_the_level_that_was_drawn_and_is_white():
    x = np.random.default_rng(0).uniform(0, 5, (3, 100, 100)).astype(np.float32)
    added = draw(Rendering(**NOTHING), x, noise=0.4) - x
    np.testing.assert_allclose(added.std((1, 2)), 0.4 * x.std((1, 2)), rtol=0.03)
    assert abs(np.corrcoef(added.reshape(3, -1))[np.triu_indices(3, 1)]).max() < 0.05
    assert abs(np.corrcoef(added[:, 1:].ravel(), added[:, :-1].ravel())[0, 1]) < 0.03


def test_folds_and_inverts_within_the_range(pictures):
    low, high = pictures.min((1, 2), keepdims=True), pictures.max((1, 2), keepdims=True)
    inverted = draw(Rendering(**NOTHING), pictures, inverted=True)
    np.testing.assert_allclose(inverted, low + high - pictures, rtol=1e-6)
    folded = draw(Rendering(**NOTHING), pictures, folded=True, level=0.75)
    level = low + 0.75 * (high - low)
    np.testing.assert_allclose(folded, level - abs(pictures - level), rtol=1e-5)


@pytest.mark.parametrize(
    "options", [{"max_blur": 0.4}, {"max_noise": -1}, {"fold": 1.1}, {"invert": float("nan")}]
)
def test_numbers_out_of_range(options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be from 0"):
        Rendering(**options)
