"""Noise of any colour, levels, and mixing at a signal-to-noise ratio, as pure functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfspec.dsp import spectral

MEASURES = ("peak", "rms")
# Even, and without a prime factor above 5: an FFT of 480,001 samples takes six times one of 480,000
_PRODUCTS = (2**a * 3**b * 5**c for a in range(1, 31) for b in range(20) for c in range(14))
_FFT_LENGTHS = np.array(sorted(length for length in _PRODUCTS if length < 2**31), np.int32)


def colored(seed: tf.Tensor, shape: Any, exponent: float) -> tf.Tensor:
    """Gaussian noise whose power falls with frequency f as 1 / f^exponent.

    The spectrum is drawn and transformed back (J. Timmer and M. König, "On generating power law noise",
    Astronomy and Astrophysics 300, 1995), as the package colorednoise does it; white noise needs no
    transform. What is transformed is a little longer than the signal where that makes it faster.

    Args:
        seed: (2,) int32; the same seed, the same noise.
        shape: (…, samples), integers or tensors; each row has noise of its own.
        exponent: 0 is white, 1 pink (−3 dB an octave), 2 brown (−6 dB), −1 blue, −2 violet.

    Returns:
        (…, samples) float32, zero mean and unit variance on the average of many draws.

    Example:
        >>> colored([0, 1], [2, 16000], exponent=1).shape
        TensorShape([2, 16000])
    """
    *rows, samples = tf.unstack(tf.cast(shape, tf.int32))
    if exponent == 0:
        pairs = _gaussian_pairs(seed, [*rows, (samples + 1) // 2])
        return tf.concat(pairs, axis=-1)[..., :samples]
    fft_length = fast_length(samples)
    bins = tf.range(fft_length // 2 + 1)
    scale = tf.exp(-exponent / 2 * tf.math.log(tf.cast(tf.maximum(bins, 1), tf.float32)))
    # Each bin stands for two frequencies and has two parts; the first and the last have one of each
    power = 4 * tf.reduce_sum(scale**2) - 3 * (scale[0] ** 2 + scale[-1] ** 2)
    scale *= tf.cast(fft_length, tf.float32) / tf.sqrt(power)
    real, imaginary = _gaussian_pairs(seed, [*rows, fft_length // 2 + 1])
    return tf.signal.irfft(tf.complex(scale * real, scale * imaginary), [fft_length])[..., :samples]


def fast_length(samples: int | tf.Tensor) -> tf.Tensor:
    """Return the least length at which a transform is fast: even, without a prime factor above 5.

    Args:
        samples: the least length that will do.

    Returns:
        int32.

    Example:
        >>> int(fast_length(480_001))
        486000
    """
    return tf.gather(_FFT_LENGTHS, tf.searchsorted(_FFT_LENGTHS, [samples]))[0]


def uniform(shape: Any, seed: tf.Tensor) -> tf.Tensor:
    """Numbers from 0 up to 1, eagerly, in a graph and under XLA the same.

    `tf.random.stateless_uniform` draws other numbers under XLA: unless told which algorithm, and even
    then, for the two make numbers of different bits.

    Args:
        shape: of the result, integers or tensors.
        seed: (2,) int32.

    Returns:
        `shape`, float32, multiples of 2^−24 below 1.

    Example:
        >>> bool(tf.reduce_all(uniform([100], [0, 1]) < 1))
        True
    """
    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg="philox")
    return tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) * 2**-24 + 0.5


def _gaussian_pairs(seed: tf.Tensor, shape: list) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw two times `shape` from the normal distribution.

    Box and Muller's transform in vectorised operations takes half the time of `stateless_normal`, which does
    the same number by number. What takes longest is to draw bits, so that a pair has 32 of them: 20 for one
    of a million radii, up to 5.4, and 12 for the direction.
    """
    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg="philox")
    above = tf.cast(tf.bitwise.right_shift(bits, 12), tf.float32) + (2**19 + 0.5)
    direction = tf.cast(tf.bitwise.bitwise_and(bits, 2**12 - 1), tf.float32)
    radius = tf.sqrt(-2 * tf.math.log(above * 2**-20))
    angle = (2 * np.pi * 2**-12) * direction
    return radius * tf.cos(angle), radius * tf.sin(angle)


def level(x: tf.Tensor, measure: str) -> tf.Tensor:
    """Level of each example, over all its samples and channels.

    Args:
        x: (batch, …) float32.
        measure: "peak", the largest absolute sample, or "rms", the root of the mean square.

    Returns:
        (batch,) float32.

    Example:
        >>> x = tf.constant([[3.0, -4.0, 0.0, 0.0]])
        >>> level(x, "peak").numpy().tolist(), level(x, "rms").numpy().tolist()
        ([4.0], [2.5])
    """
    axes = range(1, len(x.shape))
    if measure == "peak":
        return tf.reduce_max(tf.abs(x), axes)
    return spectral.raised(tf.reduce_mean(tf.square(x), axes), 1)


def added(signal: tf.Tensor, noise: tf.Tensor, snr_db: tf.Tensor, measure: str) -> tf.Tensor:
    """Add noise at a signal-to-noise ratio.

    Args:
        signal: (batch, …) float32.
        noise: the same shape, of any level.
        snr_db: (batch,) how many dB the noise, as it is added, is below the signal.
        measure: what is so many dB below: "peak", the largest absolute sample, or "rms", the usual ratio of
            powers. Peaks of noise are some 13 dB above its RMS level, peaks of a tone 3 dB, so "peak" makes a
            tone the weaker noise, and a recording of clicks the stronger.

    Returns:
        As signal. A silent signal stays silent, and silent noise changes nothing.

    Example:
        >>> added(tf.constant([[1.0, -1.0]]), tf.constant([[0.3, 0.1]]), tf.constant([20.0]), "peak").numpy()
        array([[ 1.1       , -0.96666664]], dtype=float32)
    """
    gain = tf.math.divide_no_nan(level(signal, measure), level(noise, measure)) * 10 ** (-snr_db / 20)
    return signal + noise * tf.reshape(gain, [-1, *[1] * (len(signal.shape) - 1)])
