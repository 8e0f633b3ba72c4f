"""All scores of many classes against scikit-learn's two of each class, one class after another."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from tfspec.scores.evaluation import Predicted, evaluate

EXAMPLES, CLASSES = 2000, 200


@pytest.fixture(scope="module")
def predicted():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((EXAMPLES, CLASSES)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predicted(
        [f"class {number}" for number in range(CLASSES)],
        np.arange(EXAMPLES) % CLASSES,
        {"": probabilities},
        pd.Series(np.arange(EXAMPLES), name="file"),
        pd.Series(np.arange(EXAMPLES) % 20).astype(str),
    )


def scikit_learn(predicted):
    each = [(predicted.truth == place, predicted.probabilities[:, place]) for place in range(CLASSES)]
    return [(metrics.roc_auc_score(*one), metrics.average_precision_score(*one)) for one in each]


def test_all_scores_take_a_third_of_these_two(predicted, medians):
    prior = np.full(CLASSES, 1 / CLASSES)
    seconds = medians(ours=lambda: evaluate(predicted, prior), peer=lambda: scikit_learn(predicted))
    assert seconds["peer"] / seconds["ours"] > 3
