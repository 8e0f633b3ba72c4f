"""What differs from epoch to epoch: the order of the rows, and all that is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfspec.augment.augmentation import Augmentation
from tfspec.base.streams import Stream, epoch_generator

Order = Callable[[tuple[int, int]], np.ndarray]
"""Takes a seed and the number of an epoch, and returns the positions of its rows in the manifest."""


@dataclass
class Epochs:
    """What differs from epoch to epoch: a function of the seed and the epoch's number alone.

    So a run that was killed goes on with the batches that it would have had.

    Args:
        seed: same seed, same orders, and same draws of the augmentations.
        number: that of the epoch that comes next. Every iteration over a dataset is one.
        order: takes (seed, number) and returns the positions of an epoch's rows, equally many in every epoch,
            such as `functools.partial(balanced_order, labels, num_classes, num_examples)`; None for a
            permutation of all rows.
        multiple_of: an epoch has a multiple of so many rows, and leaves out those that come last; the batch
            size leaves out a last, smaller batch.

    Example:
        >>> epochs = Epochs(seed=0)
        >>> epochs.rows(4).tolist()
        [2, 0, 1, 3]
    """

    seed: int
    number: int = 0
    order: Order | None = None
    multiple_of: int = 1

    def rows(self, num_rows: int) -> np.ndarray:
        """Compute the positions of this epoch's rows among `num_rows`."""
        seed = (self.seed, self.number)
        rows = np.random.default_rng(seed).permutation(num_rows) if self.order is None else self.order(seed)
        return rows[: len(rows) - len(rows) % self.multiple_of]

    def num_batches(self, num_rows: int, batch_size: int) -> int:
        """Return how many batches an epoch of `num_rows` has."""
        return -(-len(self.rows(num_rows)) // batch_size)

    def seeds(self, num_batches: int) -> np.ndarray:
        """Draw (num_batches, 2, 2): for each batch two integers for its signals and two for its features."""
        rng = epoch_generator(self.seed, self.number, Stream.AUGMENTATION)
        return rng.integers(2**31, size=(num_batches, 2, 2))

    def mixing_seed(self) -> np.ndarray:
        """Draw (2,): two integers for what is mixed with what in this epoch."""
        return epoch_generator(self.seed, self.number, Stream.MIXING).integers(2**31, size=2)


def check_epochs(epochs: Epochs | None, augmentation: Augmentation) -> None:
    """Refuse layers that would draw the same in every epoch.

    Args:
        epochs: as in `make_dataset`.
        augmentation: as in `make_dataset`.

    Raises:
        ValueError: there are layers that draw and no epochs.

    Example:
        >>> check_epochs(None, Augmentation())
    """
    if epochs is None and augmentation.layers:
        raise ValueError(f"Layers that draw need `epochs`. Received: augmentation={augmentation}")
