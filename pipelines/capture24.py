"""Capture-24: what people do, by the accelerometer on their wrist (Chan et al., 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import keras
import numpy as np

from tfspec.augment import Augmentation, Compose, Gain, Rotation, TimeShift
from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Batch, Count, Dropout, Name, Range, Rate, Ratio
from tfspec.frontends import FrameMean, Log, Spectrogram, VectorNorm
from tfspec.models import bin_statistics, pyramid
from tfspec.pipelines.windows import Windows
from tfspec.report.figures import Picture
from tfspec.training import CohenKappa, RecentLoss

PUBLISHED_TEST = tuple(f"P{number}" for number in range(101, 152))
FRAME_SECONDS = (1.2, 6.4)
STEP_SECONDS = 1.0


@dataclass(kw_only=True)
class Capture24(Windows):
    """Name what people do in windows of acceleration, trained and tested on different people.

    The defaults were found by cross-validation on people who were not trained on; the preset "published" is
    the tutorial's system, for windows at 100 Hz. The number of epochs is fixed, and none is chosen by
    anybody's scores.

    Example:
        >>> Capture24(sample_rate=20).front_end().compute_output_shape((None, 600, 3))
        (None, 31, 79, 4)
        >>> Capture24.preset("published").front_end().compute_output_shape((None, 3000, 3))
        (None, 61, 61, 3)
    """

    name: ClassVar[str] = "capture24"
    published_test: ClassVar[tuple[str, ...]] = PUBLISHED_TEST
    examples_per_class: ClassVar[int] = 10
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "test": 0,
            "validation": PUBLISHED_TEST,
            "cross_validation": 0,
            "shuffle": "windows",
            "model": "pyramid",
            "num_filters_init": 32,
            "channels": "axes",
            "frame_length": 120,
            "frame_step": 48,
            "max_hz": None,
            "log_offset": 1e-16,
            "gravity": False,
            "augment": False,
            "dropout": 0.0,
            "epochs": 5,
            "keep": "last",
            "batch_size": 32,
            "learning_rate": 3e-4,
            "learning_rate_end": 1.0,
        }
    }

    epochs: Count = 16
    patience: AnyCount | None = None
    keep: Literal["best", "last"] = "last"
    batch_size: Batch = 64
    validation_batch_size: Batch = 1024
    learning_rate: Rate = 2e-3
    learning_rate_end: Ratio = 0.0

    label_column: Name = "label:Willetts2018"
    """Column of the dictionary that has the labels."""
    model: Literal["bin_statistics", "pyramid"] = "bin_statistics"
    """What each frequency does over time, for a dense network; or the published convolutional one."""
    num_filters_init: Annotated[int, Range(1, 1024)] = 32
    """Filters of the pyramid's first block; each block has twice those of the one before."""
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

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if not self.frame_lengths:
            raise UserError("frame_length must be at least one. Received: none")

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

    def check_windows(self, samples, channels):
        """Refuse windows shorter than a frame, or without three axes."""
        if samples < max(self.frame_lengths):
            raise UserError(
                f"frame_length must be at most a window's {samples}. Received: {max(self.frame_lengths)}"
            )
        if channels != 3:
            raise UserError(f"{self.data / 'X.npy'} must have 3 channels. Received: {channels}")

    def augmentation(self):
        """Turn and scale the windows, on request; for a network that minds when things happen, shift them."""
        if not self.augment:
            return Augmentation()
        changes = [Rotation(20.0), Gain(-1.3, 1.3)]
        if self.model == "pyramid":
            changes.append(TimeShift(self.window_seconds / 2, self.sample_rate))
        return Augmentation(signals=Compose(changes))

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
        if self.model == "pyramid":
            return pyramid(feature_shape, num_classes, self.dropout, self.num_filters_init)
        return bin_statistics(feature_shape, num_classes, self.dropout)

    def training(self, examples, class_names):
        """Measure Cohen's kappa too, and where the training loss has come to."""
        training = super().training(examples, class_names)
        return replace(
            training, metrics=["accuracy", CohenKappa(len(class_names)), RecentLoss(training.loss)]
        )

    def picture(self, signal, features):
        """Draw the spectrogram of the vector's length."""
        layers = keras.Sequential([VectorNorm(), self._log_spectrogram(max(self.frame_lengths))])
        return Picture(np.asarray(layers(signal[np.newaxis]))[0, ..., 0].T, "time", "frequency")
