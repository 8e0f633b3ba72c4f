"""Line charts as numbers: what a page draws as SVG, in the colours of the reader's own screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 300, 190
"""Of the area within the axes."""
COUNTED = ("epoch", "group", "hour")
"""With which the name of an axis begins that has whole numbers only."""
MOST_POINTS = 100
"""Of a line; one that has more is thinned out."""
MOST_DOTS = 10
"""Of a line; those of one that has more would run into each other."""
MOST_LINES = 12
"""Of a chart: nobody tells more apart."""

Points = tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]
"""Where a line goes, as (points,) x and (points,) y."""
Range = tuple[float, float]
"""Where an axis begins and ends."""
UNIT_SQUARE: tuple[Range, Range] = ((0.0, 1.0), (0.0, 1.0))
Tick = tuple[float, str]
"""Where on an axis something is written, in 0…1, and what."""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Args:
        name: what it shows.
        path: of SVG, in 0…`WIDTH` and 0…`HEIGHT`, y downwards.
        dots: each point as x and y, where there are few.
        style: number of its colour and dashes.
    """

    name: str
    path: str
    dots: list[tuple[float, float]]
    style: int


@dataclass(frozen=True)
class Chart:
    """A chart of lines over two axes.

    Args:
        title: what it shows.
        said: the same for who cannot see it, with its numbers.
        xlabel: what runs across.
        ylabel: what runs up.
        xticks: what is written below.
        yticks: what is written on the left.
        lines: each line; those of one name are in one style.
        diagonal: whether a line is drawn from corner to corner, which the others are compared with.
        mark: x of a vertical line in 0…1, None for none.
    """

    title: str
    said: str
    xlabel: str
    ylabel: str
    xticks: list[Tick]
    yticks: list[Tick]
    lines: list[Line]
    diagonal: bool = False
    mark: float | None = None

    @property
    def legend(self) -> dict[str, int]:
        """The style of each name."""
        return {line.name: line.style for line in self.lines}


def line_chart(
    title: str,
    xlabel: str,
    ylabel: str,
    lines: Mapping[str, Sequence[Points]],
    said: str = "",
    ranges: tuple[Range, Range] | None = None,
    diagonal: bool = False,
    mark: float | None = None,
) -> Chart:
    """Lay out lines over two axes.

    Args:
        title: what the chart shows.
        xlabel: what runs across.
        ylabel: what runs up.
        lines: of each name, one or several; what is not finite is left out.
        said: what the chart says, for who cannot see it.
        ranges: where the axes begin and end, across and up; what the lines reach if None.
        diagonal: draw a line from corner to corner to compare with.
        mark: x of a vertical line, None for none.

    Returns:
        The chart.

    Example:
        >>> chart = line_chart("loss", "epoch", "loss", {"training": [([1, 2], [1.0, 0.5])]})
        >>> chart.lines[0].path, chart.xticks
        ('M0 0L300 190', [(0.0, '1'), (1.0, '2')])
    """
    finite = {name: [_finite(*each) for each in several] for name, several in lines.items()}
    every = [points for several in finite.values() for points in several]
    x_range, y_range = ranges or (_range(every, 0), _range(every, 1))
    drawn = [
        _line(name, points, x_range, y_range, style)
        for style, (name, several) in enumerate(finite.items())
        for points in several[:MOST_LINES]
    ]
    return Chart(
        title,
        said or f"{title}: {ylabel} against {xlabel}",
        xlabel,
        ylabel,
        ticks(*x_range, whole=xlabel.startswith(COUNTED)),
        ticks(*y_range),
        drawn,
        diagonal,
        mark,
    )


def ticks(low: float, high: float, most: int = 5, whole: bool = False) -> list[Tick]:
    """Choose round numbers of a range.

    Args:
        low: where the axis begins.
        high: where it ends.
        most: how many intervals there are at most.
        whole: take whole numbers only.

    Example:
        >>> ticks(0, 1, most=2)
        [(0.0, '0'), (0.5, '0.5'), (1.0, '1')]
    """
    from matplotlib.ticker import MaxNLocator

    values = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], integer=whole, min_n_ticks=1).tick_values(low, high)
    span, rounding = high - low, 1e-9 * (high - low)
    return [
        (float((value - low) / span), f"{value:.6g}")
        for value in values
        if low - rounding <= value <= high + rounding
    ]


def thinned(points: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """Leave out points of a line, never its first and last one.

    Args:
        points: (points, …).
        most: how many are left.

    Example:
        >>> thinned(np.arange(9), most=3).tolist()
        [0, 4, 8]
    """
    if len(points) <= most:
        return points
    return points[np.linspace(0, len(points) - 1, most).round().astype(int)]


def _finite(x, y) -> np.ndarray:
    points = np.column_stack([np.asarray(x, np.float64), np.asarray(y, np.float64)])
    return thinned(points[np.isfinite(points).all(axis=1)])


def _range(every: Sequence[np.ndarray], axis: int) -> tuple[float, float]:
    """Return between which numbers all points lie; never the same one twice."""
    values = np.concatenate([points[:, axis] for points in every]) if every else np.zeros(0)
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _line(name: str, points: np.ndarray, x_range, y_range, style: int) -> Line:
    across = (points[:, 0] - x_range[0]) / (x_range[1] - x_range[0])
    up = (points[:, 1] - y_range[0]) / (y_range[1] - y_range[0])
    places = [(round(x, 1), round(y, 1)) for x, y in zip(across * WIDTH, (1 - up) * HEIGHT, strict=True)]
    path = "L".join(f"{x:g} {y:g}" for x, y in places)
    return Line(name, f"M{path}" if path else "", places if len(places) <= MOST_DOTS else [], style)
