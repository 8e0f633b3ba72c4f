"""Overlapped speech: how much of each word is in a mixture, by an ensemble of MAC networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import keras
import numpy as np
import pandas as pd

from tfspec import augment
from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Batch, Count, Dropout, Fraction, Range, Rate, Ratio, check_seeds
from tfspec.data.readers import AudioReader
from tfspec.data.sources.mixtures import class_columns, list_mixtures, write_predictions
from tfspec.data.store import Dtype
from tfspec.experiment.pipeline import Pipeline
from tfspec.experiment.run import UNANSWERED
from tfspec.frontends import Decibel, FrequencyRamp, MultiResolutionMel, Standardize
from tfspec.models import mac
from tfspec.report import figures as report
from tfspec.training.losses import KLDivergence
from tfspec.training.optimizers import CoupledSGD

SAMPLE_RATE, NUM_SAMPLES = 16000, 16000
SUBMISSION = "submission.csv"
TABLES = {"train": "train_answer.csv", "test": "test_answer.csv", UNANSWERED: SUBMISSION}


@dataclass(kw_only=True)
class OverlappedSpeech(Pipeline):
    """Tell how much of each word is in one-second mixtures of words.

    The folder `data` holds train/ and train_answer.csv: file names, then a column a word with the shares,
    which sum to 1. Maybe also test/ with test_answer.csv, which is scored, and submission.csv, which is
    filled in: PredictionFinal.csv in the run folder has the mean of all models, SubResult/ every model's.

    The defaults train a small network with either pooling, on two cores. The published ensemble is
    `--width 24 --epochs 200 --batch-size 128 --learning-rate 0.2 --num-members 8 --precision mixed_float16`:
    eight networks with average and eight with maximum pooling. Differs from it: a part of the training clips
    validates, and the epoch that is best there is kept, which is one of the last.

    Example:
        >>> list(OverlappedSpeech(data="mixtures", width=24, num_members=8).variants())
        ['average', 'max']
    """

    name: ClassVar[str] = "overlapped_speech"

    epochs: Count = 40
    patience: AnyCount = 200  # the best epochs are the cosine's last
    batch_size: Batch = 32
    learning_rate: Rate = 0.02
    """SGD's learning rate at the start. In proportion to the batch, the published one would be 0.05, with
    which some networks do not begin to learn for ten epochs of 2,000 clips."""
    learning_rate_end: Ratio = 1 / 40
    momentum: Dropout = 0.9
    """Part of a step that the next one keeps."""
    weight_decay: Dropout = 1e-4
    """Part of each weight that is added to its gradient."""
    num_members: Annotated[int, Range(1, 1000)] = 1
    """Models with each pooling, each from a seed of its own; the probabilities of all are averaged."""

    data: Path = Path("data")
    """Folder that holds train_answer.csv and train/, and maybe test/, test_answer.csv and submission.csv."""
    validation_fraction: Fraction = 0.1
    """Part of the training clips that validates."""
    poolings: tuple[Literal["average", "max"], ...] = ("average", "max")
    """Of the networks in the ensemble."""
    width: Annotated[int, Range(1, 1000)] = 8
    """Filters of the network's first group; those of the others are multiples of it."""
    augment: tuple[Literal["masks", "crop", "mix_up"], ...] = ("masks", "crop", "mix_up")
    """What changes the training examples at random; give none to leave them as they are."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if not self.poolings or len(set(self.poolings)) < len(self.poolings):
            raise UserError(f"poolings must be average, max or both. Received: {self.poolings}")
        check_seeds(self.seed, self.num_members * len(self.poolings))

    @property
    def signal_rate(self) -> int:
        """Samples per second of a clip."""
        return SAMPLE_RATE

    def manifest(self):
        """List the clips of the tables that are there; submission.csv only where test_answer.csv is not."""
        there = [part for part, table in TABLES.items() if (self.data / table).exists()]
        if "test" in there and UNANSWERED in there:
            there.remove(UNANSWERED)
        tables = []
        for part in there or ["train"]:
            folder = "train" if part == "train" else "test"
            table = list_mixtures(
                self.data / TABLES[part], self.data / folder, SAMPLE_RATE, NUM_SAMPLES, part != UNANSWERED
            )
            path = [f"{folder}/{path}" for path in table["path"]]
            tables.append(table.assign(part=part, path=path, group=path))
            if set(class_columns(tables[0])) != set(class_columns(table)):
                raise UserError(f"{TABLES[part]} has not the classes of {TABLES[there[0]]} in {self.data}.")
        return pd.concat(tables, ignore_index=True)

    def problems(self, manifest):
        """Name the clips that are missing, of another length or rate, or without shares that sum to 1."""
        return manifest["problem"]

    def split(self, manifest):
        """Draw the clips that validate."""
        train = np.flatnonzero(manifest["part"] == "train")
        if len(train) < 2:
            raise UserError(f"{self.data} has no {TABLES['train']} with at least two clips to train on.")
        count = min(max(1, round(self.validation_fraction * len(train))), len(train) - 1)
        drawn = np.random.default_rng(self.seed).permutation(train)[:count]
        part = manifest["part"].mask(manifest.index.isin(drawn), "validation")
        return manifest.assign(part=part).drop(columns="problem")

    def class_names(self, manifest):
        """Order the words as the table does."""
        return class_columns(manifest)

    def reader(self, manifest):
        """Read the clips."""
        return AudioReader(self.data, SAMPLE_RATE, NUM_SAMPLES)

    def front_end(self):
        """Make mel pictures of four resolutions, each with mean zero and a ramp over frequency."""
        layers = [MultiResolutionMel(), Decibel(1e-10, None), Standardize((1, 2), 20.0), FrequencyRamp()]
        return keras.Sequential(layers, name="front_end")

    @property
    def feature_dtype(self) -> Dtype:
        """Half precision, which up to 80 dB from the mean is exact to 0.02 dB."""
        return "float16"

    def feature_augmentation(self):
        """Mask a band and two stretches of time, and move the picture, on request."""
        layers: list[augment.RandomLayer] = []
        if "masks" in self.augment:
            layers += [augment.FrequencyMask(32), augment.TimeMask(12, num_masks=2)]
        if "crop" in self.augment:
            layers.append(augment.RandomCrop(32))
        return augment.Compose(layers) if layers else None

    def mix_up(self):
        """Mix three of four examples with a little of another one, on request."""
        return augment.MixUp(0.05, 0.25, probability=0.75) if "mix_up" in self.augment else None

    def variants(self):
        """Make an ensemble of both poolings."""
        return {pooling: replace(self, poolings=(pooling,)) for pooling in self.poolings}

    def backbone(self, feature_shape, num_classes):
        """Make the network."""
        (pooling,) = self.poolings
        return mac(feature_shape, num_classes, self.width, pooling)

    def loss(self):
        """Make the divergence from the soft labels."""
        return KLDivergence()

    def optimizer(self, learning_rate):
        """Make SGD as PyTorch has it."""
        return CoupledSGD(learning_rate, self.momentum, self.weight_decay, clipnorm=self.clip_norm)

    def write_results(self, run):
        """Fill in submission.csv by the mean of all models, and by every one."""
        table = self.data / SUBMISSION
        if not table.exists():
            return
        rows = run.split[run.split["part"].isin(["test", UNANSWERED])].reset_index(drop=True)
        names = self.class_names(run.split)
        members = run.predict_rows(rows)
        for name, probabilities in members.items():
            write_predictions(
                run.folder / "SubResult" / f"{name}.csv", table, rows["path"], names, probabilities
            )
        mean = np.mean(list(members.values()), axis=0)
        write_predictions(run.folder / "PredictionFinal.csv", table, rows["path"], names, mean)

    def draw_examples(self, features, titles):
        """Draw mel pictures of the shortest window."""
        pictures = [report.Picture(example[..., 0].T, "time", "mel band") for example in features]
        return report.examples_figure({title: [it] for title, it in zip(titles, pictures, strict=True)})
