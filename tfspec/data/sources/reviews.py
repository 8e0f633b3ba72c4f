"""What a person has said of events that a model found: the table of `tfspec detect --review`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.files import seen_from
from tfspec.base.progress import Tracker, say, untracked
from tfspec.base.text import excerpt, normalized, shown
from tfspec.data.problems import NO_LABEL, Faults
from tfspec.data.sources.event_windows import inspect_events, windows_of_events, with_statements
from tfspec.data.tables import check_has, read_cells, to_decimals

COLUMNS = ("path", "start", "end", "label", "accepted")
YES, NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")


def read_review(path: str | os.PathLike) -> pd.DataFrame:
    r"""Read what was accepted and what was rejected.

    Args:
        path: the table, .csv or .tsv, with the columns path, as seen from the table's folder, start, end,
            label and accepted, and any others; a spreadsheet may have put semicolons between cells, and
            commas before decimals. Answers are yes, y, true or 1, and no, n, false or 0, in small letters or
            capitals.

    Returns:
        The rows: `path` in the table's folder; `start` and `end` in seconds; `label`; `is_answered`;
        `is_absent`, True where the class is known not to be heard there; and `problem`, None for a good row.

    Raises:
        UserError: it cannot be read, or lacks a column.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "review.csv")
        ...     _ = path.write_text("path,start,end,label,accepted\na.wav,1,2.5,owl,no\na.wav,5,6,owl,\n")
        ...     read_review(path)[["start", "end", "label", "is_answered", "is_absent"]].values.tolist()
        [[1.0, 2.5, 'owl', True, True], [5.0, 6.0, 'owl', False, False]]
    """
    path = Path(path)
    rows = read_cells(path)
    check_has(rows, COLUMNS, path, "`tfspec detect … --review FILE` writes a review.")
    answers = rows["accepted"].str.strip().str.lower()
    events = pd.DataFrame(
        {
            "path": rows["path"],
            "start": to_decimals(rows["start"]),
            "end": to_decimals(rows["end"]),
            "label": rows["label"].str.strip().map(normalized),
            "is_answered": answers != "",
            "is_absent": answers.isin(NO),
        }
    )
    faults = Faults(len(events))
    faults.add(
        ~answers.isin((*YES, *NO, "")), lambda row: f"accepted is {excerpt(answers[row])!r}: yes or no"
    )
    faults.add(~np.isfinite(events[["start", "end"]]).all(axis=1), "start and end are not two numbers")
    faults.add(events["start"] < 0, "begins before the recording")
    faults.add(events["end"] < events["start"], "ends before it begins")
    faults.add(events["label"] == "", NO_LABEL)
    return faults.told_in(events)


def windows_of_review(
    path: str | os.PathLike,
    folder: str | os.PathLike,
    window_seconds: float,
    class_names: Sequence[str],
    annotated: Sequence[str] = (),
    progress: Tracker = untracked,
) -> pd.DataFrame:
    r"""List windows of which a review tells something: what was accepted is heard, what was rejected is not.

    Of all else in them, also where there is no answer, nobody knows what is heard. So they have no part in a
    score: of what a model has proposed, it would be too good.

    Args:
        path: as of `read_review`.
        folder: what the windows' paths are to be relative to.
        window_seconds: length of a window; one begins at every half of it.
        class_names: that may be judged.
        annotated: paths in the folder of recordings of which all is known; answers in these are left out.
        progress: wraps the iteration over so many recordings, to draw a bar.

    Returns:
        Windows as of `with_statements`, and True in the column `only_trains`; then a row for each answer that
        cannot be used, and why in `problem`.

    Raises:
        UserError: it cannot be read, has no answer that is not left out, or judges other classes.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros(10 * 8000), 8000)
        ...     table = "path,start,end,label,accepted\na.wav,1,2.5,owl,no\na.wav,8,9,owl,yes\n"
        ...     _ = Path(folder, "review.csv").write_text(table)
        ...     windows = windows_of_review(f"{folder}/review.csv", folder, 4, ["owl"])
        /...review.csv: 1 events accepted, 1 rejected
        >>> windows[["start", "owl"]].values.tolist()
        [[0.0, 0.0], [6.0, 1.0]]
    """
    answers, open_questions = _answers(Path(path), Path(folder), {*annotated})
    if other := sorted({*answers["label"]} - {"", *class_names}):
        named = listed([*map(excerpt, other)])
        raise UserError(f"{shown(path)} judges classes that the annotations do not have: {named}.")
    answers, lengths = inspect_events(answers, folder, progress)
    if answers["problem"].notna().all():
        return answers[["path", "start", "end", "problem"]].assign(group=answers["path"], only_trains=True)
    is_absent = answers["is_absent"]
    heard = answers.assign(label=answers["label"].mask(is_absent, ""))  # as of a recording without events
    windows = windows_of_events(heard, lengths, window_seconds, window_seconds / 2)
    is_window = windows["problem"].isna()
    for name in {*answers["label"]} - {*windows, ""}:  # rejected only
        windows[name] = np.where(is_window, 0.0, np.nan).astype(np.float32)
    known = with_statements(windows, answers[~is_absent], answers[is_absent], open_questions)
    return known.assign(only_trains=True)


def _answers(review: Path, folder: Path, annotated: set[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the answers, and what has none, with the manifest's paths, and leave out what is known anyway."""
    rows = read_review(review)
    known = {(folder / path).resolve(): path for path in annotated}
    files = {path: (review.parent / path).resolve() for path in rows["path"].unique()}
    seen = {path: known.get(file) or seen_from(folder.resolve(), file) for path, file in files.items()}
    rows = rows.assign(path=rows["path"].map(seen))
    answers, unanswered = rows[rows["is_answered"]], rows[~rows["is_answered"] | rows["problem"].notna()]
    is_known = answers["path"].isin(annotated)
    bad = answers["problem"][~is_known].dropna()
    is_absent = answers["is_absent"][~is_known].drop(bad.index)
    said = f"{(~is_absent).sum()} events accepted, {is_absent.sum()} rejected"
    said += f"; {len(bad)} cannot be used ({listed([*bad], 3, '; ')})" if len(bad) else ""
    said += f"; {is_known.sum()} left out, of recordings that are annotated" if is_known.any() else ""
    say(f"{shown(review)}: {said}")
    if is_known.all():
        raise UserError(
            f"{shown(review)} has no answer to learn from: write yes or no in its column `accepted`."
        )
    return answers[~is_known].reset_index(drop=True), unanswered
