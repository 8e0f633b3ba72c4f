"""Windows and short-time spectra, as pure functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def window(name: str | tuple, length: int, periodic: bool = True) -> np.ndarray:
    """Window by name, as `scipy.signal.get_window` returns it.

    Args:
        name: any of scipy's, such as "hann", "hamming", "blackman" or "rectangular"; with its parameters
            where it has some: ("kaiser", 8.6).
        length: number of samples.
        periodic: the first `length` of length + 1 symmetric samples, as spectra want it; False: symmetric.

    Returns:
        (length,) float32.

    Raises:
        ValueError: the name is not known or its parameters are missing.

    Example:
        >>> window("hann", 4)
        array([0. , 0.5, 1. , 0.5], dtype=float32)
    """
    from scipy.signal import get_window

    try:
        samples = get_window(tuple(name) if isinstance(name, list) else name, length, fftbins=periodic)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"`window` must be a name that scipy.signal.get_window knows ({error}). Received: window={name!r}"
        ) from error
    return samples.astype(np.float32)


def real_fft(frames: tf.Tensor, fft_length: int, num_bins: int | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Discrete Fourier transform of real frames, as real and imaginary part.

    Powers of two take the FFT, which TFLite has as a builtin (RFFT2D). TFLite's fails on every other
    length, so these are a product with the DFT matrix there and everywhere: the numbers are the same.

    Args:
        frames: (…, frame_length) float32, frame_length ≤ fft_length; zeros are appended.
        fft_length: length of the transform in samples.
        num_bins: how many bins are wanted, from 0 Hz on; all fft_length // 2 + 1 if None.

    Returns:
        Two tensors (…, num_bins) float32.

    Example:
        >>> real, imaginary = real_fft(tf.ones([1, 4]), 4)
        >>> real.numpy().tolist(), imaginary.numpy().tolist()
        ([[4.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]])
    """
    if fft_length & (fft_length - 1) == 0:
        zeros = [[0, 0]] * (len(frames.shape) - 1) + [[0, fft_length - int(frames.shape[-1])]]
        spectrum = tf.signal.rfft(tf.pad(frames, zeros), [fft_length])  # whose own padding spares empty ones
        real, imaginary = tf.math.real(spectrum), tf.math.imag(spectrum)
        if num_bins in (None, spectrum.shape[-1]):  # a slice of all would stay in exported files
            return real, imaginary
        return real[..., :num_bins], imaginary[..., :num_bins]
    cosine, sine = _dft_matrices(int(frames.shape[-1]), fft_length)
    return tf.matmul(frames, cosine[:, :num_bins]), tf.matmul(frames, sine[:, :num_bins])


@functools.lru_cache(maxsize=16)
def _dft_matrices(frame_length: int, fft_length: int) -> tuple[np.ndarray, np.ndarray]:
    turns = np.outer(np.arange(frame_length), np.arange(fft_length // 2 + 1)) % fft_length
    angle = 2 * np.pi * turns / fft_length  # reduced modulo one turn: large products lose digits
    return np.cos(angle).astype(np.float32), -np.sin(angle).astype(np.float32)


def padded(signal: tf.Tensor, before: int, after: Any, mode: str) -> tf.Tensor:
    """Pad signals at both ends.

    Args:
        signal: (batch, samples) float32.
        before: samples to put in front; a negative number cuts.
        after: samples to append; a negative number cuts.
        mode: "constant" (zeros), "reflect", "symmetric" or "edge" (the outermost sample), as `numpy.pad` has
            them.

    Returns:
        (batch, before + samples + after) float32.

    Example:
        >>> padded(tf.constant([[1.0, 2.0, 3.0]]), 1, 2, "reflect").numpy().tolist()
        [[2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]
    """
    if isinstance(after, int):
        signal = signal[:, max(0, -before) : min(0, after) or None]
        before, after = max(0, before), max(0, after)
    if mode == "edge":
        ends = [signal[:, :1] * tf.ones([1, before]), signal, signal[:, -1:] * tf.ones([1, after])]
        return tf.concat(ends, axis=1)
    if mode == "reflect":  # tf.pad's refuses an empty batch
        end = tf.shape(signal)[1] - 1
        ends = [signal[:, 1 : before + 1], signal[:, end - after : end]]
        return tf.concat([tf.reverse(ends[0], [1]), signal, tf.reverse(ends[1], [1])], axis=1)
    return tf.pad(signal, [[0, 0], [before, after]], mode.upper())


def power_spectrogram(
    signal: tf.Tensor,
    window_samples: np.ndarray,
    frame_step: int,
    fft_length: int,
    num_bins: int | None = None,
) -> tf.Tensor:
    """Squared magnitude of the short-time Fourier transform.

    Args:
        signal: (batch, samples) float32.
        window_samples: (frame_length,) float32, frame_length ≤ fft_length.
        frame_step: samples from one frame's start to the next one's.
        fft_length: length of the transform in samples.
        num_bins: as in `real_fft`.

    Returns:
        (batch, frames, num_bins) float32; only whole frames.

    Example:
        >>> power_spectrogram(tf.zeros([2, 1000]), window("hann", 256), 128, 256).shape
        TensorShape([2, 6, 129])
    """
    frames = tf.signal.frame(signal, len(window_samples), frame_step)
    one_by_one = tf.reshape(frames, [-1, len(window_samples)])  # two axes are cheaper than three
    real, imaginary = real_fft(one_by_one * window_samples, fft_length, num_bins)
    power = tf.square(real) + tf.square(imaginary)
    return tf.reshape(power, [axis_length(frames, 0), axis_length(frames, 1), power.shape[-1]])


def in_blocks(
    function: Callable[[tf.Tensor], tf.Tensor],
    signal: tf.Tensor,
    frame_length: int,
    frame_step: int,
    block_frames: int,
) -> tf.Tensor:
    """Apply a function of frames to a few frames at a time.

    What lies between a signal and its features is many times as large as both. A block at a time it stays
    in the processor's cache, and memory stays flat; blocks run in parallel. A block is several whole
    signals, or a stretch of one. XLA compiles it for any signal, its gradients where the graph knows the
    signal's shape.

    Args:
        function: from (rows, samples) to (rows, frames, …), each frame by itself.
        signal: (batch, samples) float32, at least one frame long.
        frame_length: samples that `function` needs for one frame.
        frame_step: samples from one frame's start to the next one's.
        block_frames: about how many frames at a time.

    Returns:
        (batch, frames, …), equal to `function(signal)`.

    Example:
        >>> frame = lambda x: tf.signal.frame(x, 4, 2)
        >>> in_blocks(frame, tf.zeros([3, 100]), 4, 2, block_frames=10).shape
        TensorShape([3, 49, 4])
    """
    batch, samples = axis_length(signal, 0), axis_length(signal, 1)
    frames = 1 + (samples - frame_length) // frame_step
    if isinstance(batch, int) and isinstance(samples, int) and batch * frames <= block_frames:
        return function(signal)
    length = _least(frames, block_frames)
    stretches = -(-frames // length)
    rows = _least(block_frames // length, batch)  # 1 where there is more than one stretch
    groups = _most(-(-batch // _most(rows, 1)), 1)  # one even of an empty batch

    def one(block):
        # The last block is moved back to where the data ends: all are of one size, as XLA wants them
        row = tf.minimum(block // stretches * rows, batch - rows)
        start = tf.minimum(block % stretches * length, frames - length) * frame_step
        return function(tf.slice(signal, [row, start], [rows, (length - 1) * frame_step + frame_length]))

    blocks = tf.map_fn(one, tf.range(groups * stretches), fn_output_signature=tf.float32)
    joined = tf.reshape(blocks, tf.concat([[groups * rows, stretches * length], tf.shape(blocks)[3:]], 0))
    for axis, block, total in ((0, rows, batch), (1, length, frames)):
        if not (isinstance(total, int) and isinstance(block, int) and total % block == 0):
            joined = _without_repeated(joined, axis, block, total)
    return joined


def _without_repeated(x: tf.Tensor, axis: int, block: Any, total: Any) -> tf.Tensor:
    """Leave out of the last block along an axis what the block before it has too."""
    before_last = tf.shape(x)[axis] - block
    before, last = tf.split(x, [before_last, block], axis)
    _, rest = tf.split(last, [before_last + block - total, total - before_last], axis)
    return tf.concat([before, rest], axis)


def axis_length(x: tf.Tensor, axis: int) -> Any:
    """Tell how long an axis is.

    Args:
        x: any tensor.
        axis: its number.

    Returns:
        An integer where it is known when a graph is traced, so that what depends on nothing else is computed
        once; else a tensor.

    Example:
        >>> axis_length(tf.zeros([2, 5]), 1)
        5
    """
    return tf.shape(x)[axis] if x.shape[axis] is None else x.shape[axis]


def _least(x: Any, y: Any) -> Any:
    return min(x, y) if isinstance(x, int) and isinstance(y, int) else tf.minimum(x, y)


def _most(x: Any, y: Any) -> Any:
    return max(x, y) if isinstance(x, int) and isinstance(y, int) else tf.maximum(x, y)


def raised(power: tf.Tensor, exponent: float) -> tf.Tensor:
    """Power spectrum to any exponent of the magnitude, with finite gradients at zero.

    Args:
        power: squared magnitudes, any shape, float32.
        exponent: 2 leaves the power, 1 makes it the magnitude.

    Returns:
        magnitude ** exponent, the same shape.

    Example:
        >>> raised(tf.constant([0.0, 4.0]), 1).numpy().tolist()
        [0.0, 2.0]
    """
    if exponent == 2:
        return power
    some = tf.not_equal(power, 0)  # NaN stays NaN
    safe = tf.where(some, power, 1.0)
    return tf.where(some, tf.sqrt(safe) if exponent == 1 else tf.pow(safe, exponent / 2), 0.0)
