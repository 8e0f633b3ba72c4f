"""What a person has said of events that a model found: the table of `tfspec detect --review`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.text import excerpt, normalized, shown
from tfspec.data.problems import Faults
from tfspec.data.tables import read_cells, to_numbers

COLUMNS = ("path", "start", "end", "label", "accepted")
YES, NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")


def read_review(path: str | os.PathLike) -> pd.DataFrame:
    r"""Read what was accepted and what was rejected.

    Args:
        path: the table, .csv or .tsv, with the columns path, as seen from the table's folder, start, end,
            label and accepted, and any others. Answers are yes, y, true or 1, and no, n, false or 0, in small
            letters or capitals; without one, a row is left out.

    Returns:
        One row an answer: `path` in the table's folder; `start` and `end` in seconds; `label`; `is_absent`,
        True where the class is known not to be heard there; and `problem`, None for a good row.

    Raises:
        UserError: it cannot be read, or lacks a column.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "review.csv")
        ...     _ = path.write_text("path,start,end,label,accepted\na.wav,1,2.5,owl,no\na.wav,5,6,owl,\n")
        ...     read_review(path)[["path", "start", "end", "label", "is_absent"]].values.tolist()
        [['a.wav', 1.0, 2.5, 'owl', True]]
    """
    path = Path(path)
    rows = read_cells(path, "\t" if path.suffix.lower() == ".tsv" else ",")
    if missing := [name for name in COLUMNS if name not in rows]:
        raise UserError(
            f"{shown(path)} is no review: it has no column {listed(missing)}. "
            "`tfspec detect … --review FILE` writes one."
        )
    answers = rows["accepted"].str.strip().str.lower()
    rows, answers = rows[answers != ""].reset_index(drop=True), answers[answers != ""].reset_index(drop=True)
    events = pd.DataFrame(
        {
            "path": rows["path"],
            "start": to_numbers(rows["start"]),
            "end": to_numbers(rows["end"]),
            "label": rows["label"].str.strip().map(normalized),
            "is_absent": answers.isin(NO),
        }
    )
    faults = Faults(len(events))
    faults.add(~answers.isin((*YES, *NO)), lambda row: f"accepted is {excerpt(answers[row])!r}: yes or no")
    faults.add(~np.isfinite(events[["start", "end"]]).all(axis=1), "start and end are not two numbers")
    faults.add(events["start"] < 0, "begins before the recording")
    faults.add(events["end"] < events["start"], "ends before it begins")
    faults.add(events["label"] == "", "no label")
    return faults.told_in(events)
