"""Files in which Raven and Audacity keep what is heard in a recording, and when."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath

import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.text import excerpt, normalized, shown
from tfspec.data.sources.columns import simplified
from tfspec.data.tables import DELIMITERS, bounded_lines, first_line, open_table, read_cells, to_decimals

LABELS = (
    *("annotation", "annotations", "label", "labels", "species", "class", "tags", "tag", "common_name"),
    *("species_code", "sound_type", "call_type", "call"),
)
"""What the column of labels of a selection table is commonly called."""
RAVEN = {"begin_time", "end_time"}
"""What every selection table has, simplified."""
RESAVED = RAVEN | {"selection"}
"""What one has that another program has saved with commas or semicolons between its cells."""
FILES = {"file", "filename", "file_name", "filepath", "file_path", "path"}
"""What it does not have, but a table of files, which may say where in a file a row begins."""
SELECTION = ("selection", "begin_time", "end_time", "begin_file", "begin_path")
"""What is the same in the rows of a selection, one for each of its views."""
ROW_COLUMNS = ["name", "start", "end", "low_hz", "high_hz", "label"]
NUMBER = r"-?\d+([.,]\d+)?(e[-+]?\d+)?"
AUDACITY = re.compile(rf"{NUMBER}\t{NUMBER}(\t.*)?\s*", re.IGNORECASE)


def is_raven(path: Path) -> bool:
    """Tell selection tables by their first line.

    Args:
        path: a file that may be one.

    Example:
        >>> is_raven(Path("missing.txt"))
        False
    """
    return _delimiter(path) is not None


def _delimiter(path: Path) -> str | None:
    """Find what stands between the cells of a selection table; None if it is none."""
    header = first_line(path)
    names = {each: {*map(simplified, header.split(each))} for each in DELIMITERS}
    if names["\t"] >= RAVEN:
        return "\t"
    return next((each for each in names if names[each] >= RESAVED and not names[each] & FILES), None)


def is_audacity(path: Path) -> bool:
    """Tell files of labels by their first line.

    Args:
        path: a file that may be one.

    Example:
        >>> is_audacity(Path("missing.txt"))
        False
    """
    return AUDACITY.fullmatch(first_line(path)) is not None


def read_raven(path: Path, label_column: str | None = None) -> pd.DataFrame:
    r"""Read a selection table of Raven's, also one that a spreadsheet has saved.

    Args:
        path: the table.
        label_column: the column that says what is heard; found by its usual names if None.

    Returns:
        Columns `name`, the recording's, "" where it is not said; `start` and `end` in its seconds, `low_hz`
        and `high_hz`, spelt with decimal points or commas, NaN for what is no number; `label`; and `is_view`,
        whether a row repeats a selection in another view.

    Raises:
        UserError: it cannot be read, has no such column, or does not say where in its recordings it is.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.txt")
        ...     _ = path.write_text("Begin Time (s)\tEnd Time (s)\tSpecies\n1\t2.5\towl\n")
        ...     read_raven(path)[["start", "end", "label"]].values.tolist()
        [[1.0, 2.5, 'owl']]
    """
    rows = read_cells(path, _delimiter(path) or "\t")
    label = rows[_label_column(path, [*rows], label_column)]
    rows = rows.set_axis([*map(simplified, rows)], axis=1)
    rows = rows.loc[:, ~rows.columns.duplicated()]
    blank = pd.Series("", rows.index)
    file = rows.get("begin_file", blank)
    name = file.where(file != "", rows.get("begin_path", blank).map(lambda path: PureWindowsPath(path).name))
    begin, offset = to_decimals(rows["begin_time"]), to_decimals(rows.get("file_offset", blank))
    if "file_offset" not in rows:
        if name.nunique() > 1:
            raise UserError(
                f"{shown(path)} is of several recordings, and does not say where in its own a selection is: "
                "save it with Raven's column File Offset (s)."
            )
        offset = begin
    return pd.DataFrame(
        {
            "name": name,
            "start": offset,
            "end": to_decimals(rows["end_time"]) + (offset - begin),
            "low_hz": to_decimals(rows.get("low_freq", blank)),
            "high_hz": to_decimals(rows.get("high_freq", blank)),
            "label": label,
            "is_view": _is_view(rows, label),
        }
    )


def _is_view(rows: pd.DataFrame, label: pd.Series) -> pd.Series:
    """Say which rows are further views of a selection; that of the spectrogram counts, if there is one."""
    if "selection" not in rows or "view" not in rows:
        return pd.Series(False, rows.index)
    same = rows[[name for name in SELECTION if name in rows]].assign(label=label)
    is_first = rows["view"].str.startswith("Spec").sort_values(ascending=False, kind="stable").index
    return same.loc[is_first].duplicated().sort_index()


def _label_column(path: Path, names: list[str], given: str | None) -> str:
    if given is not None:
        found = [name for name in names if normalized(name) == normalized(given)]
    else:
        simple = {simplified(name): name for name in reversed(names)}
        found = [simple[label] for label in LABELS if label in simple]
    if not found:
        what = (
            "no column that is called as one of labels" if given is None else f"no column {excerpt(given)!r}"
        )
        raise UserError(
            f"{shown(path)} has {what}: give --label-column. "
            f"Its columns: {listed([excerpt(name) for name in names], 20)}."
        )
    return found[0]


def read_audacity(path: Path) -> pd.DataFrame:
    r"""Read a file of labels of Audacity's.

    Args:
        path: the file, which is empty where nothing is heard. A line that begins with a backslash has the
            frequencies of the one before it.

    Returns:
        The columns of `read_raven`.

    Raises:
        UserError: it cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.txt")
        ...     _ = path.write_text("1\t2.5\towl\n\\\t500\t900\n")
        ...     read_audacity(path)[["start", "end", "low_hz", "label"]].values.tolist()
        [[1.0, 2.5, 500.0, 'owl']]
    """
    rows: list[list] = []
    try:
        with open_table(path, may_be_empty=True) as file:
            for line in bounded_lines(file, path):
                cells = line.rstrip("\r\n").split("\t")
                if cells[0] == "\\" and rows:
                    rows[-1][3:5] = [*cells[1:], "", ""][:2]
                elif line.strip():
                    start, end, *label = [*cells, ""][: max(2, len(cells))]
                    rows.append(["", start, end, "", "", " ".join(label)])
    except UnicodeDecodeError:
        raise UserError(f"{shown(path)} is not a text file in UTF-8.") from None
    table = pd.DataFrame(rows, columns=ROW_COLUMNS, dtype=object).assign(is_view=False)
    numbers = table[["start", "end", "low_hz", "high_hz"]].apply(to_decimals)
    numbers[["low_hz", "high_hz"]] = numbers[["low_hz", "high_hz"]].mask(numbers < 0)
    return table.assign(**numbers)
