"""What the examples of a table are: one class each, several at once, or shares of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.text import excerpt, normalized, text_problem
from tfspec.data.label_targets import are_shares
from tfspec.data.manifest import RESERVED
from tfspec.data.problems import NO_LABEL, Faults
from tfspec.data.sources.columns import SEVERAL, UNKNOWN, Columns, known_name, known_numbers, simplified

MOST_TARGETS = 2**28
"""Rows times classes, so that these fit into memory."""


def read_labels(table: pd.DataFrame, columns: Columns, faults: Faults) -> pd.DataFrame:
    """Read what the examples of a table are.

    Args:
        table: cells of text.
        columns: from `found_columns`.
        faults: is told of rows without a label, or with what is none.

    Returns:
        A column `label`; or, where several hold at once or columns of numbers are given, a column a class: 1
        holds, 0 does not, NaN nobody knows.

    Raises:
        UserError: as in `check_class_names`.

    Example:
        >>> table = pd.DataFrame({"file": ["a.wav", "b.wav"], "labels": ["owl,cat", "cat"]})
        >>> read_labels(table, Columns("file", "labels"), Faults(2)).to_dict("list")
        {'cat': [1.0, 1.0], 'owl': [1.0, 0.0]}
    """
    if columns.classes:
        return _class_numbers(table[[*columns.classes]], faults)
    several = _label_lists(table[columns.label], simplified(columns.label or "") in SEVERAL)
    if max(map(len, several), default=0) > 1:
        return class_columns_of(several)
    faults.add([not labels for labels in several], NO_LABEL)
    return pd.DataFrame({"label": [labels[0] if labels else "" for labels in several]}, dtype=object)


def _class_numbers(cells: pd.DataFrame, faults: Faults) -> pd.DataFrame:
    names = [normalized(name.strip()) for name in cells]
    check_class_names(names, len(cells))
    numbers = cells.apply(known_numbers)
    is_known = np.column_stack([cells[name].map(_is_known(cells[name])) for name in cells])
    is_bad = is_known & ~((numbers >= 0) & (numbers <= 1)).to_numpy()
    first = is_bad.argmax(1)
    faults.add(
        is_bad.any(1),
        lambda row: (
            f"{excerpt(cells.iat[row, first[row]])!r} in column {excerpt(names[first[row]])} is not 0 to 1"
        ),
    )
    if are_shares(numbers.to_numpy()[~is_bad.any(1)]):
        faults.add(~is_known.any(1), NO_LABEL)
    return numbers.set_axis(names, axis=1)


def _is_known(cells: pd.Series) -> dict[str, bool]:
    return {cell: cell.strip() not in UNKNOWN for cell in cells.unique()}


def _label_lists(cells: pd.Series, with_commas: bool) -> list[list[str]]:
    """Part the labels in each cell, each once."""
    has_signs = cells.str.contains("[;|]").any()
    signs = "[;|]" if has_signs else "," if with_commas else None
    parted = {cell: re.split(signs, cell) if signs else [cell] for cell in cells.unique()}
    labels = {cell: [*dict.fromkeys(filter(None, map(known_name, each)))] for cell, each in parted.items()}
    return [labels[cell] for cell in cells]


def class_columns_of(several: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Make a column a class of the labels that hold.

    Args:
        several: the labels of each row.

    Returns:
        (rows, classes) 1 where a label holds, else 0; the classes in order.

    Raises:
        UserError: as in `check_class_names`.

    Example:
        >>> class_columns_of([["owl"], []]).to_dict("list")
        {'owl': [1.0, 0.0]}
    """
    names = sorted({label for labels in several for label in labels})
    check_class_names(names, len(several))
    places = {name: place for place, name in enumerate(names)}
    holds = np.zeros((len(several), len(names)))
    for row, labels in enumerate(several):
        holds[row, [places[label] for label in labels]] = 1
    return pd.DataFrame(holds, columns=pd.Index(names, dtype=object))


def check_class_names(names: Sequence[str], rows: int) -> None:
    """Refuse classes that cannot be columns of a manifest.

    Args:
        names: of the classes.
        rows: how many the manifest has.

    Raises:
        UserError: a class has no name, one that cannot be printed or one that a manifest's own columns have,
            or two have the same; or there are too many for the memory.

    Example:
        >>> check_class_names(["owl", "start"], rows=2)
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No class may be called as one of a manifest's columns, ... 'start'
    """
    if bad := [excerpt(name) for name in names if text_problem(name)]:
        raise UserError(f"Labels cannot be printed; rename them. Received: {listed(bad)}")
    if twice := [excerpt(name) for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"Classes must have different names. Received twice: {listed(twice)}")
    if wrong := sorted({*names} & {*RESERVED, ""}):
        raise UserError(
            f"No class may be called as one of a manifest's columns, {', '.join(RESERVED)}. "
            f"Received: {listed([repr(name) for name in wrong])}"
        )
    if len(names) * rows > MOST_TARGETS:
        raise UserError(
            f"{len(names)} classes of {rows} rows are too many to hold at once. Received: "
            f"{listed([repr(excerpt(name)) for name in names], 3)}"
        )
