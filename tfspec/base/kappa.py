"""Cohen's kappa, by one formula for training and for scores."""

from __future__ import annotations

from typing import Any

import numpy as np


def cohen_kappa(confusion: Any, ops: Any = np) -> Any:
    """Compute Cohen's kappa, as `sklearn.metrics.cohen_kappa_score`; 0 where that is not defined.

    Agreement beyond what the same numbers of each class would reach by chance.

    Args:
        confusion: (…, true, predicted) counts.
        ops: module that computes with them, `numpy` or `keras.ops`.

    Returns:
        (…,) from −1 to 1.

    Example:
        >>> float(cohen_kappa(np.array([[2, 0], [1, 1]])))
        0.5
    """

    def ratio(a, b):
        return ops.where(b > 0, a / ops.where(b > 0, b, 1), 0)

    true, predicted = ops.sum(confusion, axis=-1), ops.sum(confusion, axis=-2)
    total = ops.sum(true, axis=-1)
    right = ops.sum(ops.diagonal(confusion, axis1=-2, axis2=-1), axis=-1)
    by_chance = ratio(ops.sum(true * predicted, axis=-1), total)
    return ratio(right - by_chance, total - by_chance)
