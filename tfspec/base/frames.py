"""Where the frames lie of which a model says what is heard in them, and how events are made of that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Frames(NamedTuple):
    """Frames that lie evenly in a signal.

    Args:
        first: seconds from the signal's beginning to the middle of the first frame.
        step: seconds from the middle of a frame to that of the next one; each is as long.
        num_frames: how many there are.

    Example:
        >>> Frames(first=0.25, step=0.5, num_frames=3).begins().tolist()
        [0.0, 0.5, 1.0]
    """

    first: float
    step: float
    num_frames: int

    def begins(self) -> np.ndarray:
        """Compute where each frame begins.

        Returns:
            (num_frames,) seconds from the signal's beginning.
        """
        return self.first + self.step * (np.arange(self.num_frames) - 0.5)


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


def event_facts(frames: Frames, rule: EventRule) -> dict[str, Any]:
    """Put into names and values, for JSON, what is known of a model's frames.

    Args:
        frames: where they lie.
        rule: how events are made of them.

    Example:
        >>> event_facts(Frames(0.25, 0.5, 3), EventRule.usual(1))["first_frame_seconds"]
        0.25
    """
    return {
        "first_frame_seconds": frames.first,
        "frame_step_seconds": frames.step,
        "frames": frames.num_frames,
        "thresholds": list(rule.thresholds),
        "median_seconds": list(rule.median_seconds),
    }


def read_event_facts(facts: Mapping[str, Any], num_classes: int) -> tuple[Frames, EventRule]:
    """Read what `event_facts` wrote.

    Args:
        facts: the names and values.
        num_classes: of the model.

    Raises:
        ValueError: something else was written there.

    Example:
        >>> frames, rule = Frames(0.25, 0.5, 3), EventRule.usual(2)
        >>> read_event_facts(event_facts(frames, rule), 2) == (frames, rule)
        True
    """
    try:
        first, step = (float(facts[f"{name}_seconds"]) for name in ("first_frame", "frame_step"))
        frames = Frames(first, step, int(facts["frames"]))
        rule = EventRule(*(tuple(map(float, facts[name])) for name in ("thresholds", "median_seconds")))
    except (KeyError, TypeError) as error:
        raise ValueError(f"what it says of its frames lacks {error}") from None
    is_sound = math.isfinite(frames.first) and 0 < frames.step < math.inf and frames.num_frames > 0
    is_sound &= {*map(len, rule)} == {num_classes} and all(0 <= each <= 1 for each in rule.thresholds)
    if not is_sound or not all(0 <= each < math.inf for each in rule.median_seconds):
        raise ValueError(f"what it says of its frames cannot be: {facts}")
    return frames, rule
