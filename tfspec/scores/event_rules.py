"""Thresholds and filters by which frames become events, chosen where the events are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tfspec.base.frames import EventRule
from tfspec.base.model import HALF
from tfspec.scores.events import OFFSET_SHARE, coded, event_counts
from tfspec.scores.frames import RecordingFrames, events_above, filtered_frames
from tfspec.scores.thresholds import fifths_of

THRESHOLDS = tuple(np.round(np.arange(0.05, 1, 0.05), 2).tolist())
MEDIAN_SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0)
SETTINGS = sorted(
    ((threshold, median) for median in MEDIAN_SECONDS for threshold in THRESHOLDS),
    key=lambda each: (abs(each[0] - HALF), each[1]),
)
"""Of equally good ones the first counts."""
COLLARS = (0.2, 1.0)
"""Seconds; the F1 of events is averaged over both, so that a rule is good at where events are even where a
model is not good at when they begin."""


def choose_event_rule(found: RecordingFrames, truth: pd.DataFrame, class_names: Sequence[str]) -> EventRule:
    """Choose for each class the threshold and the filter with which its events have the highest F1.

    Of equally good ones the threshold nearest to a half counts, then the shorter filter. A class that has no
    event gets a half, and no filter.

    Args:
        found: probabilities of frames of recordings in which all events are known; best of those that nothing
            was trained on, and that nothing is reported on.
        truth: the events: `path`, `start` and `end` in seconds, `label`.
        class_names: the classes.

    Returns:
        The rule.

    Example:
        >>> found = RecordingFrames({"a": 0.8}, {"a": np.array([[0.1], [0.3], [0.3], [0.1]])}, 0.2)
        >>> truth = pd.DataFrame({"path": ["a"], "start": [0.2], "end": [0.6], "label": ["owl"]})
        >>> choose_event_rule(found, truth, ["owl"])
        EventRule(thresholds=(0.3,), median_seconds=(0.0,))
    """
    together = np.zeros(len(found.probabilities), int)
    return _best(_tried(found, truth, class_names, together)[:, 0])


def cross_fitted_rules(
    found: RecordingFrames, truth: pd.DataFrame, class_names: Sequence[str], groups: pd.Series
) -> tuple[EventRule, dict[str, EventRule]]:
    """Choose a rule on all recordings, and for each of them the one that is best on those of other groups.

    What the latter find is honest: no recording helps to choose the rule that it is held to.

    Args:
        found: as in `choose_event_rule`.
        truth: as in `choose_event_rule`.
        class_names: the classes.
        groups: of each recording, by its name.

    Returns:
        What `choose_event_rule` does; and a rule for each recording, by its name: that of the other fifths of
        the groups.

    Example:
        >>> seconds, heard = {"a": 0.8, "b": 0.8}, np.array([[0.1], [0.3], [0.3], [0.1]])
        >>> found = RecordingFrames(seconds, {"a": heard, "b": 2 * heard}, 0.2)
        >>> truth = pd.DataFrame({"path": ["a", "b"], "start": 0.2, "end": 0.6, "label": "owl"})
        >>> _, rules = cross_fitted_rules(found, truth, ["owl"], pd.Series({"a": "site 1", "b": "site 2"}))
        >>> rules["a"].thresholds, rules["b"].thresholds
        ((0.5,), (0.3,))
    """
    fold = fifths_of(groups.loc[[*found.probabilities]])
    tried = _tried(found, truth, class_names, fold)
    whole = tried.sum(axis=1)
    rules = [_best(whole - tried[:, number]) for number in range(tried.shape[1])]
    return _best(whole), {path: rules[number] for path, number in zip(found.probabilities, fold, strict=True)}


def _tried(
    found: RecordingFrames, truth: pd.DataFrame, class_names: Sequence[str], fold: np.ndarray
) -> np.ndarray:
    """Count for each setting what is found in each fold of the recordings.

    Returns:
        (settings, folds, classes, collars, 3): events matched, there, and found.
    """
    recordings, count = [*found.probabilities], len(class_names)
    known, tried = coded(truth, recordings, class_names), []
    filtered = {
        median: filtered_frames(found, dict.fromkeys(recordings, (median,) * count))
        for median in MEDIAN_SECONDS
    }
    for threshold, median in SETTINGS:
        events = events_above(filtered[median], class_names, (threshold,) * count)
        made = coded(events, recordings, class_names)
        counts = np.stack(
            [event_counts(known, made, len(recordings), count, collar, OFFSET_SHARE) for collar in COLLARS], 2
        )
        tried.append([counts[fold == number].sum(axis=0) for number in range(fold.max(initial=0) + 1)])
    return np.array(tried)


def _best(tried: np.ndarray) -> EventRule:
    """Choose by (settings, classes, collars, 3) counts."""
    scores = (2 * tried[..., 0] / np.maximum(tried[..., 1] + tried[..., 2], 1)).sum(axis=2)
    is_there = tried[0, :, 0, 1] > 0
    chosen = [
        SETTINGS[place] if there else (HALF, 0.0)
        for place, there in zip(scores.argmax(axis=0), is_there, strict=True)
    ]
    return EventRule(*map(tuple, zip(*chosen, strict=True)))
