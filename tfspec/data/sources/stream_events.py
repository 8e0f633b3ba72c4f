"""Tables of the events that are in long recordings, which a detector is scored by."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.text import excerpt, normalized, shown
from tfspec.data.sources.columns import to_seconds
from tfspec.data.tables import check_has, read_cells

TIMES = ("start", "end")


def read_events(path: str | os.PathLike, files: Sequence[str]) -> pd.DataFrame:
    r"""Read which events there are in streams.

    Args:
        path: table with the columns `start`, `end` in seconds (or as minutes and seconds, see
            `to_seconds`), `label`, and `file`, which may be missing where there is one stream.
        files: names of the streams.

    Returns:
        `file`, `start`, `end` and `label`.

    Raises:
        UserError: the table cannot be read, lacks a column, or has an event that ends before it starts, has
            no label, or is in none of the streams.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "events.csv").write_text("start,end,label\n1,1.5,yes\n")
        ...     read_events(f"{folder}/events.csv", ["a.wav"]).values.tolist()
        [['a.wav', 1.0, 1.5, 'yes']]
    """
    table = read_cells(path)
    is_alone = "file" not in table and len(files) == 1
    check_has(table, (*(() if is_alone else ("file",)), *TIMES, "label"), path)
    times = table[[*TIMES]].apply(to_seconds).astype(float)
    bad = ~(np.isfinite(times).all(axis=1) & (times["start"] >= 0) & (times["start"] <= times["end"]))
    if bad.any():
        row = table[bad].iloc[0]
        raise UserError(
            f"{shown(path)}, event {bad.argmax() + 1}: start and end must be times in seconds, and the start "
            f"not below 0 nor behind the end. Received: {excerpt(row['start'])!r} to {excerpt(row['end'])!r}"
        )
    label = table["label"].str.strip().map(normalized)
    if (bad := label == "").any():
        raise UserError(
            f"{shown(path)}, event {bad.argmax() + 1} has no label. What is none of the classes may be "
            "called _unknown_."
        )
    file = files[0] if is_alone else _streams(table["file"], files, path)
    return times.assign(label=label, file=file)[["file", *TIMES, "label"]]


def _streams(cells: pd.Series, files: Sequence[str], path: str | os.PathLike) -> pd.Series:
    """Find the streams that the cells name."""
    names = {normalized(name): name for name in files}

    def found_as(cell: str) -> str | None:
        spelt = PurePosixPath(cell.strip().replace("\\", "/")).as_posix()  # of Windows, or of find
        return names.get(normalized(cell)) or names.get(normalized(spelt))

    found = cells.map(found_as)
    if (lost := found.isna()).any():
        unknown = [excerpt(name) or "a file without a name" for name in sorted({*cells[lost]})]
        raise UserError(
            f"{shown(path)} has events in {listed(unknown, 3)}. Recordings: {shown(listed(files, 3))}."
        )
    return found


def check_within(events: pd.DataFrame, seconds: Mapping[str, float], path: str | os.PathLike) -> None:
    """Refuse events that begin behind the end of their stream, which nobody could find there.

    Args:
        events: from `read_events`.
        seconds: how long each stream is, by its name.
        path: table that the events are from.

    Raises:
        UserError: there is such an event.

    Example:
        >>> events = pd.DataFrame([("a.wav", 1000.0, 1500.0, "yes")], columns=["file", *TIMES, "label"])
        >>> check_within(events, {"a.wav": 60.0}, "events.csv")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: events.csv, event 1: begins at 1000 s, but a.wav is 60 s long. ...
    """
    late = events["start"] > events["file"].map(seconds)
    if late.any():
        event = events[late].iloc[0]
        raise UserError(
            f"{shown(path)}, event {late.argmax() + 1}: begins at {event['start']:g} s, but "
            f"{shown(event['file'])} is {seconds[event['file']]:g} s long. Give start and end in seconds "
            "from the beginning of the recording that the event is in."
        )
