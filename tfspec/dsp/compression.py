"""Decibels and per-channel energy normalisation, as pure functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

LONGEST_MEMORY = 2**16
"""Frames that a mean with coefficients that are tensors looks back, where nobody knows how many there are."""


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


def smoothed(energy: tf.Tensor, coefficient: float | tf.Tensor, before: Any = 1.0) -> tf.Tensor:
    """First-order recursive mean over time, s[t] = (1 − c) · s[t − 1] + c · e[t].

    Without a recursion: from the sum over the last m frames follows the sum over 2m, until what is left out
    weighs less than float32 resolves.

    Args:
        energy: (batch, frames, bins, channels) float32.
        coefficient: c, in 0…1; or a tensor of them, (bins, 1), which gradients reach. Nobody knows beforehand
            how little of it is left when: then the sums go over all frames, in a graph for signals of any
            length over the last 65536.
        before: s[−1], a number or (batch, 1, bins, channels).

    Returns:
        The same shape.

    Example:
        >>> smoothed(tf.zeros([1, 3, 1, 1]), 0.5).numpy().ravel().tolist()
        [0.5, 0.25, 0.125]
    """
    if not isinstance(coefficient, tf.Tensor):
        return _mean(energy, coefficient, before)
    coefficient = tf.broadcast_to(coefficient, tf.shape(energy)[2:])
    return _learnt_mean(energy, coefficient, tf.zeros_like(energy[:, :1]) + before)


@tf.custom_gradient
def _learnt_mean(energy: tf.Tensor, coefficient: tf.Tensor, before: tf.Tensor) -> Any:
    """Smooth, with gradients that are sums backwards in time.

    They take a sixth of the time of those that go back through every doubling.
    """
    mean = _mean(energy, coefficient, before)

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        # A mean acts on the loss by itself and through those that follow: g[t] = u[t] + (1 − c) · g[t + 1]
        of_mean = tf.reverse(_decaying_sums(tf.reverse(upstream, [1]), coefficient), [1])
        earlier = tf.concat([before, mean], axis=1)[:, :-1]
        of_coefficient = tf.reduce_sum(of_mean * (energy - earlier), axis=[0, 1])
        return coefficient * of_mean, of_coefficient, (1 - coefficient) * of_mean[:, :1]

    return mean, gradients


def _mean(energy: tf.Tensor, coefficient: float | tf.Tensor, before: Any) -> tf.Tensor:
    times = tf.cast(tf.range(1, tf.shape(energy)[1] + 1), tf.float32)
    left = before * _decay(coefficient)(times[:, tf.newaxis, tf.newaxis])
    return _decaying_sums(coefficient * energy, coefficient) + left


def _decaying_sums(values: tf.Tensor, coefficient: float | tf.Tensor) -> tf.Tensor:
    """Add to each frame all frames before it, each times (1 − c)^n where it lies n frames back."""
    decay = _decay(coefficient)
    frames = tf.shape(values)[1]
    for reach in _reaches(coefficient, values.shape[1]):
        # Of unknown frames there may be fewer than that, and zeros beyond them only cost memory
        later = tf.minimum(reach, frames) if values.shape[1] is None else reach
        earlier = tf.pad(values, [[0, 0], [later, 0], [0, 0], [0, 0]])[:, :frames]
        values += decay(reach) * earlier
    return values


def _decay(coefficient: float | tf.Tensor) -> Callable[[Any], Any]:
    """Make the function from a number of frames n to (1 − c)^n, what they leave of the mean."""
    if isinstance(coefficient, tf.Tensor):
        # 1 − c would round a small c, and a large n multiplies that; at c = 1 the logarithm has no gradient
        exponent = tf.math.log1p(-tf.minimum(coefficient, 1 - 1e-7))
        return lambda n: tf.exp(exponent * n)
    return lambda n: float(1 - coefficient) ** n


def _reaches(coefficient: float | tf.Tensor, num_frames: int | None) -> Iterator[int]:
    """List over how many frames sums are doubled: as long as there are more, and they weigh anything."""
    if isinstance(coefficient, tf.Tensor):
        num_frames = LONGEST_MEMORY if num_frames is None else num_frames
        return itertools.takewhile(lambda reach: reach < num_frames, _powers_of_two())
    decay = _decay(coefficient)
    return itertools.takewhile(
        lambda reach: decay(reach) > 1e-9 and (num_frames is None or reach < num_frames), _powers_of_two()
    )


def _powers_of_two() -> Iterator[int]:
    return (2**power for power in itertools.count())


def pcen(
    energy: tf.Tensor,
    mean: tf.Tensor,
    gain: float | tf.Tensor,
    bias: float | tf.Tensor,
    power: float | tf.Tensor,
    floor: float,
) -> tf.Tensor:
    """Per-channel energy normalisation: (e / (floor + s)^gain + bias)^power − bias^power.

    Gain, bias and power are numbers, or (bins, 1) tensors.

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
