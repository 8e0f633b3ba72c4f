"""How well events are found: by their begin and end, by segments, and with intervals over recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from tfspec.base.ranges import joined_ranges
from tfspec.scores.groups import intervals_of, sum_anew

COLLAR_SECONDS = 0.2
OFFSET_SHARE = 0.2
"""How much an end may be off, of the event's length, where that is more than the collar."""
SLACK = 1e-3
"""Seconds by which candidates are looked for too far, for the rounding of what they are sorted by."""


class Coded(NamedTuple):
    """Events as arrays, sorted by recording, class and begin.

    Args:
        recording: (events,) place of each one's recording.
        label: (events,) place of its class.
        start: (events,) seconds.
        end: (events,) seconds.
    """

    recording: np.ndarray
    label: np.ndarray
    start: np.ndarray
    end: np.ndarray


def coded(events: pd.DataFrame, recordings: Sequence[str], class_names: Sequence[str]) -> Coded:
    """Put events into arrays.

    Args:
        events: `path`, `start` and `end` in seconds, `label`; those of other recordings and classes do not
            count, nor do those without length.
        recordings: names of those that are scored.
        class_names: names of the classes that are.

    Example:
        >>> events = pd.DataFrame({"path": ["a"], "start": [0.5], "end": [1.0], "label": ["owl"]})
        >>> coded(events, ["a"], ["cat", "owl"]).label.tolist()
        [1]
    """
    recording = pd.Index(recordings, dtype=object).get_indexer(events["path"])
    label = pd.Index(class_names, dtype=object).get_indexer(events["label"])
    start, end = (events[name].to_numpy(float) for name in ("start", "end"))
    good = np.flatnonzero((recording >= 0) & (label >= 0) & (end > start))
    order = good[np.lexsort((start[good], label[good], recording[good]))]
    return Coded(recording[order], label[order], start[order], end[order])


def event_counts(
    truth: Coded, found: Coded, num_recordings: int, num_classes: int, collar: float, offset_share: float
) -> np.ndarray:
    """Count events that are found where they are, by recording and class.

    An event is found by one of its class that begins within the collar of its begin, and ends within the
    collar or a share of its length, whichever is longer, of its end. No event finds two, and as many as can
    be are matched (A. Mesaros et al., "Metrics for polyphonic sound event detection", 2016; sed_eval).

    Args:
        truth: what there is.
        found: what was found.
        num_recordings: that are scored.
        num_classes: that are.
        collar: seconds.
        offset_share: of an event's length.

    Returns:
        (recordings, classes, 3): events matched, there, and found.
    """
    longest = max((each.end.max(initial=0) for each in (truth, found)), default=0) + 2 * (collar + 1)
    groups = [each.recording * num_classes + each.label for each in (truth, found)]
    keys = [group * longest + each.start for group, each in zip(groups, (truth, found), strict=True)]
    first = np.searchsorted(keys[1], keys[0] - collar - SLACK)
    counts = np.searchsorted(keys[1], keys[0] + collar + SLACK, "right") - first
    one = np.repeat(np.arange(len(keys[0])), counts)
    other = joined_ranges(first, counts)
    tolerance = np.maximum(collar, offset_share * (truth.end - truth.start))[one]
    fits = (groups[0][one] == groups[1][other]) & (np.abs(truth.start[one] - found.start[other]) <= collar)
    fits &= np.abs(truth.end[one] - found.end[other]) <= tolerance
    one, other = one[fits], other[fits]
    shape = (len(keys[0]), len(keys[1]))
    graph = scipy.sparse.csr_matrix((np.ones(len(one), np.int8), (one, other)), shape)
    is_matched = maximum_bipartite_matching(graph, "column") >= 0 if min(shape) else np.zeros(shape[0], bool)
    size = num_recordings * num_classes
    numbers = [np.bincount(each, minlength=size) for each in (groups[0][is_matched], *groups)]
    return np.stack(numbers, axis=-1).reshape(num_recordings, num_classes, 3)


def event_scores(
    truth: pd.DataFrame,
    found: pd.DataFrame,
    recordings: Sequence[str],
    class_names: Sequence[str],
    collar: float = COLLAR_SECONDS,
    offset_share: float = OFFSET_SHARE,
) -> dict[str, Any]:
    """Score events by their begin and end: F1 of events, as sed_eval's event-based metrics have it.

    Args:
        truth: events that there are: `path`, `start` and `end` in seconds, `label`.
        found: events that were found, likewise.
        recordings: those that are scored, also such as have no event.
        class_names: the classes.
        collar: seconds by which begin and end may be off.
        offset_share: share of an event's length by which its end may be off, where that is more.

    Returns:
        `collar`; `f1`, `precision` and `recall` of all events; `macro_f1`, the mean over the classes that
        there are or that are found; `classes`, `f1`, `precision`, `recall` and `events` of each, and
        `f1_interval`, None of one recording; and `intervals` of 95 % of `f1` and `macro_f1` over recordings
        drawn anew.

    Example:
        >>> truth = pd.DataFrame({"path": ["a"] * 2, "start": [0, 5], "end": [1, 6], "label": ["owl"] * 2})
        >>> found = truth.assign(start=[0.1, 5.5])
        >>> event_scores(truth, found, ["a"], ["owl"])["f1"]
        0.5
    """
    there, made = (coded(each, recordings, class_names) for each in (truth, found))
    counts = event_counts(there, made, len(recordings), len(class_names), collar, offset_share)
    return {"collar": collar, **_scores(counts, class_names)}


def segment_scores(
    truth: pd.DataFrame,
    found: pd.DataFrame,
    recordings: Sequence[str],
    class_names: Sequence[str],
    segment_seconds: float = 1.0,
) -> dict[str, Any]:
    """Score what is heard in each segment of time, as sed_eval's segment-based metrics have it.

    A class is heard in a segment that an event of it reaches into.

    Args:
        truth: as of `event_scores`.
        found: as of `event_scores`.
        recordings: as of `event_scores`.
        class_names: as of `event_scores`.
        segment_seconds: length of a segment.

    Returns:
        As `event_scores`, of segments; and `error_rate`: what was substituted (missed where another class was
        wrongly found), deleted and inserted, as share of what there is, None without any.

    Example:
        >>> truth = pd.DataFrame({"path": ["a"], "start": [0.2], "end": [1.9], "label": ["owl"]})
        >>> segment_scores(truth, truth.assign(end=0.9), ["a"], ["owl"])["error_rate"]
        0.5
    """
    num_recordings, num_classes = len(recordings), len(class_names)
    both = [coded(each, recordings, class_names) for each in (truth, found)]
    longest = 1 + int(max(each.end.max(initial=0) for each in both) // segment_seconds + 1)
    cells = [_cells(each, segment_seconds, longest, num_classes) for each in both]
    shared = np.intersect1d(cells[0], cells[1], assume_unique=True)
    groups = [each // (longest * num_classes) * num_classes + each % num_classes for each in (shared, *cells)]
    size = num_recordings * num_classes
    numbers = [np.bincount(each, minlength=size) for each in groups]
    counts = np.stack(numbers, axis=-1).reshape(num_recordings, num_classes, 3)
    missed, wrong = (np.setdiff1d(each, shared, assume_unique=True) // num_classes for each in cells)
    missed, wrong = (np.bincount(each, minlength=num_recordings * longest) for each in (missed, wrong))
    errors = np.maximum(missed, wrong).sum()  # the lesser of both is substituted
    rate = float(errors / len(cells[0])) if len(cells[0]) else None
    scores = _scores(counts, class_names)
    return {"segment_seconds": segment_seconds, "error_rate": rate, **scores}


def _cells(events: Coded, segment_seconds: float, longest: int, num_classes: int) -> np.ndarray:
    """Number the segments of recordings and classes that events reach into, each once."""
    first = np.floor(events.start / segment_seconds).astype(np.int64)
    counts = np.ceil(events.end / segment_seconds).astype(np.int64) - first
    event = np.repeat(np.arange(len(first)), counts)
    segment = joined_ranges(first, counts)
    return np.unique((events.recording[event] * longest + segment) * num_classes + events.label[event])


def _scores(counts: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Score (recordings, classes, 3) counts of what is matched, there and found."""
    summary = _summary(counts.sum(axis=0))
    drawn = sum_anew(counts) if len(counts) > 1 else None
    intervals, of_classes = {}, {}
    if drawn is not None:
        intervals = intervals_of(_summary(drawn, ("f1", "macro_f1")))
        of_classes = intervals_of(dict(zip(class_names, _ratios(drawn)["f1"].T, strict=True)))
    classes = {
        name: {
            **{key: float(value) for key, value in _ratios(row).items()},
            "events": int(row[1]),
            "f1_interval": of_classes.get(name),
        }
        for name, row in zip(class_names, counts.sum(axis=0), strict=True)
    }
    return {**{k: float(v) for k, v in summary.items()}, "classes": classes, "intervals": intervals}


def _summary(counts: np.ndarray, names: Sequence[str] | None = None) -> Mapping[str, np.ndarray]:
    """Score (…, classes, 3) counts of all classes together."""
    ratios = _ratios(counts.sum(axis=-2))
    is_there = counts.sum(axis=-1) > 0
    f1 = _ratios(counts)["f1"]
    macro = np.where(is_there, f1, 0).sum(axis=-1) / np.maximum(is_there.sum(axis=-1), 1)
    scores = {**ratios, "macro_f1": macro}
    return scores if names is None else {name: scores[name] for name in names}


def _ratios(counts: np.ndarray) -> dict[str, np.ndarray]:
    matched, there, found = np.moveaxis(counts.astype(float), -1, 0)
    return {
        "f1": 2 * matched / np.maximum(there + found, 1),
        "precision": matched / np.maximum(found, 1),
        "recall": matched / np.maximum(there, 1),
    }
