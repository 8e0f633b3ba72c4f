"""The polyphonic sound detection score: how well events are found over all thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tfspec.base.ranges import joined_ranges
from tfspec.scores.events import Coded, coded
from tfspec.scores.groups import draw_anew, intervals_of

HOUR = 3600
RESAMPLES = 200


class Tolerance(NamedTuple):
    """Parameters of the score; these are those of DCASE's second scenario, and `LOCATED` of its first.

    Args:
        detection: share of a found event that must lie in events of its class, or it is wrong.
        truth: share of an event that right ones must cover, or it is missed.
        cross_trigger: share of a wrong one that lies in events of another class, for it to be confused.
        cross_trigger_cost: what it then costs besides.
        instability_cost: what the standard deviation over the classes costs.
        most_errors: wrong ones an hour up to which the curve counts.
    """

    detection: float = 0.1
    truth: float = 0.1
    cross_trigger: float = 0.3
    cross_trigger_cost: float = 0.5
    instability_cost: float = 1.0
    most_errors: float = 100.0


CONFUSED = Tolerance()
"""DCASE's second scenario: which class it is counts more than when."""
LOCATED = Tolerance(detection=0.7, truth=0.7, cross_trigger_cost=0.0)
"""DCASE's first scenario: when it is counts most."""


class Counts(NamedTuple):
    """What is counted at each operating point.

    Args:
        right: (recordings, points, classes) events that were found.
        wrong: (recordings, points, classes) that are none.
        confused: (recordings, points, classes, classes) of those, in events of each other class.
        there: (recordings, classes) events.
        class_seconds: (recordings, classes) that they last.
        seconds: (recordings,).
    """

    right: np.ndarray
    wrong: np.ndarray
    confused: np.ndarray
    there: np.ndarray
    class_seconds: np.ndarray
    seconds: np.ndarray


def psds(
    truth: pd.DataFrame,
    found: Sequence[pd.DataFrame],
    seconds: Mapping[str, float],
    class_names: Sequence[str],
    tolerance: Tolerance = CONFUSED,
) -> tuple[float, list[float] | None]:
    """Score events that are found with one threshold after another.

    The area under the mean over the classes of the share of events found, less its standard deviation times a
    cost, against the wrong ones an hour, up to `most_errors`, as a part of what it could be (C. Bilen et al.,
    "A framework for the robust evaluation of sound event detection", 2020; psds_eval).

    Args:
        truth: events that there are: `path`, `start` and `end` in seconds, `label`.
        found: events found with each threshold, likewise.
        seconds: length of each recording that is scored.
        class_names: the classes.
        tolerance: the parameters.

    Returns:
        The score, 0…1, and its interval of 95 % over recordings drawn anew; None of a single one.

    Example:
        >>> truth = pd.DataFrame({"path": ["a"], "start": [1.0], "end": [2.0], "label": ["owl"]})
        >>> psds(truth, [truth], {"a": 10.0}, ["owl"])
        (1.0, None)
    """
    counts = _counts(truth, found, seconds, class_names, tolerance)
    score = _area(Counts(*(each.sum(axis=0) for each in counts)), tolerance)
    if len(seconds) < 2:
        return score, None
    drawn = [
        _area(Counts(*(np.tensordot(times, each, 1) for each in counts)), tolerance)
        for some in draw_anew(len(seconds), RESAMPLES)
        for times in some
    ]
    return score, intervals_of({"psds": np.array(drawn)})["psds"]


def _counts(
    truth: pd.DataFrame,
    found: Sequence[pd.DataFrame],
    seconds: Mapping[str, float],
    class_names: Sequence[str],
    tolerance: Tolerance,
) -> Counts:
    names, num_classes = [*seconds], len(class_names)
    events = coded(truth, names, class_names)
    order = np.lexsort((events.start, events.recording))  # whatever the class
    events = Coded(*(each[order] for each in events))
    points = [
        _at_point(events, coded(each, names, class_names), len(names), num_classes, tolerance)
        for each in found
    ]
    right, wrong, confused = (np.stack(each, axis=1) for each in zip(*points, strict=True))
    of_class = events.recording * num_classes + events.label
    size, shape = len(names) * num_classes, (len(names), num_classes)
    there = np.bincount(of_class, minlength=size).reshape(shape)
    lasting = np.bincount(of_class, events.end - events.start, size).reshape(shape)
    return Counts(right, wrong, confused, there, lasting, np.array([*seconds.values()], float))


def _at_point(
    truth: Coded, found: Coded, num_recordings: int, num_classes: int, tolerance: Tolerance
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count what is right, wrong and confused at one operating point, by recording and class."""
    one, other, shared = _intersections(found, truth)
    lengths = [each.end - each.start for each in (found, truth)]
    # How much of each found event lies in events of each class
    covered = np.zeros((len(lengths[0]), num_classes))
    np.add.at(covered, (one, truth.label[other]), shared / lengths[0][one])
    is_valid = covered[np.arange(len(covered)), found.label] >= tolerance.detection
    counts = is_valid[one] & (found.label[one] == truth.label[other])
    reached = np.bincount(other[counts], shared[counts] / lengths[1][other[counts]], len(lengths[1]))
    is_found = reached >= tolerance.truth
    right, wrong = (np.zeros((num_recordings, num_classes)) for _ in range(2))
    np.add.at(right, (truth.recording[is_found], truth.label[is_found]), 1)
    is_wrong = ~is_valid
    np.add.at(wrong, (found.recording[is_wrong], found.label[is_wrong]), 1)
    event, label = np.nonzero((covered >= tolerance.cross_trigger) & is_wrong[:, np.newaxis])
    confused = np.zeros((num_recordings, num_classes, num_classes))
    np.add.at(confused, (found.recording[event], found.label[event], label), 1)
    return right, wrong, confused


def _intersections(found: Coded, truth: Coded) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pair events that overlap, whatever their classes: places of both, and the seconds that they share."""
    longest = max(each.end.max(initial=0) for each in (found, truth)) + 1
    at = truth.recording * longest + truth.start
    reach = (truth.end - truth.start).max(initial=0)
    first = np.searchsorted(at, found.recording * longest + found.start - reach)
    counts = np.maximum(np.searchsorted(at, found.recording * longest + found.end) - first, 0)
    one = np.repeat(np.arange(len(counts)), counts)
    other = joined_ranges(first, counts)
    shared = np.minimum(found.end[one], truth.end[other]) - np.maximum(found.start[one], truth.start[other])
    overlaps = (found.recording[one] == truth.recording[other]) & (shared > 0)
    return one[overlaps], other[overlaps], shared[overlaps]


def _area(counts: Counts, tolerance: Tolerance) -> float:
    """Compute the score from what was counted in all recordings."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = counts.right / counts.there
        confused = HOUR * counts.confused / counts.class_seconds
    num_classes = found.shape[1]
    confused[:, np.arange(num_classes), np.arange(num_classes)] = np.nan
    others = np.isfinite(confused).sum(axis=-1)
    mean_confused = np.where(np.isfinite(confused), confused, 0).sum(axis=-1) / np.maximum(others, 1)
    errors = HOUR * counts.wrong / counts.seconds.sum() + tolerance.cross_trigger_cost * mean_confused
    is_there = counts.there > 0
    if not is_there.any():
        return 0.0
    curves, errors = found[:, is_there], errors[:, is_there]
    at = np.unique(np.append(errors, [0, tolerance.most_errors]))
    at = at[at <= tolerance.most_errors]
    steps = np.stack([_stairs(at, *each) for each in zip(errors.T, curves.T, strict=True)])
    effective = np.maximum(steps.mean(axis=0) - tolerance.instability_cost * steps.std(axis=0), 0)
    return float(np.sum(np.diff(at) * effective[:-1]) / tolerance.most_errors)


def _stairs(at: np.ndarray, errors: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return the most that is found with no more errors."""
    order = np.argsort(errors, kind="stable")
    highest = np.maximum.accumulate(np.append(0, found[order]))
    return highest[np.searchsorted(errors[order], at, "right")]
