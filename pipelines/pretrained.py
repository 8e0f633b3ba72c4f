"""The option of networks that come with weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(kw_only=True)
class Pretrained:
    """Weights that a network of `keras.applications` begins with."""

    weights: Literal["imagenet", "none"] | Path = "imagenet"
    """"imagenet", a file of the network's weights without its top, or "none" for random ones."""

    @property
    def first_weights(self) -> str | None:
        """What `tfspec.models.transfer` takes."""
        return None if self.weights == "none" else str(self.weights)
