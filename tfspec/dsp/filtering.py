"""Filters applied in the frequency domain: second-order sections of the cookbook, and impulse responses."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfspec.dsp import noise

BUTTERWORTH_Q = 2**-0.5


def convolved(signal: tf.Tensor, impulse: tf.Tensor) -> tf.Tensor:
    """Convolve each row with its own impulse response, by FFT; what rings on behind the end is cut.

    Args:
        signal: (batch, …, samples) float32.
        impulse: (batch, …, taps) float32, broadcast against the signal's rows.

    Returns:
        As the signal.

    Example:
        >>> convolved(tf.constant([[1.0, 0.0, 2.0]]), tf.constant([[1.0, 0.5]])).numpy().round(3).tolist()
        [[1.0, 0.5, 2.0]]
    """
    samples = tf.shape(signal)[-1]
    length = noise.fast_length(samples + tf.shape(impulse)[-1])
    spectrum = _spectrum(signal, length) * _spectrum(impulse, length)
    return tf.signal.irfft(spectrum, [length])[..., :samples]


def sections_applied(signal: tf.Tensor, sections: tf.Tensor, ringing: int) -> tf.Tensor:
    """Filter each row by second-order sections, by their exact response at the frequencies of an FFT.

    The signal is followed by zeros into which the filter rings, so that nothing comes back at the beginning:
    the result is that of the recursion, but for what still rings behind these.

    Args:
        signal: (batch, …, samples) float32.
        sections: (batch, count, 6) float32: b0, b1, b2, a0, a1, a2 of each, as in `scipy.signal.sosfilt`.
        ringing: zeros to append, in samples.

    Returns:
        As the signal.

    Example:
        >>> half = tf.constant([[[0.5, 0.0, 0.0, 1.0, 0.0, 0.0]]])
        >>> sections_applied(tf.constant([[2.0, 4.0]]), half, 10).numpy().round(3).tolist()
        [[1.0, 2.0]]
    """
    samples = tf.shape(signal)[-1]
    length = noise.fast_length(samples + ringing)
    turn = 2 * np.pi * tf.cast(tf.range(length // 2 + 1), tf.float32) / tf.cast(length, tf.float32)
    delays = tf.stack([tf.ones_like(turn), turn, 2 * turn]) * [[0.0], [1.0], [1.0]]
    powers = tf.complex(tf.cos(delays), -tf.sin(delays))  # z^0, z^-1 and z^-2: (3, bins)
    coefficients = tf.cast(sections, tf.complex64)
    response = tf.matmul(coefficients[..., :3], powers) / tf.matmul(coefficients[..., 3:], powers)
    response = tf.reduce_prod(response, axis=1)
    rows = [-1, *[1] * (len(signal.shape) - 2), length // 2 + 1]
    spectrum = _spectrum(signal, length) * tf.reshape(response, rows)
    return tf.signal.irfft(spectrum, [length])[..., :samples]


def _spectrum(rows: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Transform rows with zeros behind them, which `tf.signal.rfft` does not append where there is no row."""
    padding = [[0, 0]] * (len(rows.shape) - 1) + [[0, length - tf.shape(rows)[-1]]]
    return tf.signal.rfft(tf.pad(rows, padding), [length])


def high_pass(hz: tf.Tensor, sample_rate: float) -> tf.Tensor:
    """Second-order Butterworth high-pass, by R. Bristow-Johnson's Audio EQ Cookbook.

    Args:
        hz: (batch,) frequencies at which it takes 3 dB.
        sample_rate: samples per second.

    Returns:
        (batch, 6) float32, b0, b1, b2, a0, a1, a2.

    Example:
        >>> high_pass(tf.constant([100.0]), 8000).shape
        TensorShape([1, 6])
    """
    cosine, alpha = _turned(hz, sample_rate)
    one = (1 + cosine) / 2
    return tf.stack([one, -2 * one, one, 1 + alpha, -2 * cosine, 1 - alpha], axis=-1)


def low_pass(hz: tf.Tensor, sample_rate: float) -> tf.Tensor:
    """Second-order Butterworth low-pass, by the same cookbook.

    Args:
        hz: as in `high_pass`.
        sample_rate: as in `high_pass`.

    Returns:
        As `high_pass`.

    Example:
        >>> low_pass(tf.constant([100.0]), 8000).shape
        TensorShape([1, 6])
    """
    cosine, alpha = _turned(hz, sample_rate)
    one = (1 - cosine) / 2
    return tf.stack([one, 2 * one, one, 1 + alpha, -2 * cosine, 1 - alpha], axis=-1)


def shelf(hz: tf.Tensor, gain_db: tf.Tensor, is_high: tf.Tensor, sample_rate: float) -> tf.Tensor:
    """Shelf of slope 1, by the same cookbook: a gain on one side of a frequency, at which it is half of it.

    Args:
        hz: (batch,) frequencies.
        gain_db: (batch,) gains in dB.
        is_high: (batch,) bool, whether the gain is above the frequency, or below.
        sample_rate: samples per second.

    Returns:
        As `high_pass`.

    Example:
        >>> shelf(tf.constant([100.0]), tf.constant([6.0]), tf.constant([True]), 8000).shape
        TensorShape([1, 6])
    """
    cosine, alpha = _turned(hz, sample_rate)
    amplitude = tf.pow(10.0, gain_db / 40)
    side = tf.where(is_high, 1.0, -1.0)  # the two differ in the sign of the cosine
    cosine *= side
    root = 2 * tf.sqrt(amplitude) * alpha
    more, less = amplitude + 1, amplitude - 1
    b = [more + less * cosine + root, -2 * side * (less + more * cosine), more + less * cosine - root]
    a = [more - less * cosine + root, 2 * side * (less - more * cosine), more - less * cosine - root]
    return tf.stack([*(amplitude * each for each in b), *a], axis=-1)


def _turned(hz: tf.Tensor, sample_rate: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the cookbook's cos(w0) and alpha, of a Q of 1/√2, which is a shelf's slope of 1 too."""
    angle = 2 * np.pi * hz / sample_rate
    return tf.cos(angle), tf.sin(angle) / (2 * BUTTERWORTH_Q)
