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
        precision, recall, f1 and examples of each class (zero where a class is never predicted), and
        `confusion_matrix`, rows true and columns predicted. Ready for JSON.

    Example:
        >>> score(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), ["no", "yes"])["accuracy"]
        0.5
    """
    from sklearn import metrics

    predicted = probabilities.argmax(1)
    all_classes = np.arange(len(class_names))
    columns = metrics.precision_recall_fscore_support(labels, predicted, labels=all_classes, zero_division=0)
    per_class = pd.DataFrame(dict(zip(("precision", "recall", "f1", "examples"), columns, strict=True)))
    # scikit-learn counts in floats where no prediction is right
    per_class = per_class.astype({"examples": int})
    there = per_class[per_class["examples"] > 0]
    return {
        "examples": len(labels),
        "accuracy": float((predicted == labels).mean()),
        "balanced_accuracy": float(there["recall"].mean()),
        "macro_f1": float(there["f1"].mean()),
        "kappa": float(np.nan_to_num(metrics.cohen_kappa_score(labels, predicted, labels=all_classes))),
        "per_class": per_class.set_index(pd.Index(class_names)).to_dict("index"),
        "confusion_matrix": metrics.confusion_matrix(labels, predicted, labels=all_classes).tolist(),
    }


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
