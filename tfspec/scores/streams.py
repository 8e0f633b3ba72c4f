"""Scores of a detector on long streams: false accepts an hour, false rejects, and how late events are.

A detection finds a true event of its class if it comes from the event's start up to a tolerance after its
end. Each true event is found once: what comes again, or for another class, or where nothing is, is a false
accept. (TensorFlow's test_streaming_accuracy.py counts repetitions in the same way; it takes 1.5 s before and
after the start of a word.)
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import pandas as pd

from tfspec.scores.types import CONFIDENCE

HOUR = 3600
TOLERANCE_SECONDS = 0.75
"""A word is averaged over half a second, and a network may hear it whole before it is sure."""


class ClassEvents(TypedDict):
    """What became of one class."""

    events: int
    """True ones."""
    false_rejects: int
    """True events that nothing found."""
    false_accepts: int
    """Detections that found no true event."""


class StreamScores(TypedDict):
    """Scores of a detector; null where there is nothing to score."""

    hours: float
    """Of all that was listened to."""
    negative_hours: float
    """Of these, the time in which no detection could find a true event."""
    events: int
    """True ones, of the classes that are listened for."""
    false_accepts: int
    """Detections that found no true event."""
    false_accepts_per_hour: float | None
    """Of `hours`."""
    false_accepts_interval: list[float] | None
    """95% of the rate from which a Poisson process draws so many: exact, by chi-square."""
    false_rejects: int
    """True events that nothing found."""
    false_reject_rate: float | None
    """Their share of all true events, 0…1."""
    false_rejects_interval: list[float] | None
    """95% of the share, Clopper and Pearson's, which is exact."""
    after_start_median: float | None
    """Seconds from the start of a true event until it is found."""
    after_start_90: float | None
    """The same, within which nine tenths of those found are."""
    after_end_median: float | None
    """Seconds from the end of a true event until it is found; below 0 where that is before it ends."""
    after_end_90: float | None
    """The same, within which nine tenths of those found are."""
    per_class: dict[str, ClassEvents]
    """By the name of each class that is listened for."""


def match_detections(detections: pd.DataFrame, truth: pd.DataFrame, tolerance_seconds: float) -> np.ndarray:
    """Find the true event that each detection finds, as many as can be.

    Args:
        detections: `file`, `time` in seconds and `label`.
        truth: `file`, `start`, `end` in seconds and `label`.
        tolerance_seconds: how long after its end an event can be found.

    Returns:
        (detections,) numbers of rows of `truth`, −1 for a false accept.

    Example:
        >>> truth = pd.DataFrame({"file": "a", "start": [1.0], "end": [1.5], "label": "yes"})
        >>> detections = pd.DataFrame({"file": "a", "time": [0.9, 1.6, 1.7], "label": "yes"})
        >>> match_detections(detections, truth, tolerance_seconds=0.5).tolist()
        [-1, 0, -1]
    """
    matched = np.full(len(detections), -1)
    starts, ends = truth["start"].to_numpy(), truth["end"].to_numpy() + tolerance_seconds
    rows_of = truth.groupby(["file", "label"]).indices
    times = detections["time"].to_numpy()
    for key, found in detections.groupby(["file", "label"]).indices.items():
        rows = rows_of.get(key, np.empty(0, np.intp))
        rows = rows[np.argsort(ends[rows], kind="stable")]
        for detection in found[np.argsort(times[found], kind="stable")]:
            time = times[detection]
            places = np.flatnonzero((starts[rows] <= time) & (time <= ends[rows]))
            if len(places):  # of several, the one that can be found for the shortest time yet
                matched[detection] = rows[places[0]]
                rows = np.delete(rows, places[0])
    return matched


def score_stream(
    detections: pd.DataFrame,
    truth: pd.DataFrame,
    seconds: dict[str, float],
    class_names: list[str],
    tolerance_seconds: float = TOLERANCE_SECONDS,
) -> StreamScores:
    """Score what a detector found in one or several streams.

    Args:
        detections: as in `match_detections`.
        truth: as in `match_detections`; events of classes that are not listened for do not count.
        seconds: length of each stream, by its file.
        class_names: what is listened for.
        tolerance_seconds: as in `match_detections`.

    Returns:
        The scores.

    Example:
        >>> truth = pd.DataFrame({"file": "a", "start": [1.0, 9.0], "end": [1.5, 9.5], "label": "yes"})
        >>> detections = pd.DataFrame({"file": "a", "time": [1.75, 5.0, 6.0], "label": "yes"})
        >>> scores = score_stream(detections, truth, {"a": 3600.0}, ["yes"])
        >>> scores["false_accepts_per_hour"], scores["false_reject_rate"], scores["after_end_median"]
        (2.0, 0.5, 0.25)
    """
    truth = truth[truth["label"].isin(class_names)].reset_index(drop=True)
    matched = match_detections(detections, truth, tolerance_seconds)
    is_false, found = matched < 0, np.sort(matched[matched >= 0])
    is_missed = ~np.isin(np.arange(len(truth)), found)
    hours = sum(seconds.values()) / HOUR
    hits = truth.iloc[matched[~is_false]]
    times = detections["time"].to_numpy()[~is_false]
    after_start, after_end = (times - hits[column].to_numpy() for column in ("start", "end"))
    false_accepts, false_rejects = int(is_false.sum()), int(is_missed.sum())
    return {
        "hours": hours,
        "negative_hours": hours - _covered(truth, seconds, tolerance_seconds) / HOUR,
        "events": len(truth),
        "false_accepts": false_accepts,
        "false_accepts_per_hour": false_accepts / hours if hours else None,
        "false_accepts_interval": rate_interval(false_accepts, hours) if hours else None,
        "false_rejects": false_rejects,
        "false_reject_rate": false_rejects / len(truth) if len(truth) else None,
        "false_rejects_interval": share_interval(false_rejects, len(truth)) if len(truth) else None,
        "after_start_median": _quantile(after_start, 0.5),
        "after_start_90": _quantile(after_start, 0.9),
        "after_end_median": _quantile(after_end, 0.5),
        "after_end_90": _quantile(after_end, 0.9),
        "per_class": {
            name: {
                "events": int((truth["label"] == name).sum()),
                "false_rejects": int((truth["label"][is_missed] == name).sum()),
                "false_accepts": int((detections["label"][is_false] == name).sum()),
            }
            for name in class_names
        },
    }


def _covered(truth: pd.DataFrame, seconds: dict[str, float], tolerance_seconds: float) -> float:
    """Return for how many seconds some true event can be found."""
    total = 0.0
    for file, rows in truth.sort_values("start").groupby("file"):
        reached = 0.0
        ends = np.minimum(rows["end"] + tolerance_seconds, seconds[str(file)])
        for start, end in zip(rows["start"], ends, strict=True):
            total += max(0.0, end - max(start, reached))
            reached = max(reached, end)
    return total


def _quantile(values: np.ndarray, share: float) -> float | None:
    return float(np.quantile(values, share)) if len(values) else None


def rate_interval(count: int, hours: float) -> list[float]:
    """Return between which rates the true one of a Poisson process is, by the exact interval (Garwood 1936).

    Args:
        count: how often something happened.
        hours: in how many hours, above 0.

    Returns:
        Lower and upper end, an hour.

    Example:
        >>> [round(end, 2) for end in rate_interval(0, hours=10)]
        [0.0, 0.37]
    """
    from scipy.stats import chi2

    tail = (1 - CONFIDENCE) / 2
    low = chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(1 - tail, 2 * count + 2) / 2
    return [float(low / hours), float(high / hours)]


def share_interval(count: int, total: int) -> list[float]:
    """Return between which shares the true one is, by Clopper and Pearson's exact interval.

    Args:
        count: of how many something holds.
        total: how many there are, at least 1.

    Returns:
        Lower and upper end, 0…1.

    Example:
        >>> [round(end, 3) for end in share_interval(1, 10)]
        [0.003, 0.445]
    """
    from scipy.stats import binomtest

    interval = binomtest(count, total).proportion_ci(CONFIDENCE, "exact")
    return [float(interval.low), float(interval.high)]
