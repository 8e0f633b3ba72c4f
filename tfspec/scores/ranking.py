"""How well classes are ranked in an example, and examples in a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd

from tfspec.scores.types import MultilabelScores, Ranking


def score_multilabel(
    labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> MultilabelScores:
    """Compare predictions with the truth where an example may be of several classes, or of no class.

    Nothing is said of thresholds: all that counts is what is ranked above what.

    Args:
        labels: (examples, classes), soft or not; a class is there where its label is above zero.
        probabilities: (examples, classes), or logits.
        class_names: in the order of the probabilities.

    Returns:
        The scores, ready for JSON. A class that is in no example or in all is left out of the means.

    Raises:
        ValueError: labels and probabilities differ in shape.

    Example:
        >>> labels = np.array([[1, 0, 1], [0, 0, 1]])
        >>> scores = score_multilabel(labels, np.array([[0.9, 0.2, 0.4], [0.3, 0.1, 0.2]]), ["a", "b", "c"])
        >>> scores["lwlrap"], scores["macro_auc"], scores["per_class"]["b"]["auc"]
        (0.8333333333333334, 1.0, None)
    """
    _check_shapes(labels, probabilities)
    there = labels > 0
    per_class = _each_class(there, probabilities)
    return {
        "examples": len(labels),
        **_means(there, probabilities, per_class),
        "per_class": _without_nan(per_class).set_index(pd.Index(class_names)).to_dict("index"),
    }


def score_ranking(labels: np.ndarray, probabilities: np.ndarray) -> Ranking:
    """Compute the same three numbers where an example has one class; `lwlrap` is the mean reciprocal rank.

    Args:
        labels: (examples,) places among the classes.
        probabilities: (examples, classes).

    Returns:
        The scores, ready for JSON.

    Example:
        >>> score_ranking(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))["lwlrap"]
        0.75
    """
    there = labels[:, np.newaxis] == np.arange(probabilities.shape[1])
    return _means(there, probabilities, _each_class(there, probabilities))


def lwlrap(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Label-weighted label-ranking average precision.

    For every label of every example: of the classes ranked as high or higher, the share that is there too.
    The mean over all labels, so that each label weighs the same and examples without labels nothing. It is
    scikit-learn's `label_ranking_average_precision_score` with the number of labels as the sample weight.

    Source: Fonseca et al., Audio tagging with noisy labels and minimal supervision, DCASE 2019.

    Args:
        labels: (examples, classes), soft or not; a class is there where its label is above zero.
        probabilities: (examples, classes), or logits.

    Returns:
        From above 0 to 1; NaN without any label.

    Raises:
        ValueError: labels and probabilities differ in shape.

    Example:
        >>> lwlrap(np.array([[1, 0, 1]]), np.array([[0.9, 0.5, 0.4]]))  # (1 / 1 + 2 / 3) / 2
        0.8333333333333333
    """
    from scipy.stats import rankdata

    _check_shapes(labels, probabilities)
    there = labels > 0
    if not there.any():
        return float("nan")
    rank = rankdata(-probabilities, "max", axis=1)
    rank_among_labels = rankdata(np.where(there, -probabilities, np.inf), "max", axis=1)
    return float((rank_among_labels / rank)[there].mean())


def _check_shapes(labels: np.ndarray, probabilities: np.ndarray) -> None:
    if labels.ndim != 2 or labels.shape != probabilities.shape:
        raise ValueError(
            "`labels` and `probabilities` must both be (examples, classes). "
            f"Received: labels of shape {labels.shape}, probabilities of shape {probabilities.shape}"
        )


def _each_class(there: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Score the order of the examples in each class; NaN where there is nothing to rank."""
    from sklearn import metrics

    examples = there.sum(axis=0)
    ranked = (examples > 0) & (examples < len(there))

    def each(metric):
        columns = zip(ranked, there.T, probabilities.T, strict=True)
        return [metric(truth, column) if can_be else np.nan for can_be, truth, column in columns]

    auc, average_precision = each(metrics.roc_auc_score), each(metrics.average_precision_score)
    return pd.DataFrame({"auc": auc, "average_precision": average_precision, "examples": examples})


def _means(there: np.ndarray, probabilities: np.ndarray, per_class: pd.DataFrame) -> Ranking:
    means = {
        "lwlrap": lwlrap(there, probabilities),
        "macro_auc": per_class["auc"].mean(),
        "mean_average_precision": per_class["average_precision"].mean(),
    }
    return cast(Ranking, _without_nan(pd.Series(means)).to_dict())


def _without_nan(table):
    """Put None, JSON's null, for NaN, which JSON does not know."""
    return table.astype(object).where(table.notna(), None)
