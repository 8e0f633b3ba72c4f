"""Events of a stream: probabilities are smoothed, held to a threshold, and followed by a pause.

Everything is counted in hops, the steps in which a stream is classified, and computed in float32 in an order
that is said, so that a device that does the same finds the same events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfspec.export.streaming_file import DetectorSettings


class Detection(NamedTuple):
    """An event.

    Args:
        hop: number of the hop at which it was found, from 0.
        label: name of the class.
        score: its smoothed probability.
    """

    hop: int
    label: str
    score: float


class Detector:
    """Finds events while probabilities come, one hop after another.

    The probabilities of the last n hops stand in a ring, of fewer where fewer have come. At each hop:

    1. The new probabilities replace the oldest ones. For each class those of the ring are added up, the
       oldest first, and the sum is divided by their number: the smoothed probability.
    2. After an event there is none in the next r hops, however probable a class is.
    3. Otherwise, of the classes whose smoothed probability reaches the class's threshold, the one with the
       highest is the event; of several as high, the first.

    n and r are `settings.smoothing_hops` and `settings.refractory_hops`. What is not a number reaches no
    threshold, and makes the smoothed probability of n hops none.

    Args:
        class_names: what the probabilities stand for, in their order.
        hop_seconds: from one hop to the next.
        settings: thresholds and times.

    Raises:
        UserError: no class is listened for, or one that is not there.

    Example:
        >>> settings = DetectorSettings(0.75, smoothing_seconds=0.2, refractory_seconds=1)
        >>> detector = Detector(["no", "yes"], hop_seconds=0.1, settings=settings)
        >>> [detector.step([0.0, probability]) for probability in (0.5, 0.75, 1.0, 1.0)]
        [None, None, Detection(hop=2, label='yes', score=0.875), None]
    """

    def __init__(self, class_names: Sequence[str], hop_seconds: float, settings: DetectorSettings):
        self._names = tuple(class_names)
        self._lowest = lowest_scores(class_names, settings)
        self._ring: deque[np.ndarray] = deque(maxlen=settings.smoothing_hops(hop_seconds))
        self._pause = settings.refractory_hops(hop_seconds)
        self.reset()

    def reset(self) -> None:
        """Forget what has come."""
        self._ring.clear()
        self._hop = -1
        self._waiting = 0

    def step(self, probabilities: np.ndarray | Sequence[float]) -> Detection | None:
        """Take the probabilities of the next hop.

        Args:
            probabilities: (classes,), taken as float32.

        Returns:
            The event that is found at this hop, None if there is none.
        """
        self._hop += 1
        self._ring.append(np.array(probabilities, np.float32))
        if self._waiting:
            self._waiting -= 1
            return None
        smoothed = np.cumsum(self._ring, axis=0)[-1] / np.float32(len(self._ring))
        place, score = _highest(smoothed, self._lowest)
        if score < 0:
            return None
        self._waiting = self._pause
        return Detection(self._hop, self._names[place], float(score))


def lowest_scores(class_names: Sequence[str], settings: DetectorSettings) -> np.ndarray:
    """Return from which smoothed probability on each class makes an event.

    Args:
        class_names: all classes.
        settings: of the detector.

    Returns:
        (classes,) float32; infinity for those that are not listened for.

    Example:
        >>> lowest_scores(["_silence_", "yes"], DetectorSettings(0.75)).tolist()
        [inf, 0.75]
    """
    chosen = settings.thresholds(class_names)
    return np.array([chosen.get(name, np.inf) for name in class_names], np.float32)


def _highest(smoothed: np.ndarray, lowest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return place and score of the event along the last axis; a score below 0 where there is none."""
    reached = np.where(smoothed >= lowest, smoothed, np.float32(-1))
    return reached.argmax(-1), reached.max(-1)


def smoothed_probabilities(probabilities: np.ndarray, num_hops: int) -> np.ndarray:
    """Smooth all hops of a stream as `Detector` does, to the bit.

    Args:
        probabilities: (hops, classes), taken as float32.
        num_hops: over how many hops, at least 1.

    Returns:
        (hops, classes) float32.

    Example:
        >>> smoothed_probabilities(np.array([[1.0], [0.0], [0.5]]), 2).ravel().tolist()
        [1.0, 0.5, 0.25]
    """
    probabilities = np.asarray(probabilities, np.float32)
    total = np.zeros_like(probabilities)
    for lag in reversed(range(min(num_hops, len(probabilities)))):  # the oldest first
        total[lag:] += probabilities[: len(probabilities) - lag]
    counts = np.minimum(np.arange(1, len(total) + 1), num_hops).astype(np.float32)
    return total / counts[:, np.newaxis]


def find_detections(
    smoothed: np.ndarray, lowest: np.ndarray, refractory_hops: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the events of a whole stream, as `Detector` does hop by hop.

    Args:
        smoothed: (hops, classes), from `smoothed_probabilities`.
        lowest: (classes,), from `lowest_scores`.
        refractory_hops: how many hops after that of an event have none.

    Returns:
        (events,) hops, (events,) classes and (events,) scores.

    Example:
        >>> hops, classes, scores = find_detections(np.array([[0.5], [0.75], [1.0]]), np.array([0.75]), 1)
        >>> hops.tolist(), classes.tolist(), scores.tolist()
        ([1], [0], [0.75])
    """
    places, scores = _highest(smoothed, lowest)
    reaching = np.flatnonzero(scores >= 0)
    found, place = [], 0
    while place < len(reaching):
        found.append(reaching[place])
        place = np.searchsorted(reaching, reaching[place] + refractory_hops, side="right")
    hops = np.array(found, np.intp)
    return hops, places[hops], scores[hops]
