"""The curves of a class: what it costs to find more of its examples, and what its probabilities are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfspec.base.text import number_of
from tfspec.report.answers import Answers, short
from tfspec.report.charts import UNIT_SQUARE, Chart, line_chart

BINS = 10
MOST_CURVES = 40
"""Classes that are drawn."""


@dataclass(frozen=True)
class ClassCurves:
    """One class in curves.

    Args:
        name: of the class.
        said: how many examples it has.
        charts: its curves.
    """

    name: str
    said: str
    charts: Sequence[Chart]


def curves_of(answers: Answers) -> tuple[list[ClassCurves], str]:
    """Draw the classes that hold in some of the examples and not in all.

    Args:
        answers: what was predicted.

    Returns:
        Each class in curves, and which are left out, "" for none.
    """
    curves: list[ClassCurves] = []
    known = ~np.isnan(answers.truth)
    for place, name in enumerate(answers.class_names):
        holds = answers.truth[known[:, place], place] > 0
        if len(curves) < MOST_CURVES and holds.any() and not holds.all():
            limit = None if answers.thresholds is None else float(answers.thresholds[place])
            charts = class_charts(holds, answers.probabilities[known[:, place], place], limit)
            curves.append(ClassCurves(short(name), f"in {holds.sum()} of {len(holds)} examples", charts))
    more = len(answers.class_names) - len(curves)
    return curves, f"{number_of(more, 'class is', 'classes are')} left out." if more else ""


def class_charts(holds: np.ndarray, probabilities: np.ndarray, threshold: float | None = None) -> list[Chart]:
    """Draw a class against all others: ROC, precision and recall, thresholds, and calibration.

    Args:
        holds: (examples,) bool; both occur.
        probabilities: (examples,) of the class.
        threshold: lowest probability at which it holds, where several can; it is marked.

    Returns:
        Four charts; scikit-learn computes the first two and the last.

    Example:
        >>> [chart.title for chart in class_charts(np.array([True, False]), np.array([0.8, 0.3]))]
        ['ROC', 'Precision and recall', 'Thresholds', 'Calibration']
    """
    from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

    wrong, right, _ = roc_curve(holds, probabilities)
    precision, recall, limits = precision_recall_curve(holds, probabilities)
    area, mean = auc(wrong, right), average_precision_score(holds, probabilities)
    return [
        line_chart(
            "ROC",
            "share of the others taken for it",
            "share found",
            {f"area {area:.3f}": [(wrong, right)]},
            f"ROC curve, area under it {area:.3f}",
            diagonal=True,
            ranges=UNIT_SQUARE,
        ),
        line_chart(
            "Precision and recall",
            "recall",
            "precision",
            {f"average precision {mean:.3f}": [(recall, precision)]},
            f"Precision against recall, average precision {mean:.3f}",
            ranges=UNIT_SQUARE,
        ),
        _threshold_chart(limits, precision[:-1], recall[:-1], threshold),
        _calibration_chart(holds, probabilities),
    ]


def _threshold_chart(limits, precision, recall, threshold: float | None) -> Chart:
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(f1.argmax())
    said = f"the largest F1 is {f1[best]:.3f}, from a probability of {limits[best]:.3f} on"
    names = {"precision": precision, "recall": recall, "F1": f1}
    lines = {name: [(limits, values)] for name, values in names.items()}
    return line_chart(
        "Thresholds",
        "lowest probability that counts",
        "score",
        lines,
        f"Precision, recall and F1 against the threshold: {said}",
        ranges=UNIT_SQUARE,
        mark=threshold,
    )


def _calibration_chart(holds: np.ndarray, probabilities: np.ndarray) -> Chart:
    from sklearn.calibration import calibration_curve

    share, confidence = calibration_curve(holds, np.clip(probabilities, 0, 1), n_bins=BINS)
    said = ", ".join(f"{x:.2f}: {y:.2f}" for x, y in zip(confidence, share, strict=True))
    return line_chart(
        "Calibration",
        "predicted probability",
        "share that is of the class",
        {"tenths of the probability": [(confidence, share)]},
        f"Share that is of the class by predicted probability: {said}",
        ranges=UNIT_SQUARE,
        diagonal=True,
    )
