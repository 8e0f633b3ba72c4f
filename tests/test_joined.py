"""Whole recordings, by their windows."""

import numpy as np
import pandas as pd
from sklearn import metrics

from tfspec.scores.evaluation import Predicted, evaluate
from tfspec.scores.joined import add_recordings, joined


def test_recordings_are_scored_by_the_mean_of_their_windows(rng):
    recordings = np.repeat(np.arange(20), 3)
    truth = np.repeat(rng.integers(0, 2, 20), 3)
    probabilities = rng.dirichlet([1, 1], 60)
    names = pd.Series(recordings.astype(str), name="path")
    predicted = Predicted(["no", "yes"], truth, {"": probabilities}, names, names)
    found = add_recordings(evaluate(predicted, np.array([0.5, 0.5])), joined(predicted, names))
    means = probabilities.reshape(20, 3, 2).mean(axis=1)
    expected = metrics.accuracy_score(truth[::3], means.argmax(axis=1))
    assert found.scores["recordings"]["accuracy"] == expected
    assert found.scores["recordings"]["examples"] == len(found.recordings) == 20
    assert found.scores["examples"] == 60
    np.testing.assert_allclose(found.recordings[["p_no", "p_yes"]], means)
