"""Learning from recordings that nobody has labelled, by what a trained model is sure of in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pandas as pd

from tfspec.audio.inspection import inspect_all
from tfspec.audio.recordings import list_recordings
from tfspec.base.errors import UserError, listed
from tfspec.base.files import seen_from
from tfspec.base.options import Range
from tfspec.base.progress import bar, say, track
from tfspec.base.text import excerpt, shown
from tfspec.data.frame_targets import COLUMN
from tfspec.experiment.calibrated import calibrated_model
from tfspec.experiment.run import Run
from tfspec.inference.pseudo_labels import Sure, sure_windows
from tfspec.models import Classifier
from tfspec.pipelines.embedded import Embedded
from tfspec.pipelines.taught import check_tells_nothing

WEIGHT = "loss_weight"
"""Column of the manifest that says what an example counts in the loss."""
INSPECTED = ("seconds", "sample_rate", "digest", "problem")


@dataclass(kw_only=True)
class SelfTaught(Embedded):
    """Options of pseudo-labels (D.-H. Lee, "Pseudo-label", 2013), which train only, and are never scored."""

    unlabelled: Path | None = None
    """Folder of recordings that nobody has labelled, to learn what `teacher` is sure of in them."""
    teacher: Path | None = None
    """Run of the same classes, or some of them, whose model says what is in `unlabelled`."""
    confidence: Annotated[float, Range(0.5, 1)] = 0.9
    """Lowest probability that the teacher must give, calibrated on its validation part, and reach its own
    threshold; what is not there has one minus this at most."""
    pseudo_weight: Annotated[float, Range(0, 1, without_low=True)] = 0.5
    """What an example of `unlabelled` counts in the loss; others count 1."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if (self.unlabelled is None) != (self.teacher is None):
            raise UserError("Unlabelled recordings need a teacher, and it them: --unlabelled and --teacher.")

    def on_data(self, data):
        """Take other recordings, and nothing unlabelled."""
        return replace(super().on_data(data), unlabelled=None, teacher=None)

    def with_pseudo_labels(self, manifest: pd.DataFrame, folder: Path, window_seconds: float) -> pd.DataFrame:
        """Add what the teacher is sure of, where there is one, and say what that is.

        The same recordings, model and options give the same rows. Recordings that are in the manifest
        already, or copies of them, are left out.

        Args:
            manifest: of recordings with labels, and their groups.
            folder: what its paths are relative to.
            window_seconds: length of an example.

        Raises:
            UserError: the teacher cannot teach these classes, or knows the test part; or there are no
                recordings, or it is sure of nothing in them.
        """
        if self.unlabelled is None or self.teacher is None:
            return manifest
        names = self.class_names(manifest)
        teacher = _teacher(self.teacher, manifest, names)
        shared = [name for name in names if name in teacher.class_names]
        recordings = self._recordings(self.unlabelled, manifest, folder)
        is_good = recordings["problem"].isna()
        found = {
            row: sure_windows(teacher, folder / path, shared, window_seconds, self.confidence)
            for row, path in track(recordings["path"][is_good].items(), "Pseudo-labels", is_good.sum())
        }
        windows = recordings[[]][:0]
        if found:
            windows = pd.concat({row: sure.windows for row, sure in found.items()}).droplevel(1)
            self._tell(windows, shared, found)
        added = pd.concat([recordings.join(windows, how="inner"), recordings[~is_good].assign(start=0.0)])
        known = manifest.assign(only_trains=manifest.get("only_trains", False), **{WEIGHT: 1.0})
        if "start" not in known:
            known["start"], added = 0.0, added.drop(columns="end", errors="ignore")
        whole = pd.concat([known, added[[name for name in added if name in known]]], ignore_index=True)
        return whole.fillna({COLUMN: ""}) if COLUMN in whole else whole

    def _recordings(self, unlabelled: Path, manifest: pd.DataFrame, folder: Path) -> pd.DataFrame:
        """List the recordings that are not in the manifest, with what is wrong with them."""
        labelled = manifest.drop_duplicates("path")
        known = {(folder / path).resolve() for path in labelled["path"]}
        if not unlabelled.is_dir():
            raise UserError(f"No such folder: {shown(unlabelled)}. Give one that holds recordings.")
        files = [path for path in list_recordings(unlabelled)[0] if path.resolve() not in known]
        inspections = inspect_all(files, bar("Checking unlabelled files"))
        paths = [seen_from(folder.resolve(), path.resolve()) for path in files]
        recordings = pd.DataFrame(
            {
                "path": paths,
                "group": self.groups_of_others(manifest, paths),
                **{name: [getattr(each, name) for each in inspections] for name in INSPECTED},
                "only_trains": True,
                WEIGHT: self.pseudo_weight,
            }
        )
        as_long = labelled["path"][labelled["seconds"].isin(recordings["seconds"])]
        copied = {each.digest for each in inspect_all(folder / path for path in as_long)} - {""}
        if (others := recordings[~recordings["digest"].isin(copied)]).empty:
            raise UserError(f"{shown(unlabelled)} holds no recordings but those that are labelled.")
        return others

    def _tell(self, windows: pd.DataFrame, names: Sequence[str], found: Mapping[int, Sure]) -> None:
        """Say what the teacher is sure of, and how much is not used."""
        if windows.empty:
            raise UserError(
                f"{shown(self.teacher)} is sure of nothing in {shown(self.unlabelled)}: lower --confidence. "
                f"Received: {self.confidence}"
            )
        counts = windows["label"].value_counts() if "label" in windows else (windows[names] == 1).sum()
        classes = listed([f"{counts.get(name, 0):,} {excerpt(name)}" for name in names], 30)
        unused = sum(sure.unused for sure in found.values())
        without = sum(sure.windows.empty for sure in found.values())
        say(
            f"Pseudo-labels: {len(windows):,} windows, each counting {self.pseudo_weight:g} ({classes}); "
            f"{without} of {len(found)} recordings and {unused:,.1f} s in all are not used."
        )

    def training(self, examples, class_names):
        """Have examples count in the loss what the manifest says."""
        training = super().training(examples, class_names)
        return replace(training, weights=examples[WEIGHT].to_numpy()) if WEIGHT in examples else training


def _teacher(folder: Path, manifest: pd.DataFrame, class_names: Sequence[str]) -> Classifier:
    """Load a calibrated model that may teach these classes."""
    run = Run(folder)
    tested = manifest[manifest["part"] == "test"] if "part" in manifest else manifest[:0]
    check_tells_nothing(run, tested, "Take a teacher that has not.")
    model = calibrated_model(run, run.metrics() if run.has_validation_part else {})
    wanted = "one" if "label" in manifest else "several"
    if model.labels != wanted:
        raise UserError(
            f"An example has {wanted} of the classes here, and {model.labels} by {shown(folder)}: the "
            "teacher must be trained on labels of the same kind."
        )
    if not {*class_names} & {*model.class_names}:
        theirs = listed([*map(excerpt, model.class_names)])
        raise UserError(f"{shown(folder)} knows none of the classes; it knows {theirs}.")
    return model
