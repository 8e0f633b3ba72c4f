"""Rainforest: species in long recordings, by networks that know ImageNet (Rainforest Connection 2021)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import keras
import numpy as np

from tfspec import augment
from tfspec.augment import Augmentation
from tfspec.augment.waveform import CURVES, Curve
from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Batch, Count, Dropout, Range, Rate, Ratio, Share
from tfspec.data.balance import balanced_order, sample_weights
from tfspec.data.label_targets import targets
from tfspec.frontends import Decibel, MelSpectrogram, MinMax, Resize
from tfspec.models import transfer
from tfspec.pipelines.annotated import AnnotatedRecordings
from tfspec.pipelines.pretrained import Pretrained
from tfspec.training import PossibleAccuracy
from tfspec.training.losses import PossibleClassesLoss

FRAMES, BANDS = 563, 128
HIGHEST_HERTZ = 15056


@dataclass(kw_only=True)
class Rainforest(Pretrained, AnnotatedRecordings):
    """Name the species in annotated slices of long recordings.

    The folder `data` is laid out as in the competition: train_tp.csv and train/, maybe test/, test_tp.csv
    and train_fp.csv. A run writes submission.csv where there are test recordings.

    The preset `published` has the source's features, augmentations, folds, network and batches. What the
    source does not show, the head, the epochs and their rates, is as here. Even then recordings shorter than
    a slice are padded, and silence gives zeros.

    Example:
        >>> Rainforest(data="scenes", network="mobilenet_v2", num_folds=3).num_samples
        480000
    """

    name: ClassVar[str] = "rainforest"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "decibels": "amplitude",
            "augment_probability": 1.0,
            "volume_curves": ("sine",),
            "split_by": "row",
            "network": "resnet50",
            "batch_size": 32,
            "drop_remainder": True,
            "balance": "none",
        }
    }

    epochs: Count = 15
    """Largest number of epochs in which the whole network trains."""
    patience: AnyCount | None = 5
    batch_size: Batch = 16
    validation_batch_size: Batch = 16
    learning_rate: Rate = 1e-3
    """Adam's learning rate while only the head trains; without weights, for the whole network."""
    fine_tuning_rate: Rate = 2e-4
    """Adam's learning rate at the start of the epochs in which the whole network trains."""
    learning_rate_end: Ratio = 0.01
    head_epochs: AnyCount = 5
    """Epochs in which only the head trains, before the whole network does; not without weights."""

    sample_rate: Annotated[int, Range(2 * HIGHEST_HERTZ, 10_000_000)] = 48000
    """Samples per second that recordings are resampled to."""
    decibels: Literal["power", "amplitude"] = "power"
    """What the mel powers are taken for. Taken for amplitudes, their 80 decibels are but 40, and the picture
    shrinks without averaging."""
    network: Literal["mobilenet_v2", "resnet50", "efficientnet_b0"] = "mobilenet_v2"
    """Network of keras.applications."""
    dropout: Dropout = 0.2
    """Part of the pooled features that the head drops in training."""
    augment: bool = True
    """Add noise, shift pitch and time, and change the volume of the training slices at random."""
    augment_probability: Share = 0.5
    """How likely each of these four is."""
    volume_curves: tuple[Curve, ...] = CURVES
    """How the change of volume may go over a slice."""
    balance: Literal["weights", "sampling", "none"] = "weights"
    """How rare species count as much as common ones: by weights in the loss, or by being drawn more often."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if self.negatives and self.balance == "sampling":
            raise UserError("negatives cannot be drawn by species. Give --balance weights or none.")
        if self.augment and not self.volume_curves:
            raise UserError("volume_curves must name at least one curve. Received: none")

    def augmentation(self):
        """Make the published chain of waveform augmentations; there, each link is always applied."""
        if not self.augment:
            return Augmentation()
        noises = [augment.GaussianNoise(5.0, 20.0), augment.PinkNoise(5.0, 20.0)]
        chance = self.augment_probability
        chain = [
            augment.OneOf(noises, probability=chance),
            augment.PitchShift(-5, 4, round(0.053 * self.sample_rate), probability=chance),
            augment.TimeShift(4.0, self.sample_rate, probability=chance),
            augment.VolumeControl(-10.0, 10.0, self.volume_curves, probability=chance),
        ]
        return Augmentation(signals=augment.Compose(chain))

    def front_end(self):
        """Make mel pictures in 0…1 of a fixed size."""
        mel = MelSpectrogram.preset(
            "librosa", sample_rate=self.sample_rate, num_mel_bins=BANDS, lower_hz=84.0, upper_hz=HIGHEST_HERTZ
        )
        as_power = self.decibels == "power"
        level = Decibel() if as_power else Decibel(floor=1e-5, power=1)
        layers = [mel, level, MinMax(), Resize(FRAMES, BANDS, antialias=as_power)]
        return keras.Sequential(layers, name="front_end")

    def backbone(self, feature_shape, num_classes):
        """Make the network under a new head."""
        return transfer(self.network, feature_shape, num_classes, self.first_weights, self.dropout)

    def training(self, examples, class_names):
        """Train the head, then everything at a lower rate; without weights, everything at once."""
        training = super().training(examples, class_names)
        labels, count = targets(examples, class_names), len(class_names)
        if self.negatives:
            training = replace(training, loss=PossibleClassesLoss(), metrics=(PossibleAccuracy(),))
        if self.balance == "weights":
            weights, present = np.ones(len(labels)), labels >= 0
            weights[present] = sample_weights(labels[present], count)
            training = replace(training, weights=weights)
        elif self.balance == "sampling":
            drawn = functools.partial(balanced_order, labels, count, len(examples))
            training = replace(training, order=drawn)
        if self.first_weights is None:
            return training
        return self.head_first(training, self.fine_tuning_rate, self.head_epochs)
