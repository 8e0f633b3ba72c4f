"""Thousands of recordings: several at once, each done once, however often the work is begun."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import pandas as pd

from tfspec.audio.opening import RecordingError
from tfspec.audio.recorded_at import recorded_at
from tfspec.base.files import file_problem
from tfspec.base.model import Model
from tfspec.base.text import shown
from tfspec.base.threads import ahead
from tfspec.inference.events import find_events, write_audacity, write_csv, write_raven
from tfspec.inference.findings import Finding, Findings
from tfspec.inference.inputs import Inputs
from tfspec.inference.long_recordings import detect

FOR_PEOPLE = (".audacity.txt", ".raven.txt")
"""How the files end that other programs open, and people correct in them."""
Write = Callable[[pd.DataFrame, pd.DataFrame, Path], None]
"""Writes a recording's seconds and events to a path."""


class Outputs:
    """The files that each recording is to have.

    Args:
        sample_rate: the model's, in Hz.
        folder: where each has its seconds, its events, a label track and a selection table; None for nowhere.
        raven: where each has a selection table; None for nowhere.
        audacity: where each has a label track; None for nowhere.
    """

    def __init__(self, sample_rate: int, folder: Path | None, raven: Path | None, audacity: Path | None):
        track: Write = lambda _, events, path: write_audacity(events, path)  # noqa: E731
        table: Write = lambda _, events, path: write_raven(events, path, sample_rate)  # noqa: E731
        self._files: list[tuple[Path, str, Write]] = []
        if folder is not None:
            self._files += [
                (folder, ".seconds.csv", lambda seconds, _, path: write_csv(seconds, path)),
                (folder, ".events.csv", lambda _, events, path: write_csv(events, path)),
            ]
        self._files += [(each, ".audacity.txt", track) for each in {folder, audacity} if each]
        self._files += [(each, ".raven.txt", table) for each in {folder, raven} if each]

    def written(self, below: Path) -> list[list]:
        """Tell the files of a recording from those that another command has written in their places.

        Args:
            below: the recording, below the folder that was named.

        Returns:
            Path, size and time of change of each file that is there.
        """
        paths = [self._path(folder, below, suffix) for folder, suffix, _ in self._files]
        there = [(path, path.stat()) for path in paths if path.exists()]
        return [[os.path.realpath(path), status.st_size, status.st_mtime_ns] for path, status in there]

    def are_there(self, below: Path, finding: Finding) -> bool:
        """Say whether all files of a recording are there, as they were written with what was found.

        Args:
            below: as in `written`.
            finding: what was found.
        """
        written = self.written(below)
        return len(written) == len(self._files) and all(each in finding.written for each in written)

    def edited(self, below: Path, known: list[list]) -> Path | None:
        """Find a file for people that somebody has changed since `detect` wrote it, as far as this is known.

        Args:
            below: as in `written`.
            known: `Finding.written` of the last time, whatever was searched for.
        """
        by_path = {path: rest for path, *rest in known}
        return next(
            (
                Path(path)
                for path, *rest in self.written(below)
                if path.endswith(FOR_PEOPLE) and by_path.get(path, rest) != rest
            ),
            None,
        )

    def write(self, seconds: pd.DataFrame, events: pd.DataFrame, below: Path) -> None:
        """Write all files of a recording.

        Args:
            seconds: from `detect`.
            events: from `find_events`.
            below: as in `written`.
        """
        for folder, suffix, write in self._files:
            write(seconds, events, self._path(folder, below, suffix))

    def _path(self, folder: Path, below: Path, suffix: str) -> Path:
        return folder / below.with_name(f"{below.stem}{suffix}")


def detect_files(
    model: Model,
    inputs: Inputs,
    findings: Findings,
    outputs: Outputs,
    thresholds: Mapping[str, float],
    hop_seconds: float | None = None,
) -> Generator[tuple[str, str | None], None, None]:
    """Find what is where in many recordings, and keep it in `findings`.

    As many recordings are read at once as there are cores, while the model runs in other threads. In memory
    are a few windows and the scores of these recordings. Where the iteration ends early, they are left off.

    Args:
        model: as in `detect`.
        inputs: the recordings, from `find_inputs`.
        findings: what is done already is not done again.
        outputs: the files to write of each.
        thresholds: from `event_thresholds`.
        hop_seconds: as in `detect`.

    Yields:
        Each file in the order of the inputs, and why it cannot be used, or None.

    Raises:
        UserError: the model or the hop are none for recordings.
    """
    stopped = threading.Event()

    def search(file: str) -> str | None:
        if problem := inputs.problems.get(file) or file_problem(file):
            return problem
        below = inputs.files[file]
        if (done := findings.load(file)) and outputs.are_there(below, done):
            return None
        before = findings.written(file)
        if edited := outputs.edited(below, before):
            return f"{shown(edited)} has been edited since detect wrote it: move it, or give another --out"
        source = findings.source_of(file)
        try:
            seconds = detect(model, file, hop_seconds, stopped=stopped)
        except RecordingError as error:
            return error.problem
        events = find_events(seconds, thresholds)
        if before:  # or what replaces it would be taken for edited, were this interrupted
            findings.begin(file)
        try:
            outputs.write(seconds, events, below)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return "its name is too long for files that are named after it: rename it"
        end, written = float(seconds["end"].iloc[-1]), outputs.written(below)
        findings.save(Finding(file, end, recorded_at(file), events, written), source)
        return None

    try:
        yield from zip(inputs.files, ahead(search, inputs.files), strict=True)
    finally:
        stopped.set()
