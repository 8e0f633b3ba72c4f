"""Tables of the events that are in long recordings, which a detector is scored by."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.text import normalized, shown
from tfspec.data.tables import check_has, read_cells

TIMES = ("start", "end")


def read_events(path: str | os.PathLike, files: Sequence[str]) -> pd.DataFrame:
    r"""Read which events there are in streams.

    Args:
        path: table with the columns `start`, `end` in seconds, `label`, and `file`, which may be missing
            where there is one stream.
        files: names of the streams.

    Returns:
        `file`, `start`, `end` and `label`.

    Raises:
        UserError: the table cannot be read, lacks a column, or has an event that ends before it starts or is
            in none of the streams.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "events.csv").write_text("start,end,label\n1,1.5,yes\n")
        ...     read_events(f"{folder}/events.csv", ["a.wav"]).values.tolist()
        [['a.wav', 1.0, 1.5, 'yes']]
    """
    table = read_cells(path)
    if "file" not in table and len(files) == 1:
        table.insert(0, "file", files[0])
    check_has(table, ("file", *TIMES, "label"), path)
    times = table[[*TIMES]].apply(pd.to_numeric, errors="coerce").astype(float)
    bad = ~(np.isfinite(times).all(axis=1) & (times["start"] >= 0) & (times["start"] <= times["end"]))
    if bad.any():
        row = table[bad].iloc[0]
        raise UserError(
            f"{shown(path)}, event {bad.argmax() + 1}: the start must not be below 0 nor behind the end. "
            f"Received: {shown(row['start'])} to {shown(row['end'])}"
        )
    names = {normalized(name): name for name in files}
    table["file"] = table["file"].map(lambda name: names.get(normalized(name), name))
    if unknown := sorted({*table["file"]} - {*files}):
        raise UserError(
            f"{shown(path)} has events in {shown(listed(unknown, 3))}. Recordings: {shown(listed(files, 3))}."
        )
    return times.assign(label=table["label"].map(normalized), file=table["file"])[["file", *TIMES, "label"]]


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
        tfspec.base.errors.UserError: events.csv, event 1: begins at 1000 s, but a.wav is at most 60 s ...
    """
    late = events["start"] >= events["file"].map(seconds)
    if late.any():
        event = events[late].iloc[0]
        raise UserError(
            f"{shown(path)}, event {late.argmax() + 1}: begins at {event['start']:g} s, but "
            f"{shown(event['file'])} is at most {seconds[event['file']]:g} s long. Give start and end in "
            "seconds from the beginning of the recording that the event is in."
        )
