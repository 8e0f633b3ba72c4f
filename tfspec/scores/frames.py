"""What is heard in each frame of whole recordings: windows joined, smoothed, and made events of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tfspec.base.frames import EventRule, Frames

LEAST_WEIGHT = 1e-3
"""What the end of a window weighs, in units of its middle."""
EXACT = 1e-9
"""Frames by which the length of a filter may be off."""


class RecordingFrames(NamedTuple):
    """Probabilities of the frames of recordings.

    Args:
        seconds: length of each recording, by its name.
        probabilities: (frames, classes) of each, by its name, from its beginning to its end.
        step: seconds of a frame.
    """

    seconds: dict[str, float]
    probabilities: dict[str, np.ndarray]
    step: float


def join_windows(
    starts: np.ndarray, probabilities: np.ndarray, frames: Frames, window_seconds: float, end: float
) -> np.ndarray:
    """Join the frames of overlapping windows to those of a recording.

    A frame of the recording is between two of a window, by which it is interpolated. It is the mean over the
    windows that reach over its middle, each weighted by how near it is to the window's own middle: at its
    ends a network does not know what was before, or comes.

    Args:
        starts: (windows,) seconds.
        probabilities: (windows, frames, classes).
        frames: where the frames lie in a window.
        window_seconds: length of a window.
        end: of the recording, in seconds.

    Returns:
        (frames, classes) from the recording's beginning on, as long as those of a window each; NaN where no
        window is.

    Example:
        >>> of_windows = np.array([[[0.0], [1.0]], [[1.0], [0.0]]])
        >>> join_windows(np.array([0.0, 2.0]), of_windows, Frames(0.5, 1.0, 2), 2.0, end=4.0).ravel().tolist()
        [0.0, 1.0, 1.0, 0.0]
    """
    count = max(1, math.ceil(round(end / frames.step, 6)))
    total, weight = np.zeros((count, probabilities.shape[2])), np.zeros((count, 1))
    middles = (np.arange(count) + 0.5) * frames.step
    middles[-1] = min(middles[-1], end)
    for start, values in zip(starts, probabilities, strict=True):
        inside = slice(*np.searchsorted(middles, [start, start + window_seconds + 1e-9]))
        since = middles[inside] - start
        place = ((since - frames.first) / frames.step).clip(0, frames.num_frames - 1)
        before = np.floor(place).astype(int)
        share = (place - before)[:, np.newaxis]
        own = 1 - np.abs(2 * since / window_seconds - 1)[:, np.newaxis] + LEAST_WEIGHT
        behind = np.minimum(before + 1, frames.num_frames - 1)
        total[inside] += own * ((1 - share) * values[before] + share * values[behind])
        weight[inside] += own
    with np.errstate(invalid="ignore"):
        return total / weight


def median_filtered(probabilities: np.ndarray, step: float, median_seconds: Sequence[float]) -> np.ndarray:
    """Take away what is shorter than half a filter, or missing for so short a time.

    Args:
        probabilities: (frames, classes); frames of NaN, of which nothing is known, stay, and those on both
            sides of them do not see one another.
        step: seconds of a frame.
        median_seconds: (classes,) length of each class's filter, rounded to an odd number of frames; 0 for
            none.

    Returns:
        (frames, classes).

    Example:
        >>> median_filtered(np.array([[0.0], [1.0], [0.0], [0.0]]), 0.1, [0.3]).ravel().tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    from scipy.ndimage import median_filter

    filtered = probabilities.copy()
    is_known = ~np.isnan(probabilities).any(axis=1)
    ends = np.flatnonzero(np.diff(is_known, prepend=False, append=False))
    for begin, end in ends.reshape(-1, 2):
        for place, seconds in enumerate(median_seconds):
            if size := int(seconds / step / 2 + EXACT):
                column = probabilities[begin:end, place]
                filtered[begin:end, place] = median_filter(column, 2 * size + 1, mode="nearest")
    return filtered


def frame_events(found: RecordingFrames, class_names: Sequence[str], rule: EventRule) -> pd.DataFrame:
    """Make events of frames: stretches in which a class's filtered probability reaches its threshold.

    Args:
        found: probabilities of frames.
        class_names: of the classes, in order.
        rule: thresholds and lengths of filters.

    Returns:
        One row an event, by recording and time: `path`, `start` and `end` in seconds, and `label`.

    Example:
        >>> found = RecordingFrames({"a": 0.4}, {"a": np.array([[0.1], [0.9], [0.8], [0.2]])}, 0.1)
        >>> frame_events(found, ["owl"], EventRule.usual(1)).round(3).values.tolist()
        [['a', 0.1, 0.3, 'owl']]
    """
    filtered = filtered_frames(found, dict.fromkeys(found.probabilities, rule.median_seconds))
    return events_above(filtered, class_names, rule.thresholds)


def filtered_frames(found: RecordingFrames, median_seconds: Mapping[str, Sequence[float]]) -> RecordingFrames:
    """Filter the frames of recordings, each by its own filters.

    Args:
        found: probabilities of frames.
        median_seconds: (classes,) lengths of the filters of each recording, by its name.
    """
    filtered = {
        path: median_filtered(values, found.step, median_seconds[path])
        for path, values in found.probabilities.items()
    }
    return RecordingFrames(found.seconds, filtered, found.step)


def events_above(
    found: RecordingFrames, class_names: Sequence[str], thresholds: Sequence[float]
) -> pd.DataFrame:
    """Make events of frames as `frame_events` does, without a filter.

    Args:
        found: probabilities of frames.
        class_names: of the classes, in order.
        thresholds: (classes,).
    """
    tables = [pd.DataFrame({"path": [], "start": [], "end": [], "label": []})]
    for path, values in found.probabilities.items():
        is_heard = np.pad(values >= np.array(thresholds), ((1, 1), (0, 0))).astype(np.int8)
        change = np.diff(is_heard, axis=0).T
        label, begin = np.nonzero(change == 1)
        behind = np.nonzero(change == -1)[1]
        times = {"start": begin * found.step, "end": np.minimum(behind * found.step, found.seconds[path])}
        tables.append(pd.DataFrame({"path": path, **times, "label": np.array(class_names, object)[label]}))
    filled = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(filled, ignore_index=True).sort_values(["path", "start", "label"], ignore_index=True)
