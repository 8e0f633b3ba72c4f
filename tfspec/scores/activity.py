"""How often each class is heard, hour by hour, and how far that is to be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd

from tfspec.scores.types import CONFIDENCE

HOURS = 24
HOUR_SECONDS = 3600.0
RESAMPLES, SEED = 1000, 0
"""So often all recordings are drawn anew, and always alike."""


class Rates(NamedTuple):
    """Events in an hour of recording, NaN where nothing was recorded.

    Args:
        rates: (classes, hours) events an hour.
        low: (classes, hours) lower end of the interval; NaN where fewer than two recordings reach, and where
            nothing was heard: drawn anew, nothing stays nothing.
        high: (classes, hours) upper end.
    """

    rates: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Activity:
    """Counts events by class and hour, one recording after another.

    A rate is that of all recordings together: events over hours of recording. What is heard in one recording
    hangs together, so that recordings are drawn anew, and not events. Each is drawn a number of times that
    is Poisson with mean 1 and independent of the others': the bootstrap for a stream, of which nothing but
    sums is kept (Chamandy et al., Estimating uncertainty for massive data streams, 2012). The interval lies
    between the percentiles of the rates of all draws.

    Args:
        class_names: all classes.

    Example:
        >>> activity = Activity(["owl"])
        >>> activity.add(pd.DataFrame({"start": [10.0, 4000.0], "label": "owl"}), seconds=7200.0)
        >>> activity.hourly().rates[0, :3].tolist(), activity.total().rates.tolist()
        ([1.0, 1.0, nan], [[1.0]])
    """

    def __init__(self, class_names: Sequence[str]):
        self.recordings = 0
        self._classes = pd.Index(class_names)
        self._counts = np.zeros((len(class_names), HOURS))
        self._hours, self._reached = np.zeros(HOURS), np.zeros(HOURS, int)
        # Class by class, so that the system gives memory to classes that are heard, of maybe thousands
        self._drawn_counts = np.zeros((len(class_names), RESAMPLES, HOURS), np.float32)
        self._drawn_hours = np.zeros((RESAMPLES, HOURS), np.float32)

    def add(self, events: pd.DataFrame, seconds: float, recorded_at: datetime | None = None) -> None:
        """Count a recording's events, each in the hour in which it begins.

        Args:
            events: `start` in seconds of the recording, and `label`.
            seconds: length of the recording.
            recorded_at: when it began: hours are those of the day. None counts them from its beginning;
                the last one stands for all that follow.
        """
        first = 0.0 if recorded_at is None else _seconds_of_day(recorded_at)
        hours = _hours_recorded(first, first + seconds, is_cyclic=recorded_at is not None)
        hour = ((first + events["start"].to_numpy(float)) // HOUR_SECONDS).astype(int)
        hour = hour % HOURS if recorded_at is not None else np.minimum(hour, HOURS - 1)
        present, row = np.unique(self._classes.get_indexer(events["label"]), return_inverse=True)
        counts = np.zeros((len(present), HOURS))
        np.add.at(counts, (row, hour), 1)
        times = np.random.default_rng([SEED, self.recordings]).poisson(1, RESAMPLES)
        self._counts[present] += counts
        self._hours += hours
        self._reached += hours > 0
        self._drawn_counts[present] += (times[:, np.newaxis] * counts[:, np.newaxis]).astype(np.float32)
        self._drawn_hours += (times[:, np.newaxis] * hours).astype(np.float32)
        self.recordings += 1

    def hourly(self) -> Rates:
        """Return (classes, 24) rates of each hour."""
        return self._rates(
            self._counts, self._hours, self._drawn_counts, self._drawn_hours, self._reached >= 2
        )

    def total(self) -> Rates:
        """Return (classes, 1) rates of all hours together."""
        counts, drawn = (each.sum(-1, keepdims=True) for each in (self._counts, self._drawn_counts))
        hours, drawn_hours = (each.sum(-1, keepdims=True) for each in (self._hours, self._drawn_hours))
        return self._rates(counts, hours, drawn, drawn_hours, np.array([self.recordings >= 2]))

    @property
    def recorded(self) -> np.ndarray:
        """(24,) hours of recording."""
        return self._hours

    @property
    def counts(self) -> np.ndarray:
        """(classes, 24) events."""
        return self._counts

    def _rates(self, counts, hours, drawn_counts, drawn_hours, has_interval) -> Rates:
        rates = _divided(counts, hours)
        low, high = np.full((2, *rates.shape), np.nan)
        ends = [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)]
        drawn_hours = drawn_hours[:, has_interval]
        # Class by class: the rates of all at once would take several times the memory of their counts
        for row, drawn in enumerate(drawn_counts if has_interval.any() else ()):
            found = np.nanpercentile(_divided(drawn[:, has_interval], drawn_hours), ends, axis=0)
            low[row, has_interval], high[row, has_interval] = found
        low[counts == 0] = high[counts == 0] = np.nan
        return Rates(rates, low, high)


def _divided(counts: np.ndarray, hours: np.ndarray) -> np.ndarray:
    return np.divide(counts, hours, out=np.full(counts.shape, np.nan), where=hours > 0)


def _seconds_of_day(time: datetime) -> float:
    return (time - time.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def _hours_recorded(begin: float, end: float, is_cyclic: bool) -> np.ndarray:
    """Return how much of each hour a stretch of seconds has: hours of the day, or the last one open."""
    first, last = int(begin // HOUR_SECONDS), int(np.ceil(end / HOUR_SECONDS))
    hour = np.arange(first, max(last, first + 1))
    shared = np.minimum(end, (hour + 1) * HOUR_SECONDS) - np.maximum(begin, hour * HOUR_SECONDS)
    place = hour % HOURS if is_cyclic else np.minimum(hour, HOURS - 1)
    return np.bincount(place, np.maximum(shared, 0) / HOUR_SECONDS, HOURS)
