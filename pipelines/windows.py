"""The general task of windows: sensor signals of many people in one large array on disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Hertz, Name, Range, Share
from tfspec.base.progress import bar
from tfspec.data.balance import sample_weights
from tfspec.data.sources.windows import (
    RUN_BYTES,
    RUNS,
    WindowReader,
    inspect_windows,
    list_windows,
    shuffled_runs,
)
from tfspec.data.splits import draw_groups, folds
from tfspec.data.targets import label_indices
from tfspec.experiment.pipeline import Pipeline
from tfspec.scores.smoothing import smooth


@dataclass(kw_only=True)
class Windows(Pipeline):
    """Base of the experiments on windows of sensor signals, trained and tested on different people.

    The folder `data` holds X.npy, Y.npy, T.npy, pid.npy and annotation-label-dictionary.csv, as
    `data.sources.windows.list_windows` describes.
    """

    features_once: ClassVar[bool] = False
    """The features of all windows would take more room than the windows."""
    published_test: ClassVar[tuple[str, ...]] = ()
    """People who test where all of them are there, if `test` is not given."""

    data: Path = Path("data")
    """Folder that holds X.npy, Y.npy, T.npy, pid.npy and annotation-label-dictionary.csv."""
    label_column: Name = "label"
    """Column of the dictionary that has the labels."""
    sample_rate: Hertz = 100
    """Samples per second."""
    test: AnyCount | Share | tuple[Name, ...] | None = None
    """People kept for the end: their ids, how many, or which part of all, drawn at random; 0 for none. If not
    given, the published ones where they are; otherwise none in cross-validation, and without it a fifth."""
    validation: AnyCount | Share | tuple[Name, ...] = 0.1
    """People among the others on whom every epoch is measured, without cross-validation: their ids, how many,
    or which part."""
    cross_validation: Annotated[int, Range(0, 10_000)] | Literal["leave_one_out"] | None = 5
    """Number of folds that the people who do not test are parted into, or each of them in turn: one model is
    trained for every fold, and validated on it, and for new people the mean of all counts. 0 for none."""
    shuffle: Literal["runs", "windows"] = "runs"
    """In every epoch, shuffle runs of neighbouring windows among one another, which a disk can follow, or
    each window on its own."""
    balance: bool = False
    """Weigh rare activities as much as common ones."""
    smoothing: bool = True
    """Score the predictions smoothed over time by a hidden Markov model too."""
    max_gap_seconds: Annotated[float, Range(0, 10**9, without_low=True)] | None = None
    """Time between two windows beyond which smoothing starts anew; one and a half windows if not given."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if isinstance(self.cross_validation, int) and (self.cross_validation or 2) < 2:
            raise UserError(f"Cross-validation needs at least 2 folds. Received: {self.cross_validation}")

    def check_windows(self, samples: int, channels: int) -> None:
        """Refuse windows that the front end cannot take, before all are read."""

    def manifest(self):
        """List the windows with their people and times, and read all to find those that are no numbers."""
        manifest = list_windows(self.data, self.label_column)
        self.check_windows(*self.reader().signal_shape)
        return inspect_windows(self.data, manifest, bar("Checking windows"))

    def split(self, manifest):
        """Part the people, never the windows of one."""
        tested = manifest["group"].isin(draw_groups(manifest, self._people_who_test(manifest), self.seed))
        rest = manifest[~tested]
        if not self.cross_validation:
            validated = rest["group"].isin(draw_groups(rest, self.validation, self.seed))
            rest = rest.assign(part=np.where(validated, "validation", "train"))
        elif self.cross_validation == "leave_one_out":
            rest = rest.assign(part="train", fold=pd.factorize(rest["group"], sort=True)[0])
        else:
            rest = folds(rest, self.cross_validation, self.seed).assign(part="train")
        rows = manifest[tested].assign(part="test", **({"fold": -1} if "fold" in rest else {}))
        return pd.concat([rest, rows]).sort_index()

    def _people_who_test(self, manifest: pd.DataFrame) -> int | float | tuple[str, ...]:
        if self.test is not None:
            return self.test
        if self.published_test and set(self.published_test) <= set(manifest["group"]):
            return self.published_test
        return 0 if self.cross_validation else 0.2

    def reader(self):
        """Read the windows from the file."""
        return WindowReader(self.data / "X.npy", self.sample_rate)

    @property
    def window_seconds(self) -> float:
        """Length of a window."""
        return self.reader().signal_shape[0] / self.sample_rate

    def training(self, examples, class_names):
        """Shuffle as the disk likes it, and weigh rare activities as much as common ones on request."""
        labels = label_indices(examples["label"], class_names)
        training = replace(
            super().training(examples, class_names),
            weights=sample_weights(labels, len(class_names)) if self.balance else None,
        )
        if self.shuffle == "windows":
            return training
        index, run = examples.index.to_numpy(), max(1, RUN_BYTES // self.reader().window_bytes)
        return replace(
            training,
            order=lambda seed: shuffled_runs(index, run, seed),
            batches_per_read=max(1, RUNS * run // self.batch_size),
        )

    def smooth(self, predicted, held_out, class_names):
        """Smooth each person's predictions over time, on request."""
        if not self.smoothing:
            return None
        max_gap = self.max_gap_seconds or 1.5 * self.window_seconds
        return smooth(predicted, held_out, class_names, max_gap)
