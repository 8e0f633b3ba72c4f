"""Radio signals: pictures of power over time and frequency, simulated (the SETI signal classes)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import pandas as pd

from tfspec import report
from tfspec.data.dataset import ArrayReader
from tfspec.data.simulate import BATCH, PICTURE_SHAPE, RADIO_CLASSES, radio_pictures
from tfspec.errors import UserError
from tfspec.frontends import Standardize
from tfspec.models import trace_conv2d
from tfspec.pipeline import Pipeline


@dataclass(kw_only=True)
class RadioSignals(Pipeline):
    """Tell four kinds of narrow-band radio signals apart in simulated 64 × 128 pictures.

    Example:
        >>> RadioSignals(num_train=1600, num_validation=400, snr=(0.3, 0.8)).manifest()["label"].nunique()
        4
    """

    name: ClassVar[str] = "radio_signals"

    patience: int = 10
    learning_rate: float = 4e-3
    learning_rate_end: float = 0.01
    num_train: int = 3200
    """Signals to train on."""
    num_validation: int = 800
    """Signals to validate on."""
    snr: tuple[float, float] | None = None
    """Range of the signals' amplitude in units of the noise's; each class's published one if not given."""

    def __post_init__(self):
        """Check what can be checked before anything is simulated."""
        super().__post_init__()
        for name in ("num_train", "num_validation"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be positive. Received: {getattr(self, name)}")
        if self.snr and not 0 <= self.snr[0] <= self.snr[1] < math.inf:
            raise UserError(f"snr must be two numbers from low to high, not negative. Received: {self.snr}")

    def manifest(self):
        """Number the signals; the classes take turns."""
        index = np.arange(self.num_train + self.num_validation)
        return pd.DataFrame(
            {"index": index, "label": np.take(RADIO_CLASSES, index, mode="wrap"), "group": index}
        )

    def split(self, manifest):
        """Train on the first, validate on the rest."""
        is_train = manifest["index"] < self.num_train
        return manifest.assign(part=np.where(is_train, "train", "validation"))

    def class_names(self, manifest):
        """Give the published order."""
        return list(RADIO_CLASSES)

    def example_names(self, manifest):
        """Name a signal by its number."""
        return manifest["index"]

    def reader(self, manifest):
        """Simulate the rows' pictures; a row's number and the seed make its signal."""
        return ArrayReader(self.simulate(manifest["label"], manifest["index"]))

    def simulate(self, labels, index) -> np.ndarray:
        """Make (examples, 64, 128) pictures of the signals with these labels and numbers."""
        seeds = np.stack([np.full(len(index), self.seed), index], axis=1)
        return radio_pictures(
            list(labels),
            seeds,
            self.snr,
            lambda batches: report.track(batches, "Simulating signals", -(-len(index) // BATCH)),
        )

    def front_end(self):
        """Add the channel axis and standardise each picture."""
        return keras.Sequential([keras.layers.Reshape((*PICTURE_SHAPE, 1)), Standardize()], name="front_end")

    def backbone(self, feature_shape, num_classes):
        """Make the small convolutional network."""
        return trace_conv2d(feature_shape, num_classes)

    def draw_examples(self, features, titles):
        """Draw pictures as radio astronomers do, time upwards."""
        return report.examples_figure([picture[..., 0] for picture in features], titles, "frequency", "time")
