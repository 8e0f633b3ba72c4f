"""Tables that people make: whatever is in them, they are read as text or refused."""

from __future__ import annotations

import codecs
import csv
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.files import file_problem
from tfspec.base.text import excerpt, normalized, shown, text_problem

LINE_CHARACTERS = 2**20
"""The longest line of a table: some ten times a picture's 8192 numbers."""
PARQUET = (".parquet", ".pq")
TABLES = (".csv", ".tsv", ".tab", *PARQUET)
"""Suffixes of tables."""
DELIMITERS = (",", "\t", ";")
"""Of two that are as frequent in a header, the first."""


def read_csv(path: str | os.PathLike, delimiter: str | None = ",") -> pd.DataFrame:
    r"""Read a CSV table in UTF-8 or UTF-16, every cell as the text that it is.

    Args:
        path: the table. Its first line names the columns; lines that end early are filled with "".
        delimiter: as in `read_cells`.

    Returns:
        A column of text for each of the table's, named as there.

    Raises:
        UserError: as in `read_cells`, or it has no rows.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.csv").write_text("file,yes\n007,0.5\n")
        ...     read_csv(f"{folder}/a.csv").to_dict("list")
        {'file': ['007'], 'yes': ['0.5']}
    """
    table = read_cells(path, delimiter)
    if table.empty:
        raise UserError(f"{shown(path)} has no rows.")
    return table


def read_cells(path: str | os.PathLike, delimiter: str | None = None) -> pd.DataFrame:
    r"""Read a table in UTF-8 that may have no rows, every cell as the text that it is.

    Between commas and semicolons, quotes hold what a cell may not; between tabs they are text like any
    other, as Raven and Common Voice write it, unless they stand round a whole cell.

    Args:
        path: as in `read_csv`.
        delimiter: what stands between two cells; if None, the one of tab, semicolon and comma that is most
            frequent in the first line.

    Returns:
        As `read_csv` returns it, maybe without rows. Columns without a name and last rows in which nothing
        stands, as spreadsheets leave them, are left out.

    Raises:
        UserError: it is missing, no file or no table in UTF-8, has lines of over a million characters or
            longer than its header, or columns of the same name or one that cannot be printed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.tsv").write_text('file\tsaid\n1.wav\t"Go" and 5\'\n')
        ...     read_cells(f"{folder}/a.tsv").to_dict("list")
        {'file': ['1.wav'], 'said': ['"Go" and 5\'']}
    """
    path = Path(path)
    with open_table(path) as file:
        try:
            lines = bounded_lines(file, path)
            first = next(filter(str.strip, lines), "")
            delimiter = delimiter or max(DELIMITERS, key=first.count)
            quotes = None if delimiter == "\t" else '"'
            every = itertools.chain([first], lines)
            cells = csv.reader(every, delimiter=delimiter, quotechar=quotes, strict=True)
            header = next(cells, [])
            rows = [_filled(row, len(header), path, cells.line_num) for row in cells if row]
        except csv.Error as error:
            raise not_csv(path, f"line {cells.line_num}: {error}") from None
        except UnicodeDecodeError as error:
            raise not_csv(path, f"{error.reason}; save it in UTF-8") from None
        except OSError as error:
            raise UserError(f"{shown(path)} cannot be read: {error.strerror}.") from None
    if not quotes:
        header, *rows = [[*map(_unquoted, row)] for row in (header, *rows)]
    while rows and not any(rows[-1]):
        rows.pop()
    kept = [place for place, name in enumerate(header) if name or any(row[place] for row in rows)]
    _check_columns(path, [header[place] for place in kept])
    table = pd.DataFrame(rows, columns=pd.Index(header, dtype=object), dtype=object)
    return table if len(kept) == len(header) else table.iloc[:, kept]


def read_any_table(path: str | os.PathLike) -> pd.DataFrame:
    r"""Read a CSV, TSV or Parquet table, every cell as text.

    Args:
        path: the table; what stands between cells is found in the header of one in text.

    Returns:
        A column of text for each of the table's. Missing cells are "", and lists are joined by ";".

    Raises:
        UserError: it cannot be read, has no rows, or is a Parquet file and pyarrow is not installed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.csv").write_text("file;label\n1.wav;dog\n")
        ...     read_any_table(f"{folder}/a.csv").to_dict("list")
        {'file': ['1.wav'], 'label': ['dog']}
    """
    path = Path(path)
    if path.suffix.lower() not in PARQUET:
        return read_csv(path, delimiter=None)
    if problem := file_problem(path):
        raise UserError(f"{shown(path)} cannot be read: {problem}.")
    try:
        table = pd.read_parquet(path)
    except ImportError:
        raise UserError(f"Reading {shown(path)} takes another package: pip install pyarrow") from None
    except Exception as error:  # of pyarrow, whatever a damaged file makes it raise
        raise UserError(f"{shown(path)} is no Parquet file: {excerpt(error, 200)}") from None
    if table.empty:
        raise UserError(f"{shown(path)} has no rows.")
    return as_text(table)


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Make a table of text of any other, such as one that was made in Python.

    Args:
        table: cells of any kind; lists, sets and arrays are several labels.

    Returns:
        The same with text for cells: "" where they are missing, lists joined by ";". Rows count from 0.

    Raises:
        UserError: columns have the same name, or one that cannot be printed.

    Example:
        >>> as_text(pd.DataFrame({"file": ["1.wav", None], "labels": [["a", "b"], []]})).values.tolist()
        [['1.wav', 'a;b'], ['', '']]
    """
    table = table.reset_index(drop=True).rename(columns=str)
    _check_columns("the table", [*table])
    return table.astype(object).map(_cell).astype(object)


def _cell(value: object) -> str:
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return ";".join(map(str, value))
    return "" if pd.isna(value) else str(value)


def open_table(path: Path, may_be_empty: bool = False) -> TextIO:
    """Open a table in UTF-8, or in UTF-16 with a byte order mark; a UserError says why it is no file."""
    if (problem := file_problem(path)) and not (may_be_empty and path.is_file()):
        raise UserError(f"{shown(path)} cannot be read: {problem}.")
    try:
        with path.open("rb") as file:
            is_utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        return path.open(newline="", encoding="utf-16" if is_utf16 else "utf-8-sig")
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read: {error.strerror}.") from None


def first_line(path: Path) -> str:
    """Return the first line of what may be a table, that is not blank.

    Args:
        path: any file.

    Returns:
        The line; "" of what has none, is no text in UTF-8, or cannot be read.

    Example:
        >>> first_line(Path("missing.csv"))
        ''
    """
    try:
        with open_table(path) as file:
            return next(filter(str.strip, bounded_lines(file, path)), "")
    except (UserError, UnicodeDecodeError, OSError):
        return ""


def bounded_lines(file: TextIO, path: Path) -> Iterator[str]:
    """Go through the lines of a table, of which none may fill the memory."""
    number = 0
    while line := file.readline(LINE_CHARACTERS):
        number += 1
        if len(line) == LINE_CHARACTERS:
            raise not_csv(path, f"line {number} has {LINE_CHARACTERS} characters or more")
        yield line


def not_csv(path: Path, why: str) -> UserError:
    """Make the error for what is no table."""
    return UserError(f"{shown(path)} is not a CSV file in UTF-8: {why}.")


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _filled(row: list[str], columns: int, path: Path, line: int) -> list[str]:
    if len(row) > columns:
        raise not_csv(path, f"line {line} has {len(row)} cells, the header {columns}")
    return row if len(row) == columns else row + [""] * (columns - len(row))


def _check_columns(path: Path | str, header: list[str]) -> None:
    names = [normalized(name) for name in header]
    if twice := [repr(excerpt(name)) for name, count in Counter(names).items() if count > 1]:
        received = f"{listed(twice)} more than once"
        raise UserError(f"The columns of {shown(path)} must have names, each its own. Received: {received}")
    if bad := [excerpt(name) for name in names if text_problem(name)]:
        raise UserError(f"Columns of {shown(path)} cannot be printed; rename them. Received: {listed(bad)}")


def check_has(table: pd.DataFrame, names: Iterable[str], path: str | os.PathLike, remedy: str = "") -> None:
    """Hold a table that was read to the columns that it must have.

    Args:
        table: what was read.
        names: of the columns.
        path: of the file.
        remedy: what to do, a sentence; without one, the columns that are there are named.

    Raises:
        UserError: columns are missing.

    Example:
        >>> check_has(pd.DataFrame(columns=["start", "stop"]), ("start", "end"), "a.csv")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: a.csv has no column end. It has: start, stop
    """
    if missing := [name for name in names if name not in table]:
        there = f"It has: {excerpt(', '.join(map(str, table)), 300)}"
        raise UserError(f"{shown(path)} has no column {', '.join(missing)}. {remedy or there}")


def to_numbers(cells: pd.Series) -> pd.Series:
    """Return the numbers that are spelt in some cells, NaN for what is none."""
    return pd.to_numeric(cells, errors="coerce").astype(float)


def to_decimals(cells: pd.Series) -> pd.Series:
    """Return the numbers that are spelt with a point or, as much of the world does, with a comma.

    Args:
        cells: text, from where a comma cannot stand between thousands.

    Returns:
        As of `to_numbers`.

    Example:
        >>> to_decimals(pd.Series(["1.5", "1,5", "1,234.5"])).tolist()
        [1.5, 1.5, nan]
    """
    return to_numbers(cells.str.replace(",", ".", regex=False))
