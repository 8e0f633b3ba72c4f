"""Round numbers of seconds and hertz on the axes of a picture of features."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from tfspec.frontends import feature_axes
from tfspec.report.charts import Tick, ticks
from tfspec.report.figures import Picture

OCTAVES = [125 * 2**k for k in range(-6, 12)]
NEAREST = 0.08
"""Distance of two numbers on an axis."""


def in_units(
    picture: Picture, front_end: keras.Layer, signal_shape: Sequence[int], sample_rate: float | None
) -> Picture:
    """Write seconds and hertz, or samples where nobody knows the rate, on the axes of a picture.

    Args:
        picture: of an example's features.
        front_end: layer that made them.
        signal_shape: (samples,) or (samples, channels).
        sample_rate: samples per second; None where it is not known.

    Returns:
        The picture with numbers on its axes, or as it came where the front end doesn't tell them.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> picture = in_units(Picture(np.zeros((129, 61))), Spectrogram(256, 128), (8000,), 8000)
        >>> picture.xlabel, picture.ylabel, [text for _, text in picture.yticks]
        ('time in s', 'frequency in Hz', ['0', '1000', '2000', '3000', '4000'])
    """
    times = frequencies = None
    if picture.xlabel == "time":
        # Samples are seconds, and shares of the rate hertz, where there is one sample a second
        times, frequencies = feature_axes(front_end, signal_shape, sample_rate or 1)
    frequencies = frequencies if picture.hertz is None else picture.hertz
    rows, columns = picture.image.shape
    if times is not None and len(times) == columns:
        unit = "samples" if sample_rate is None else "s"
        picture = dataclasses.replace(picture, xlabel=f"time in {unit}", xticks=_ticks(times))
    if frequencies is not None and len(frequencies) == rows:
        unit = "cycles per sample" if sample_rate is None else "Hz"
        picture = dataclasses.replace(picture, ylabel=f"frequency in {unit}", yticks=_ticks(frequencies))
    return picture


def _ticks(values: np.ndarray) -> list[Tick]:
    """Place round numbers on an axis whose pixels have these values: octaves where these stand unevenly."""
    low, high = float(values[0]), float(values[-1])
    if not high > low:
        return []
    middles, steps = (np.arange(len(values)) + 0.5) / len(values), np.diff(values)
    if steps.max() > 2 * steps.min():
        wanted = [(value, f"{value:g}") for value in OCTAVES if low <= value <= high]
    else:
        wanted = [(low + place * (high - low), text) for place, text in ticks(low, high)]
    placed = [(float(np.interp(value, values, middles)), text) for value, text in wanted]
    return _apart(placed)


def _apart(placed: list[Tick]) -> list[Tick]:
    """Leave out what would be written over its neighbour, from the top down."""
    kept: list[Tick] = []
    for tick in reversed(placed):
        if not kept or kept[-1][0] - tick[0] > NEAREST:
            kept.append(tick)
    return kept[::-1]
