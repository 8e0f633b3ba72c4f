"""The page of what was heard in many recordings: one file of HTML that asks nothing of any network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tfspec.base.text import excerpt
from tfspec.report.answers import short
from tfspec.report.charts import Chart, Points, Tick, line_chart, ticks
from tfspec.report.media import MP3_RATES, levels_of, picture_address, sound_address
from tfspec.report.page import Table, write_template
from tfspec.scores.activity import Activity, Rates

MOST_CHARTS = 12
MOST_CLASSES = 100
"""Of the tables: those with most events."""
NEVER_HEARD = (
    "A class that was never heard has no interval, since drawing the recordings anew brings no event of it."
)
MEDIA_BYTES = 3_500_000
"""Of all pictures and sounds together."""
SHADES = 10
HIGHEST_RATE = 24_000
"""Of sounds, in Hz: nobody needs more to know a call again."""


class Cell(NamedTuple):
    """One hour of one class.

    Args:
        text: events in an hour of recording; "" where nothing was recorded.
        shade: from 0 to 10, of the class's busiest hour.
        said: the same in words.
    """

    text: str
    shade: int
    said: str


@dataclass(frozen=True)
class Example:
    """An event to be looked at and listened to.

    Args:
        name: its recording and where in it.
        said: its score.
        picture: address of its spectrogram.
        sound: address of its sound.
        xticks: seconds.
        yticks: kilohertz.
        xlabel: what the seconds are counted from.
        ylabel: what runs up.
    """

    name: str
    said: str
    picture: str
    sound: str
    xticks: Sequence[Tick]
    yticks: Sequence[Tick]
    xlabel: str
    ylabel: str = "frequency in kHz"


class Listed(NamedTuple):
    """A recording in the table of files.

    Args:
        name: as it was named.
        link: its address from the page, percent-encoded.
        began: when.
        minutes: its length.
        events: how many were found.
    """

    name: str
    link: str
    began: str
    minutes: str
    events: int


@dataclass(frozen=True)
class HeardPage:
    """What the page shows.

    Args:
        title: of the page.
        sentences: what was searched, and what was found.
        hours: numbers of those that the grid has.
        hours_are: what the hours of grid and charts are counted from, a sentence.
        classes: one row a class.
        grid: the cells of each class, one an hour, the classes with most events first; none of a single hour.
        charts: of the commonest classes.
        examples: of each class.
        examples_note: what was left out.
        files: the recordings with most events.
        files_note: what was left out.
        bad: the recordings that cannot be used.
        command: what repeats it.
    """

    title: str
    sentences: Sequence[str]
    hours: range
    hours_are: str
    classes: Table
    grid: Sequence[tuple[str, Sequence[Cell]]]
    charts: Sequence[Chart]
    examples: Mapping[str, Sequence[Example]]
    examples_note: str
    files: Sequence[Listed]
    files_note: str
    bad: Table
    command: str


def written(page: HeardPage) -> str:
    """Write the page as HTML.

    Args:
        page: what it shows; all of it is escaped.

    Returns:
        The document.

    Example:
        >>> nothing = Table([""], [])
        >>> page = HeardPage("<b>", [], range(1), "", nothing, [], [], {}, "", [], "", nothing, "tfspec")
        >>> "<h1>&lt;b&gt;</h1>" in written(page)
        True
    """
    return write_template("heard.html", page=page)


def class_table(class_names: Sequence[str], activity: Activity, reached: np.ndarray) -> Table:
    """Say how often each class is heard, the commonest first.

    Args:
        class_names: of the activity.
        activity: of all recordings.
        reached: (classes,) recordings in which each is heard.
    """
    counts, total = activity.counts.sum(1), activity.total()
    order = np.argsort(-counts, kind="stable")
    rows = [
        [short(class_names[i]), f"{counts[i]:,.0f}", *_with_interval(total, i, 0), f"{reached[i]:,}"]
        for i in order[:MOST_CLASSES]
    ]
    interval = (
        "The interval says between which rates other recordings like these would bring it, of 95 in 100 such "
        "sets: recordings are drawn anew, and not events."
        if activity.recordings > 1
        else "One recording says nothing of others: there is no interval."
    )
    left_out = len(class_names) - MOST_CLASSES
    notes = [
        interval,
        *([NEVER_HEARD] if activity.recordings > 1 and not reached.all() else []),
        *([f"{left_out} rarer classes are left out."] if left_out > 0 else []),
    ]
    return Table(["class", "events", "events an hour", "95% interval", "recordings"], rows, " ".join(notes))


def hour_grid(class_names: Sequence[str], activity: Activity, hours: range) -> list[tuple[str, list[Cell]]]:
    """Say how often each class that was heard is heard in each hour; nothing of one hour.

    Args:
        class_names: of the activity.
        activity: hours of it.
        hours: those that are shown.
    """
    if len(hours) < 2:
        return []
    rates = activity.hourly()
    return [
        (short(class_names[i]), [_cell(class_names[i], rates, i, hour) for hour in hours])
        for i in _commonest(activity)[:MOST_CLASSES]
    ]


def hour_charts(class_names: Sequence[str], activity: Activity, hours: range, xlabel: str) -> list[Chart]:
    """Draw how often the commonest classes are heard in each hour, and the intervals; nothing of one hour.

    Args:
        class_names: of the activity.
        activity: hours of it.
        hours: those that are shown.
        xlabel: what the hours are.
    """
    rates = activity.hourly()
    charts: list[Chart] = []
    if np.isfinite(rates.rates).any(axis=0).sum() < 2:
        return charts
    for i in _commonest(activity)[:MOST_CHARTS]:
        lines = {"events an hour": _stretches(rates.rates[i])}
        if np.isfinite(rates.low[i]).any():
            lines["95% interval"] = _stretches(rates.low[i]) + _stretches(rates.high[i])
        said = "; ".join(_cell(class_names[i], rates, i, hour).said for hour in hours)
        ranges = (0.0, hours[-1]), (0.0, float(np.nanmax([rates.rates[i], rates.high[i]])))
        charts.append(line_chart(short(class_names[i]), xlabel, "events an hour", lines, said, ranges=ranges))
    return charts


def _stretches(values: np.ndarray) -> list[Points]:
    """Part (hours,) values where one is not known, so that no line is drawn over it."""
    known = np.flatnonzero(np.isfinite(values))
    parts = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    return [(part, values[part]) for part in parts if len(part)]


def example_of(name: str, said: str, samples: np.ndarray, sample_rate: int, start: float = 0.0) -> Example:
    """Draw an event and make it heard.

    Args:
        name: as in `Example`.
        said: as in `Example`.
        samples: (samples,), at least 0.1 seconds.
        sample_rate: samples per second.
        start: second of the recording at which the samples begin.

    Example:
        >>> example = example_of("a.wav", "0.9", np.zeros(8000), 8000, start=2.5)
        >>> example.xticks[-1], example.xlabel
        ((1.0, '1'), 'time in s after second 2.5')
    """
    import soxr

    heard = max(rate for rate in MP3_RATES if rate <= max(HIGHEST_RATE, MP3_RATES[0]))
    sound = samples if sample_rate <= heard else soxr.resample(samples, sample_rate, heard)
    return Example(
        name,
        said,
        picture_address(levels_of(samples, sample_rate)),
        sound_address(sound, min(sample_rate, heard)),
        ticks(0, len(samples) / sample_rate),
        ticks(0, sample_rate / 2000),
        f"time in s after second {start:,.1f}" if start else "time in s",
    )


def fitting(examples: Mapping[str, Sequence[Example]]) -> dict[str, list[Example]]:
    """Take of each class the best example, then of each the second, as long as the page stays small.

    Args:
        examples: of each class, the best first.
    """
    taken: dict[str, list[Example]] = {name: [] for name in examples}
    room, most = MEDIA_BYTES, max(map(len, examples.values()), default=0)
    for place in range(most):
        for name, several in examples.items():
            size = sum(len(each.picture) + len(each.sound) for each in several[place : place + 1])
            if 0 < size <= room:
                taken[name].append(several[place])
                room -= size
    return {name: several for name, several in taken.items() if several}


def _commonest(activity: Activity) -> list[int]:
    """Return the places of the classes that were heard, the commonest first."""
    counts = activity.counts.sum(1)
    order = np.argsort(-counts, kind="stable")
    return order[counts[order] > 0].tolist()


def _cell(name: str, rates: Rates, i: int, hour: int) -> Cell:
    rate = rates.rates[i, hour]
    if not np.isfinite(rate):
        return Cell("", 0, f"{excerpt(name)}, hour {hour}: nothing recorded")
    text, interval = _with_interval(rates, i, hour)
    shade = round(SHADES * rate / np.nanmax(rates.rates[i]))
    between = f", {interval}" if interval else ""
    return Cell(text if rate else "·", shade, f"{excerpt(name)}, hour {hour}: {text}{between}")


def _with_interval(rates: Rates, i: int, hour: int) -> tuple[str, str]:
    low, high = rates.low[i, hour], rates.high[i, hour]
    interval = f"{_rate(low)} – {_rate(high)}" if np.isfinite(low) else ""
    return _rate(rates.rates[i, hour]), interval


def _rate(value: float) -> str:
    """Write three digits, and all of a larger number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
