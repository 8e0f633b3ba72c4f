"""The whole evaluation of what was predicted; it knows examples and probabilities, no folder, no pipeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from tfspec.base.model import HALF, Labels
from tfspec.scores.calibration import score_distributions, score_members
from tfspec.scores.classes import score_classes
from tfspec.scores.groups import score_groups
from tfspec.scores.predictions import joined_names, predictions_table
from tfspec.scores.ranking import score_ranking
from tfspec.scores.several import (
    score_decisions,
    score_several,
    score_several_groups,
    score_several_members,
)
from tfspec.scores.thresholds import choose_thresholds, cross_fitted_thresholds, thresholds_of
from tfspec.scores.types import AnyScores, OtherScores, Scores, SeveralScores


@dataclass(frozen=True)
class Predicted:
    """What a model, or each of several, predicts of examples whose classes are known.

    Args:
        class_names: in the order of the probabilities.
        truth: (examples,) places among the class names, or (examples, classes) shares, each row with the
            sum 1; then an example's class is that of its largest share. Of several labels (examples, classes)
            in 0…1, which hold from a half on, and NaN where nobody knows.
        members: (examples, classes) probabilities by the name of each model; rows of NaN for examples that
            it does not predict.
        names: (examples,) what to call the examples; its name is their column in the table.
        groups: (examples,) person, speaker or recording of each; "" where it is not known.
        kind: "one" label an example, or "several" at once.
    """

    class_names: Sequence[str]
    truth: np.ndarray
    members: dict[str, np.ndarray]
    names: pd.Series
    groups: pd.Series
    kind: Labels = "one"

    @property
    def is_soft(self) -> bool:
        """Whether the truth is shares."""
        return self.truth.ndim == 2

    @property
    def shares(self) -> np.ndarray:
        """(examples, classes): how much of each class an example has."""
        return self.truth if self.is_soft else np.eye(len(self.class_names), dtype=np.float32)[self.truth]

    @property
    def labels(self) -> np.ndarray:
        """(examples,) places among the class names."""
        return self.truth.argmax(axis=1) if self.is_soft else self.truth

    @property
    def probabilities(self) -> np.ndarray:
        """(examples, classes): the mean of the members that predict an example."""
        return np.nanmean(np.stack(list(self.members.values())), axis=0)


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` finds.

    Args:
        scores: of all examples, ready for JSON.
        predictions: one row an example: its name, `label`, `predicted`, `p_<class>` and, of shares or several
            labels, `true_<class>`; after `predicted` comes `smoothed` where predictions were smoothed. Names
            of several labels are joined by ";".
        groups: one row a `group`: its `examples` and `types.Summaries`, or `types.SeveralSummaries`, and
            `smoothed_` ones where predictions were smoothed; without rows where not every example's group is
            known.
        recordings: as `predictions`, one row a recording, where the examples are windows of recordings.
    """

    scores: AnyScores
    predictions: pd.DataFrame
    groups: pd.DataFrame
    recordings: pd.DataFrame | None = None


def evaluate(predicted: Predicted, prior: np.ndarray, fitted: AnyScores | dict | None = None) -> Evaluation:
    """Score the mean of all members, each member, and each group.

    Args:
        predicted: the examples.
        prior: (classes,) mean shares of the training part, or how often each of several labels holds.
        fitted: scores of held-out examples, whose temperature, weights and thresholds are used; an empty
            dictionary where none were held out. None fits all to the examples received, which must not have
            been trained on.

    Returns:
        The scores and two tables.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> files = pd.Series(["a.wav", "b.wav", "c.wav"], name="file")
        >>> predicted = Predicted(
        ...     ["no", "yes"], np.array([0, 1, 1]), {"": probabilities}, files, pd.Series(["x", "x", "y"])
        ... )
        >>> found = evaluate(predicted, prior=np.array([0.5, 0.5]))
        >>> round(found.scores["accuracy"], 3), found.scores["confusion_matrix"]
        (0.667, [[1, 0], [1, 1]])
        >>> found.groups[["group", "accuracy"]].values.tolist()
        [['x', 1.0], ['y', 0.0]]
    """
    return (_evaluate_one if predicted.kind == "one" else _evaluate_several)(predicted, prior, fitted)


def _evaluate_one(predicted: Predicted, prior: np.ndarray, fitted: Any) -> Evaluation:
    """Evaluate predictions of one class an example."""
    names, labels, shares = predicted.class_names, predicted.labels, predicted.shares
    probabilities = predicted.probabilities
    places = probabilities.argmax(axis=1)
    groups, intervals = score_groups(labels, places, predicted.groups, names)
    scores: Scores = {
        "labels": "one",
        **score_classes(labels, places, names),
        **score_ranking(labels, probabilities),
        **score_distributions(shares, probabilities, prior),
        **score_members(shares, predicted.members, fitted),
        "intervals": intervals,
        "groups": len(groups),
    }
    text = np.take(np.array(names, object), labels)
    return Evaluation(scores, _predictions(predicted, text), groups.reset_index())


def _evaluate_several(predicted: Predicted, prior: np.ndarray, fitted: Any) -> Evaluation:
    """Evaluate predictions of several labels at once."""
    names, probabilities = predicted.class_names, predicted.probabilities
    truth = np.where(np.isnan(predicted.truth), np.nan, predicted.truth >= HALF)
    if fitted is None:
        thresholds = choose_thresholds(truth, probabilities)
        applied = cross_fitted_thresholds(truth, probabilities, predicted.groups)
    else:
        thresholds = applied = thresholds_of(fitted, names)
    holds = probabilities >= applied
    scores = score_several(truth, probabilities, holds, names)
    for of_class, threshold in zip(scores["per_class"].values(), thresholds.tolist(), strict=True):
        of_class["threshold"] = threshold
    groups, intervals = score_several_groups(truth, probabilities, holds, predicted.groups)
    whole = {
        "labels": "several",
        **scores,
        **score_decisions(truth, probabilities, prior),
        **score_several_members(truth, predicted.members, fitted),
        "intervals": intervals,
        "groups": len(groups),
    }
    table = _predictions(predicted, joined_names(truth == 1, names), applied)
    return Evaluation(cast(SeveralScores, whole), table, groups.reset_index())


def add_smoothed(
    evaluation: Evaluation, predicted: Predicted, smoothed: Sequence[str] | np.ndarray
) -> Evaluation:
    """Score smoothed predictions of the same examples in the same way.

    Args:
        evaluation: of the predictions as they were.
        predicted: the examples.
        smoothed: (examples,) class names.

    Returns:
        The evaluation with `smoothed` among its scores and in both tables.

    Example:
        >>> files, groups = pd.Series(["a", "b"], name="file"), pd.Series(["x", "y"])
        >>> halves = np.array([[0.9, 0.1], [0.9, 0.1]])
        >>> predicted = Predicted(["no", "yes"], np.array([0, 1]), {"": halves}, files, groups)
        >>> found = add_smoothed(evaluate(predicted, np.array([0.5, 0.5])), predicted, ["no", "yes"])
        >>> found.scores["accuracy"], found.scores["smoothed"]["accuracy"]
        (0.5, 1.0)
    """
    places = pd.Index(predicted.class_names).get_indexer(pd.Index(smoothed))
    scores, groups = score_otherwise(predicted, places)
    table = evaluation.predictions.copy()
    table.insert(table.columns.get_loc("predicted") + 1, "smoothed", smoothed)
    columns = groups.drop(columns="examples", errors="ignore").add_prefix("smoothed_").reset_index(drop=True)
    return dataclasses.replace(
        evaluation,
        scores=cast(Scores, {**evaluation.scores, "smoothed": scores}),
        predictions=table,
        groups=evaluation.groups.join(columns),
    )


def score_otherwise(predicted: Predicted, places: np.ndarray) -> tuple[OtherScores, pd.DataFrame]:
    """Score classes that are predicted in another way than by the highest probability of each example.

    Args:
        predicted: the examples.
        places: (examples,) of what is predicted among the class names.

    Returns:
        The scores; and those of each group, as `score_groups` returns them.

    Example:
        >>> files, groups = pd.Series(["a", "b"], name="file"), pd.Series(["x", "y"])
        >>> halves = np.array([[0.9, 0.1], [0.9, 0.1]])
        >>> predicted = Predicted(["no", "yes"], np.array([0, 1]), {"": halves}, files, groups)
        >>> score_otherwise(predicted, np.array([0, 1]))[0]["accuracy"]
        1.0
    """
    names, labels = predicted.class_names, predicted.labels
    groups, intervals = score_groups(labels, places, predicted.groups, names)
    return {**score_classes(labels, places, names), "intervals": intervals}, groups


def _predictions(predicted: Predicted, labels: np.ndarray, thresholds=None) -> pd.DataFrame:
    names = predicted.class_names
    table = predictions_table(predicted.names, predicted.probabilities, names, pd.Series(labels), thresholds)
    if predicted.is_soft:
        table = table.join(pd.DataFrame(predicted.truth, columns=[f"true_{name}" for name in names]))
    return table
