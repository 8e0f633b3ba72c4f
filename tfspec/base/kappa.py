"""Cohen's kappa, by one formula for training and for scores."""

from __future__ import annotations

from typing import Any

import numpy as np


def cohen_kappa(right: Any, true: Any, predicted: Any, ops: Any = np) -> Any:
    """Compute Cohen's kappa, as `sklearn.metrics.cohen_kappa_score`; 0 where that is not defined.

    Agreement beyond what the same numbers of each class would reach by chance.

    Args:
        right: (…, classes) how many of each class are predicted as it.
        true: (…, classes) how many are of it.
        predicted: (…, classes) how many are predicted as it.
        ops: module that computes with them, `numpy` or `keras.ops`.

    Returns:
        (…,) from −1 to 1.

    Example:
        >>> float(cohen_kappa(*np.array([[2, 1], [2, 2], [3, 1]])))
        0.5
    """

    def ratio(a, b):
        return ops.where(b > 0, a / ops.where(b > 0, b, 1), 0)

    total = ops.sum(true, axis=-1)
    by_chance = ratio(ops.sum(true * predicted, axis=-1), total)
    return ratio(ops.sum(right, axis=-1) - by_chance, total - by_chance)
