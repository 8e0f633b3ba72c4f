"""What the general tasks share: signals of one's own, their groups, and a split that scores honestly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.model import Labels
from tfspec.base.options import AnyCount, Expression, Fraction, Names, Range
from tfspec.base.progress import say
from tfspec.base.text import excerpt, number_of
from tfspec.data.groups import Proposal, groups_of, joined_by_copies, proposals
from tfspec.data.label_targets import labels_of
from tfspec.data.manifest import class_columns
from tfspec.data.splits import (
    folds,
    group_names,
    shared_groups,
    split_by_group,
    strata,
    with_only_trained,
)
from tfspec.experiment.export import export_run
from tfspec.experiment.pipeline import Pipeline
from tfspec.export.parity import ParityError

MANY = 3000
"""Examples beyond which one model, validated on a part of them, says enough."""
MOST_FOLDS = 5


@dataclass(kw_only=True)
class OwnSignals(Pipeline):
    """Base of the tasks on signals of one's own: what is not given is chosen from the data, and said."""

    everyday: ClassVar[Sequence[str]] = ("out", "label_column", "groups", "folds", "epochs")

    keep: Literal["best", "last"] = "last"
    patience: AnyCount | None = None

    classes: Names | None = None
    """The classes to use; all if not given."""
    labels: Labels | None = None  # type: ignore[assignment]
    """Whether one class holds, or several can at once; as the data are if not given."""
    groups: Expression | None = None
    """Regular expression whose parentheses find the group (speaker, recording, site) in a file's name, or in
    its path where it holds a slash; if not given, the data's own groups, or what the names seem to say."""
    split_by: Literal["group", "file"] | None = None
    """Keep each group on one side of the split, or split file by file, whose score holds for more of the same
    groups only; by group if not given and if there are any."""
    folds: Annotated[int, Range(0, 1000)] | None = None
    """Parts for cross-validation, a model each; 0 for one model and a validation part; if not given, 5 for at
    most 3,000 examples, as far as there are groups."""
    validation_fraction: Fraction = 0.2
    """Part of the examples that validates without cross-validation."""

    exported: bool = True
    """Write a SavedModel and a TFLite file when the training ends, and prove them."""

    @property
    def groups_may_overlap(self):
        """Whether the split is by file."""
        return self.split_by == "file"

    def class_names(self, manifest):
        """Order the classes as text, or as their columns are."""
        names = super().class_names(manifest)
        return names if self.classes is None else [name for name in names if name in self.classes]

    def of_classes(self, manifest: pd.DataFrame) -> pd.DataFrame:
        """Leave out the examples of classes that are not asked for.

        Args:
            manifest: maybe with the column `label`.

        Raises:
            UserError: none is of a class that is.
        """
        if self.classes is None or "label" not in manifest:
            return manifest
        chosen = manifest[manifest["label"].isin(self.classes)]
        if chosen.empty:
            there = map(excerpt, sorted({*manifest["label"]} - {""}))
            raise UserError(f"No example is of a class that --classes names. There are: {listed([*there])}")
        return chosen

    def with_groups(self, manifest: pd.DataFrame) -> pd.DataFrame:
        """Add the groups: those that a pattern finds, those of the data, or those that the names propose.

        Args:
            manifest: column `path`, maybe `group`.
        """
        if self.groups is not None:
            return manifest.assign(group=groups_of(manifest["path"], self.groups))
        if "group" in manifest and (manifest["group"] != "").any():
            return manifest
        proposal = _proposed(manifest)
        return manifest.assign(group=groups_of(manifest["path"], proposal.pattern) if proposal else "")

    def groups_of_others(self, manifest: pd.DataFrame, paths: Sequence[str]) -> list[str]:
        """Name the groups of further recordings as those of a manifest are named.

        Args:
            manifest: of `with_groups`.
            paths: of recordings that are not in it.

        Returns:
            (recordings,) groups; of one whose name tells none, its path.
        """
        proposal = _used_proposal(self, manifest)
        pattern = self.groups or (proposal.pattern if proposal else None)
        found = groups_of(paths, pattern) if pattern else [""] * len(paths)
        return [group or path for group, path in zip(found, paths, strict=True)]

    def settled(self, manifest):
        """Choose what a split keeps together, and into how many parts it goes; and say what that means."""
        names = super().class_names(manifest)
        if missing := [excerpt(name) for name in self.classes or () if name not in names]:
            raise UserError(f"No example is of a class that --classes names: {listed(missing)}.")
        _say_cases(names)
        groups = group_names(manifest)
        split_by = self.split_by or ("group" if groups else "file")
        _say_groups(self, manifest, split_by)
        if self.folds and _has_validation_part(scored(manifest)):
            raise UserError("The data say which examples validate: give no --folds, or no such part.")
        num_folds = self._usual_folds(manifest, split_by) if self.folds is None else self.folds
        labels = self.labels or labels_of(manifest, self.class_names(manifest))
        return replace(self, labels=labels, split_by=split_by, folds=num_folds)

    def _usual_folds(self, manifest: pd.DataFrame, split_by: str) -> int:
        manifest = scored(manifest)
        if _has_validation_part(manifest):
            return 0
        manifest = manifest[manifest["part"] == "train"] if "part" in manifest else manifest
        if len(manifest) > MANY:
            return 0
        commonest = strata(manifest, self.class_names(manifest)).value_counts().max()
        return max(2, min(MOST_FOLDS, _kept_together(manifest, split_by).nunique(), commonest))

    def split(self, manifest):
        """Keep the parts that the data name; otherwise make folds, or draw a part that validates."""
        split = self._split_of_scored(scored(manifest))
        others = manifest.drop(index=split.index)
        if others.empty:
            return split
        kept_together = _kept_together(manifest, self.split_by)
        split, others = (rows.assign(kept_together=kept_together) for rows in (split, others))
        return with_only_trained(split, others, "kept_together").drop(columns="kept_together")

    def _split_of_scored(self, manifest: pd.DataFrame) -> pd.DataFrame:
        part = manifest["part"] if "part" in manifest else pd.Series("train", manifest.index)
        train, others = manifest[part == "train"], manifest[part != "train"]
        if (part == "validation").any():
            return manifest
        kept_together = _kept_together(train, self.split_by)
        strata_of = strata(train, self.class_names(train))
        if "label" not in train:  # of several classes at once, one may stand for too few to be spread
            strata_of = strata_of.where(strata_of.map(strata_of.value_counts()) >= (self.folds or 2), "")
        balanced = train.assign(label=strata_of, group=kept_together)
        if self.folds:
            made = folds(balanced, self.folds, self.seed)
            return pd.concat([train.assign(part="train", fold=made["fold"]), others.assign(fold=-1)])
        made = split_by_group(balanced, self.validation_fraction, self.seed)
        return pd.concat([train.assign(part=made["part"]), others])

    def write_results(self, run, predict):
        """Export the model, on request."""
        if not self.exported:
            return
        try:
            proved = export_run(self, run)["tflite"]
            signals = number_of(proved["signals"], "signal")
            say(f"Exported, each file compared on {signals}: {run.folder / 'export'}")
        except ParityError as error:
            say(f"Not exported: {error}")


def _say_cases(names: Sequence[str]) -> None:
    """Name the classes that may be one: they differ in case only."""
    spelt = pd.Series([*names], dtype=object)
    alike = spelt.groupby(spelt.str.casefold()).agg(list)
    for each in alike[alike.map(len) > 1]:
        say(f"Classes that differ in case only are different classes: {listed([*map(excerpt, each)])}.")


def _has_validation_part(manifest: pd.DataFrame) -> bool:
    return "part" in manifest and bool((manifest["part"] == "validation").any())


def _proposed(manifest: pd.DataFrame) -> Proposal | None:
    """Return what the names of good examples tell about groups, where that is sure.

    What names the classes tells no groups, nor does what stands on both sides of parts that the data name.
    """
    names = set() if "label" in manifest else {*class_columns(manifest)}
    manifest = manifest[manifest["problem"].isna()] if "problem" in manifest else manifest
    manifest = manifest[manifest["label"] != ""] if "label" in manifest else manifest
    labels = manifest["label"] if "label" in manifest else [""] * len(manifest)
    for proposal in proposals([*manifest["path"]], [*labels]):
        grouped = manifest.assign(group=proposal.groups.to_numpy())
        is_shared = "part" in manifest and len(shared_groups(grouped))
        if not proposal.counts and not is_shared and not {*proposal.groups} <= names:
            return proposal
    return None


def _used_proposal(task: OwnSignals, manifest: pd.DataFrame) -> Proposal | None:
    """Return the proposal by which the groups are named, None where it was not one."""
    proposal = _proposed(manifest) if task.groups is None and "path" in manifest else None
    named = proposal and manifest["group"].tolist() == groups_of(manifest["path"], proposal.pattern)
    return proposal if named else None


def scored(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a manifest without those that only train.

    Args:
        manifest: maybe with the column `only_trains`.
    """
    return manifest[~manifest["only_trains"].astype(bool)] if "only_trains" in manifest else manifest


def _kept_together(manifest: pd.DataFrame, split_by: str | None) -> pd.Series:
    """Name what is on one side of a split: groups, and those that hold copies of one file; or else files."""
    if split_by != "group":
        return _copies(manifest)
    if "digest" not in manifest:
        return manifest["group"]
    return joined_by_copies(manifest["group"], manifest["digest"].mask(manifest["silent"].astype(bool), ""))


def _copies(manifest: pd.DataFrame) -> pd.Series:
    """Name each file, copies of one alike: they are not to be on both sides of a split."""
    names = manifest["path"] if "path" in manifest else manifest.index.to_series().astype(str)
    return manifest["digest"].where(manifest["digest"] != "", names) if "digest" in manifest else names


def _say_groups(task: OwnSignals, manifest: pd.DataFrame, split_by: str) -> None:
    """Say what keeps together, and what the score therefore holds for."""
    if not (groups := group_names(manifest)):
        say("No groups are known: the score holds for more of the same speakers, places and recordings.")
    elif split_by == "file":
        say(f"{len(groups)} groups may stand on both sides of the split: the score holds for no others.")
    else:
        proposal = _used_proposal(task, scored(manifest))
        how = f", as {proposal} (--groups '{proposal.pattern}')" if proposal else ""
        say(f"Groups, each on one side of the split: {len(groups)}{how}")
        left = _kept_together(manifest[manifest["group"] != ""], "group").nunique()
        if left < len(groups):
            say(f"Groups that hold copies of one file stay together: {left} are left to be split.")
