"""Resampling of features, as pure functions."""

from __future__ import annotations

import tensorflow as tf


def linear_weights(present: int | tf.Tensor, wanted: int, antialias: bool) -> tf.Tensor:
    """Linear interpolation from one number of pixels to another, as a matrix.

    Pixels are areas, as in `tf.image.resize`: pixel i is centred on i + ½.

    Args:
        present: number of pixels that there are.
        wanted: number of pixels that there shall be.
        antialias: widen the triangle by as much as the axis shrinks.

    Returns:
        (present, wanted) float32; each column sums to one.

    Example:
        >>> linear_weights(4, 2, antialias=False).numpy().tolist()
        [[0.5, 0.0], [0.5, 0.0], [0.0, 0.5], [0.0, 0.5]]
    """
    ratio = tf.cast(present, tf.float32) / wanted
    centres = (tf.range(wanted, dtype=tf.float32) + 0.5) * ratio
    pixels = tf.cast(tf.range(present), tf.float32) + 0.5
    reach = tf.maximum(ratio, 1.0) if antialias else 1.0
    weights = tf.maximum(1 - tf.abs(pixels[:, tf.newaxis] - centres) / reach, 0)
    return weights / tf.reduce_sum(weights, 0)
