"""Mel scales and filter banks, as pure functions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf

MEL_SCALES = ("slaney", "htk")
BANDS_AT_ONCE = 32
"""So many bands at least are gathered by one product: fewer are too few for it."""


def hz_to_mel(hz: npt.ArrayLike, scale: str = "slaney") -> np.ndarray:
    """Frequency to pitch.

    Args:
        hz: frequencies in Hz, any shape.
        scale: "slaney", linear below 1 kHz and logarithmic above (Auditory Toolbox, 1998; librosa's default),
            or "htk", 2595 · log10(1 + f / 700) (O'Shaughnessy, 1987; torchaudio's default and tf.signal's).

    Returns:
        Mels, the same shape.

    Example:
        >>> hz_to_mel(np.array([0.0, 1000.0, 6400.0])).round(6).tolist()
        [0.0, 15.0, 42.0]
    """
    hz = np.asarray(hz, np.float64)
    if scale == "htk":
        return 2595 * np.log10(1 + hz / 700)
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def mel_to_hz(mel: npt.ArrayLike, scale: str = "slaney") -> np.ndarray:
    """Inverse of `hz_to_mel`.

    Args:
        mel: mels, any shape.
        scale: "slaney" or "htk".

    Returns:
        Frequencies in Hz, the same shape.

    Example:
        >>> mel_to_hz(np.array([0.0, 15.0, 42.0])).round(6).tolist()
        [0.0, 1000.0, 6400.0]
    """
    mel = np.asarray(mel, np.float64)
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27))


def mel_edges(num_mel_bins: int, lower_hz: float, upper_hz: float, scale: str = "slaney") -> np.ndarray:
    """Edges of bands that overlap by half: band m reaches from edge m over its centre m + 1 to edge m + 2.

    Args:
        num_mel_bins: number of bands.
        lower_hz: lower edge of the first band.
        upper_hz: upper edge of the last band.
        scale: "slaney" or "htk".

    Returns:
        (num_mel_bins + 2,) mels.

    Example:
        >>> mel_edges(2, 0, 1000).round(6).tolist()
        [0.0, 5.0, 10.0, 15.0]
    """
    return np.linspace(hz_to_mel(lower_hz, scale), hz_to_mel(upper_hz, scale), num_mel_bins + 2)


def mel_filter_bank(
    num_mel_bins: int,
    fft_length: int,
    sample_rate: float,
    lower_hz: float,
    upper_hz: float,
    scale: str = "slaney",
    area_norm: bool = True,
    straight_in: str = "hz",
) -> np.ndarray:
    """Triangular filters, equally spaced on a mel scale.

    With the defaults it is `librosa.filters.mel(sr=sample_rate, n_fft=fft_length, …).T`; with "htk" and no
    norm torchaudio's; with sides straight in "mel" besides, `tf.signal.linear_to_mel_weight_matrix`.

    Args:
        num_mel_bins: number of filters.
        fft_length: length of the transform in samples.
        sample_rate: samples per second.
        lower_hz: lower edge of the first filter.
        upper_hz: upper edge of the last filter.
        scale: "slaney" or "htk".
        area_norm: scale each filter to unit area in Hz (librosa's `norm="slaney"`) instead of unit height.
        straight_in: the unit in which the triangles' sides are straight lines, "hz" or "mel".

    Returns:
        (fft_length // 2 + 1, num_mel_bins) float32.

    Example:
        >>> mel_filter_bank(128, 512, 22050, 0, 11025).shape
        (257, 128)
    """
    edges = mel_edges(num_mel_bins, lower_hz, upper_hz, scale)
    edges_hz = mel_to_hz(edges, scale)
    bins = np.arange(fft_length // 2 + 1)[:, np.newaxis] * sample_rate / fft_length
    if straight_in == "hz":
        edges = edges_hz
    else:
        bins = hz_to_mel(bins, scale)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    if area_norm:
        triangles *= 2 / (edges_hz[2:] - edges_hz[:-2])
    return triangles.astype(np.float32)


def in_bands(spectra: tf.Tensor, filter_bank: np.ndarray) -> tf.Tensor:
    """Gather the bands of spectra.

    Most of a filter bank is zeros: each filter spans few bins. So neighbouring bands are gathered together,
    from the bins alone that one of them spans: of 128 bands and 1,025 bins that is a sixth of the products.
    Fewer than 64 bands are gathered by one product.

    Args:
        spectra: (…, bins) float32.
        filter_bank: (bins, bands) float32, such as `mel_filter_bank` makes, low bands first.

    Returns:
        (…, bands), what `tf.tensordot(spectra, filter_bank, 1)` gives.

    Example:
        >>> in_bands(tf.ones([2, 3]), np.array([[1, 0], [1, 1], [0, 1]], np.float32)).numpy().tolist()
        [[2.0, 2.0], [2.0, 2.0]]
    """
    bands = filter_bank.shape[1]
    if bands < 2 * BANDS_AT_ONCE:
        return tf.tensordot(spectra, filter_bank, 1)
    gathered = []
    for filters in np.array_split(filter_bank, bands // BANDS_AT_ONCE, axis=1):
        spanned = np.flatnonzero(filters.any(axis=1))
        first, last = (spanned[0], spanned[-1]) if len(spanned) else (0, 0)
        gathered.append(tf.tensordot(spectra[..., first : last + 1], filters[first : last + 1], 1))
    return tf.concat(gathered, axis=-1)
