"""Recordings with what is annotated and found in them, as numbers: what a page draws as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfspec.base.text import number_of
from tfspec.report.charts import Tick, thinned, ticks
from tfspec.report.labels import shortened
from tfspec.report.media import levels_of, picture_address

WIDTH, PICTURE, LANE, GAP = 900, 160, 36, 8
"""Of the picture: across; the spectrogram's height; that of a class's lane, and what is between lanes."""
MOST_PIXELS = (640, 128)
MOST_LANES = 8
MOST_POINTS = 900

Span = tuple[float, float]
"""Where something begins across the picture, and how wide it is."""


@dataclass(frozen=True)
class Lane:
    """What is annotated and found of a class.

    Args:
        name: of the class.
        top: where the lane begins, downwards.
        annotated: stretches in which it sounds.
        found: stretches in which it is found.
        path: of SVG: the probability of each frame.
        threshold: height of the class's threshold.
    """

    name: str
    top: int
    annotated: list[Span]
    found: list[Span]
    path: str
    threshold: float


@dataclass(frozen=True)
class EventPicture:
    """A recording, and what is annotated and found in it.

    Args:
        name: of the recording.
        said: the same as the lanes, for who cannot see them.
        picture: address of the spectrogram.
        xticks: seconds.
        yticks: thousands of hertz.
        lanes: of the classes that are annotated or found.
        note: what is left out.
    """

    name: str
    said: str
    picture: str
    xticks: Sequence[Tick]
    yticks: Sequence[Tick]
    lanes: Sequence[Lane]
    note: str = ""

    @property
    def height(self) -> int:
        """Of the spectrogram and the lanes."""
        return PICTURE + GAP + len(self.lanes) * (LANE + GAP)


def event_picture(
    name: str,
    samples: np.ndarray,
    sample_rate: int,
    probabilities: pd.DataFrame,
    annotated: pd.DataFrame,
    found: pd.DataFrame,
    thresholds: Sequence[float],
) -> EventPicture:
    """Draw a recording, and of each class when it sounds, how likely it is, and when it is found.

    Args:
        name: of the recording.
        samples: (samples,) of it.
        sample_rate: samples per second.
        probabilities: a row a frame, its middle in seconds as index; a column a class.
        annotated: `start`, `end`, `label` of what sounds.
        found: likewise of what was found.
        thresholds: of the classes.

    Example:
        >>> events = pd.DataFrame({"start": [0.5], "end": [1.0], "label": ["owl"]})
        >>> heard = pd.DataFrame({"owl": [0.0, 1.0]}, index=[0.25, 0.75])
        >>> drawn = event_picture("a.wav", np.zeros(8000), 8000, heard, events, events, [0.5])
        >>> drawn.lanes[0].annotated, drawn.lanes[0].path
        ([(450.0, 450.0)], 'M225 36L675 0')
    """
    seconds = len(samples) / sample_rate
    counts = pd.concat([annotated["label"], found["label"]]).value_counts()
    shown = [label for label in probabilities if label in counts.index[:MOST_LANES]]
    lanes = []
    for row, (label, said) in enumerate(zip(shown, shortened(map(str, shown)), strict=True)):
        column = probabilities[label].to_numpy(float)
        points = np.column_stack([probabilities.index.to_numpy(float) / seconds * WIDTH, (1 - column) * LANE])
        points = thinned(points[np.isfinite(points).all(axis=1)], MOST_POINTS)
        lanes.append(
            Lane(
                said,
                PICTURE + GAP + row * (LANE + GAP),
                _spans(annotated[annotated["label"] == label], seconds),
                _spans(found[found["label"] == label], seconds),
                "M" + "L".join(f"{x:.4g} {y:.3g}" for x, y in points) if len(points) else "",
                (1 - thresholds[probabilities.columns.get_loc(label)]) * LANE,
            )
        )
    numbers = [f"{each.name}: {len(each.annotated)} annotated, {len(each.found)} found" for each in lanes]
    left_out = len(counts) - len(shown)
    return EventPicture(
        name,
        f"{seconds:.0f} s of {name}; {', '.join(numbers) or 'no events'}",
        picture_address(levels_of(samples, sample_rate), MOST_PIXELS),
        ticks(0, seconds, most=10),
        ticks(0, sample_rate / 2000),
        lanes,
        f"{number_of(left_out, 'class', 'classes')} with fewer events left out." if left_out else "",
    )


def _spans(events: pd.DataFrame, seconds: float) -> list[Span]:
    begins, ends = (events[name].clip(0, seconds) / seconds * WIDTH for name in ("start", "end"))
    return [(round(begin, 1), round(end - begin, 1)) for begin, end in zip(begins, ends, strict=True)]
