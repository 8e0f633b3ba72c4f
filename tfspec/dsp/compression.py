"""Decibels and per-channel energy normalisation, as pure functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf


def decibels(
    features: tf.Tensor,
    power: int = 2,
    reference: float | str = 1.0,
    floor: float = 1e-10,
    dynamic_range_db: float | None = 80.0,
) -> tf.Tensor:
    """Level in decibels, with an absolute floor and one below each example's own peak.

    Args:
        features: (batch, frames, bins) or (batch, frames, bins, channels) float32, ≥ 0.
        power: 2 if the features are powers, 1 if they are magnitudes.
        reference: the value that becomes 0 dB; "max" for each example's largest.
        floor: smallest value told apart from zero.
        dynamic_range_db: values further below the example's largest are raised to that; None leaves them.

    Returns:
        Decibels, the same shape.

    Example:
        >>> decibels(tf.constant([[[1.0, 0.1, 0.0]]])).numpy().round(3).tolist()
        [[[0.0, -10.0, -80.0]]]
    """
    per_neper = 20 / power / np.log(10)
    peak = tf.reduce_max(features, axis=list(range(1, len(features.shape))), keepdims=True)
    lowest: Any = floor
    if dynamic_range_db is not None:
        lowest = tf.maximum(peak * 10 ** (-dynamic_range_db * power / 20), floor)
    levels = tf.math.log(tf.maximum(features, lowest)) * per_neper
    if reference == "max":
        return levels - tf.math.log(tf.maximum(peak, floor)) * per_neper
    offset = per_neper * np.log(max(reference, floor))
    return levels - offset if offset else levels


def smoothed(energy: tf.Tensor, coefficient: float, before: Any = 1.0) -> tf.Tensor:
    """First-order recursive mean over time, s[t] = (1 − c) · s[t − 1] + c · e[t].

    Without a recursion: from the sum over the last m frames follows the sum over 2m, until what is left out
    weighs less than float32 resolves.

    Args:
        energy: (batch, frames, bins, channels) float32.
        coefficient: c, in 0…1.
        before: s[−1], a number or (batch, 1, bins, channels).

    Returns:
        The same shape.

    Example:
        >>> smoothed(tf.zeros([1, 3, 1, 1]), 0.5).numpy().ravel().tolist()
        [0.5, 0.25, 0.125]
    """
    decay = 1 - coefficient
    frames = tf.shape(energy)[1]
    mean = coefficient * energy
    reach = 1
    while decay**reach > 1e-9 and (energy.shape[1] is None or reach < energy.shape[1]):
        earlier = tf.pad(mean, [[0, 0], [reach, 0], [0, 0], [0, 0]])[:, :frames]
        mean += decay**reach * earlier
        reach *= 2
    start = tf.pow(np.float32(decay), tf.cast(tf.range(1, frames + 1), tf.float32))
    return mean + before * start[tf.newaxis, :, tf.newaxis, tf.newaxis]


def pcen(
    energy: tf.Tensor, mean: tf.Tensor, gain: float, bias: float, power: float, floor: float
) -> tf.Tensor:
    """Per-channel energy normalisation: (e / (floor + s)^gain + bias)^power − bias^power.

    Args:
        energy: (batch, frames, bins, channels) float32, ≥ 0.
        mean: s, what `smoothed` makes of it.
        gain: strength of the gain control, 0…1.
        bias: offset before the compression, over 0.
        power: exponent of the compression, over 0.
        floor: smallest running mean.

    Returns:
        The same shape.

    Example:
        >>> energy = tf.ones([1, 2, 1, 1])
        >>> pcen(energy, smoothed(energy, 0.1), 1.0, 2.25, 0.5, 1e-6).numpy().round(2).ravel()
        array([0.3, 0.3], dtype=float32)
    """
    loudness = tf.exp(-gain * tf.math.log(floor + mean))
    return tf.pow(energy * loudness + bias, power) - bias**power
