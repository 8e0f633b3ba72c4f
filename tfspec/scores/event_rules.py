"""Thresholds and filters by which frames become events, chosen where the events are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tfspec.base.frames import EventRule
from tfspec.base.model import HALF
from tfspec.scores.events import OFFSET_SHARE, coded, event_counts
from tfspec.scores.frames import RecordingFrames, frame_events

THRESHOLDS = tuple(np.round(np.arange(0.05, 1, 0.05), 2).tolist())
MEDIAN_SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0)
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
    recordings, count = [*found.probabilities], len(class_names)
    known = coded(truth, recordings, class_names)
    settings = [(threshold, median) for median in MEDIAN_SECONDS for threshold in THRESHOLDS]
    settings.sort(key=lambda each: (abs(each[0] - HALF), each[1]))
    scores = np.zeros((len(settings), count))
    for place, (threshold, median) in enumerate(settings):
        events = frame_events(found, class_names, EventRule((threshold,) * count, (median,) * count))
        made = coded(events, recordings, class_names)
        for collar in COLLARS:
            counts = event_counts(known, made, len(recordings), count, collar, OFFSET_SHARE).sum(axis=0)
            scores[place] += 2 * counts[:, 0] / np.maximum(counts[:, 1] + counts[:, 2], 1)
    best = scores.argmax(axis=0)
    is_there = np.bincount(known.label, minlength=count) > 0
    chosen = [settings[place] if there else (HALF, 0.0) for place, there in zip(best, is_there, strict=True)]
    return EventRule(*map(tuple, zip(*chosen, strict=True)))
