"""What a classifier gets right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd

from tfspec.base.kappa import cohen_kappa
from tfspec.scores.types import ClassScores, LabelScores, Summaries


def score_classes(labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str]) -> LabelScores:
    """Compare predicted classes with the true ones, by scikit-learn's definitions.

    Macro F1 is the mean over the classes that some example has.

    Args:
        labels: (examples,) places among the class names.
        predicted: (examples,) of the same.
        class_names: all classes.

    Returns:
        The scores, ready for JSON.

    Example:
        >>> score_classes(np.array([0, 1]), np.array([0, 0]), ["no", "yes"])["balanced_accuracy"]
        0.5
    """
    from sklearn import metrics

    confusion = metrics.confusion_matrix(labels, predicted, labels=np.arange(len(class_names)))
    counts = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    summaries = {name: float(value) for name, value in summarize(*counts).items()}
    return {
        "examples": len(labels),
        **cast(Summaries, summaries),
        "per_class": _each_class(labels, predicted, class_names),
        "confusion_matrix": confusion.tolist(),
    }


def _each_class(
    labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str]
) -> dict[str, ClassScores]:
    from sklearn import metrics

    columns = metrics.precision_recall_fscore_support(
        labels, predicted, labels=np.arange(len(class_names)), zero_division=0
    )
    table = pd.DataFrame(dict(zip(("precision", "recall", "f1", "examples"), columns, strict=True)))
    # scikit-learn counts in floats where no prediction is right
    return table.astype({"examples": int}).set_index(pd.Index(class_names)).to_dict("index")


def summarize(right: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Compute scores over the classes that are there, from what a confusion matrix has in its margins.

    Args:
        right: (…, classes) how many of each class are predicted as it: the matrix's diagonal.
        true: (…, classes) how many are of it.
        predicted: (…, classes) how many are predicted as it.

    Returns:
        (…,) of each of `types.Summaries`.

    Example:
        >>> scores = summarize(*np.array([[2, 1], [2, 2], [3, 1]]))
        >>> {name: float(value) for name, value in scores.items()}
        {'accuracy': 0.75, 'balanced_accuracy': 0.75, 'macro_f1': 0.7333333333333334, 'kappa': 0.5}
    """
    classes_there = (true > 0).sum(axis=-1)
    f1 = ratio(2 * right, true + predicted) * (true > 0)
    return {
        "accuracy": ratio(right.sum(axis=-1), true.sum(axis=-1)),
        "balanced_accuracy": ratio(ratio(right, true).sum(axis=-1), classes_there),
        "macro_f1": ratio(f1.sum(axis=-1), classes_there),
        "kappa": cohen_kappa(right, true, predicted),
    }


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Divide arrays; 0 where there is nothing to divide by.

    Args:
        a: of any shape.
        b: counts, of a shape that goes with it.

    Example:
        >>> ratio(np.array([1, 0]), np.array([2, 0])).tolist()
        [0.5, 0.0]
    """
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=b > 0)
