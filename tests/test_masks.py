"""TimeMask, FrequencyMask and RandomCrop."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfspec.augment import FrequencyMask, RandomCrop, TimeMask

SEED = tf.constant([4, 2])
MASKS = {TimeMask: 1, FrequencyMask: 2}
all_masks = pytest.mark.parametrize("make", MASKS)


def pictures(rng, examples=7, frames=40, bins=30, channels=2) -> np.ndarray:
    return rng.uniform(1, 2, (examples, frames, bins, channels)).astype(np.float32)


def masked_lines(layer, x) -> np.ndarray:
    """Return (examples, length) of what is zero along a mask's axis, in all of the other axes or in none."""
    lines = np.moveaxis(np.asarray(layer(x, seed=SEED)) == 0, MASKS[type(layer)], 1)
    lines = lines.reshape(*lines.shape[:2], -1)
    assert (lines.all(-1) == lines.any(-1)).all()
    return lines.all(-1)


@all_masks
def test_masks_are_where_they_were_drawn_and_all_else_is_untouched(make, rng):
    x = pictures(rng)
    layer = make(9, num_masks=3)
    params = layer.sample(len(x), SEED)
    received = layer.apply(tf.constant(x), params).numpy()
    for example, width, place, after in zip(x, params["width"], params["place"], received, strict=True):
        expected = np.moveaxis(example.copy(), MASKS[make] - 1, 0)
        for w, p in zip(width.numpy(), place.numpy(), strict=True):
            start = int(p * (len(expected) - w + 1))
            expected[start : start + w] = 0
        np.testing.assert_array_equal(np.moveaxis(after, MASKS[make] - 1, 0), expected)


@all_masks
def test_widths_and_places_are_uniform_and_the_largest_width_included(make):
    masked = masked_lines(make(6), np.ones((8000, 12, 12, 1), np.float32))
    widths = masked.sum(1)
    assert scipy.stats.chisquare(np.bincount(widths, minlength=7)).pvalue > 0.01
    for width in range(1, 7):
        starts = masked[widths == width].argmax(1)
        assert scipy.stats.chisquare(np.bincount(starts, minlength=13 - width)).pvalue > 0.001
        np.testing.assert_array_equal(masked[widths == width, starts + width - 1], True)


@all_masks
@pytest.mark.parametrize("num_masks, largest", [(1, 5), (4, 20)])
def test_every_example_has_masks_of_its_own(make, num_masks, largest):
    masked = masked_lines(make(5, num_masks), np.ones((500, 40, 40, 1), np.float32))
    assert 0 <= masked.sum(1).min() < masked.sum(1).max() <= largest
    assert len(np.unique(masked, axis=0)) > 100


@all_masks
def test_a_mask_wider_than_the_picture_covers_all_of_it_at_most(make):
    masked = masked_lines(make(1000), np.ones((50, 8, 6, 1), np.float32))
    assert masked.all(1).sum() > 40
    np.testing.assert_array_equal(make(0)(tf.ones([3, 8, 6, 1])), np.ones((3, 8, 6, 1)))


@pytest.mark.parametrize("layer", [TimeMask(9, 3), FrequencyMask(9, 3), RandomCrop(8)])
@pytest.mark.parametrize("fill", [-80.0, "mean"])
def test_gaps_are_filled_with_a_number_or_with_the_mean_of_the_examples_channel(layer, fill, rng):
    x = pictures(rng) * np.float32([1, 1000])
    layer = type(layer).from_config({**layer.get_config(), "fill": fill})
    zeroed = type(layer).from_config({**layer.get_config(), "fill": 0.0})(x, seed=SEED).numpy()
    received = layer(x, seed=SEED).numpy()
    filling = x.mean((1, 2), keepdims=True) if fill == "mean" else fill
    np.testing.assert_allclose(received, np.where(zeroed == 0, filling, zeroed), rtol=1e-6)
    assert (zeroed == 0).any()


def test_crop_is_the_padded_picture_from_the_offsets_on(rng):
    x = pictures(rng, 9, 20, 30)
    offsets = {"frame_offset": [0, 8, 15, 8, 0, 15, 3, 9, 8], "bin_offset": [0, 8, 15, 0, 8, 3, 15, 9, 7]}
    params = {"applied": tf.ones(9, tf.bool)} | {name: tf.constant(drawn) for name, drawn in offsets.items()}
    received = RandomCrop(8, fill=0.5).apply(tf.constant(x), params)
    padded = np.pad(x, ((0, 0), (8, 8), (8, 8), (0, 0)), constant_values=0.5)
    for i, (frame, bin_) in enumerate(zip(*offsets.values(), strict=True)):
        np.testing.assert_array_equal(received[i], padded[i, frame : frame + 20, bin_ : bin_ + 30])
    np.testing.assert_array_equal(received[1], x[1])


def test_a_crop_padded_by_more_than_the_picture(rng):
    x = pictures(rng, 200, 5, 4)
    layer = RandomCrop(6)
    params = layer.sample(200, SEED)
    padded = np.pad(x, ((0, 0), (6, 6), (6, 6), (0, 0)))
    received = layer.apply(tf.constant(x), params)
    for i, (frame, bin_) in enumerate(zip(params["frame_offset"], params["bin_offset"], strict=True)):
        np.testing.assert_array_equal(received[i], padded[i, frame : frame + 5, bin_ : bin_ + 4])
