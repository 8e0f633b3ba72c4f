"""Scores and tables."""

import json

import numpy as np
import pandas as pd
from sklearn import metrics

from tfspec.evaluation import predictions_table, score

NAMES = ["a", "b", "c"]


def test_scores_are_those_of_scikit_learn(rng):
    labels = rng.integers(0, 3, 200)
    probabilities = rng.dirichlet(np.ones(3), 200)
    predicted = probabilities.argmax(1)
    scores = score(labels, probabilities, NAMES)
    assert scores["accuracy"] == metrics.accuracy_score(labels, predicted)
    assert np.isclose(scores["balanced_accuracy"], metrics.balanced_accuracy_score(labels, predicted))
    assert np.isclose(scores["macro_f1"], metrics.f1_score(labels, predicted, average="macro"))
    assert np.isclose(scores["kappa"], metrics.cohen_kappa_score(labels, predicted))
    assert scores["confusion_matrix"] == metrics.confusion_matrix(labels, predicted).tolist()
    report = metrics.classification_report(labels, predicted, target_names=NAMES, output_dict=True)
    for name in NAMES:
        assert np.isclose(scores["per_class"][name]["precision"], report[name]["precision"])
        assert np.isclose(scores["per_class"][name]["f1"], report[name]["f1-score"])
    json.dumps(scores)


def test_a_class_without_examples_or_predictions_is_no_error():
    scores = score(np.array([0, 0]), np.array([[0.9, 0.1, 0], [0.8, 0.2, 0]]), NAMES)
    assert scores["per_class"]["c"] == {"precision": 0, "recall": 0, "f1": 0, "examples": 0}
    assert scores["balanced_accuracy"] == scores["macro_f1"] == 1
    assert len(scores["confusion_matrix"]) == 3
    assert np.isfinite(scores["kappa"])


def test_predictions_keep_every_probability():
    table = predictions_table(
        pd.Series(["x.wav", "y.wav"], name="file", index=[7, 9]),
        np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]),
        NAMES,
        pd.Series(["c", "b"], index=[7, 9]),
    )
    assert list(table.columns) == ["file", "label", "predicted", "p_a", "p_b", "p_c"]
    assert table.iloc[1].tolist() == ["y.wav", "b", "a", 0.6, 0.3, 0.1]
