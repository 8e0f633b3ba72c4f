"""What a classifier gets right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


def score(labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Compare predictions with the truth, by scikit-learn's definitions.

    Args:
        labels: (examples,) places among the class names.
        probabilities: (examples, classes).
        class_names: in the order of the probabilities.

    Returns:
        `examples`, `accuracy`, `balanced_accuracy`, `macro_f1`, `kappa` (Cohen's), `per_class` with
        precision, recall, f1 and examples of each class (zero where a class is never predicted),
        `confusion_matrix`, rows true and columns predicted, and what `score_multilabel` says of the ranking:
        `lwlrap`, which is the mean reciprocal rank here, `macro_auc` and `mean_average_precision`. Ready for
        JSON.

    Example:
        >>> score(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), ["no", "yes"])["accuracy"]
        0.5
    """
    there = labels[:, np.newaxis] == np.arange(len(class_names))
    return {
        **score_classes(labels, probabilities.argmax(1), class_names),
        **_ranking(there, probabilities)[0],
    }


def score_classes(labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Compare predicted classes with the true ones, by scikit-learn's definitions.

    Args:
        labels: (examples,) places among the class names.
        predicted: (examples,) of the same.
        class_names: all classes.

    Returns:
        What `score` gives but for the ranking. Ready for JSON.

    Example:
        >>> score_classes(np.array([0, 1]), np.array([0, 0]), ["no", "yes"])["balanced_accuracy"]
        0.5
    """
    from sklearn import metrics

    all_classes = np.arange(len(class_names))
    columns = metrics.precision_recall_fscore_support(labels, predicted, labels=all_classes, zero_division=0)
    per_class = pd.DataFrame(dict(zip(("precision", "recall", "f1", "examples"), columns, strict=True)))
    # scikit-learn counts in floats where no prediction is right
    per_class = per_class.astype({"examples": int})
    confusion = metrics.confusion_matrix(labels, predicted, labels=all_classes)
    return {
        "examples": len(labels),
        **{name: float(value) for name, value in _summaries(confusion).items()},
        "per_class": per_class.set_index(pd.Index(class_names)).to_dict("index"),
        "confusion_matrix": confusion.tolist(),
    }


def score_groups(
    labels: np.ndarray,
    predicted: np.ndarray,
    groups: pd.Series,
    class_names: Sequence[str],
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[pd.DataFrame, dict[str, list[float]]]:
    """Score each group (person, speaker, recording) by itself, and say how far the total is to be trusted.

    Examples of one person are alike, so it is people that are drawn anew, with replacement, and not examples:
    between the percentiles of the scores of all that is drawn lies what another set of as many people would
    have given (the percentile bootstrap; Efron & Tibshirani, An introduction to the bootstrap, 1993). It says
    nothing of another training.

    Args:
        labels: (examples,) places among the class names.
        predicted: (examples,) of the same.
        groups: (examples,) names of their groups; "" where it is not known.
        class_names: all classes.
        confidence: part of the draws that lies in the interval.
        resamples: how often all groups are drawn anew.
        seed: same seed, same draws.

    Returns:
        One row a group, with its `examples`, `accuracy`, `balanced_accuracy`, `macro_f1` and `kappa`; and the
        lower and upper end of the interval of each of these scores. No rows and no intervals where not every
        example's group is known.

    Example:
        >>> labels, predicted = np.array([0, 1, 0, 1]), np.array([0, 1, 0, 0])
        >>> table, intervals = score_groups(labels, predicted, pd.Series([*"xxyy"]), ["no", "yes"])
        >>> table["accuracy"].to_dict(), intervals["accuracy"]
        ({'x': 1.0, 'y': 0.5}, [0.5, 1.0])
    """
    names, group = np.unique(groups, return_inverse=True)
    if "" in set(names):
        return pd.DataFrame(index=pd.Index([], name="group")), {}
    confusion = np.zeros((len(names), len(class_names), len(class_names)))
    np.add.at(confusion, (group, labels, predicted), 1)
    examples = confusion.sum(axis=(1, 2)).astype(int)
    table = pd.DataFrame({"examples": examples, **_summaries(confusion)}, pd.Index(names, name="group"))
    drawn = np.random.default_rng(seed).integers(0, len(names), (resamples, len(names)))
    times = np.zeros((resamples, len(names)))
    np.add.at(times, (np.arange(resamples)[:, np.newaxis], drawn), 1)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    resampled = _summaries(np.tensordot(times, confusion, 1))
    return table, {name: np.quantile(values, ends).tolist() for name, values in resampled.items()}


def _summaries(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Sum (…, true, predicted) counts up to one number a matrix each, over the classes that are there."""
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    right, total = np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1))

    def ratio(a, b):
        return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=b > 0)

    classes_there = (true > 0).sum(axis=-1)
    by_chance = ratio((true * predicted).sum(axis=-1), total)
    return {
        "accuracy": ratio(right.sum(axis=-1), total),
        "balanced_accuracy": ratio(ratio(right, true).sum(axis=-1), classes_there),
        "macro_f1": ratio((ratio(2 * right, true + predicted) * (true > 0)).sum(axis=-1), classes_there),
        "kappa": ratio(right.sum(axis=-1) - by_chance, total - by_chance),
    }


def score_multilabel(
    labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> dict[str, Any]:
    """Compare predictions with the truth where an example may be of several classes, or of none.

    Nothing is said of thresholds: all that counts is what is ranked above what.

    Args:
        labels: (examples, classes), soft or not; a class is there where its label is above zero.
        probabilities: (examples, classes), or logits.
        class_names: in the order of the probabilities.

    Returns:
        `examples`; `lwlrap`; `macro_auc` and `mean_average_precision`, the means over the classes of
        scikit-learn's area under the ROC curve and average precision; `per_class` with `auc`,
        `average_precision` and examples of each class. None where there is nothing to rank: a class that is
        in no example or in all has neither, and is left out of the means. Ready for JSON.

    Raises:
        ValueError: labels and probabilities differ in shape.

    Example:
        >>> labels = np.array([[1, 0, 1], [0, 0, 1]])
        >>> scores = score_multilabel(labels, np.array([[0.9, 0.2, 0.4], [0.3, 0.1, 0.2]]), ["a", "b", "c"])
        >>> scores["lwlrap"], scores["macro_auc"], scores["per_class"]["b"]["auc"]
        (0.8333333333333334, 1.0, None)
    """
    _check_shapes(labels, probabilities)
    means, per_class = _ranking(labels > 0, probabilities)
    return {
        "examples": len(labels),
        **means,
        "per_class": per_class.set_index(pd.Index(class_names)).to_dict("index"),
    }


def lwlrap(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Label-weighted label-ranking average precision.

    For every label of every example: of the classes ranked as high or higher, the part that is there too.
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


def _ranking(there: np.ndarray, probabilities: np.ndarray) -> tuple[dict[str, Any], pd.DataFrame]:
    """Score the order of (examples, classes) probabilities: over all classes, and each class by itself."""
    from sklearn import metrics

    examples = there.sum(axis=0)
    ranked = (examples > 0) & (examples < len(there))

    def each(metric):
        columns = zip(ranked, there.T, probabilities.T, strict=True)
        return [metric(truth, column) if can_be else np.nan for can_be, truth, column in columns]

    auc, average_precision = each(metrics.roc_auc_score), each(metrics.average_precision_score)
    per_class = pd.DataFrame({"auc": auc, "average_precision": average_precision, "examples": examples})
    means = pd.Series(
        {
            "lwlrap": lwlrap(there, probabilities),
            "macro_auc": per_class["auc"].mean(),
            "mean_average_precision": per_class["average_precision"].mean(),
        }
    )
    return _without_nan(means).to_dict(), _without_nan(per_class)


def _without_nan(table):
    """Put None, JSON's null, for NaN, which JSON does not know."""
    return table.astype(object).where(table.notna(), None)


def predictions_table(
    names: pd.Series, probabilities: np.ndarray, class_names: Sequence[str], labels: pd.Series | None = None
) -> pd.DataFrame:
    """Put each example's name, its true label if known, the predicted one and every probability in a row.

    Args:
        names: (examples,) what to call the examples, such as their files.
        probabilities: (examples, classes).
        class_names: in the order of the probabilities.
        labels: (examples,) true labels.

    Returns:
        Columns: the names' own, `label` if given, `predicted`, and `p_<class>` for each class.

    Example:
        >>> files = pd.Series(["a.wav"], name="file")
        >>> table = predictions_table(files, np.array([[0.2, 0.8]]), ["no", "yes"])
        >>> table.values.tolist()
        [['a.wav', 'yes', 0.2, 0.8]]
    """
    table = pd.DataFrame({str(names.name): names.to_numpy()})
    if labels is not None:
        table["label"] = labels.to_numpy()
    table["predicted"] = np.asarray(class_names)[probabilities.argmax(1)]
    columns = [f"p_{name}" for name in class_names]
    return pd.concat([table, pd.DataFrame(probabilities, columns=columns)], axis=1)
