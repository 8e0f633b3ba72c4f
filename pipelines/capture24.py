"""Capture-24: what people do, by the accelerometer on their wrist (Chan et al., 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import keras
import numpy as np
import pandas as pd

from tfspec.augment import Compose, Gain, Rotation, TimeShift
from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Batch, Count, Dropout, Hertz, Name, Range, Rate, Ratio, Share
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
from tfspec.frontends import FrameMean, Log, Spectrogram, VectorNorm
from tfspec.models import bin_statistics, pyramid
from tfspec.report import figures as report
from tfspec.scores.smoothing import smooth
from tfspec.training import CohenKappa

PUBLISHED_TEST = tuple(f"P{number}" for number in range(101, 152))
PUBLISHED = {
    "test": 0,
    "validation": PUBLISHED_TEST,
    "cross_validation": 0,
    "model": "pyramid",
    "channels": "axes",
    "frame_length": 120,
    "frame_step": 48,
    "max_hz": None,
    "log_offset": 1e-16,
    "gravity": False,
    "augment": False,
    "dropout": 0.0,
    "epochs": 5,
    "batch_size": 32,
    "learning_rate": 3e-4,
    "learning_rate_end": 1.0,
}
"""The options of the published system, for 100 Hz."""
FRAME_SECONDS = (1.2, 6.4)
STEP_SECONDS = 1.0


@dataclass(kw_only=True)
class Capture24(Pipeline):
    """Name what people do in windows of acceleration, trained and tested on different people.

    The folder `data` holds X.npy, Y.npy, T.npy, pid.npy and annotation-label-dictionary.csv, as
    `data.windows.list_windows` describes. The defaults were found by cross-validation on people who were not
    trained on; the published system is `Capture24(**PUBLISHED)`. The number of epochs is fixed, and none is
    chosen by anybody's scores.

    Example:
        >>> Capture24(sample_rate=20).front_end().compute_output_shape((None, 600, 3))
        (None, 31, 79, 4)
        >>> Capture24(**PUBLISHED).front_end().compute_output_shape((None, 3000, 3))
        (None, 61, 61, 3)
    """

    name: ClassVar[str] = "capture24"

    epochs: Count = 16
    keep: Literal["best", "last"] = "last"
    batch_size: Batch = 64
    validation_batch_size: Batch = 1024
    learning_rate: Rate = 2e-3
    learning_rate_end: Ratio = 0.0

    data: Path = Path("data")
    """Folder that holds X.npy, Y.npy, T.npy, pid.npy and annotation-label-dictionary.csv."""
    label_column: Name = "label:Willetts2018"
    """Column of the dictionary that has the labels."""
    sample_rate: Hertz = 100
    """Samples per second."""
    model: Literal["bin_statistics", "pyramid"] = "bin_statistics"
    """What each frequency does over time, for a dense network; or the published convolutional one."""
    frame_length: Count | tuple[Count, ...] | None = None
    """Length of the Fourier transform's window in samples, or several, whose bins stand beside one another;
    1.2 s and 6.4 s if not given."""
    frame_step: Count | None = None
    """Samples from one frame's start to the next one's; 1 s if not given."""
    max_hz: Annotated[float, Range(0, 10_000_000, without_low=True)] | None = 15.0
    """Highest frequency that the network sees: wrists hardly move faster. None for half the sample rate."""
    channels: Literal["axes", "norm", "both"] = "both"
    """The three axes, the length of their vector, which does not mind how the watch is worn, or both."""
    log_offset: Annotated[float, Range(0, 1_000_000, without_low=True)] = 0.03
    """Added to the magnitudes before the logarithm, in g: what is below is the sensor's noise."""
    gravity: bool = True
    """Show the network the mean of each frame too, whose sign tells how the wrist is held."""
    augment: bool = True
    """Turn the training windows a little, as if the watch were worn askew, and scale them."""
    dropout: Dropout = 0.5
    """Part of the units before the last layer that is left out in training."""
    test: AnyCount | Share | tuple[Name, ...] | None = None
    """People kept for the end: their ids, how many, or which part of all, drawn at random; 0 for none. If not
    given, the published P101 to P151 where they are; otherwise none in cross-validation, and without it a
    fifth."""
    validation: AnyCount | Share | tuple[Name, ...] = 0.1
    """People among the others on whom every epoch is measured, without cross-validation: their ids, how many,
    or which part."""
    cross_validation: Annotated[int, Range(0, 10_000)] | Literal["leave_one_out"] | None = 5
    """Number of folds that the people who do not test are parted into, or each of them in turn: one model is
    trained for every fold, and validated on it, and for new people the mean of all counts. 0 for none."""
    balance: bool = False
    """Weigh rare activities as much as common ones."""
    smoothing: bool = True
    """Score the predictions smoothed over time by a hidden Markov model too."""
    max_gap_seconds: Annotated[float, Range(0, 10**9, without_low=True)] | None = None
    """Time between two windows beyond which smoothing starts anew; one and a half windows if not given."""
    examples: Literal["first", "random"] = "first"
    """Which ten windows a class are drawn."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if not self.frame_lengths:
            raise UserError("frame_length must be at least one. Received: none")
        if isinstance(self.cross_validation, int) and (self.cross_validation or 2) < 2:
            raise UserError(f"Cross-validation needs at least 2 folds. Received: {self.cross_validation}")

    @property
    def frame_lengths(self) -> tuple[int, ...]:
        """Lengths of the Fourier transforms' windows in samples."""
        if self.frame_length is None:  # even, so that their middles are the same
            return tuple(2 * max(1, round(seconds * self.sample_rate / 2)) for seconds in FRAME_SECONDS)
        return (self.frame_length,) if isinstance(self.frame_length, int) else self.frame_length

    @property
    def step(self) -> int:
        """Samples from one frame's start to the next one's."""
        return max(1, round(STEP_SECONDS * self.sample_rate)) if self.frame_step is None else self.frame_step

    @property
    def _signals(self) -> Path:
        return self.data / "X.npy"

    @property
    def signal_rate(self) -> int:
        """Samples per second."""
        return self.sample_rate

    def manifest(self):
        """List the windows with their people and times."""
        manifest = list_windows(self.data, self.label_column)
        samples, channels = self.reader(manifest).signal_shape
        if samples < max(self.frame_lengths):
            raise UserError(
                f"frame_length must be at most a window's {samples}. Received: {max(self.frame_lengths)}"
            )
        if channels != 3:
            raise UserError(f"{self._signals} must have 3 channels. Received: {channels}")
        progress = lambda chunks, total: report.track(chunks, "Checking windows", total)  # noqa: E731
        return inspect_windows(self.data, manifest, progress)

    def split(self, manifest):
        """Part the people, never the windows of one."""
        test = self.test
        if test is None:
            otherwise = 0 if self.cross_validation else 0.2
            test = PUBLISHED_TEST if set(PUBLISHED_TEST) <= set(manifest["group"]) else otherwise
        tested = manifest["group"].isin(draw_groups(manifest, test, self.seed))
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

    def describe(self, split):
        """Count windows and people."""
        return ", ".join(
            f"{len(rows)} windows of {rows['group'].nunique()} people in {part}"
            for part, rows in split.groupby("part")
        )

    def reader(self, manifest):
        """Read the windows from the file."""
        return WindowReader(self._signals, self.sample_rate)

    @property
    def features_once(self) -> bool:
        """Never: those of all windows would take more room than the windows."""
        return False

    @property
    def _run(self) -> int:
        """Windows that the shuffle leaves together."""
        return max(1, RUN_BYTES // self.reader(None).window_bytes)

    def order(self, manifest):
        """Shuffle as the disk likes it."""
        index, run = manifest.index.to_numpy(), self._run
        return lambda seed: shuffled_runs(index, run, seed)

    @property
    def batches_per_read(self) -> int:
        """Batches that one mixture of runs fills."""
        return max(1, RUNS * self._run // self.batch_size)

    def augmentation(self):
        """Turn and scale the windows, on request; for a network that minds when things happen, shift them."""
        if not self.augment:
            return None
        changes = [Rotation(20.0), Gain(-1.3, 1.3)]
        if self.model == "pyramid":
            half_a_window = self.reader(None).signal_shape[0] / self.sample_rate / 2
            changes.append(TimeShift(half_a_window, self.sample_rate))
        return Compose(changes)

    def front_end(self):
        """Put each axis's mean and the logarithms of its spectra beside one another."""
        signal = keras.Input((None, 3), name="signal")
        norm = {"axes": None, "norm": VectorNorm(), "both": VectorNorm(keep_axes=True)}[self.channels]
        vectors = signal if norm is None else norm(signal)
        features = [self._log_spectrogram(length)(vectors) for length in self.frame_lengths]
        if self.gravity:
            features.insert(0, FrameMean(min(self.frame_lengths), **self._frames)(vectors))
        if len(features) > 1:
            features = [keras.layers.Concatenate(axis=2, dtype="float32")(features)]
        return keras.Model(signal, features[0], name="front_end")

    @property
    def _frames(self) -> dict[str, Any]:
        """Where frames are: those of several lengths share their middles."""
        several = {"center": True, "pad_mode": "reflect"} if len(self.frame_lengths) > 1 else {}
        return {"frame_step": self.step, **several}

    def _log_spectrogram(self, frame_length: int) -> keras.Sequential:
        spectrogram = Spectrogram(frame_length, **self._frames)
        layers = [spectrogram, Log(1e-30, self.log_offset)]
        if self.max_hz is not None:
            too_fast = int((spectrogram.bin_frequencies(self.sample_rate) > self.max_hz).sum())
            layers.append(keras.layers.Cropping2D(((0, 0), (0, too_fast)), dtype="float32"))
        return keras.Sequential(layers)

    def backbone(self, feature_shape, num_classes):
        """Make the network asked for."""
        make = {"bin_statistics": bin_statistics, "pyramid": pyramid}[self.model]
        return make(feature_shape, num_classes, self.dropout)

    def metrics(self, num_classes):
        """Measure accuracy and Cohen's kappa."""
        return ["accuracy", CohenKappa(num_classes)]

    def example_weights(self, manifest):
        """Weigh rare activities as much as common ones, on request."""
        if not self.balance:
            return None
        names = self.class_names(manifest)
        return sample_weights(label_indices(manifest["label"], names), len(names))

    def smooth(self, predicted, held_out, class_names):
        """Smooth each person's predictions over time, on request."""
        if not self.smoothing:
            return None
        window_seconds = self.reader(predicted).signal_shape[0] / self.sample_rate
        max_gap = self.max_gap_seconds or 1.5 * window_seconds
        return smooth(predicted, held_out, class_names, max_gap)

    def example_names(self, manifest):
        """Name a window by its place in X.npy."""
        return manifest.index.to_series(name="window")

    def examples_figure(self, manifest, front_end):
        """Draw spectrograms of the vector norm, ten a class."""
        if self.examples == "random":
            manifest = manifest.sample(frac=1, random_state=self.seed)
        shown = manifest.groupby("label").head(10).sort_values("label", kind="stable")
        layers = keras.Sequential([VectorNorm(), self._log_spectrogram(max(self.frame_lengths))])
        pictures = np.asarray(layers(self.reader(shown)(shown)))[..., 0].transpose(0, 2, 1)
        rows = {label: pictures[places] for label, places in shown.groupby("label").indices.items()}
        return report.grid_figure(rows, "time", "frequency")
