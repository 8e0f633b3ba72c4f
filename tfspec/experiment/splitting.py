"""From a manifest to a split that can be trained on and scores honestly."""

from __future__ import annotations

import pandas as pd

from tfspec.base.errors import UserError, listed, unusable
from tfspec.base.progress import say
from tfspec.base.text import excerpt, number_of, shown
from tfspec.data.label_targets import targets
from tfspec.data.manifest import class_columns
from tfspec.data.problems import name_problems
from tfspec.data.splits import UNANSWERED, group_names, shared_groups
from tfspec.experiment.run import PARTS
from tfspec.experiment.steps import Kind, Steps
from tfspec.scores.predictions import SEPARATOR


def checked_split(steps: Kind) -> tuple[Kind, pd.DataFrame, pd.DataFrame]:
    """List the examples of a pipeline, settle what depends on them, and split those that can be used.

    Args:
        steps: the pipeline.

    Returns:
        The pipeline as settled; the split; and the examples that cannot be used, with a column `problem`.

    Raises:
        UserError: the data cannot be used, or no honest split can be made of it.
    """
    manifest, bad = usable(steps)
    steps, split = _settled_split(steps, manifest)
    return steps, split, bad


def foreseen(steps: Steps, manifest: pd.DataFrame) -> dict[str, str | None]:
    """Say what a training would do with what can be used of a data set.

    Args:
        steps: the pipeline.
        manifest: of `inspected`.

    Returns:
        `split`, how many examples go into each part, and `stops`, why none would begin; one of them is None.
    """
    good = manifest[manifest["problem"].isna()].drop(columns="problem")
    try:
        if good.empty:
            raise UserError("No example can be used.")
        split = described(_settled_split(steps, good)[1])
    except UserError as error:
        return {"split": None, "stops": str(error)}
    say(f"Training would have {split}")
    return {"split": split, "stops": None}


def _settled_split(steps: Kind, manifest: pd.DataFrame) -> tuple[Kind, pd.DataFrame]:
    """Settle what depends on the data, and split the examples."""
    steps = steps.settled(manifest)
    if "label" not in manifest and not class_columns(manifest):
        raise UserError("The manifest has neither a column `label` nor a column of numbers for each class.")
    fewest = 2 if steps.labels == "one" else 1
    if len(names := steps.class_names(manifest)) < fewest:
        received = ", ".join(map(repr, map(excerpt, names))) or "none"
        raise UserError(f"There must be at least {fewest} classes. Received: {received}")
    if steps.labels == "several" and (joined := [name for name in names if SEPARATOR in name]):
        raise UserError(f"{SEPARATOR!r} stands between labels: rename {', '.join(map(excerpt, joined))}.")
    split = steps.split(manifest)
    _check_parts(split, manifest)
    targets(split[split["part"] != UNANSWERED], names, steps.labels)  # what they refuse nobody can train on
    for fold_split in folds_of(split).values():
        _check(fold_split, steps)
    return steps, split


def inspected(steps: Steps) -> pd.DataFrame:
    """List the examples of a pipeline, each with what is wrong with it.

    Args:
        steps: the pipeline.

    Returns:
        The manifest with the column `problem`, None for a good row. A name that cannot be printed is as bad
        as a file that cannot be read.
    """
    manifest = steps.manifest()
    _check_rows(manifest)
    problems = name_problems(manifest)
    for column in [name for name in ("label", "path") if name in manifest]:
        problems[manifest[column].isna()] = f"no {column}"
    if "problem" in manifest:
        problems = problems.where(problems.notna(), manifest["problem"].replace("", None))
    return manifest.assign(problem=problems.where(problems.notna(), None))


def _check_rows(manifest: pd.DataFrame) -> None:
    """Refuse a manifest of no examples, of rows without an index of their own, of labels that are no text."""
    if manifest.empty:
        raise UserError("The manifest has no examples.")
    if manifest.index.nlevels > 1 or not manifest.index.is_unique:
        twice = manifest.index[manifest.index.duplicated()]
        received = f"{excerpt(twice[0])} twice" if len(twice) else f"{manifest.index.nlevels} levels"
        raise UserError(
            "Each row of the manifest must have an index of its own; manifest.reset_index(drop=True) gives "
            f"it one. Received: {received}"
        )
    for column in [name for name in ("label", "problem") if name in manifest]:
        if wrong := [each for each in manifest[column].dropna().unique() if not isinstance(each, str)]:
            raise UserError(
                f"Column `{column}` of the manifest must be text, as by .astype(str). Received: {wrong[0]}"
            )


def _check_parts(split: pd.DataFrame, manifest: pd.DataFrame) -> None:
    """Refuse a split that lacks a column, has rows that are none of the manifest's, or unknown parts."""
    if missing := [name for name in ("part", "group") if name not in split]:
        raise UserError(
            f"The split must have the column `{missing[0]}`. Received: {listed([*map(str, split)])}"
        )
    if unknown := [part for part in split["part"].unique() if part not in PARTS]:
        raise UserError(f"Each part of the split must be one of {', '.join(PARTS)}. Received: {unknown[0]!r}")
    folds = split["fold"][split["part"] == "train"] if "fold" in split else pd.Series(dtype=float)
    if wrong := folds[pd.to_numeric(folds, errors="coerce") % 1 != 0].tolist():
        raise UserError(f"Each fold of the split must be a whole number. Received: {wrong[0]!r}")
    names = [name for name in ("path", "label") if name in manifest and name in split]
    is_known = split.index.isin(manifest.index).all() and split.index.is_unique
    if not is_known or not split[names].equals(manifest.loc[split.index, names]):
        raise UserError(
            "The split must keep the index of the manifest's rows, by which their signals are read."
        )
    if lost := len(manifest) - len(split):
        say(f"{number_of(lost, 'example is', 'examples are')} in no part of the split.")


def usable(steps: Steps) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the examples of a pipeline, and part those that can be used from those that cannot.

    Args:
        steps: the pipeline.

    Returns:
        The good rows without the column `problem`; and the bad ones, without what no table can hold.

    Raises:
        UserError: there are bad ones and `on_bad_file` is "stop", or no good ones.
    """
    manifest = inspected(steps)
    is_bad = manifest["problem"].notna()
    bad = manifest[is_bad].map(lambda cell: shown(cell) if isinstance(cell, str) else cell)
    named = zip(map(excerpt, example_names(bad)), bad["problem"], strict=True)
    if len(bad) == len(manifest):
        raise unusable("examples", named, len(manifest))
    if len(bad) and steps.on_bad_file == "stop":
        remedy = "Mend or remove them, or give --on-bad-file skip."
        raise unusable("examples", named, len(manifest), remedy)
    return manifest[~is_bad].drop(columns="problem"), bad


def example_names(manifest: pd.DataFrame) -> pd.Series:
    """Name each example as predictions.csv does: by its file, and where it begins there, or by its index.

    Args:
        manifest: maybe with the columns `path` and `start`, in seconds.

    Example:
        >>> example_names(pd.DataFrame({"path": ["a.flac"], "start": [1.5]})).tolist()
        ['a.flac@1.50']
    """
    if "path" not in manifest:
        return pd.Series(manifest.index, manifest.index, name=manifest.index.name or "example")
    if "start" not in manifest:
        return manifest["path"].rename("file")
    return (manifest["path"] + manifest["start"].map("@{:.2f}".format)).rename("file")


def folds_of(split: pd.DataFrame) -> dict[int | None, pd.DataFrame]:
    """Return for each fold the split that has it as validation part; without folds, the split itself.

    Rows of which only a class is known that they are not of have no answer that a score could count, nor have
    those that only train; and those of fold −1 train in every fold.

    Args:
        split: columns `part` and maybe `fold`, `is_absent` and `only_trains`.

    Example:
        >>> split = pd.DataFrame({"part": ["train", "train", "test"], "fold": [0, 1, -1]})
        >>> folds_of(split)[1]["part"].tolist()
        ['train', 'validation', 'test']
    """
    if "fold" not in split:
        return {None: split}
    part, fold = split["part"], split["fold"]
    is_scored = ~(split.get("is_absent", False) | split.get("only_trains", pd.Series(False, split.index)))
    splits: dict[int | None, pd.DataFrame] = {}
    for number in sorted({*fold[part == "train"]} - {-1}):
        held_out = (part == "train") & (fold == number)
        parts = part.mask(held_out, "validation").mask(held_out & ~is_scored, UNANSWERED)
        splits[int(number)] = split.assign(part=parts)
    return splits


def described(split: pd.DataFrame) -> str:
    """Say in one line how many examples and groups are in each part, and what this means for the score.

    Args:
        split: columns `part` and `group`.

    Example:
        >>> described(pd.DataFrame({"part": ["train", "validation"], "group": ["ann", "ann"]}))[:29]
        '1 example of 1 group in train'
    """
    sides = [
        f"{number_of(len(rows), 'example')} of {number_of(len(group_names(rows)), 'group')} in {part}"
        for part, rows in split.groupby("part")
    ]
    shared = len(shared_groups(split))
    warning = (
        f"; {number_of(shared, 'group is', 'groups are')} on both sides: "
        "the score will be too good for groups not trained on"
        if shared
        else ""
    )
    return ", ".join(sides) + warning


def _check(split: pd.DataFrame, steps: Steps) -> None:
    """Refuse a split that cannot be trained on or that scores too well."""
    needed = {"train", "validation"} if steps.keep == "best" else {"train"}
    if missing := sorted(needed - set(split["part"])):
        remedy = " Without it only the last epoch can count: --keep last." * (missing == ["validation"])
        raise UserError(f"There is nothing in the part {' and '.join(missing)} of the split.{remedy}")
    num_train = int((split["part"] == "train").sum())
    if steps.drop_remainder and num_train < steps.batch_size:
        raise UserError(
            f"No batch is whole, and drop_remainder leaves out the others. Received: batch_size="
            f"{steps.batch_size} for {num_train} examples that train"
        )
    shared = shared_groups(split)
    if shared and not steps.groups_may_overlap:
        number = number_of(len(shared), "group is", "groups are")
        remedy = " To leave the parts as they are: --split-by file." * hasattr(steps, "split_by")
        raise UserError(f"{number} on both sides of the split: {listed([*map(excerpt, shared)], 5)}.{remedy}")
