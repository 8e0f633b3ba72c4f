"""Radio signals: pictures of power over time and frequency, given or simulated (the SETI signal classes)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import keras
import numpy as np

from tfspec import augment
from tfspec.augment import Augmentation
from tfspec.base.options import AnyCount, Count, Rate, Ratio, Seed
from tfspec.base.progress import bar
from tfspec.data import ArrayReader
from tfspec.data.sources.pictures import table_manifest
from tfspec.data.sources.simulate import PICTURE_SHAPE, RADIO_CLASSES, check_snr, kept_radio_pictures
from tfspec.frontends import Equalize, MinMax
from tfspec.models import efficientnet, trace_conv2d
from tfspec.pipelines.pictures import Pictures, last_validate
from tfspec.pipelines.pretrained import Pretrained


@dataclass(kw_only=True)
class RadioSignals(Pretrained, Pictures):
    """Tell four kinds of narrow-band radio signals apart in pictures of 64 times × 128 frequencies.

    The pictures are rows of a CSV table, PNG files in a folder per class, or simulated. The front end keeps
    no more of them than the order of their values, and training draws them in many ways, so that a model
    can be used on pictures that another program drew. The preset `published` is the source's system, with
    `--data train.csv --validation valid.csv`; what its masks are filled with, here the mean, is not shown.

    Example:
        >>> RadioSignals(num_train=1600, num_validation=400, snr=(0.3, 0.8)).manifest()["label"].nunique()
        4
    """

    name: ClassVar[str] = "radio_signals"
    classes: ClassVar[tuple[str, ...]] = tuple(RADIO_CLASSES)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "epochs": 15,
            "patience": None,
            "batch_size": 128,
            "learning_rate": 1e-3,
            "learning_rate_end": 1.0,
            "num_train": 3200,
            "augment": ("masks",),
            "equalize": False,
            "network": "efficientnet_b0",
        }
    }

    epochs: Count = 25
    patience: AnyCount | None = 10
    learning_rate: Rate = 4e-3
    learning_rate_end: Ratio = 0.01

    data: Path | None = None
    """CSV table (columns 0 to 8191, pixels from 0 to 1, and labels), or folder that holds a folder of PNG
    files per class; signals are simulated if not given."""
    num_train: Count = 6400
    """Signals to simulate for training."""
    num_validation: Count = 800
    """Signals to simulate for validation."""
    data_seed: Seed | None = None
    """Same seed, same simulated signals, whatever `seed` says; that of the run, `seed`, if not given."""
    snr: tuple[Ratio, Ratio] | None = None
    """Range of the signals' amplitude in units of the noise's; each class's published one if not given."""
    augment: tuple[Literal["turns", "rendering", "masks"], ...] = ("rendering",)
    """What changes the training pictures at random: they are turned and moved; that, and drawn in other ways;
    masked over time and frequency, as published."""
    equalize: bool = True
    """Keep no more of a picture than the order of its values; without, pixels go in as they are."""
    network: Literal["conv2d", "efficientnet_b0"] = "conv2d"
    """Small convolutional network, or one that knows ImageNet."""

    def __post_init__(self):
        """Check what can be checked before anything is read or simulated."""
        super().__post_init__()
        check_snr(self.snr)

    @property
    def _simulation_seed(self) -> int:
        return self.seed if self.data_seed is None else self.data_seed

    @functools.cached_property
    def _simulated(self) -> np.ndarray:
        """The pictures of all simulated signals; simulated once, and kept beside the run folder."""
        num = self.num_train + self.num_validation
        return kept_radio_pictures(self.kept, num, self._simulation_seed, self.snr, bar("Simulating signals"))

    def manifest(self):
        """List the pictures; simulated ones have numbers, and the classes take turns."""
        if self.data is not None:
            return super().manifest()
        labels = np.resize(RADIO_CLASSES, self.num_train + self.num_validation)
        return table_manifest(labels, f"simulated with seed {self._simulation_seed}")

    def split(self, manifest):
        """Validate on the last of simulated pictures."""
        if self.data is not None:
            return super().split(manifest)
        return last_validate(manifest, self.num_validation)

    def reader(self):
        """Read the pictures, or simulate them."""
        return super().reader() if self.data is not None else ArrayReader(self._simulated)

    def augmentation(self):
        """Turn the training pictures, draw them in other ways, and mask them, each on request.

        The front end does not mind turns, so they change its features. What the original calls time masks are
        the four over frequency.
        """
        layers: list[augment.RandomLayer] = []
        if "turns" in self.augment:
            layers.append(augment.Rendering(max_blur=0, max_noise=0, fold=0, invert=0))
        if "masks" in self.augment:
            layers += [augment.FrequencyMask(15, 4, fill="mean"), augment.TimeMask(15, 3, fill="mean")]
        return Augmentation(
            signals=augment.Rendering() if "rendering" in self.augment else None,
            features=augment.Compose(layers) if layers else None,
        )

    def front_end(self):
        """Add the channel axis, and equalise each picture; in 0…1 for the network that knows ImageNet."""
        layers = [keras.layers.Reshape((*PICTURE_SHAPE, 1))]
        layers += [Equalize()] * self.equalize
        layers += [MinMax()] * (self.equalize and self.network == "efficientnet_b0")
        return keras.Sequential(layers, name="front_end")

    def backbone(self, feature_shape, num_classes):
        """Make the network."""
        if self.network == "conv2d":
            return trace_conv2d(feature_shape, num_classes)
        return efficientnet(feature_shape, num_classes, self.first_weights)
