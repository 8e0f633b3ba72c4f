"""The general task of windows: sensor signals of many people in one large array on disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from tfspec.base.options import Hertz, Name, Range
from tfspec.base.progress import bar, say
from tfspec.data.balance import sample_weights
from tfspec.data.label_targets import targets
from tfspec.data.sources.windows import (
    RUN_BYTES,
    RUNS,
    WindowReader,
    inspect_windows,
    list_windows,
    shuffled_runs,
)
from tfspec.experiment.pipeline import Pipeline
from tfspec.scores.smoothing import smooth


@dataclass(kw_only=True)
class Windows(Pipeline):
    """Base of the experiments on windows of sensor signals.

    The folder `data` holds X.npy, Y.npy, T.npy, pid.npy and annotation-label-dictionary.csv, as
    `data.sources.windows.list_windows` describes.
    """

    takes: ClassVar[Literal["windows"]] = "windows"
    features_once: ClassVar[bool] = False
    """The features of all windows would take more room than the windows."""

    data: Path = Path("data")
    """Folder that holds X.npy, Y.npy, T.npy, pid.npy and annotation-label-dictionary.csv."""
    label_column: Name = "label"
    """Column of the dictionary that has the labels."""
    sample_rate: Hertz = 100
    """Samples per second."""
    shuffle: Literal["runs", "windows"] = "runs"
    """In every epoch, shuffle runs of neighbouring windows among one another, which a disk can follow, or
    each window on its own."""
    balance: bool = False
    """Weigh rare activities as much as common ones."""
    smoothing: bool = True
    """Score the predictions smoothed over time by a hidden Markov model too."""
    max_gap_seconds: Annotated[float, Range(0, 10**9, without_low=True)] | None = None
    """Time between two windows beyond which smoothing starts anew; one and a half windows if not given."""

    def check_windows(self, samples: int, channels: int) -> None:
        """Refuse windows that the front end cannot take, before all are read."""

    def manifest(self):
        """List the windows with their people and times, and read all to find those that are no numbers."""
        manifest = list_windows(self.data, self.label_column)
        self.check_windows(*self.reader().signal_shape)
        return inspect_windows(self.data, manifest, bar("Checking windows"))

    def reader(self):
        """Read the windows from the file."""
        return WindowReader(self.data / "X.npy", self.sample_rate)

    @property
    def window_seconds(self) -> float:
        """Length of a window."""
        return self.reader().signal_shape[0] / self.sample_rate

    def training(self, examples, class_names):
        """Shuffle as the disk likes it, and weigh rare activities as much as common ones on request."""
        training = super().training(examples, class_names)
        if self.balance:
            known = np.nan_to_num(targets(examples, class_names, self.labels or "one"))
            training = replace(training, weights=sample_weights(known, len(class_names)))
        if self.shuffle == "windows":
            return training
        index, run = examples.index.to_numpy(), self.reader().windows_in(RUN_BYTES)
        return replace(
            training,
            order=lambda seed: shuffled_runs(index, run, seed),
            batches_per_read=max(1, RUNS * run // self.batch_size),
        )

    def smooth(self, predicted, held_out, class_names):
        """Smooth each person's predictions over time, on request, where time and person are known."""
        if not self.smoothing:
            return None
        if "time" not in predicted or (predicted["group"] == "").all():
            say("Nothing is smoothed over time: it is not known when the windows were, or whose they are.")
            return None
        max_gap = self.max_gap_seconds or 1.5 * self.window_seconds
        return smooth(predicted, held_out, class_names, max_gap)
