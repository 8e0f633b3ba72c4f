"""From findings to the page of what was heard, one recording after another."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np

from tfspec.audio.decoding import load_audio
from tfspec.base.errors import UserError
from tfspec.base.files import seen_from, written_beside
from tfspec.base.largest import keep_largest
from tfspec.base.text import excerpt, number_of, shown
from tfspec.inference.findings import Finding
from tfspec.report import heard
from tfspec.report.page import Table
from tfspec.scores.activity import HOUR_SECONDS, HOURS, Activity

EXAMPLES = 3
"""Of a class, each of another recording."""
MOST_SHOWN = 30
"""Classes of which there are examples."""
LONGEST_SECONDS, SHORTEST_SECONDS, MARGIN_SECONDS = 6.0, 0.1, 0.5
LISTED_FILES, LISTED_BAD = 1000, 200


class Best(NamedTuple):
    """An event among the best of its class; of equal scores, the first one.

    Args:
        score: of the event.
        order: falls from recording to recording.
        file: its recording.
        start: seconds.
        end: seconds.
        length: seconds of the recording.
    """

    score: float
    order: int
    file: str
    start: float
    end: float
    length: float


class Heard:
    """Gathers what the page shows; what it keeps does not grow with the recordings.

    Args:
        class_names: all classes.
        sample_rate: the model's.
        path: where the page will be: links are seen from there.
    """

    def __init__(self, class_names: Sequence[str], sample_rate: int, path: Path):
        self._names, self._rate, self.path = class_names, sample_rate, path
        self._of_day, self._of_recording = Activity(class_names), Activity(class_names)
        self._reached = np.zeros(len(class_names), int)
        self._best: dict[str, list[Best]] = defaultdict(list)
        self._files: list[tuple[int, int, heard.Listed]] = []
        self._seconds, self._order = 0.0, itertools.count(0, -1)

    def add(self, finding: Finding) -> None:
        """Count a recording.

        Args:
            finding: what was found in it.
        """
        events, order = finding.events, next(self._order)
        self._seconds += finding.seconds
        self._of_recording.add(events, finding.seconds)
        if finding.recorded_at is not None:
            self._of_day.add(events, finding.seconds, finding.recorded_at)
        self._reached += np.isin(self._names, events["label"].unique())
        for label, own in events.groupby("label"):
            row = own.loc[own["score"].idxmax()]
            best = Best(row["score"], order, finding.file, row["start"], row["end"], finding.seconds)
            keep_largest(self._best[str(label)], best, EXAMPLES)
        keep_largest(self._files, (len(events), order, self._listed(finding)), LISTED_FILES)

    def write(self, bad: Sequence[tuple[str, str]], settings: str, command: str) -> None:
        """Write the page.

        Args:
            bad: the files that cannot be used, and why.
            settings: what was searched with, a sentence.
            command: what searches again.
        """
        text = heard.written(self._page(bad, settings, command))
        with written_beside(self.path) as temporary:
            temporary.write_text(text, "utf-8", "xmlcharrefreplace")

    def _page(self, bad: Sequence[tuple[str, str]], settings: str, command: str) -> heard.HeardPage:
        has_clock = self._of_day.recordings > 0
        activity = self._of_day if has_clock else self._of_recording
        hours = range(HOURS if has_clock else np.count_nonzero(activity.recorded))
        return heard.HeardPage(
            title=f"What was heard in {number_of(self._of_recording.recordings, 'recording')}",
            sentences=self._sentences(len(bad), settings),
            hours=hours,
            hours_are=self._hours_are(hours),
            classes=heard.class_table(self._names, self._of_recording, self._reached),
            grid=heard.hour_grid(self._names, activity, hours),
            charts=heard.hour_charts(
                self._names, activity, hours, "hour of the day" if has_clock else "hour of the recording"
            ),
            examples=(examples := heard.fitting(self._examples())),
            examples_note=self._examples_note(examples),
            files=[listed for *_, listed in sorted(self._files, reverse=True)],
            files_note=_more(self._of_recording.recordings - LISTED_FILES, "recordings with fewer events"),
            bad=Table(
                ["file", "problem"],
                [[excerpt(file, 200), shown(problem)] for file, problem in bad[:LISTED_BAD]],
                _more(len(bad) - LISTED_BAD, "files"),
            ),
            command=command,
        )

    def _sentences(self, num_bad: int, settings: str) -> list[str]:
        count = int(self._of_recording.counts.sum())
        classes = int((self._reached > 0).sum())
        found = f"{number_of(count, 'event')} of {number_of(classes, 'class', 'classes')}"
        return [
            f"{found if count else 'No events'} in {_duration(self._seconds)} of recordings.",
            *([f"{number_of(num_bad, 'file')} cannot be used."] if num_bad else []),
            settings,
            *([] if count else ["A lower --threshold finds more."]),
        ]

    def _hours_are(self, hours: range) -> str:
        unknown = self._of_recording.recordings - self._of_day.recordings
        if not self._of_day.recordings:
            last = ", the last one for all that follow" if len(hours) == HOURS else ""
            return (
                "No recording says when it began, in its name (20210305_174500.wav) or in itself: hours are "
                f"counted from the beginning of each{last}."
            )
        said = "Hours are those of the day, by the recorders' own clocks."
        return f"{said} {number_of(unknown, 'recording')} without a time left out." if unknown else said

    def _examples(self) -> dict[str, list[heard.Example]]:
        """Cut out the best events of the classes that most recordings have."""
        order = [self._names[i] for i in np.argsort(-self._reached, kind="stable")]
        chosen = [name for name in order if self._best.get(name)][:MOST_SHOWN]
        drawn = {
            name: [self._drawn(best) for best in sorted(self._best[name], reverse=True)] for name in chosen
        }
        return {name: [each for each in several if each] for name, several in drawn.items()}

    def _drawn(self, best: Best) -> heard.Example | None:
        start = max(0.0, best.start - MARGIN_SECONDS)
        end = min(best.end + MARGIN_SECONDS, best.length, start + LONGEST_SECONDS)
        seconds = max(end - start, SHORTEST_SECONDS)
        try:
            samples = load_audio(best.file, self._rate, round(seconds * self._rate), start, "silence")
        except UserError:  # it has changed meanwhile
            return None
        place = f"{excerpt(Path(best.file).name)}, {best.start:,.1f} – {best.end:,.1f} s"
        return heard.example_of(place, f"score {best.score:.3f}", samples, self._rate, start)

    def _examples_note(self, examples: Mapping[str, Sequence[heard.Example]]) -> str:
        left_out = sum(bool(best) for best in self._best.values()) - len(examples)
        said = f"The highest scores of each class, each in another recording; {LONGEST_SECONDS:g} s at most."
        return f"{said} {number_of(left_out, 'class', 'classes')} left out." if left_out > 0 else said

    def _listed(self, finding: Finding) -> heard.Listed:
        address = seen_from(self.path.parent, finding.file)
        return heard.Listed(
            excerpt(finding.file, 200),
            quote(os.fsencode(address)),
            f"{finding.recorded_at:%Y-%m-%d %H:%M:%S}" if finding.recorded_at else "",
            f"{finding.seconds / 60:,.1f}",
            len(finding.events),
        )


def _duration(seconds: float) -> str:
    """Say how long something is, in the unit that fits."""
    if seconds < 60:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < HOUR_SECONDS else f"{seconds / HOUR_SECONDS:,.2f} hours"


def _more(count: int, what: str) -> str:
    return f"{count:,} more {what} are left out." if count > 0 else ""
