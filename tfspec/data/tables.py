"""CSV tables that people make: whatever is in them, they are read as text or refused."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.files import file_problem
from tfspec.base.text import excerpt, normalized, shown, text_problem

LINE_CHARACTERS = 2**20
"""The longest line of a table: some ten times a picture's 8192 numbers."""


def read_csv(path: str | os.PathLike) -> pd.DataFrame:
    r"""Read a CSV table in UTF-8, every cell as the text that it is.

    Args:
        path: the table. Its first line names the columns; lines that end early are filled with "".

    Returns:
        A column of text for each of the table's, named as there.

    Raises:
        UserError: it is missing, no file, no CSV in UTF-8 or without rows, has lines of over a million
            characters or longer than its header, or columns of the same name or one that cannot be printed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.csv").write_text("file,yes\n007,0.5\n")
        ...     read_csv(f"{folder}/a.csv").to_dict("list")
        {'file': ['007'], 'yes': ['0.5']}
    """
    path = Path(path)
    with open_table(path) as file:
        cells = csv.reader(bounded_lines(file, path), strict=True)
        try:
            header = next(cells, [])
            rows = [_filled(row, len(header), path, cells.line_num) for row in cells if row]
        except csv.Error as error:
            raise not_csv(path, f"line {cells.line_num}: {error}") from None
        except UnicodeDecodeError as error:
            raise not_csv(path, error.reason) from None
        except OSError as error:
            raise UserError(f"{shown(path)} cannot be read: {error.strerror}.") from None
    _check_columns(path, header)
    if not rows:
        raise UserError(f"{shown(path)} has no rows.")
    return pd.DataFrame(rows, columns=pd.Index(header, dtype=object), dtype=object)


def open_table(path: Path) -> TextIO:
    """Open a table in UTF-8, with or without a byte order mark; a UserError says why it is no file."""
    if problem := file_problem(path):
        raise UserError(f"{shown(path)} cannot be read: {problem}.")
    try:
        return path.open(newline="", encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read: {error.strerror}.") from None


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


def _filled(row: list[str], columns: int, path: Path, line: int) -> list[str]:
    if len(row) > columns:
        raise not_csv(path, f"line {line} has {len(row)} cells, the header {columns}")
    return row if len(row) == columns else row + [""] * (columns - len(row))


def _check_columns(path: Path, header: list[str]) -> None:
    names = [normalized(name) for name in header]
    if twice := [repr(excerpt(name)) for name, count in Counter(names).items() if count > 1]:
        received = f"{listed(twice)} more than once"
        raise UserError(f"The columns of {shown(path)} must have names, each its own. Received: {received}")
    if bad := [excerpt(name) for name in names if text_problem(name)]:
        raise UserError(f"Columns of {shown(path)} cannot be printed; rename them. Received: {listed(bad)}")


def to_numbers(cells: pd.Series) -> pd.Series:
    """Return the numbers that are spelt in some cells, NaN for what is none."""
    return pd.to_numeric(cells, errors="coerce").astype(float)
