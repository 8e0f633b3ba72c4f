"""The option of networks that come with weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tfspec.models import freeze, unfreeze
from tfspec.training import Phase, Training

HEAD_EPOCHS = 5
"""Epochs in which only the head of a network with weights trains."""


@dataclass(kw_only=True)
class Pretrained:
    """Weights that a network of `keras.applications` begins with."""

    weights: Literal["imagenet", "none"] | Path = "imagenet"
    """"imagenet", a file of the network's weights without its top, or "none" for random ones."""

    @property
    def first_weights(self) -> str | None:
        """What `tfspec.models.transfer` takes."""
        return None if self.weights == "none" else str(self.weights)

    def head_first(self, training: Training, rate: float, epochs: int = HEAD_EPOCHS) -> Training:
        """Have the head of a network that has learnt before train alone, before everything does.

        Args:
            training: of one phase, in which everything trains.
            rate: at which everything trains behind the head.
            epochs: in which only the head trains, at the rate of that phase.
        """
        (whole,) = training.phases
        head = Phase(epochs, whole.learning_rate, prepare=freeze)
        return replace(training, phases=[head, replace(whole, learning_rate=rate, prepare=unfreeze)])
