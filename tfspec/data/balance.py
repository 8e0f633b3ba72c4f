"""Rare classes made to count as much as common ones: by weights in the loss, or by drawing them more often.

Labels are either (examples,) whole numbers, one class each, or (examples, classes), soft or several at a
time. There, a class has as many examples as its column sums to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def class_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Weigh each class by the inverse of how many examples it has.

    The mean over all labels is 1, so that a weighted loss is as large as a plain one. For whole numbers it is
    scikit-learn's `compute_class_weight("balanced", …)`. `dict(enumerate(…))` is what Keras's `fit` takes.

    Args:
        labels: (examples,) places among the classes, or (examples, classes), not negative.
        num_classes: number of classes.

    Returns:
        (num_classes,) float64; 0 for a class without examples.

    Raises:
        ValueError: labels of another shape or type, negative, not finite, or of more classes.

    Example:
        >>> class_weights(np.array([0, 0, 0, 2]), num_classes=3).round(3).tolist()
        [0.667, 0.0, 2.0]
    """
    labels = _checked(labels, num_classes)
    examples = np.bincount(labels, minlength=num_classes) if labels.ndim == 1 else labels.sum(axis=0)
    there = examples > 0
    share = examples.sum() / max(there.sum(), 1)
    return np.divide(share, examples, out=np.zeros(num_classes), where=there)


def sample_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Weigh each example by the mean weight of its labels, as `class_weights` has them.

    Args:
        labels: (examples,) places among the classes, or (examples, classes), not negative.
        num_classes: number of classes.

    Returns:
        (examples,) float64; 1, the mean, for an example without labels.

    Raises:
        ValueError: labels of another shape or type, negative, not finite, or of more classes.

    Example:
        >>> sample_weights(np.array([[1, 0], [1, 0], [0.5, 0.5], [0, 0]]), num_classes=2).tolist()
        [0.6, 0.6, 1.8, 1.0]
    """
    labels, weights = _checked(labels, num_classes), class_weights(labels, num_classes)
    if labels.ndim == 1:
        return weights[labels]
    total = labels.sum(axis=1)
    return np.divide(labels @ weights, total, out=np.ones(len(labels)), where=total > 0)


def balanced_order(
    labels: np.ndarray, num_classes: int, num_examples: int, seed: int | Sequence[int]
) -> np.ndarray:
    """Draw examples, with replacement, so that each class that has some is equally likely.

    Each draw is that of a class and then of one of its examples, in proportion to its label. An example
    without labels is never drawn.

    Args:
        labels: (examples,) places among the classes, or (examples, classes), not negative.
        num_classes: number of classes.
        num_examples: how many to draw.
        seed: same seed, same order; (seed, epoch) gives each epoch its own.

    Returns:
        (num_examples,) int64 places among the examples.

    Raises:
        ValueError: labels of another shape or type, negative, not finite, of more classes, or none at all.

    Example:
        >>> labels = np.array([0] * 98 + [1] * 2)
        >>> drawn = balanced_order(labels, num_classes=2, num_examples=1000, seed=0)
        >>> np.bincount(labels[drawn]).tolist()
        [473, 527]
    """
    labels, weights = _checked(labels, num_classes), class_weights(labels, num_classes)
    chance = weights[labels] if labels.ndim == 1 else labels @ weights
    if not chance.any():
        raise ValueError(
            f"`labels` must hold a label to draw. Received: shape {labels.shape}, all of it zero"
        )
    return np.random.default_rng(seed).choice(len(labels), num_examples, p=chance / chance.sum())


def _checked(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Let labels of either form pass."""
    labels = np.asarray(labels)
    one_class = labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer)
    if not one_class and not (labels.ndim == 2 and labels.shape[1] == num_classes):
        raise ValueError(
            f"`labels` must be (examples,) whole numbers or (examples, {num_classes}). "
            f"Received: {labels.dtype} of shape {labels.shape}"
        )
    upper = num_classes - 1 if one_class else np.finfo(np.float64).max
    if not ((labels >= 0) & (labels <= upper)).all():
        allowed = f"from 0 to {upper}" if one_class else "finite and not negative"
        raise ValueError(f"`labels` must be {allowed}. Received: {labels.min()} to {labels.max()}")
    return labels if one_class else labels.astype(np.float64)
