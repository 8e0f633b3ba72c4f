"""All that changes training examples at random, together."""

from __future__ import annotations

from dataclasses import dataclass

from tfspec.augment.base import RandomLayer
from tfspec.augment.mixing import MixUp


@dataclass(frozen=True)
class Augmentation:
    """What changes training examples at random, in the order in which it does.

    Args:
        signals: changes signals, before the front end; None leaves them.
        features: changes features, behind the front end; None leaves them.
        mix_up: mixes each example with another one of the whole epoch, which goes through the front end but
            is not changed; needs soft labels. None mixes nothing.

    Example:
        >>> from tfspec.augment import Gain
        >>> len(Augmentation(signals=Gain()).layers), len(Augmentation().layers)
        (1, 0)
    """

    signals: RandomLayer | None = None
    features: RandomLayer | None = None
    mix_up: MixUp | None = None

    @property
    def layers(self) -> list[RandomLayer | MixUp]:
        """What there is of these."""
        return [layer for layer in (self.signals, self.features, self.mix_up) if layer is not None]


NO_AUGMENTATION = Augmentation()
"""Leaves examples as they are."""
