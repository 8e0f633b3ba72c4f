"""Stretching and moving of features along time and frequency."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfspec.augment.base import split, uniform
from tfspec.augment.spectrogram import SpectrogramLayer
from tfspec.base import arguments


@keras.saving.register_keras_serializable("tfspec")
class Warp(SpectrogramLayer):
    """Plays features faster or slower, earlier or later, and moves and stretches their bins.

    On mel bands this is another speaker at another pace: the bands of a shorter vocal tract are those of a
    longer one, stretched (N. Jaitly and G. Hinton, "Vocal Tract Length Perturbation improves speech
    recognition", 2013). Being done to features, it leaves them to be computed once. Values between two frames
    or two bins are interpolated. What comes from before the first or after the last frame is filled; beyond
    the outermost bins these are repeated.

    Args:
        time_factor: greatest factor by which time is stretched or pressed around the middle, at least 1;
            drawn uniformly in its logarithm.
        time_shift: greatest shift either way, as share of the frames.
        bin_factor: the same for bins, from the first one on.
        bin_shift: greatest shift either way, in bins.
        fill: what is outside becomes this number, or "mean", the mean of the example's channel.
        probability: how likely each example is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, frames, bins, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: a factor is below 1, a shift is negative, or the filling neither a number nor "mean".

    Example:
        >>> warp = Warp()
        >>> params = {"time_factor": [1.0], "time_shift": [0.5], "bin_factor": [1.0], "bin_shift": [1.0]}
        >>> warp.apply(tf.constant([[[[1.0], [2.0]], [[3.0], [4.0]]]]), params)[0, ..., 0].numpy()
        array([[4., 4.],
               [0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        time_factor: float = 1.15,
        time_shift: float = 0.1,
        bin_factor: float = 1.1,
        bin_shift: float = 2.0,
        fill: float | str = 0.0,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(fill, probability, seed, **kwargs)
        self.time_factor = arguments.between("time_factor", time_factor, 1)
        self.time_shift = arguments.between("time_shift", time_shift, 0)
        self.keeps_time = self.time_factor == 1 and self.time_shift == 0
        self.bin_factor = arguments.between("bin_factor", bin_factor, 1)
        self.bin_shift = arguments.between("bin_shift", bin_shift, 0)

    def draw(self, batch, seed):
        """Draw each example's factors and shifts, under the arguments' names; all (batch,)."""
        seeds = split(seed, 4)

        def drawn(number, greatest):
            return uniform([batch], seeds[number], -greatest, greatest)

        return {
            "time_factor": tf.exp(drawn(0, np.log(self.time_factor))),
            "time_shift": drawn(1, self.time_shift),
            "bin_factor": tf.exp(drawn(2, np.log(self.bin_factor))),
            "bin_shift": drawn(3, self.bin_shift),
        }

    def transform(self, x, params):
        """Take each frame, then each bin, from where the parameters have it."""
        if not self.keeps_time:
            x = self._in_time(x, params["time_factor"], params["time_shift"])
        if self.bin_factor == 1 and self.bin_shift == 0:
            return x
        bins_first = tf.transpose(x, [0, 2, 1, 3])  # whole rows are gathered several times as fast
        places = _places(tf.shape(x)[2], params["bin_factor"], params["bin_shift"], 0.0)
        return tf.transpose(_interpolated(bins_first, places), [0, 2, 1, 3])

    def _in_time(self, x: tf.Tensor, factor: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
        frames = tf.shape(x)[1]
        last = tf.cast(frames - 1, tf.float32)
        frame = _places(frames, factor, shift * tf.cast(frames, tf.float32), last / 2)
        outside = ((frame < 0) | (frame > last))[:, :, tf.newaxis, tf.newaxis]
        return tf.where(outside, self.filling(x), _interpolated(x, frame))


def _places(length, factor, shift, middle) -> tf.Tensor:
    """Return where each of (batch, length) values comes from, between the whole numbers."""
    from_middle = tf.range(length, dtype=tf.float32) - middle
    return from_middle * tf.reshape(factor, [-1, 1]) + middle + tf.reshape(shift, [-1, 1])


def _interpolated(x: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Take the values at (batch, length) places along the first axis behind the batch."""
    last = tf.shape(x)[1] - 1
    places = tf.clip_by_value(places, 0.0, tf.cast(last, tf.float32))
    below = tf.cast(places, tf.int32)
    beyond = (places - tf.cast(below, tf.float32))[:, :, tf.newaxis, tf.newaxis]
    lower = tf.gather(x, below, axis=1, batch_dims=1)
    return lower + beyond * (tf.gather(x, tf.minimum(below + 1, last), axis=1, batch_dims=1) - lower)
