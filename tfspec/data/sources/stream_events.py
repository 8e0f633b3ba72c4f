"""Tables of the events that are in long recordings, which a detector is scored by."""

from __future__ import annotations

import os
from collections.abc import Sequence

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
    if unknown := sorted({*table["file"]} - {*files}):
        raise UserError(
            f"{shown(path)} has events in {shown(listed(unknown, 3))}. Recordings: {shown(listed(files, 3))}."
        )
    return times.assign(label=table["label"].map(normalized), file=table["file"])[["file", *TIMES, "label"]]
