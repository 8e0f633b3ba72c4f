"""The general task of annotated recordings: boxes round sounds in long recordings, one model a fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.options import Range
from tfspec.data.sources.annotated_sets import list_set, write_submission
from tfspec.data.splits import UNANSWERED, folds, folds_like
from tfspec.pipelines.recordings import Recordings


@dataclass(kw_only=True)
class AnnotatedRecordings(Recordings):
    """Base of the experiments on annotated recordings.

    The folder `data` holds train_tp.csv and train/ (`<recording_id>.flac` …), and maybe test/ and
    test_tp.csv, which is scored by the mean of the folds' models. submission.csv in the run folder has a row
    a recording of test/ and a column a class: its highest probability in any slice, the mean over the folds.
    """

    padding: ClassVar[Literal["silence"]] = "silence"

    num_folds: Annotated[int, Range(2, 10_000)] = 5
    """Models that are trained, each on all folds but one."""
    split_by: Literal["recording", "row"] = "recording"
    """Keep each recording in one fold, or part them row by row, which makes the score too good."""
    negatives: bool = False
    """Train on train_fp.csv too: boxes in which the class was looked for and is not. Their loss is
    -log(1 - p) of that class."""
    slice_seconds: Annotated[float, Range(0, 3600, without_low=True)] = 10.0
    """Length of the slice round each annotation."""

    @property
    def num_samples(self):
        """Length of a slice in samples."""
        return round(self.slice_seconds * self.sample_rate)

    def manifest(self):
        """List the boxes of train_tp.csv and test_tp.csv, and slices of all test recordings."""
        return list_set(self.data, self.slice_seconds, self.negatives)

    def on_data(self, data):
        """Take the boxes of another set; what is absent there is not scored."""
        return replace(super().on_data(data), negatives=False)

    @property
    def groups_may_overlap(self):
        """Whether folds by row were asked for."""
        return self.split_by == "row"

    def split(self, manifest):
        """Make stratified folds; negatives go with their recording."""
        train, absent = manifest["part"] == "train", manifest["is_absent"]
        if not train.any():
            raise UserError(f"{self.data} has no train_tp.csv to train on.")
        crossed = folds(manifest[train & ~absent], self.num_folds, self.seed, self.split_by == "recording")
        negatives = folds_like(crossed, manifest[train & absent], self.num_folds)
        return pd.concat([crossed, negatives, manifest[~train].assign(fold=-1)])

    def class_names(self, manifest):
        """Order the classes by number."""
        known = manifest[manifest["part"] != UNANSWERED]
        return sorted(known["label"].unique(), key=lambda label: (len(label), label))

    def write_results(self, run, predict):
        """Write submission.csv where there are test recordings."""
        slices, names = run.part(UNANSWERED), run.classifier.class_names
        if len(slices):
            write_submission(run.folder / "submission.csv", slices["group"], names, predict(slices).values())
