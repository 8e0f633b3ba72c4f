"""Capture-24: what people do, by the accelerometer on their wrist (Chan et al., 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from tfspec.augment import Augmentation, Compose, Gain, Rotation, TimeShift
from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Batch, Count, Name, Range, Rate, Ratio
from tfspec.pipelines.people import People
from tfspec.pipelines.window_spectra import WindowSpectra
from tfspec.training import CohenKappa, RecentLoss

PUBLISHED_TEST = tuple(f"P{number}" for number in range(101, 152))
FRAME_SECONDS = (1.2, 6.4)
STEP_SECONDS = 1.0


@dataclass(kw_only=True)
class Capture24(People, WindowSpectra):
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
    max_hz: Annotated[float, Range(0, 10_000_000, without_low=True)] | None = 15.0
    """Highest frequency that the network sees: wrists hardly move faster. None for half the sample rate."""
    log_offset: Annotated[float, Range(0, 1_000_000, without_low=True)] = 0.03
    """Added to the magnitudes before the logarithm, in g: what is below is the sensor's noise."""
    augment: bool = True
    """Turn the training windows a little, as if the watch were worn askew, and scale them."""

    @property
    def usual_frame_lengths(self):
        """Resolve single steps, and what repeats; even lengths, so that their middles are the same."""
        return tuple(2 * max(1, round(seconds * self.sample_rate / 2)) for seconds in FRAME_SECONDS)

    @property
    def usual_step(self):
        """Return a second's samples."""
        return max(1, round(STEP_SECONDS * self.sample_rate))

    @property
    def channels_shape(self):
        """Return that of the accelerometer's axes."""
        return (3,)

    def check_windows(self, samples, channels):
        """Refuse windows shorter than a frame, or without three axes."""
        super().check_windows(samples, channels)
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

    def training(self, examples, class_names):
        """Measure Cohen's kappa too, and where the training loss has come to."""
        training = super().training(examples, class_names)
        return replace(
            training, metrics=["accuracy", CohenKappa(len(class_names)), RecentLoss(training.loss)]
        )
