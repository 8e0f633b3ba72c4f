"""Scores and tables."""

import functools
import json
import subprocess
import sys
import tracemalloc

import hypothesis
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from agreement import some_examples
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from tfspec.scores.classes import score_classes
from tfspec.scores.groups import draw_anew, score_groups
from tfspec.scores.predictions import predictions_table
from tfspec.scores.ranking import lwlrap, rank_each_class, score_ranking
from tfspec.scores.several import score_several

NAMES = ["a", "b", "c"]


def test_scores_are_those_of_scikit_learn(rng):
    labels = rng.integers(0, 3, 200)
    probabilities = rng.dirichlet(np.ones(3), 200)
    predicted = probabilities.argmax(1)
    scores = score_classes(labels, predicted, NAMES)
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
    scores = score_classes(np.array([0, 0]), np.array([0, 0]), NAMES)
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


# ---------------------------------------------------------------- groups


@st.composite
def predictions(draw):
    """Draw true and predicted classes, some of which may be missing, in groups of any size."""
    length = draw(st.integers(1, 40))
    some = st.integers(0, 2)
    labels, predicted = (np.array(draw(st.lists(some, min_size=length, max_size=length))) for _ in range(2))
    groups = draw(st.lists(st.sampled_from(["P1", "P2", "P10"]), min_size=length, max_size=length))
    return labels, predicted, pd.Series(groups)


@some_examples
@hypothesis.given(predictions())
@pytest.mark.filterwarnings("ignore:.*:UserWarning", "ignore:.*:RuntimeWarning")
def test_scores_of_a_group_are_those_of_its_examples_alone(prediction):
    labels, predicted, groups = prediction
    table, intervals = score_groups(labels, predicted, groups, NAMES)
    assert sorted(table.index) == sorted(groups.unique())
    for name, row in table.iterrows():
        true, seen = labels[groups == name], predicted[groups == name]
        assert row["examples"] == len(true)
        assert row["accuracy"] == pytest.approx(metrics.accuracy_score(true, seen))
        assert row["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(true, seen))
        f1 = metrics.f1_score(true, seen, labels=np.unique(true), average="macro", zero_division=0)
        assert row["macro_f1"] == pytest.approx(f1)
        assert row["kappa"] == pytest.approx(np.nan_to_num(metrics.cohen_kappa_score(true, seen)))
        scores = score_classes(true, seen, NAMES)
        assert all(row[name] == scores[name] for name in intervals)
    json.dumps(intervals, allow_nan=False)


def test_intervals_are_those_of_scipy(rng, monkeypatch):
    """Both draw the same groups, as both ask the same generator for them in the same way."""
    monkeypatch.setattr("tfspec.scores.groups.draw_anew", functools.partial(draw_anew, resamples=300))
    labels = rng.integers(0, 3, 600)
    groups = pd.Series(np.repeat(np.arange(12), 50))
    careless = np.repeat(rng.random(12), 50)
    predicted = np.where(rng.random(600) < careless, rng.integers(0, 3, 600), labels)
    _, intervals = score_groups(labels, predicted, groups, NAMES)

    def kappa(drawn):
        rows = np.concatenate([np.flatnonzero(groups == group) for group in drawn])
        return metrics.cohen_kappa_score(labels[rows], predicted[rows])

    expected = scipy.stats.bootstrap(
        (np.arange(12),), kappa, vectorized=False, n_resamples=300, confidence_level=0.95,
        method="percentile", rng=np.random.default_rng(0),
    )  # fmt: skip
    np.testing.assert_allclose(intervals["kappa"], expected.confidence_interval, rtol=1e-12)


def test_thousands_of_groups_are_drawn_alike_and_held_a_few_at_once(rng):
    """Whether they are drawn in blocks or all at once, as here."""
    labels, predicted, groups = rng.integers(0, 3, 8000), rng.integers(0, 3, 8000), np.arange(8000)
    tracemalloc.start()
    _, intervals = score_groups(labels, predicted, pd.Series(groups), NAMES)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 50e6  # as against 8000 groups × 1000 draws × 8 bytes
    drawn = np.random.default_rng(0).integers(0, 8000, (1000, 8000))
    expected = np.quantile((labels == predicted)[drawn].mean(axis=1), [0.025, 0.975])
    np.testing.assert_allclose(intervals["accuracy"], expected, rtol=1e-12)
    times = np.concatenate([*draw_anew(8000)])
    np.testing.assert_array_equal(times[-1], np.bincount(drawn[-1], minlength=8000))


def test_people_who_differ_make_the_interval_wide(rng):
    labels, groups = rng.integers(0, 3, 1000), pd.Series(np.repeat(np.arange(10), 100))
    wrong = rng.random(1000) < 0.5, groups.to_numpy() % 2 == 0
    alike, different = (
        score_groups(labels, np.where(mistaken, (labels + 1) % 3, labels), groups, NAMES)[1]["accuracy"]
        for mistaken in wrong
    )
    assert np.ptp(different) > 4 * np.ptp(alike)


# ---------------------------------------------------------------- ranking


def lwlrap_by_scikit_learn(labels, probabilities):
    weights = labels.sum(axis=1)
    some = weights > 0
    return metrics.label_ranking_average_precision_score(
        labels[some], probabilities[some], sample_weight=weights[some]
    )


@st.composite
def rankings(draw):
    """Draw labels, some rows and columns of which may be empty or full, and probabilities with ties."""
    shape = draw(st.tuples(st.integers(1, 12), st.integers(2, 6)))
    labels = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 1)))
    return labels, draw(hnp.arrays(np.float64, shape, elements=st.integers(0, 8).map(lambda n: n / 8)))


@some_examples
@hypothesis.given(rankings())
def test_ranking_scores_are_those_of_scikit_learn(ranking):
    labels, probabilities = ranking
    scores = score_several(labels, probabilities, labels > 0, [*"abcdef"[: labels.shape[1]]])
    json.dumps(scores, allow_nan=False)
    if labels.any():
        assert scores["lwlrap"] == pytest.approx(lwlrap_by_scikit_learn(labels, probabilities))
    else:
        assert scores["lwlrap"] is None
        assert np.isnan(lwlrap(labels, probabilities))

    ranked = (labels.min(axis=0) == 0) & (labels.max(axis=0) == 1)
    per_class = [*scores["per_class"].values()]
    assert [row["examples"] for row in per_class] == list(labels.sum(axis=0))
    assert [row["auc"] is not None for row in per_class] == list(ranked)
    if ranked.any():
        some = labels[:, ranked], probabilities[:, ranked]
        assert scores["macro_auc"] == pytest.approx(metrics.roc_auc_score(*some, average="macro"))
        expected = metrics.average_precision_score(*some, average="macro")
        assert scores["mean_average_precision"] == pytest.approx(expected)
        areas = np.atleast_1d(metrics.roc_auc_score(*some, average=None))
        np.testing.assert_allclose([row["auc"] for row in per_class if row["auc"] is not None], areas)
    else:
        assert scores["macro_auc"] is scores["mean_average_precision"] is None


def test_each_of_many_classes_is_ranked_as_by_scikit_learn(rng):
    """Also where many are equal, and where nobody knows some of the labels."""
    labels = (rng.random((300, 40)) < 0.1).astype(float)
    labels[rng.random(labels.shape) < 0.2] = np.nan
    probabilities = rng.integers(0, 50, labels.shape).astype(np.float32) / 50
    table = rank_each_class(labels, probabilities)
    for row, truth, column in zip(table.itertuples(), labels.T, probabilities.T, strict=True):
        known = ~np.isnan(truth)
        expected = metrics.roc_auc_score(truth[known], column[known])
        assert row.auc == pytest.approx(expected, abs=1e-12)
        expected = metrics.average_precision_score(truth[known], column[known])
        assert row.average_precision == pytest.approx(expected, abs=1e-12)


def test_labels_are_ranked_alike_however_many_are_compared_at_once(rng, monkeypatch):
    labels, probabilities = rng.random((50, 8)) < 0.3, rng.integers(0, 9, (50, 8)) / 9
    expected = lwlrap_by_scikit_learn(labels, probabilities)
    for block in (10, 10_000):
        monkeypatch.setattr("tfspec.scores.ranking.BLOCK", block)
        assert lwlrap(labels, probabilities) == pytest.approx(expected, abs=1e-12)


def test_lwlrap_by_hand():
    labels = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]])
    probabilities = np.array([[0.9, 0.5, 0.4], [0.6, 0.3, 0.1], [0.1, 0.2, 0.3]])
    assert lwlrap(labels, probabilities) == pytest.approx((1 / 1 + 2 / 3 + 1 / 2) / 3)
    assert lwlrap(labels, labels.astype(float)) == 1


def test_only_the_order_counts_and_soft_labels_are_labels(rng):
    labels = rng.dirichlet(np.full(5, 0.2), 50) * (rng.random((50, 5)) > 0.5)
    logits = rng.standard_normal((50, 5))
    for same_order in (np.exp(logits), 3 * logits - 7, logits.astype(np.float32)):
        assert lwlrap(labels, same_order) == lwlrap((labels > 0).astype(int), logits)
        pd.testing.assert_frame_equal(
            rank_each_class(labels > 0, same_order), rank_each_class(labels > 0, logits)
        )


def test_one_label_an_example_gives_the_same_in_either_form(rng):
    labels, probabilities = rng.integers(0, 3, 200), rng.dirichlet(np.ones(3), 200)
    scores = score_ranking(labels, probabilities)
    several = score_several(np.eye(3)[labels], probabilities, probabilities > 0.5, NAMES)
    for name in ("lwlrap", "macro_auc", "mean_average_precision"):
        assert scores[name] == several[name]
    ranks = (probabilities >= np.take_along_axis(probabilities, labels[:, None], 1)).sum(axis=1)
    assert scores["lwlrap"] == pytest.approx((1 / ranks).mean())
    auc = metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert scores["macro_auc"] == pytest.approx(auc)


def test_one_class_alone_cannot_be_ranked():
    scores = score_ranking(np.array([0, 0]), np.array([[0.9, 0.1, 0], [0.2, 0.8, 0]]))
    assert scores["lwlrap"] == 0.75
    assert scores["macro_auc"] is scores["mean_average_precision"] is None
    json.dumps(scores, allow_nan=False)


@pytest.mark.parametrize("shapes", [((3,), (3, 2)), ((3, 2), (3, 3)), ((2, 2), (3, 2))])
def test_labels_of_another_shape_are_refused(shapes):
    labels, probabilities = (np.zeros(shape) for shape in shapes)
    for function in (lwlrap, rank_each_class):
        with pytest.raises(ValueError, match=r"both be \(examples, classes\)\. Received: labels of shape"):
            function(labels, probabilities)


def test_import_needs_neither_scikit_learn_nor_matplotlib():
    """Keras imports both where they are, so all that can be seen is that tfspec does without."""
    script = "import sys; sys.modules.update(sklearn=None, matplotlib=None, librosa=None); import tfspec"
    subprocess.run(
        [sys.executable, "-c", script + ", tfspec.scores.evaluation, tfspec.report.figures"], check=True
    )
