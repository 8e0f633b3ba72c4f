"""What the frames and bins of features are in seconds and hertz."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from tfspec.frontends.base import FrontEnd
from tfspec.frontends.cepstral import MFCC
from tfspec.frontends.mel import MelSpectrogram
from tfspec.frontends.spectrogram import Spectrogram

Axis = np.ndarray | None
"""One number a frame or a bin; None where they are no times or frequencies."""


def feature_axes(
    front_end: keras.Layer, signal_shape: Sequence[int], sample_rate: float
) -> tuple[Axis, Axis]:
    """Find the times of a front end's frames and the frequencies of its bins.

    Args:
        front_end: a `FrontEnd`, or layers of which one is it, or several are whose frames go together.
        signal_shape: (samples,) or (samples, channels).
        sample_rate: samples per second.

    Returns:
        (frames,) seconds and (bins,) hertz; None where other layers change how many there are, or where the
        bins are no frequencies.

    Example:
        >>> seconds, hertz = feature_axes(Spectrogram(256, 128), (8000,), sample_rate=8000)
        >>> seconds[:2].tolist(), hertz[-2:].tolist()
        ([0.016, 0.032], [3968.75, 4000.0])
    """
    frames, bins = front_end.compute_output_shape((1, *signal_shape))[1:3]
    found = [layer for layer in _layers(front_end) if isinstance(layer, FrontEnd)]
    own = [layer.compute_output_shape((1, *signal_shape))[1:3] for layer in found]
    if not found or any(shape[0] != frames for shape in own):
        return None, None
    is_alone = len(found) == 1 and own[0][1] == bins
    return found[0].frame_times(frames, sample_rate), _frequencies(
        found[0], sample_rate
    ) if is_alone else None


def _layers(layer: keras.Layer) -> Iterator[keras.Layer]:
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _layers(inner)


def _frequencies(layer: FrontEnd, sample_rate: float) -> Axis:
    if isinstance(layer, MelSpectrogram):
        return None if isinstance(layer, MFCC) else layer.band_frequencies
    return layer.bin_frequencies(sample_rate) if isinstance(layer, Spectrogram) else None
