"""What is to be learnt of the rows of a manifest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.model import Labels
from tfspec.base.text import excerpt, normalized
from tfspec.data.manifest import check_is_manifest

ROUNDING = 1e-3
"""Shares in a table are rounded: thirty of three digits may be off by this much together."""


def targets(manifest: pd.DataFrame, class_names: Sequence[str], labels: Labels = "one") -> np.ndarray:
    """Look up what is to be learnt: each row's class, how much of each class it has, or which ones hold.

    Args:
        manifest: column `label`; or without one, a column of numbers a class, named as it. A column
            `is_absent` says which rows are known not to be of the class that `label` names.
        class_names: labels in the order of the model's logits.
        labels: "one" class an example, or "several" at once: 1 holds, 0 does not, NaN or nothing is a label
            that nobody knows.

    Returns:
        (rows,) int32, ~k where class k is absent; or (rows, classes) float32, as several labels always are.

    Raises:
        UserError: the manifest is none, a label is not among the class names, or columns of classes are
            missing or hold what is no number; of several labels, what is not in 0…1.

    Example:
        >>> targets(pd.DataFrame({"yes": [0.75], "no": [0.25]}), ["no", "yes"])
        array([[0.25, 0.75]], dtype=float32)
        >>> targets(pd.DataFrame({"dog": [1, 0], "cat": [1, None]}), ["cat", "dog"], "several").tolist()
        [[1.0, 1.0], [nan, 0.0]]
    """
    check_is_manifest(manifest)
    if "label" in manifest:
        places = label_indices(manifest["label"], class_names)
        if labels == "several":
            return np.eye(len(class_names), dtype=np.float32)[places]
        return np.where(manifest["is_absent"], ~places, places) if "is_absent" in manifest else places
    columns = _class_columns(manifest, class_names)
    numbers = columns.apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
    if labels == "one":
        good, wanted = np.isfinite(numbers), "finite numbers"
    else:
        unknown = np.isnan(numbers) & columns.isin(["", None, np.nan]).to_numpy()
        good, wanted = unknown | (numbers >= 0) & (numbers <= 1), "0, 1 or nothing"
    if not good.all():
        bad = manifest.index[~good.all(axis=1)]
        raise UserError(f"The classes' columns must hold {wanted}. They do not in row {bad[0]}.")
    return numbers


def labels_of(manifest: pd.DataFrame, class_names: Sequence[str]) -> Labels:
    """Tell from a manifest whether one class holds or several can.

    Args:
        manifest: column `label`, or a column of numbers a class.
        class_names: the classes.

    Returns:
        "one" where there are labels, or where the numbers are shares (`are_shares`); else "several".

    Example:
        >>> labels_of(pd.DataFrame({"dog": [1, 0], "cat": [1, 0]}), ["cat", "dog"])
        'several'
    """
    if "label" in manifest:
        return "one"
    numbers = _class_columns(manifest, class_names).apply(pd.to_numeric, errors="coerce")
    return "one" if are_shares(numbers.to_numpy(float)) else "several"


def are_shares(numbers: np.ndarray) -> bool:
    """Tell whether each row is of one class, or has shares of the classes.

    Args:
        numbers: (rows, classes), NaN where nobody knows.

    Returns:
        Whether each has the sum 1, but for rows of which nothing is known at all: these have no label.

    Example:
        >>> are_shares(np.array([[0, 1], [np.nan, np.nan]])), are_shares(np.array([[0, 1], [np.nan, 1]]))
        (True, False)
    """
    known = ~np.isnan(numbers).all(axis=1)
    return bool((np.abs(numbers[known].sum(axis=1) - 1) <= ROUNDING).all())


def _class_columns(manifest: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Return the column of each class."""
    class_names = [*map(normalized, class_names)]
    manifest = manifest.rename(columns=normalized)
    if missing := [name for name in class_names if name not in manifest]:
        raise UserError(
            f"The manifest has neither a column `label` nor one for each class: {', '.join(missing)} missing."
        )
    return manifest[class_names]


def label_indices(labels: pd.Series | np.ndarray | Sequence[str], class_names: Sequence[str]) -> np.ndarray:
    """Look up each label's place among the class names.

    Args:
        labels: (examples,) text, a Series, array or list.
        class_names: labels in the order of the model's logits.

    Returns:
        (examples,) int32.

    Raises:
        UserError: a label is not among the class names.

    Example:
        >>> label_indices(pd.Series(["b", "a"]), ["a", "b"]).tolist()
        [1, 0]
    """
    known = {normalized(name): place for place, name in [*enumerate(class_names)][::-1]}
    known |= {name: place for place, name in enumerate(class_names)}  # as earlier models spell them
    labels = pd.Series(labels, dtype=object)
    different = pd.Index(labels.unique(), dtype=object)
    places = [known.get(label, known.get(normalized(str(label)), -1)) for label in different]
    index = np.array(places, np.int32)[different.get_indexer(labels)]
    if (index < 0).any():
        unknown = [excerpt(label) for label in sorted(map(str, set(labels[index < 0])))]
        raise UserError(
            f"Unknown labels: {listed(unknown)}. The model's classes are: {', '.join(class_names)}."
        )
    return index
