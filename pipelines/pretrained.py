"""The option of networks that come with weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tfspec.models import freeze, unfreeze
from tfspec.training import Phase, Training


@dataclass(kw_only=True)
class Pretrained:
    """Weights that a network of `keras.applications` begins with."""

    weights: Literal["imagenet", "none"] | Path = "imagenet"
    """"imagenet", a file of the network's weights without its top, or "none" for random ones."""

    @property
    def first_weights(self) -> str | None:
        """What `tfspec.models.transfer` takes."""
        return None if self.weights == "none" else str(self.weights)

    def head_first(self, training: Training, epochs: int, rate: float) -> Training:
        """Have the head of a network with weights train before everything does; without, leave the training.

        Args:
            training: of one phase, in which everything trains.
            epochs: in which only the head trains, at the rate of that phase.
            rate: at which everything trains then.
        """
        if self.first_weights is None:
            return training
        (whole,) = training.phases
        head = Phase(epochs, whole.learning_rate, prepare=freeze)
        return replace(training, phases=[head, replace(whole, learning_rate=rate, prepare=unfreeze)])
