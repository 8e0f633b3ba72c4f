"""From which probability on a class holds, where several can hold at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfspec.base.model import HALF

FOLDS = 5


def choose_thresholds(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Find the lowest probability of each class at which it holds with the highest F1.

    Args:
        truth: (examples, classes) of 1 and 0, and NaN where nobody knows, which does not count.
        probabilities: (examples, classes).

    Returns:
        (classes,): half-way between the probabilities that reach it and those that don't; 0.5 for a class
        that holds in no example.

    Example:
        >>> truth = np.array([[1, 0], [0, 0], [1, np.nan]])
        >>> choose_thresholds(truth, np.array([[0.5, 0.9], [0.125, 0.1], [0.25, 0.2]])).tolist()
        [0.1875, 0.5]
    """
    known = ~np.isnan(truth)
    columns = zip(truth.T >= HALF, probabilities.T.astype(np.float64), known.T, strict=True)
    return np.array([_best(holds[there], values[there]) for holds, values, there in columns])


def _best(holds: np.ndarray, probabilities: np.ndarray) -> float:
    """Try what lies half-way between one example's probability and the next lower one's."""
    if not holds.any():
        return HALF
    order = np.argsort(-probabilities)
    above, below = probabilities[order], np.append(probabilities[order][1:], 0.0)
    found, predicted = np.cumsum(holds[order]), np.arange(1, len(order) + 1)
    f1 = np.where(above > below, 2 * found / (predicted + holds.sum()), -1.0)  # equal ones hold together
    best = f1.argmax()
    return float((above[best] + below[best]) / 2) if f1[best] > 0 else HALF


def cross_fitted_thresholds(truth: np.ndarray, probabilities: np.ndarray, groups: pd.Series) -> np.ndarray:
    """Choose for each fifth of the groups the thresholds that are best on the others.

    What is decided by them is honest: no example helps to choose the threshold that it is held to.

    Args:
        truth: as in `choose_thresholds`.
        probabilities: (examples, classes).
        groups: (examples,) names; each example is a group of its own where not all are known.

    Returns:
        (examples, classes).

    Example:
        >>> truth, probabilities = np.eye(2), np.array([[0.8, 0.2], [0.3, 0.7]])
        >>> cross_fitted_thresholds(truth, probabilities, pd.Series(["x", "y"])).round(2).tolist()
        [[0.5, 0.35], [0.4, 0.5]]
    """
    fold = fifths_of(groups)
    chosen = np.empty(truth.shape)
    for number in np.unique(fold):
        others = fold != number
        chosen[~others] = choose_thresholds(truth[others], probabilities[others])
    return chosen


def fifths_of(groups: pd.Series) -> np.ndarray:
    """Deal groups into fifths, the same ones always into the same.

    Args:
        groups: (examples,) names; each example is a group of its own where not all are known.

    Returns:
        (examples,) numbers from 0 to 4.

    Example:
        >>> fifths_of(pd.Series(["x", "y", "x"])).tolist()
        [0, 1, 0]
    """
    names = np.arange(len(groups)) if (groups == "").any() else groups.to_numpy()
    group = np.unique(names, return_inverse=True)[1]
    return (np.random.default_rng(0).permutation(group.max(initial=0) + 1) % FOLDS)[group]


def thresholds_of(scores: Mapping[str, Any], class_names: Sequence[str]) -> np.ndarray:
    """Take the thresholds from scores.

    Args:
        scores: `types.SeveralScores`, or empty where nothing was held out to choose thresholds on.
        class_names: in the order of the probabilities.

    Returns:
        (classes,); 0.5 for all without scores.

    Example:
        >>> thresholds_of({}, ["a", "b"]).tolist()
        [0.5, 0.5]
    """
    chosen = scores.get("per_class", {})
    return np.array([chosen[name]["threshold"] if chosen else HALF for name in class_names])
