"""Radio signals: pictures of power over time and frequency, given or simulated (the SETI signal classes)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import keras
import numpy as np

from tfspec import augment
from tfspec.base.options import AnyCount, Count, Name, Range, Rate, Ratio, Seed
from tfspec.data.readers import ArrayReader
from tfspec.data.sources.pictures import (
    PictureReader,
    inspect_picture_folders,
    read_table,
    table_manifest,
)
from tfspec.data.sources.simulate import PICTURE_SHAPE, RADIO_CLASSES, check_snr, kept_radio_pictures
from tfspec.data.splits import split_by_file
from tfspec.experiment.pipeline import Pipeline
from tfspec.frontends import Equalize, MinMax
from tfspec.models import trace_conv2d, transfer
from tfspec.report import figures as report


@dataclass(kw_only=True)
class RadioSignals(Pipeline):
    """Tell four kinds of narrow-band radio signals apart in pictures of 64 times × 128 frequencies.

    The pictures are rows of a CSV table, PNG files in a folder per class, or simulated. The front end keeps
    no more of them than the order of their values, and training draws them in many ways, so that a model
    can be used on pictures that another program drew.

    Example:
        >>> RadioSignals(num_train=1600, num_validation=400, snr=(0.3, 0.8)).manifest()["label"].nunique()
        4
    """

    name: ClassVar[str] = "radio_signals"
    picture_axes: ClassVar[tuple[str, str]] = ("frequency", "time")

    epochs: Count = 25
    patience: AnyCount = 10
    learning_rate: Rate = 4e-3
    learning_rate_end: Ratio = 0.01

    data: Path | None = None
    """CSV table (columns 0 to 8191, pixels from 0 to 1, and labels), or folder that holds a folder of PNG
    files per class; signals are simulated if not given."""
    validation: Annotated[float, Range(0, 0.5, without_low=True)] = 0.2
    """Part of the data's pictures that validates."""
    validate_on: Literal["stratified", "last"] = "stratified"
    """Which pictures of the data: drawn from every class, or the last ones, as published."""
    num_train: Count = 6400
    """Signals to simulate for training; 3200 were published."""
    num_validation: Count = 800
    """Signals to simulate for validation."""
    data_seed: Seed | None = None
    """Same seed, same simulated signals, whatever `seed` says; that of the run, `seed`, if not given."""
    snr: tuple[Ratio, Ratio] | None = None
    """Range of the signals' amplitude in units of the noise's; each class's published one if not given."""
    augment: tuple[Literal["turns", "rendering", "masks"], ...] = ("rendering",)
    """What changes the training pictures at random: they are turned and moved; that, and drawn in other ways;
    masked over time and frequency, as published."""
    network: Literal["conv2d", "efficientnet_b0"] = "conv2d"
    """Small convolutional network, or the published one, with batches of 128, 15 epochs and a learning rate
    of 1e-3."""
    weights: Name = "imagenet"
    """EfficientNet's: "imagenet", a file of its weights without its top, or "none" for random ones."""

    def __post_init__(self):
        """Check what can be checked before anything is read or simulated."""
        super().__post_init__()
        if self.data_seed is None:
            self.data_seed = self.seed  # here, so that members with seeds of their own train on the same data
        check_snr(self.snr)
        if self.weights not in ("imagenet", "none"):
            self.weights = str(Path(self.weights).absolute())  # for a run that is resumed from elsewhere

    @property
    def _folder(self) -> Path | None:
        """The data where they are files."""
        return self.data if self.data is not None and self.data.is_dir() else None

    @functools.cached_property
    def _table(self) -> tuple[np.ndarray, list[str]]:
        """The pictures and labels of the CSV table; parsed once, and kept beside the run folder."""
        assert self.data is not None
        progress = lambda chunks, total: report.track(chunks, "Reading the table", total)  # noqa: E731
        return read_table(self.data, RADIO_CLASSES, self._kept, progress)

    @functools.cached_property
    def _simulated(self) -> np.ndarray:
        """The pictures of all simulated signals; simulated once, and kept beside the run folder."""
        progress = lambda batches, total: report.track(batches, "Simulating signals", total)  # noqa: E731
        num, seed = self.num_train + self.num_validation, self.data_seed or 0
        return kept_radio_pictures(self._kept, num, seed, self.snr, progress)

    @property
    def _kept(self) -> Path:
        """Folder of the pictures that several runs can use."""
        return (self.out.parent if self.out else Path("runs")) / ".tables"

    def manifest(self):
        """List the pictures; simulated ones have numbers, and the classes take turns."""
        if self._folder:
            progress = lambda results, total: report.track(results, "Checking pictures", total)  # noqa: E731
            return inspect_picture_folders(self._folder, RADIO_CLASSES, progress)
        if self.data is not None:
            labels, source = np.array(self._table[1]), self.data.stem
        else:
            labels = np.resize(RADIO_CLASSES, self.num_train + self.num_validation)
            source = f"simulated with seed {self.data_seed}"
        return table_manifest(labels, source)

    def split(self, manifest):
        """Validate on a part of each class, or on the last pictures, as always with simulated ones."""
        if self.data is not None and self.validate_on == "stratified":
            return split_by_file(manifest, self.validation, self.seed)
        num_validation = self.num_validation if self.data is None else round(self.validation * len(manifest))
        is_train = np.arange(len(manifest)) < len(manifest) - num_validation
        return manifest.assign(part=np.where(is_train, "train", "validation"))

    def class_names(self, manifest):
        """Give the published order."""
        return list(RADIO_CLASSES)

    def example_names(self, manifest):
        """Name a picture by its file or its number."""
        return super().example_names(manifest) if self._folder else manifest.index.to_series()

    def reader(self, manifest):
        """Read the pictures."""
        if self._folder:
            return PictureReader(self._folder)
        return ArrayReader(self._simulated if self.data is None else self._table[0])

    def augmentation(self):
        """Turn the training pictures and draw them in other ways."""
        return augment.Rendering() if "rendering" in self.augment else None

    def front_end(self):
        """Add the channel axis and equalise each picture; in 0…1 for the network that knows ImageNet."""
        scaling = [] if self.network == "conv2d" else [MinMax()]
        return keras.Sequential(
            [keras.layers.Reshape((*PICTURE_SHAPE, 1)), Equalize(), *scaling], name="front_end"
        )

    def feature_augmentation(self):
        """Turn, which the front end does not mind, and mask.

        What the original calls time masks are the four over frequency.
        """
        layers: list[augment.RandomLayer] = []
        if "turns" in self.augment:
            layers.append(augment.Rendering(max_blur=0, max_noise=0, fold=0, invert=0))
        if "masks" in self.augment:
            layers += [augment.FrequencyMask(15, 4, fill="mean"), augment.TimeMask(15, 3, fill="mean")]
        return augment.Compose(layers) if layers else None

    def backbone(self, feature_shape, num_classes):
        """Make the network."""
        if self.network == "conv2d":
            return trace_conv2d(feature_shape, num_classes)
        return transfer(
            self.network, feature_shape, num_classes, None if self.weights == "none" else self.weights
        )

    def picture(self, features):
        """Give the picture as radio astronomers draw it, time upwards."""
        return features[..., 0]
