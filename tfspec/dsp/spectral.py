"""Windows, short-time spectra, mel filter banks, decibels and the DCT, as pure functions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

# Coefficients a0, a1, … of a0 − a1·cos(2πn/N) + a2·cos(4πn/N) − …
WINDOWS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "rectangular": (1.0,),
}


def window(name: str, length: int) -> np.ndarray:
    """Periodic cosine-sum window, as `scipy.signal.get_window(name, length)` gives it.

    Args:
        name: one of "hann", "hamming", "blackman", "rectangular".
        length: number of samples.

    Returns:
        (length,) float32.

    Raises:
        ValueError: the name is not known.

    Example:
        >>> window("hann", 4)
        array([0. , 0.5, 1. , 0.5], dtype=float32)
    """
    if name not in WINDOWS:
        raise ValueError(f"`window` must be one of {', '.join(WINDOWS)}. Received: window={name!r}")
    angle = 2 * np.pi * np.arange(length) / length
    terms = [(-1) ** k * a * np.cos(k * angle) for k, a in enumerate(WINDOWS[name])]
    return np.sum(terms, axis=0).astype(np.float32)


def real_fft(frames: tf.Tensor, fft_length: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Discrete Fourier transform of real frames, as real and imaginary part.

    Powers of two take the FFT, which TFLite has as a builtin (RFFT2D). TFLite's fails on every other
    length, so these are a product with the DFT matrix there and everywhere: the numbers are the same.

    Args:
        frames: (…, frame_length) float32, frame_length ≤ fft_length; zeros are appended.
        fft_length: length of the transform in samples.

    Returns:
        Two tensors (…, fft_length // 2 + 1) float32.

    Example:
        >>> real, imaginary = real_fft(tf.ones([1, 4]), 4)
        >>> real.numpy().tolist(), imaginary.numpy().tolist()
        ([[4.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]])
    """
    if fft_length & (fft_length - 1) == 0:
        spectrum = tf.signal.rfft(frames, [fft_length])
        return tf.math.real(spectrum), tf.math.imag(spectrum)
    turns = np.outer(np.arange(int(frames.shape[-1])), np.arange(fft_length // 2 + 1)) % fft_length
    angle = 2 * np.pi * turns / fft_length  # reduced modulo one turn: large products lose digits
    return (
        tf.matmul(frames, np.cos(angle).astype(np.float32)),
        tf.matmul(frames, -np.sin(angle).astype(np.float32)),
    )


def power_spectrogram(
    signal: tf.Tensor, window_samples: np.ndarray, frame_step: int, fft_length: int
) -> tf.Tensor:
    """Squared magnitude of the short-time Fourier transform.

    Args:
        signal: (batch, samples) float32.
        window_samples: (frame_length,) float32, frame_length ≤ fft_length.
        frame_step: samples from one frame's start to the next one's.
        fft_length: length of the transform in samples.

    Returns:
        (batch, frames, fft_length // 2 + 1) float32; only whole frames.

    Example:
        >>> power_spectrogram(tf.zeros([2, 1000]), window("hann", 256), 128, 256).shape
        TensorShape([2, 6, 129])
    """
    frames = tf.signal.frame(signal, len(window_samples), frame_step) * window_samples
    real, imaginary = real_fft(frames, fft_length)
    return tf.square(real) + tf.square(imaginary)


def safe_sqrt(x: tf.Tensor) -> tf.Tensor:
    """Square root whose gradient at zero is zero and not infinite.

    Args:
        x: any shape, float32, ≥ 0.

    Returns:
        The same shape.

    Example:
        >>> safe_sqrt(tf.constant([0.0, 4.0])).numpy().tolist()
        [0.0, 2.0]
    """
    positive = x > 0
    return tf.where(positive, tf.sqrt(tf.where(positive, x, 1.0)), 0.0)


def hz_to_mel(hz: npt.ArrayLike) -> np.ndarray:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above (Auditory Toolbox, 1998; librosa's default).

    Args:
        hz: frequencies in Hz, any shape.

    Returns:
        Mels, the same shape.

    Example:
        >>> hz_to_mel(np.array([0.0, 1000.0, 6400.0])).round(6).tolist()
        [0.0, 15.0, 42.0]
    """
    hz = np.asarray(hz, np.float64)
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def mel_to_hz(mel: npt.ArrayLike) -> np.ndarray:
    """Inverse of `hz_to_mel`.

    Args:
        mel: mels, any shape.

    Returns:
        Frequencies in Hz, the same shape.

    Example:
        >>> mel_to_hz(np.array([0.0, 15.0, 42.0])).round(6).tolist()
        [0.0, 1000.0, 6400.0]
    """
    mel = np.asarray(mel, np.float64)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27))


def mel_filter_bank(
    num_mel_bins: int, fft_length: int, sample_rate: float, lower_hz: float, upper_hz: float
) -> np.ndarray:
    """Triangular filters, equally spaced on Slaney's mel scale, each of unit area in Hz.

    The same as `librosa.filters.mel(sr=sample_rate, n_fft=fft_length, …).T` with librosa's defaults.

    Args:
        num_mel_bins: number of filters.
        fft_length: length of the transform in samples.
        sample_rate: samples per second.
        lower_hz: lower edge of the first filter.
        upper_hz: upper edge of the last filter.

    Returns:
        (fft_length // 2 + 1, num_mel_bins) float32.

    Example:
        >>> mel_filter_bank(128, 512, 22050, 0, 11025).shape
        (257, 128)
    """
    edges = mel_to_hz(np.linspace(hz_to_mel(lower_hz), hz_to_mel(upper_hz), num_mel_bins + 2))
    bins = np.arange(fft_length // 2 + 1)[:, np.newaxis] * sample_rate / fft_length
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * 2 / (edges[2:] - edges[:-2])).astype(np.float32)


def power_to_decibels(power: tf.Tensor, floor: float, dynamic_range_db: float | None) -> tf.Tensor:
    """Ten times the decimal logarithm, with an absolute floor and one below each example's own peak.

    Args:
        power: (batch, frames, bins) or (batch, frames, bins, channels) float32, ≥ 0.
        floor: smallest power told apart from zero.
        dynamic_range_db: values further below the example's largest are raised to that; None leaves them.

    Returns:
        Decibels, the same shape.

    Example:
        >>> power_to_decibels(tf.constant([[[1.0, 0.1, 0.0]]]), 1e-10, 80.0).numpy().round(3).tolist()
        [[[0.0, -10.0, -80.0]]]
    """
    decibels = tf.math.log(tf.maximum(power, floor)) * (10 / np.log(10))
    if dynamic_range_db is None:
        return decibels
    peak = tf.reduce_max(decibels, axis=list(range(1, len(power.shape))), keepdims=True)
    return tf.maximum(decibels, peak - dynamic_range_db)


def dct_matrix(num_inputs: int, num_outputs: int) -> np.ndarray:
    """Orthonormal DCT-II as a matrix, the same as `scipy.fft.dct(np.eye(num_inputs), norm="ortho")`.

    Args:
        num_inputs: length of what is transformed.
        num_outputs: how many of the first coefficients are kept.

    Returns:
        (num_inputs, num_outputs) float32, to be multiplied from the right.

    Example:
        >>> dct_matrix(4, 1).tolist()
        [[0.5], [0.5], [0.5], [0.5]]
    """
    n = np.arange(num_inputs)[:, np.newaxis]
    k = np.arange(num_outputs)
    matrix = np.cos(np.pi * (n + 0.5) * k / num_inputs) * np.sqrt(2 / num_inputs)
    matrix[:, 0] /= np.sqrt(2)
    return matrix.astype(np.float32)
