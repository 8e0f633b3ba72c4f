"""Splits of a manifest: by group, by file, into folds."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.text import excerpt, normalized, shown
from tfspec.data.manifest import check_is_manifest

UNANSWERED = "unanswered"
"""Part of the examples whose classes nobody knows: they are predicted, but no score counts them."""
LISTED = 50
"""Groups that an error names."""

# The finest that a validation part is made of; more parts would need more groups.
MAX_PARTS = 20


def group_names(manifest: pd.DataFrame) -> list[str]:
    """Name the groups (speakers, people, recordings) of some examples, sorted.

    Args:
        manifest: column `group`, "" where an example has none.

    Example:
        >>> group_names(pd.DataFrame({"group": ["b", "", "a", "b"]}))
        ['a', 'b']
    """
    return sorted(set(manifest["group"].dropna()) - {""})


def check_groups(manifest: pd.DataFrame, pattern: str | None = None) -> None:
    """Refuse examples without a group where groups are to be kept together.

    Args:
        manifest: column `group`, "" where an example has none.
        pattern: the regular expression that found the others.

    Raises:
        UserError: an example has no group; one is named.

    Example:
        >>> check_groups(pd.DataFrame({"path": ["a.wav"], "group": [""]}))
        Traceback (most recent call last):
        tfspec.base.errors.UserError: 1 of 1 examples have no group, such as a.wav. Split by file instead.
    """
    without = manifest[manifest["group"].isna() | (manifest["group"] == "")]
    if without.empty:
        return
    example = excerpt(without["path"].iloc[0] if "path" in without else without.index[0])
    if pattern is None:
        raise UserError(
            f"{len(without)} of {len(manifest)} examples have no group, such as {example}. "
            "Split by file instead."
        )
    raise UserError(
        f"The group pattern {pattern!r} finds no group in the file name {example}, nor in {len(without) - 1} "
        "more. It needs one pair of parentheses round the part that names the group; or split by file."
    )


def split_by_group(manifest: pd.DataFrame, validation_fraction: float, seed: int) -> pd.DataFrame:
    """Put whole groups (people, places) into training or validation, classes balanced as well as that allows.

    scikit-learn's StratifiedGroupKFold makes the parts, of which the first one validates, or the first few:
    two of five for a validation part of 0.4.

    Args:
        manifest: columns `label` and `group`.
        validation_fraction: part of the examples that validates, above 0 and at most 0.5.
        seed: another seed, another split.

    Returns:
        The manifest with a column `part`: "train" or "validation".

    Raises:
        UserError: there are too few groups or files, an example has no group, or a class has none left to
            train on.

    Example:
        >>> frame = pd.DataFrame({"label": ["a", "b"] * 5, "group": list("1122334455")})
        >>> split_by_group(frame, 0.2, seed=0)["part"].value_counts().to_dict()
        {'train': 8, 'validation': 2}
    """
    from sklearn.model_selection import StratifiedGroupKFold

    check_is_manifest(manifest)
    check_groups(manifest)
    needed = _fewest_parts(validation_fraction)
    groups = manifest["group"].nunique()
    if groups < needed:
        raise UserError(
            f"A split by groups (people, places) with a validation part of {validation_fraction} needs at "
            f"least {needed} groups. Received: {groups}. Check by what they are told apart. A larger "
            "validation part needs fewer groups, and a split by file needs no groups at all."
        )
    largest = manifest["label"].value_counts().max()
    if largest < needed:
        raise UserError(
            f"A validation part of {validation_fraction} needs at least {needed} files a class. "
            f"Received: at most {largest}."
        )
    fraction = _nearest_fraction(validation_fraction, min(groups, largest))
    splitter = StratifiedGroupKFold(fraction.denominator)
    shuffled = _shuffled_groups(manifest["group"], seed)
    return _with_part(manifest, _dealt(splitter, manifest, shuffled), fraction)


def _shuffled_groups(groups: pd.Series, seed: int) -> np.ndarray:
    """Number the groups in random order, for scikit-learn to go through: its own shuffle mixes them up.

    That is scikit-learn#32478, mended in 1.8; 1.7 is the last for Python 3.10.
    """
    from sklearn.utils import check_random_state

    names, numbers = np.unique(groups, return_inverse=True)
    return np.argsort(check_random_state(seed).permutation(len(names)))[numbers]


def draw_groups(manifest: pd.DataFrame, wanted: Sequence[str] | int | float, seed: int) -> list[str]:
    """Choose whole groups (people, recordings): by name, or so many or such a part of them at random.

    Args:
        manifest: column `group`.
        wanted: names; a whole number of groups; or a part of them between 0 and 1, rounded to whole groups,
            at least one and never all.
        seed: another seed, other groups.

    Returns:
        Their names, sorted.

    Raises:
        UserError: a name is not there, an example has no group, or the number or part is out of its range.

    Example:
        >>> frame = pd.DataFrame({"group": list("aabbccddee")})
        >>> draw_groups(frame, 0.4, seed=0), draw_groups(frame, ["e"], seed=0)
        (['c', 'e'], ['e'])
    """
    check_is_manifest(manifest)
    check_groups(manifest)
    groups = group_names(manifest)
    if not isinstance(wanted, (int, float, np.integer)):
        names = set(map(normalized, wanted))
        if missing := sorted(names - set(groups)):
            there = listed(groups, LISTED)
            raise UserError(f"There is nobody called {shown(', '.join(missing))}. There are: {there}.")
        return sorted(names)
    by_part = isinstance(wanted, float)
    if not (0 < wanted < 1 if by_part else 0 <= wanted < len(groups)):
        raise UserError(
            f"It must be a number from 0 to {len(groups) - 1}, as there are {len(groups)}, or a part between "
            f"0 and 1. Received: {wanted}"
        )
    number = min(max(1, round(wanted * len(groups))), len(groups) - 1) if by_part else int(wanted)
    drawn = np.random.default_rng(seed).permutation(len(groups))[:number]
    return [groups[i] for i in sorted(drawn)]


def split_by_file(manifest: pd.DataFrame, validation_fraction: float, seed: int) -> pd.DataFrame:
    """Put files into training or validation whoever speaks in them, classes balanced.

    The same speaker is on both sides, so the score says nothing about people not trained on.

    Args:
        manifest: column `label`.
        validation_fraction: part of the examples that validates, above 0 and at most 0.5.
        seed: another seed, another split.

    Returns:
        The manifest with a column `part`: "train" or "validation".

    Raises:
        UserError: a class has too few files.

    Example:
        >>> frame = pd.DataFrame({"label": ["a", "b"] * 5})
        >>> split_by_file(frame, 0.2, seed=0)["part"].value_counts().to_dict()
        {'train': 8, 'validation': 2}
    """
    from sklearn.model_selection import StratifiedKFold

    check_is_manifest(manifest)
    needed = _fewest_parts(validation_fraction)
    counts = manifest["label"].value_counts()
    if counts.min() < needed:
        raise UserError(
            f"A validation part of {validation_fraction} needs at least {needed} files a class. "
            f"Received: {counts.min()} of class {counts.idxmin()!r}."
        )
    fraction = _nearest_fraction(validation_fraction, counts.min())
    splitter = StratifiedKFold(fraction.denominator, shuffle=True, random_state=seed)
    return _with_part(manifest, _dealt(splitter, manifest), fraction)


def folds(manifest: pd.DataFrame, num_folds: int, seed: int, by_group: bool = True) -> pd.DataFrame:
    """Part the examples for cross-validation, classes balanced in every fold.

    By scikit-learn's StratifiedGroupKFold, or StratifiedKFold.

    Args:
        manifest: columns `label`, and `group` for `by_group`.
        num_folds: number of parts, at least 2.
        seed: another seed, other folds.
        by_group: whether all of a group (a recording, a speaker) goes into one fold. Otherwise what is alike
            may stand on both sides, and the score is too good.

    Returns:
        The manifest with a column `fold`, from 0 to num_folds − 1.

    Raises:
        UserError: there are too few groups or examples, an example has no group, or a class is all in one
            fold, so that none of it is left to train on.

    Example:
        >>> frame = pd.DataFrame({"label": ["a", "b"] * 6, "group": list("112233445566")})
        >>> folds(frame, 3, seed=0).groupby("fold")["group"].nunique().tolist()
        [2, 2, 2]
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    check_is_manifest(manifest)
    if num_folds < 2:
        raise UserError(f"Cross-validation needs at least 2 folds. Received: {num_folds}")
    if (largest := manifest["label"].value_counts().max()) < num_folds:
        raise UserError(
            f"{num_folds} folds need at least {num_folds} examples a class. Received: at most {largest}."
        )
    if by_group:
        check_groups(manifest)
        if (groups := manifest["group"].nunique()) < num_folds:
            raise UserError(f"{num_folds} folds need at least {num_folds} groups. Received: {groups}")
        splitter, shuffled = StratifiedGroupKFold(num_folds), _shuffled_groups(manifest["group"], seed)
    else:
        splitter, shuffled = StratifiedKFold(num_folds, shuffle=True, random_state=seed), None
    fold = pd.Series(0, index=manifest.index)
    for number, rows in enumerate(_dealt(splitter, manifest, shuffled)):
        fold.iloc[rows] = number
    spread = fold.groupby(manifest["label"]).nunique().drop("", errors="ignore")  # which is no class
    if len(together := spread.index[spread == 1]):
        raise UserError(
            f"Every example of {listed([*map(excerpt, together)], 5)} is in one fold, none left to train on. "
            "Give more examples, or leave the class out; or split by file, if all of it is of one group."
        )
    return manifest.assign(fold=fold)


def folds_like(crossed: pd.DataFrame, others: pd.DataFrame, num_folds: int) -> pd.DataFrame:
    """Put further examples into the folds of their groups; groups that have none take turns.

    Args:
        crossed: columns `group` and `fold`, of `folds`.
        others: column `group`.
        num_folds: as of `folds`.

    Returns:
        The others with a column `fold`.

    Example:
        >>> crossed = pd.DataFrame({"group": ["x", "y"], "fold": [1, 0]})
        >>> folds_like(crossed, pd.DataFrame({"group": ["a", "x", "b", "a"]}), 2)["fold"].tolist()
        [0, 1, 1, 0]
    """
    own = others["group"].map(crossed.groupby("group")["fold"].first())
    without = others["group"][own.isna()]
    own[own.isna()] = without.groupby(without).ngroup() % num_folds
    return others.assign(fold=own.astype(int))


def with_only_trained(split: pd.DataFrame, others: pd.DataFrame, kept_together: str) -> pd.DataFrame:
    """Add examples to a split that only train: no score counts them.

    None trains where others of its group are held out: in cross-validation it is in its group's fold, else in
    part "unanswered". A group of which nothing is held out trains everywhere, and its fold is −1.

    Args:
        split: columns `part`, maybe `fold`, and that of the groups.
        others: rows with True in the column `only_trains`.
        kept_together: column of the groups.

    Returns:
        The split and the others behind it.

    Example:
        >>> split = pd.DataFrame({"group": ["a", "b"], "part": ["train", "validation"], "only_trains": False})
        >>> others = pd.DataFrame({"group": ["a", "b", "c"], "only_trains": True})
        >>> with_only_trained(split, others, "group")["part"].tolist()
        ['train', 'validation', 'train', 'unanswered', 'train']
    """
    of_groups = split.groupby(kept_together)
    is_held_out = others[kept_together].isin(split[kept_together][split["part"] != "train"])
    others = others.assign(part=np.where(is_held_out, UNANSWERED, "train"))
    if "fold" in split:
        own = others[kept_together].map(of_groups["fold"].first())
        others["fold"] = own.fillna(-1).astype(int)
    return pd.concat([split, others])


def _fewest_parts(validation_fraction: float) -> int:
    """Return how many equal parts there must be for one of them to be the validation part."""
    if not 0 < validation_fraction <= 0.5:
        raise UserError(
            f"The validation part must be above 0 and at most 0.5. Received: {validation_fraction}"
        )
    return round(1 / validation_fraction)


def _nearest_fraction(validation_fraction: float, most_parts: int) -> Fraction:
    """Return the validation part as so many of so many equal parts."""
    finest = max(_fewest_parts(validation_fraction), min(MAX_PARTS, int(most_parts)))
    return Fraction(validation_fraction).limit_denominator(finest)


def _dealt(splitter: Any, manifest: pd.DataFrame, groups: np.ndarray | None = None) -> list[np.ndarray]:
    """Return the rows of each fold; what few examples of a class mean is said where it matters."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        return [rows for _, rows in splitter.split(manifest, manifest["label"], groups)]


def _with_part(manifest: pd.DataFrame, folds: list[np.ndarray], fraction: Fraction) -> pd.DataFrame:
    """Add the column `part`; the first folds, as many as the numerator says, validate."""
    part = pd.Series("train", index=manifest.index)
    part.iloc[np.concatenate(folds[: fraction.numerator])] = "validation"
    untrained = set(manifest["label"]) - set(manifest["label"][part == "train"])
    if untrained:
        raise UserError(
            f"All groups (people, places) of {', '.join(sorted(untrained))} are in the validation part: "
            "none is left to train on. Check by what they are told apart, leave out the class, or split by "
            "file."
        )
    return manifest.assign(part=part)


def shared_groups(split: pd.DataFrame) -> list[str]:
    """List the groups that stand on both sides of a split; examples without group or answer share none.

    Args:
        split: columns `group` and `part`.

    Returns:
        Their names, sorted; empty for a split by group.

    Example:
        >>> shared_groups(pd.DataFrame({"group": ["x", "x", "y"], "part": ["train", "validation", "train"]}))
        ['x']
    """
    parts = split[(split["group"] != "") & (split["part"] != UNANSWERED)].groupby("group")["part"].nunique()
    return sorted(parts.index[parts > 1])


def strata(manifest: pd.DataFrame, class_names: Sequence[str]) -> pd.Series:
    """Name what is to be balanced between the parts of a split: the class, of several the rarest.

    Args:
        manifest: column `label`, or a column of numbers a class.
        class_names: the classes.

    Returns:
        (rows,) text; "" for a row that has none of the classes.

    Example:
        >>> strata(pd.DataFrame({"wind": [1, 1, 0], "rain": [1, 0, 0]}), ["wind", "rain"]).tolist()
        ['rain', 'wind', '']
    """
    if "label" in manifest:
        return manifest["label"]
    holds = manifest[list(class_names)].astype(float)
    rarest_first = holds.sum().sort_values(kind="stable").index
    ordered = holds[rarest_first].to_numpy() >= 0.5
    names = np.array([*rarest_first, ""], object)
    return pd.Series(names[np.where(ordered.any(1), ordered.argmax(1), -1)], manifest.index)
