"""Rainforest: species in long recordings, by networks that know ImageNet (Rainforest Connection 2021)."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import keras
import pandas as pd

from tfspec import augment
from tfspec.augment import Augmentation
from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Batch, Count, Dropout, Range, Rate, Ratio
from tfspec.data.balance import balanced_order, sample_weights
from tfspec.data.sources.annotations import list_annotations
from tfspec.data.splits import folds
from tfspec.data.targets import label_indices
from tfspec.frontends import Decibel, MelSpectrogram, MinMax, Resize
from tfspec.models import freeze, transfer, unfreeze
from tfspec.pipelines.pretrained import Pretrained
from tfspec.pipelines.recordings import Recordings
from tfspec.training import Phase

FRAMES, BANDS = 563, 128
HIGHEST_HERTZ = 15056


@dataclass(kw_only=True)
class Rainforest(Pretrained, Recordings):
    """Name the species in annotated slices of long recordings.

    The folder `data` holds train_tp.csv and train/ (`<recording_id>.flac` …), and maybe test_tp.csv and
    test/, which are scored by the mean of the folds' models. Differs from the published system: recordings
    shorter than a slice are padded, decibels are those of power, silence gives zeros, no part-batch is
    dropped, and folds keep recordings whole.

    Example:
        >>> Rainforest(data="scenes", network="mobilenet_v2", num_folds=3).num_samples
        480000
    """

    name: ClassVar[str] = "rainforest"
    padding: ClassVar[Literal["silence"]] = "silence"

    epochs: Count = 15
    """Largest number of epochs in which the whole network trains."""
    patience: AnyCount = 5
    batch_size: Batch = 16
    validation_batch_size: Batch = 16
    learning_rate: Rate = 1e-3
    """Adam's learning rate while only the head trains; without weights, for the whole network."""
    fine_tuning_rate: Rate = 2e-4
    """Adam's learning rate at the start of the epochs in which the whole network trains."""
    learning_rate_end: Ratio = 0.01
    head_epochs: AnyCount = 5
    """Epochs in which only the head trains, before the whole network does; not without weights."""

    num_folds: Annotated[int, Range(2, 10_000)] = 5
    """Models that are trained, each on the recordings of all folds but one."""
    sample_rate: Annotated[int, Range(2 * HIGHEST_HERTZ, 10_000_000)] = 48000
    """Samples per second that recordings are resampled to."""
    slice_seconds: Annotated[float, Range(0, 3600, without_low=True)] = 10.0
    """Length of the slice round each annotation."""
    network: Literal["mobilenet_v2", "resnet50", "efficientnet_b0"] = "mobilenet_v2"
    """Network of keras.applications; the published one is resnet50."""
    dropout: Dropout = 0.2
    """Part of the pooled features that the head drops in training."""
    augment: bool = True
    """Add noise, shift pitch and time, and change the volume of the training slices at random."""
    balance: Literal["weights", "sampling", "none"] = "weights"
    """How rare species count as much as common ones: by weights in the loss, or by being drawn more often."""

    @property
    def num_samples(self):
        """Length of a slice in samples."""
        return round(self.slice_seconds * self.sample_rate)

    def manifest(self):
        """List the annotations of train_tp.csv and test_tp.csv, or of the one that is there."""
        there = [part for part in ("train", "test") if (self.data / f"{part}_tp.csv").exists()]
        tables = []
        for part in there or ["train"]:
            table = list_annotations(self.data / f"{part}_tp.csv", self.data / part, self.slice_seconds)
            tables.append(table.assign(part=part, path=[f"{part}/{path}" for path in table["path"]]))
        return pd.concat(tables, ignore_index=True)

    def split(self, manifest):
        """Make stratified folds that keep recordings whole."""
        tested = manifest["part"] == "test"
        if tested.all():
            raise UserError(f"{self.data} has no train_tp.csv to train on.")
        crossed = folds(manifest[~tested], self.num_folds, self.seed)
        return pd.concat([crossed, manifest[tested].assign(fold=-1)])

    def class_names(self, manifest):
        """Order the species by number."""
        return sorted(manifest["label"].unique(), key=lambda label: (len(label), label))

    def augmentation(self):
        """Make the published chain of waveform augmentations."""
        if not self.augment:
            return Augmentation()
        noises = [augment.GaussianNoise(5.0, 20.0), augment.PinkNoise(5.0, 20.0)]
        chain = [
            augment.OneOf(noises, probability=0.5),
            augment.PitchShift(-5, 4, round(0.053 * self.sample_rate), probability=0.5),
            augment.TimeShift(4.0, self.sample_rate, probability=0.5),
            augment.VolumeControl(-10.0, 10.0, probability=0.5),
        ]
        return Augmentation(signals=augment.Compose(chain))

    def front_end(self):
        """Make mel pictures in 0…1 of a fixed size."""
        mel = MelSpectrogram.preset(
            "librosa", sample_rate=self.sample_rate, num_mel_bins=BANDS, lower_hz=84.0, upper_hz=HIGHEST_HERTZ
        )
        return keras.Sequential([mel, Decibel(), MinMax(), Resize(FRAMES, BANDS)], name="front_end")

    def backbone(self, feature_shape, num_classes):
        """Make the network under a new head."""
        return transfer(self.network, feature_shape, num_classes, self.first_weights, self.dropout)

    def training(self, examples, class_names):
        """Train the head, then everything at a lower rate; without weights, everything at once."""
        training = super().training(examples, class_names)
        labels, count = label_indices(examples["label"], class_names), len(class_names)
        if self.balance == "weights":
            training = replace(training, weights=sample_weights(labels, count))
        elif self.balance == "sampling":
            drawn = functools.partial(balanced_order, labels, count, len(examples))
            training = replace(training, order=drawn)
        if self.first_weights is None:
            return training
        head = Phase(self.head_epochs, self.learning_rate, prepare=freeze)
        whole = Phase(self.epochs, self.fine_tuning_rate, self.learning_rate_end, prepare=unfreeze)
        return replace(training, phases=[head, whole])
