"""What one of several workers makes of every batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BatchSlice:
    """The examples of every batch that one of several workers makes, as many as the others give or take one.

    Args:
        number: of the worker, from 0.
        count: of all workers.

    Example:
        >>> [(int(BatchSlice(number, 3).start(8)), BatchSlice(number, 3).size(8)) for number in range(3)]
        [(0, 3), (3, 3), (6, 2)]
    """

    number: int = 0
    count: int = 1

    def start(self, total):
        """Compute the place of its first example among the `total` of a batch, ints or an array of them."""
        return total // self.count * self.number + np.minimum(self.number, total % self.count)

    def size(self, total):
        """Count its examples among the `total` of a batch, ints, an array of them or a tensor."""
        return (total + self.count - 1 - self.number) // self.count


WHOLE = BatchSlice()
