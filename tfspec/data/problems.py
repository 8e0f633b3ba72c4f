"""Which rows of a manifest cannot be used, and why: its column `problem`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from tfspec.base.text import text_problem


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
