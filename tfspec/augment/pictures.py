"""An augmentation of spectrograms as pictures: how they are turned, drawn and resampled."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfspec.augment.base import RandomLayer, along, for_each, integers, split, uniform
from tfspec.base import arguments
from tfspec.dsp import noise


@keras.saving.register_keras_serializable("tfspec")
class Rendering(RandomLayer):
    """Draws spectrograms as other programs might have.

    Time runs up or down and frequency to the right or to the left. All bins move by the same random number;
    what leaves on one side enters on the other, as in the spectrum of complex samples. Each pixel is
    mixed with its neighbours in time and in frequency, as resampling does, and gets Gaussian noise. Some
    pictures are folded: their values rise up to a level and fall beyond it, as the luminance of rainbow
    colours does. Some are inverted. Monotone changes of contrast are left to `Equalize`, which undoes them.

    Args:
        max_blur: the weight of each of a pixel's two neighbours is uniform in 0…max_blur, drawn for each
            axis; at 1/3 all three weigh the same. Beyond the edge is the edge.
        max_noise: the noise's standard deviation is uniform in 0…max_noise, in units of the example's.
        fold: how likely a picture is folded, at a level uniform in 0.3…0.9 of its range.
        invert: how likely a picture is inverted.
        probability: how likely each example is changed at all.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, frames, bins, …).

    Output shape:
        That of the input.

    Raises:
        ValueError: a number is not within 0…1, `max_blur` not within 0…1/3.

    Example:
        >>> Rendering()(tf.ones([2, 64, 128]), seed=[0, 1]).shape
        TensorShape([2, 64, 128])
    """

    def __init__(
        self,
        max_blur: float = 0.3,
        max_noise: float = 0.3,
        fold: float = 0.1,
        invert: float = 0.15,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(probability, seed, **kwargs)
        self.max_blur = arguments.between("max_blur", max_blur, 0, 1 / 3)
        self.max_noise = arguments.between("max_noise", max_noise, 0, 1)
        self.fold = arguments.between("fold", fold, 0, 1)
        self.invert = arguments.between("invert", invert, 0, 1)

    def draw(self, batch, seed):
        """Draw what is done to each picture."""
        seeds = split(seed, 10)
        return {
            "up": uniform([batch], seeds[0]) < 0.5,
            "left": uniform([batch], seeds[1]) < 0.5,
            "shift": uniform([batch], seeds[2]),
            "frame_blur": uniform([batch], seeds[3], 0, self.max_blur),
            "bin_blur": uniform([batch], seeds[4], 0, self.max_blur),
            "noise": uniform([batch], seeds[5], 0, self.max_noise),
            "noise_seed": integers([batch, 2], seeds[6], 0, 2**31 - 2),
            "folded": uniform([batch], seeds[7]) < self.fold,
            "level": uniform([batch], seeds[8], 0.3, 0.9),
            "inverted": uniform([batch], seeds[9]) < self.invert,
        }

    def transform(self, x, params):
        """Draw anew."""
        x = _moved(_turned(x, params), params["shift"])
        x = _blurred(_blurred(x, 1, params["frame_blur"]), 2, params["bin_blur"])
        x = _noisy(x, params["noise"], params["noise_seed"], params["applied"])
        axes = list(range(1, len(x.shape)))
        low, high = tf.reduce_min(x, axes, keepdims=True), tf.reduce_max(x, axes, keepdims=True)
        level = low + along(params["level"], x) * (high - low)
        x = tf.where(along(params["folded"], x), tf.minimum(x, 2 * level - x), x)
        return tf.where(along(params["inverted"], x), low + high - x, x)


def _turned(x, params):
    for axis, name in ((1, "up"), (2, "left")):
        x = tf.where(along(params[name], x), tf.reverse(x, [axis]), x)
    return x


def _moved(x, shift):
    """Take each bin from where it was; `shift` is a part of all bins."""
    bins = tf.shape(x)[2]
    shift = tf.cast(shift * tf.cast(bins, tf.float32), tf.int32)
    source = tf.math.floormod(tf.range(bins) - shift[:, tf.newaxis], bins)
    return tf.gather(x, source, axis=2, batch_dims=1)


def _blurred(x, axis, weight):
    last = tf.shape(x)[axis] - 1
    places = tf.range(last + 1)
    before = tf.gather(x, tf.maximum(places - 1, 0), axis=axis)
    after = tf.gather(x, tf.minimum(places + 1, last), axis=axis)
    return x + along(weight, x) * (before + after - 2 * x)


def _noisy(x, level, seeds, applied):
    def one(example):
        x, level, seed = example
        return x + level * tf.math.reduce_std(x) * tf.reshape(
            noise.colored(seed, [tf.size(x)], 0), tf.shape(x)
        )

    return for_each(one, (x, level, seeds), x, applied)
