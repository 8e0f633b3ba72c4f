"""Where the frames lie of which a model says what is heard in them, and how events are made of that."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Frames(NamedTuple):
    """Frames that lie evenly in a signal.

    Args:
        first: seconds from the signal's beginning to the middle of the first frame.
        step: seconds from the middle of a frame to that of the next one; each is as long.
        count: of frames.

    Example:
        >>> Frames(first=0.25, step=0.5, count=3).begins().tolist()
        [0.0, 0.5, 1.0]
    """

    first: float
    step: float
    count: int

    def begins(self) -> np.ndarray:
        """Compute where each frame begins.

        Returns:
            (count,) seconds from the signal's beginning.
        """
        return self.first + self.step * (np.arange(self.count) - 0.5)


class EventRule(NamedTuple):
    """How events are made of the probabilities of frames.

    Args:
        thresholds: (classes,) lowest probability of a frame in which each class is heard.
        median_seconds: (classes,) length of the median filter that each class's probabilities go through
            first, which takes away shorter events and gaps; 0 for none.
    """

    thresholds: tuple[float, ...]
    median_seconds: tuple[float, ...]

    @classmethod
    def usual(cls, num_classes: int, threshold: float = 0.5) -> EventRule:
        """Return the rule where nobody has chosen another one."""
        return cls((threshold,) * num_classes, (0.0,) * num_classes)
