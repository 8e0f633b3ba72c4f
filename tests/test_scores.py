"""The whole evaluation, from rows and probabilities."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from tfspec.scores.evaluation import Predicted, add_smoothed, evaluate

NAMES = ["a", "b", "c"]
PRIOR = np.full(3, 1 / 3)


def predictions(rng, truth=None, groups=None):
    members = {name: rng.dirichlet(np.ones(3), 60).astype(np.float32) for name in ("x", "y")}
    return Predicted(
        NAMES,
        rng.integers(0, 3, 60) if truth is None else truth,
        members,
        pd.Series([f"{i}.wav" for i in range(60)], name="file"),
        pd.Series(np.repeat(["P1", "P2", "P3"], 20)) if groups is None else groups,
    )


def test_the_mean_of_the_members_is_scored(rng):
    predicted = predictions(rng)
    found = evaluate(predicted, PRIOR)
    mean = (predicted.members["x"] + predicted.members["y"]) / 2
    np.testing.assert_allclose(found.predictions[["p_a", "p_b", "p_c"]], mean, rtol=1e-6)
    assert found.scores["kappa"] == pytest.approx(metrics.cohen_kappa_score(predicted.truth, mean.argmax(1)))
    assert found.scores["groups"] == len(found.groups) == 3
    assert json.loads(json.dumps(found.scores, allow_nan=False)) == found.scores


def test_shares_give_the_label_and_stand_in_the_table(rng):
    shares = rng.dirichlet(np.ones(3), 60)
    found = evaluate(predictions(rng, shares), PRIOR)
    assert found.predictions["label"].tolist() == [NAMES[place] for place in shares.argmax(1)]
    np.testing.assert_array_equal(found.predictions[["true_a", "true_b", "true_c"]], shares)
    assert found.scores["entropy"] > 0


def test_a_row_is_predicted_by_the_members_that_did_not_train_on_it(rng):
    predicted = predictions(rng)
    predicted.members["x"][:30], predicted.members["y"][30:] = np.nan, np.nan
    found = evaluate(predicted, PRIOR)
    expected = np.concatenate([predicted.members["y"][:30], predicted.members["x"][30:]])
    np.testing.assert_array_equal(found.predictions[["p_a", "p_b", "p_c"]], expected)
    assert "weighted" not in found.scores


def test_temperature_and_weights_are_those_of_held_out_examples(rng):
    held_out = evaluate(predictions(rng), PRIOR).scores
    scores = evaluate(predictions(rng), PRIOR, held_out).scores
    assert scores["tempered"]["temperature"] == held_out["tempered"]["temperature"]
    assert scores["weighted"]["weights"] == held_out["weighted"]["weights"]


def test_smoothed_labels_are_scored_like_the_others(rng):
    predicted = predictions(rng)
    before = evaluate(predicted, PRIOR)
    same = add_smoothed(before, predicted, before.predictions["predicted"])
    smoothed = same.scores["smoothed"]
    assert smoothed == {name: before.scores[name] for name in smoothed}
    assert list(same.predictions)[:4] == ["file", "label", "predicted", "smoothed"]
    np.testing.assert_array_equal(same.groups["smoothed_kappa"], before.groups["kappa"])
    assert "smoothed" not in before.scores
    perfect = add_smoothed(before, predicted, before.predictions["label"])
    assert perfect.scores["smoothed"]["kappa"] == 1


def test_unknown_groups_leave_tables_empty(rng):
    predicted = predictions(rng, groups=pd.Series(["P1"] * 59 + [""]))
    found = evaluate(predicted, PRIOR)
    found = add_smoothed(found, predicted, found.predictions["label"])
    assert (found.scores["groups"], found.scores["intervals"]) == (0, {})
    assert found.groups.empty
    assert list(found.groups) == ["group"]


def test_one_group_says_nothing_of_others(rng):
    found = evaluate(predictions(rng, groups=pd.Series(["P1"] * 60)), PRIOR)
    assert (found.scores["groups"], found.scores["intervals"], len(found.groups)) == (1, {}, 1)


def test_no_entropy_is_zero_and_not_less(rng):
    assert json.dumps(evaluate(predictions(rng), PRIOR).scores["entropy"]) == "0.0"


def test_scores_need_no_tensorflow():
    """Where it is not there, the import would fail."""
    script = (
        "import sys; sys.modules.update(tensorflow=None, keras=None); import types; "
        "package = sys.modules['tfspec'] = types.ModuleType('tfspec'); package.__path__ = ['tfspec']; "
        "import tfspec.scores.evaluation, tfspec.scores.smoothing"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
