"""How networks learn from little: as long as so many batches take, warmed up, smoothed, decayed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import keras
import tyro

from tfspec.augment import (
    Augmentation,
    Compose,
    FrequencyMask,
    FrequencyResponse,
    RandomLayer,
    TimeMask,
    Warp,
)
from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Batch, Rate, Ratio
from tfspec.base.progress import say
from tfspec.base.text import excerpt, number_of, shown
from tfspec.inference.loading import load_model
from tfspec.models import Classifier, continued, residual, transfer
from tfspec.pipelines.own_signals import OwnSignals
from tfspec.pipelines.pretrained import Pretrained
from tfspec.pipelines.regularised import Regularised

BATCHES = 2000
"""Batches that a network learns from at least, in at most `MOST_EPOCHS`."""
USUAL_EPOCHS, MOST_BATCHES = 40, 12_000
"""Epochs where these are more batches than `BATCHES`; where they are more than this many, there are fewer."""
FEWEST_EPOCHS, MOST_EPOCHS = 10, 120
SHORT_FRAMES, SHORT_SHIFT, LONG_SHIFT = 125, 0.1, 0.3
"""What has up to so many frames is shifted in time by up to the first share of them, others by the second."""


@dataclass(kw_only=True)
class SmallData(Pretrained, Regularised, OwnSignals):
    """Base of the tasks that learn pictures of signals from a few hundred or thousand examples."""

    epochs: AnyCount = 0
    """Epochs to train; 0 for 120 to 40, the more examples the fewer, and down to 10 of very many."""
    batch_size: Batch = 16
    learning_rate: Rate = 3e-3
    learning_rate_end: Ratio = 0.01
    clip_norm: Rate | None = 1.0

    network: Literal["residual", "mobilenet_v2", "efficientnet_b0", "resnet50"] = "residual"
    """Small network that begins with nothing, or one that begins with `weights`."""
    start_from: Annotated[Path | None, tyro.conf.arg(name="from", aliases=["--start-from"])] = None
    """Run, or its .keras file, whose network goes on learning under a new last layer."""
    augment: tuple[Literal["shift", "response", "masks"], ...] = ("shift", "response", "masks")
    """What changes the training examples at random: they begin earlier or later (events do not) and, of
    recordings, sound higher or lower; another microphone and room; bands and stretches of time are masked."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if self.network == "residual" and isinstance(self.weights, Path):
            raise UserError(
                "The residual network has no weights to begin with: give --network. "
                f"Received: {excerpt(self.weights)}"
            )

    @property
    def knows_something(self) -> bool:
        """Whether the network begins with what another training has left."""
        return self.start_from is not None or (self.network != "residual" and self.first_weights is not None)

    def settled(self, manifest):
        """Choose the epochs, and say of what begins with nothing that it has no weights."""
        chosen = super().settled(manifest)
        if self.network == "residual":
            chosen = replace(chosen, weights="none")
        if chosen.epochs:
            return chosen
        batches = max(1, len(manifest) // self.batch_size)
        epochs = usual_epochs(batches)
        say(f"Training takes {number_of(epochs, 'epoch')} of about {number_of(batches, 'batch', 'batches')}.")
        return replace(chosen, epochs=epochs)

    def augmentation(self):
        """Change the features, on request."""
        frames, bins = self.feature_shape[:2]
        changes: list[RandomLayer] = []
        if "shift" in self.augment:
            changes.append(self.shift(frames))
        changes += [FrequencyResponse(0.2)] if "response" in self.augment else []
        if "masks" in self.augment:
            sizes = {FrequencyMask: bins, TimeMask: frames}
            changes += [mask(max(1, size // 10), 2, "mean") for mask, size in sizes.items()]
        return Augmentation(features=Compose(changes) if changes else None)

    def shift(self, frames: int) -> Warp:
        """Make what moves an example in time."""
        share = SHORT_SHIFT if frames <= SHORT_FRAMES else LONG_SHIFT
        return Warp(time_factor=1.0, time_shift=share, bin_factor=1.0, bin_shift=0.0)

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of an example's features."""
        return self.front_end().compute_output_shape((None, *self.reader().signal_shape))[1:]

    def backbone(self, feature_shape, num_classes):
        """Make the network that was asked for."""
        shape = (None, *feature_shape[1:])
        if self.start_from is not None:
            return continued(_network_of(self.start_from), shape, num_classes)
        if self.network == "residual":
            return residual(shape, num_classes)
        return transfer(self.network, shape, num_classes, self.first_weights)

    def training(self, examples, class_names):
        """Learn; what knows something trains its head first."""
        training = self.regularised(
            super().training(examples, class_names), self.clip_norm, self.labels or "one"
        )
        if not self.knows_something:
            return training
        return self.head_first(training, self.learning_rate / 10)


def usual_epochs(batches: int) -> int:
    """Choose how many epochs a network learns.

    Args:
        batches: of an epoch.

    Example:
        >>> [usual_epochs(batches) for batches in (10, 25, 140, 600, 5000)]
        [120, 80, 40, 20, 10]
    """
    usual = min(USUAL_EPOCHS, MOST_BATCHES // batches)
    return min(max(FEWEST_EPOCHS, usual, round(BATCHES / batches)), MOST_EPOCHS)


def _network_of(path: Path) -> keras.Model:
    model = load_model(path)
    if not isinstance(model, Classifier):
        raise UserError(f"{shown(path)} holds no network that could learn: give its run, or a .keras file.")
    return model.backbone
