"""How well classes are ranked in an example, and examples in a class."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd

from tfspec.scores.types import Ranking

BLOCK = 2**20
"""So many classes of labels are compared at once."""


def score_ranking(labels: np.ndarray, probabilities: np.ndarray) -> Ranking:
    """Rank the classes of examples that have one each; `lwlrap` is the mean reciprocal rank.

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
    return summarize_ranking(there, probabilities, rank_each_class(there, probabilities))


def lwlrap(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Label-weighted label-ranking average precision.

    For every label of every example: of the classes ranked as high or higher, the share that is there too.
    The mean over all labels, so that each label weighs the same and examples without labels nothing. It is
    scikit-learn's `label_ranking_average_precision_score` with the number of labels as the sample weight.

    Source: Fonseca et al., Audio tagging with noisy labels and minimal supervision, DCASE 2019.

    Args:
        labels: (examples, classes), soft or not; a class is there where its label is above zero. NaN is one
            that nobody knows, which is not ranked.
        probabilities: (examples, classes), or logits.

    Returns:
        From above 0 to 1; NaN without any label.

    Raises:
        ValueError: labels and probabilities differ in shape.

    Example:
        >>> lwlrap(np.array([[1, 0, 1]]), np.array([[0.9, 0.5, 0.4]]))  # (1 / 1 + 2 / 3) / 2
        0.8333333333333333
    """
    _check_shapes(labels, probabilities)
    there, known = labels > 0, ~np.isnan(labels)
    if not there.any():
        return float("nan")
    example, label = np.nonzero(there)
    shares = []
    for some in np.array_split(np.arange(len(example)), 1 + len(example) * there.shape[1] // BLOCK):
        its = example[some]
        as_high = known[its] & (probabilities[its] >= probabilities[its, label[some]][:, np.newaxis])
        shares.append((as_high & there[its]).sum(axis=1) / as_high.sum(axis=1))
    return float(np.concatenate(shares).mean())


def _check_shapes(labels: np.ndarray, probabilities: np.ndarray) -> None:
    if labels.ndim != 2 or labels.shape != probabilities.shape:
        raise ValueError(
            "`labels` and `probabilities` must both be (examples, classes). "
            f"Received: labels of shape {labels.shape}, probabilities of shape {probabilities.shape}"
        )


def rank_each_class(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Score the order of the examples in each class.

    Args:
        labels: (examples, classes) of 1 and 0, and NaN where nobody knows, which does not count.
        probabilities: (examples, classes), or logits.

    Returns:
        One row a class: `auc`, `average_precision`, both NaN where all examples are of the class or none is,
        and its `examples`.

    Raises:
        ValueError: labels and probabilities differ in shape.

    Example:
        >>> labels = np.array([[1, 0], [0, np.nan], [1, 0]])
        >>> rank_each_class(labels, np.array([[0.9, 0.2], [0.3, 0.1], [0.2, 0.4]]))["auc"].tolist()
        [0.5, nan]
    """
    _check_shapes(labels, probabilities)
    each = [_ranked(*columns) for columns in zip(labels.T, probabilities.T, strict=True)]
    table = pd.DataFrame(each, columns=["auc", "average_precision"])
    return table.assign(examples=np.nansum(labels, axis=0).astype(int))


def _ranked(truth: np.ndarray, column: np.ndarray) -> tuple[float, float]:
    """Compute what scikit-learn's `roc_auc_score` and `average_precision_score` do, from ranks alone.

    With hundreds of classes, what scikit-learn checks each time takes longer than what is computed.
    """
    there, elsewhere = np.sort(column[truth == 1]), np.sort(column[truth == 0])
    if not len(there) or not len(elsewhere):
        return np.nan, np.nan
    found = len(there) - np.searchsorted(there, there, "left")
    above, wrong = (len(elsewhere) - np.searchsorted(elsewhere, there, side) for side in ("right", "left"))
    auc = 1 - (above + wrong).mean() / (2 * len(elsewhere))  # half of those that are equal
    return float(auc), float((found / (found + wrong)).mean())


def summarize_ranking(there: np.ndarray, probabilities: np.ndarray, per_class: pd.DataFrame) -> Ranking:
    """Compute one number each for all classes.

    Args:
        there: (examples, classes) as in `rank_each_class`.
        probabilities: (examples, classes), or logits.
        per_class: from `rank_each_class`.

    Returns:
        The scores, ready for JSON.
    """
    means = {
        "lwlrap": lwlrap(there, probabilities),
        "macro_auc": per_class["auc"].mean(),
        "mean_average_precision": per_class["average_precision"].mean(),
    }
    return cast(Ranking, without_nan(pd.Series(means)).to_dict())


def without_nan(table):
    """Put None, JSON's null, for NaN, which JSON does not know, in a series or frame."""
    return table.astype(object).where(table.notna(), None)
