"""Which rows of a manifest cannot be used, and why: its column `problem`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from tfspec.base.text import text_problem

NO_LABEL = "no label"


def with_problems(
    manifest: pd.DataFrame, check: Callable[[pd.DataFrame], Sequence[str | None] | pd.Series]
) -> pd.DataFrame:
    r"""Add the column `problem`. Bad names are found first, and what has one is not tried.

    Args:
        manifest: a row an example, each with an index of its own.
        check: says of some of its rows why they cannot be used: text a row, None for a good one.

    Returns:
        The manifest with the column `problem`: text, None for a good row.

    Example:
        >>> manifest = pd.DataFrame({"path": ["a.wav", "b\x1b.wav"]})
        >>> with_problems(manifest, lambda rows: ["empty file"] * len(rows))["problem"].tolist()
        ['empty file', 'the name holds the character \\x1b; rename it']
    """
    problem = name_problems(manifest)
    well_named = problem.isna().to_numpy()
    problem[well_named] = np.array([*check(manifest[well_named]), None], object)[:-1]
    return manifest.assign(problem=problem.where(problem.notna(), None))


def name_problems(manifest: pd.DataFrame) -> pd.Series:
    r"""Say which rows have a path, a label or a group that can neither be printed nor written into a table.

    Args:
        manifest: its columns `path`, `label` and `group`, as far as they are there, are looked at.

    Returns:
        Text a row, None for a good one.

    Example:
        >>> name_problems(pd.DataFrame({"path": ["a.wav", "b\x1b.wav"]})).tolist()
        [None, 'the name holds the character \\x1b; rename it']
    """
    problems = np.full(len(manifest), None, object)
    for column in ("group", "label", "path"):
        if column in manifest:
            said = {name: text_problem(name) for name in manifest[column].unique() if isinstance(name, str)}
            bad = {name: why for name, why in said.items() if why}
            found = manifest[column].isin(list(bad)).to_numpy()
            problems[found] = [bad[name] for name in manifest[column][found]]
    return pd.Series(problems, manifest.index, dtype=object)


class Faults:
    """What is wrong with each row of a table, the first thing found.

    Args:
        rows: how many the table has.

    Example:
        >>> faults = Faults(3)
        >>> faults.add([False, True, False], NO_LABEL)
        >>> faults.add([True, True, False], lambda row: f"{row} is bad")
        >>> faults.told.tolist()
        ['row 1: 0 is bad', 'row 2: no label', None]
    """

    def __init__(self, rows: int):
        self.told = np.full(rows, None, object)

    @property
    def good(self) -> np.ndarray:
        """Whether nothing is known against a row."""
        return pd.isna(self.told)

    def add(
        self, is_bad: Sequence[bool] | np.ndarray | pd.Series, why: str | Callable[[int], object]
    ) -> None:
        """Tell of some rows why they are bad, unless they are known to be so.

        Args:
            is_bad: whether each row is.
            why: of all, or called with the place of each; rows are named from 1 on.
        """
        for row in np.flatnonzero(np.asarray(is_bad, bool) & self.good):
            self.told[row] = f"row {row + 1}: {why if isinstance(why, str) else why(int(row))}"

    def add_found(self, problems: Sequence[str | None] | pd.Series) -> None:
        """Tell what was found in each row, unless it is known to be bad.

        Args:
            problems: of each row; nothing where nothing was.
        """
        found = pd.Series([*problems], dtype=object)
        self.add(found.notna(), found.__getitem__)

    def told_in(self, manifest: pd.DataFrame) -> pd.DataFrame:
        """Return a manifest of the rows with the column `problem`, None for a good row."""
        return manifest.assign(problem=pd.Series(self.told, manifest.index, dtype=object))
