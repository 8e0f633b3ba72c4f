"""What is not finite, or too large or too small for float32's arithmetic, as pure functions.

A square of 1e20 is infinite, and below 1e-38 some processors and libraries count as zero what others do not.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

GREATEST_FLOAT = float(np.finfo(np.float32).max)
LOUDEST = 2.0**32
"""Magnitude from which powers of 65,536 samples, and 2**31 times the powers of 4,096, are within float32."""
FAINTEST = 2.0**-100
"""Magnitude; numbers over it differ by more than the least normal one."""


def turned_down(x: tf.Tensor, greatest: float, axis: Iterable[int]) -> tf.Tensor:
    """Compute the factor that brings what is greater than a limit down to it.

    Args:
        x: any shape, float32, finite.
        greatest: the limit.
        axis: the axes that share one factor.

    Returns:
        The factors, with axes of length 1; exactly 1 where nothing is greater.

    Example:
        >>> turned_down(tf.constant([[1.0, -8.0], [2.0, 3.0]]), 4.0, [1]).numpy().ravel().tolist()
        [0.5, 1.0]
    """
    peak = tf.reduce_max(tf.abs(x), list(axis), keepdims=True)
    return greatest / tf.maximum(peak, greatest)


def tamed(signal: tf.Tensor) -> tf.Tensor:
    """Make signals such that what any front end computes is finite, and the same everywhere.

    A signal whose peak is over 2**32 (no 32-bit integer reaches it) is turned down to this peak as a whole,
    what is below 2**-100 becomes zero, as does what is not finite. All else stays as it is, bit for bit.

    Args:
        signal: (batch, …) float32.

    Returns:
        The same shape.

    Example:
        >>> tamed(tf.constant([[0.5, -8388608.0], [2.0**100, np.nan]])).numpy().tolist()
        [[0.5, -8388608.0], [4294967296.0, 0.0]]
    """
    signal = tf.where(_is_finite(signal), signal, 0.0)
    signal *= turned_down(signal, LOUDEST, range(1, len(signal.shape)))
    return tf.where(tf.abs(signal) >= FAINTEST, signal, 0.0)


def all_finite(signal: tf.Tensor) -> tf.Tensor:
    """Tell which examples are finite throughout.

    Args:
        signal: (batch, …) float32.

    Returns:
        (batch, 1) bool.

    Example:
        >>> all_finite(tf.constant([[1.0, 2.0], [np.inf, 0.0], [np.nan, 0.0]])).numpy().ravel().tolist()
        [True, False, False]
    """
    return tf.reduce_all(_is_finite(signal), list(range(1, len(signal.shape))))[:, tf.newaxis]


def or_nan(x: tf.Tensor, usable: tf.Tensor) -> tf.Tensor:
    """Put NaN in place of what was made of unusable examples.

    Args:
        x: (batch, …) float32.
        usable: (batch, 1) bool, such as of `all_finite`.

    Returns:
        The same shape.

    Example:
        >>> or_nan(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([[True], [False]])).numpy().tolist()
        [[1.0, 2.0], [nan, nan]]
    """
    usable = tf.reshape(usable, [-1, *[1] * (len(x.shape) - 1)])
    return tf.where(usable, x, np.float32(np.nan))


def _is_finite(x: tf.Tensor) -> tf.Tensor:
    """Compare, as TFLite has no `is_finite`; a comparison with NaN is false."""
    return tf.abs(x) <= GREATEST_FLOAT
