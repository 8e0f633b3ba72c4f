"""Overlapped speech: how much of each word is in a mixture, by an ensemble of MAC networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import keras
import numpy as np

from tfspec import augment
from tfspec.augment import Augmentation
from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Batch, Count, Dropout, Range, Rate, Ratio, check_seeds
from tfspec.data.manifest import class_columns
from tfspec.data.sources.mixtures import SUBMISSION, check_all_there, list_mixture_folder, write_predictions
from tfspec.data.splits import UNANSWERED
from tfspec.data.store import Dtype
from tfspec.frontends import Decibel, FrequencyRamp, MultiResolutionMel, Standardize
from tfspec.models import mac
from tfspec.pipelines.recordings import Recordings
from tfspec.training.losses import KLDivergence
from tfspec.training.optimizers import CoupledSGD

SUB_RESULTS = {"average": "Avg", "max": "Max"}
"""What the files of the single models begin with."""
ASKED = ("test", UNANSWERED)
"""Parts that submission.csv may ask for."""


@dataclass(kw_only=True)
class OverlappedSpeech(Recordings):
    """Tell how much of each word is in one-second mixtures of words.

    The folder `data` holds train/ and train_answer.csv: file names, then a column a word with the shares,
    which sum to 1. Maybe also test/ with test_answer.csv, which is scored, and submission.csv, which is
    filled in: PredictionFinal.csv in the run folder has the mean of all models, SubResult/ every model's.

    The defaults train a small network with either pooling, on two cores. The preset `published` is the
    ensemble of eight networks with average and eight with maximum pooling, trained on all clips.

    Example:
        >>> list(OverlappedSpeech.preset("published", data="mixtures").variants())
        ['average', 'max']
    """

    name: ClassVar[str] = "overlapped_speech"
    feature_dtype: ClassVar[Dtype] = "float16"
    """Up to 80 dB from the mean it is exact to 0.02 dB."""
    sample_rate: ClassVar[int] = 16000
    """That of the published clips."""
    num_samples: ClassVar[int] = 16000
    """One second."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {
            "width": 24,
            "num_members": 8,
            "validation_fraction": 0.0,
            "keep": "last",
            "epochs": 200,
            "batch_size": 128,
            "drop_remainder": True,
            "learning_rate": 0.2,
            "precision": "mixed_float16",
        }
    }

    epochs: Count = 40
    patience: AnyCount | None = 200  # the best epochs are the cosine's last
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

    validation_fraction: Dropout = 0.1
    """Part of the training clips that validates; 0, with `--keep last`, trains on all of them."""
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

    def manifest(self):
        """List the clips of the tables that are there; submission.csv only where test_answer.csv is not."""
        return list_mixture_folder(self.data, self.sample_rate, self.num_samples)

    def split(self, manifest):
        """Draw the clips that validate, at least one where any are to."""
        if (table := self.data / SUBMISSION).exists():
            asked = manifest[manifest["part"].isin(ASKED)]
            check_all_there(table, asked["path"])
        train = np.flatnonzero(manifest["part"] == "train")
        if len(train) < 2:
            raise UserError(f"{self.data} has no train_answer.csv with at least two clips to train on.")
        wanted = self.validation_fraction * len(train)
        count = min(max(wanted > 0, round(wanted)), len(train) - 1)
        part = manifest["part"].to_numpy(object)
        part[np.random.default_rng(self.seed).permutation(train)[:count]] = "validation"
        return manifest.assign(part=part)

    def class_names(self, manifest):
        """Order the words as the table does."""
        return class_columns(manifest)

    def augmentation(self):
        """Mask a band and two stretches of time, move the picture, and mix examples, each on request."""
        layers: list[augment.RandomLayer] = []
        if "masks" in self.augment:
            layers += [augment.FrequencyMask(31), augment.TimeMask(11, num_masks=2)]
        if "crop" in self.augment:
            layers.append(augment.RandomCrop(32))
        return Augmentation(
            features=augment.Compose(layers) if layers else None,
            mix_up=augment.MixUp(0.05, 0.25, probability=0.75) if "mix_up" in self.augment else None,
        )

    def front_end(self):
        """Make mel pictures of four resolutions, each with mean zero and a ramp over frequency."""
        layers = [MultiResolutionMel(), Decibel(1e-10, None), Standardize((1, 2), 20.0), FrequencyRamp()]
        return keras.Sequential(layers, name="front_end")

    def variants(self):
        """Make an ensemble of both poolings."""
        return {pooling: replace(self, poolings=(pooling,)) for pooling in self.poolings}

    def backbone(self, feature_shape, num_classes):
        """Make the network."""
        (pooling,) = self.poolings
        return mac(feature_shape, num_classes, self.width, pooling)

    def training(self, examples, class_names):
        """Minimise the divergence from the soft labels, by SGD as PyTorch has it."""
        return replace(
            super().training(examples, class_names),
            loss=KLDivergence(),
            optimizer=lambda rate: CoupledSGD(
                rate, self.momentum, self.weight_decay, clipnorm=self.clip_norm
            ),
        )

    def write_results(self, run, predict):
        """Fill in submission.csv by the mean of all models, and by every one: Avg1.csv, …, Max1.csv, …."""
        table = self.data / SUBMISSION
        if not table.exists():
            return
        rows, names = run.split[run.split["part"].isin(ASKED)], self.class_names(run.split)
        members = predict(rows)
        filled = {"PredictionFinal.csv": np.mean(list(members.values()), axis=0)}
        for pooling, short in SUB_RESULTS.items():
            its = [values for name, values in members.items() if name.startswith(pooling)]
            filled |= {f"SubResult/{short}{number}.csv": values for number, values in enumerate(its, 1)}
        for path, probabilities in filled.items():
            write_predictions(run.folder / path, table, rows["path"], names, probabilities)
