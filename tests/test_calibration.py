"""Scores of distributions against scipy's, scikit-learn's and Keras's definitions."""

import hypothesis
import numpy as np
import pytest
from agreement import some_examples
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import rel_entr, softmax
from scipy.stats import binned_statistic, entropy
from sklearn import metrics
from sklearn.calibration import calibration_curve

from tfspec.scores.calibration import (
    best_temperature,
    cross_entropy,
    fit_temperature,
    fit_weights,
    score_distributions,
    score_members,
    tempered,
)


def distributions(seed, examples=40, classes=5):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(classes, 0.4), examples)
    shares[shares < 0.05] = 0
    shares /= shares.sum(1, keepdims=True)
    return shares, softmax(np.log(shares + 0.05) + rng.normal(size=shares.shape), axis=1)


@some_examples
@hypothesis.given(st.integers(0, 2**31), st.integers(1, 60), st.integers(2, 30))
def test_divergences_are_those_of_scipy(seed, examples, classes):
    shares, probabilities = distributions(seed, examples, classes)
    prior = np.random.default_rng(seed).dirichlet(np.ones(classes)) + 1e-9
    scores = score_distributions(shares, probabilities, prior)
    near = {"abs": 1e-6, "rel": 1e-6}
    assert scores["kl"] == pytest.approx(rel_entr(shares, probabilities).sum(1).mean(), **near)
    assert scores["entropy"] == pytest.approx(entropy(shares, axis=1).mean(), **near)
    assert scores["kl_uniform"] == pytest.approx(entropy(shares, np.ones_like(shares), axis=1).mean(), **near)
    assert scores["kl_prior"] == pytest.approx(rel_entr(shares, prior).sum(1).mean(), **near)
    assert scores["cross_entropy"] == pytest.approx(scores["kl"] + scores["entropy"], **near)


@some_examples
@hypothesis.given(st.integers(0, 2**31), st.integers(2, 60), st.integers(3, 12))
def test_of_one_class_an_example_they_are_scikit_learns(seed, examples, classes):
    _, probabilities = distributions(seed, examples, classes)
    labels = np.random.default_rng(seed).integers(classes, size=examples)
    shares, names = np.eye(classes)[labels], np.arange(classes)
    scores = score_distributions(shares, probabilities, shares.mean(0))
    assert scores["cross_entropy"] == pytest.approx(metrics.log_loss(labels, probabilities, labels=names))
    assert scores["entropy"] == pytest.approx(0, abs=1e-9)
    top_2 = metrics.top_k_accuracy_score(labels, probabilities, k=2, labels=names)
    assert scores["top_2_accuracy"] == pytest.approx(top_2)
    right = labels == probabilities.argmax(1)
    share, confidence = calibration_curve(right, probabilities.max(1), n_bins=10)
    np.testing.assert_allclose([row["share"] for row in scores["calibration"]], share)
    np.testing.assert_allclose([row["confidence"] for row in scores["calibration"]], confidence)


def test_the_calibration_error_of_soft_labels_by_scipys_bins():
    shares, probabilities = distributions(0, 500)
    scores = score_distributions(shares, probabilities, shares.mean(0))
    confidence, predicted = probabilities.max(1), probabilities.argmax(1)
    share = shares[np.arange(500), predicted]
    options = {"bins": 10, "range": (0, 1)}
    gaps = np.abs(
        binned_statistic(confidence, confidence, "sum", **options)[0]
        - binned_statistic(confidence, share, "sum", **options)[0]
    )
    assert scores["calibration_error"] == pytest.approx(np.nansum(gaps) / 500)
    assert sum(row["examples"] for row in scores["calibration"]) == 500


def test_perfect_predictions_have_no_error():
    shares, _ = distributions(0)
    scores = score_distributions(shares, shares, shares.mean(0))
    assert scores["kl"] == 0
    assert scores["calibration_error"] == pytest.approx(0)
    assert scores["top_2_accuracy"] == 1


def test_a_probability_of_zero_costs_much_and_not_infinitely():
    scores = score_distributions(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([0.0, 1.0]))
    assert scores["kl"] == scores["kl_prior"] == pytest.approx(37 * np.log(10))


@some_examples
@hypothesis.given(st.integers(0, 2**31), st.floats(0.2, 5))
def test_the_temperature_that_spoilt_distributions_is_found(seed, temperature):
    shares, _ = distributions(seed, classes=4)
    spoilt = tempered(np.maximum(shares, 1e-4), 1 / temperature)
    found = fit_temperature(shares, spoilt)
    losses = [
        score_distributions(shares, tempered(spoilt, t), shares.mean(0))["kl"]
        for t in (found, 0.98 * found, 1.02 * found)
    ]
    assert losses[0] <= min(losses[1:]) + 1e-9
    np.testing.assert_allclose(tempered(spoilt, temperature), np.maximum(shares, 1e-4), atol=1e-3)


def test_the_temperature_is_that_of_the_tempered_distributions_themselves():
    """Also where one class is quite sure, and where a probability is zero."""
    shares, probabilities = distributions(3, classes=30)
    probabilities[:5] = np.eye(30)[:5]
    for truth in (shares, np.eye(30)[shares.argmax(1)]):
        expected = best_temperature(
            lambda each, truth=truth: cross_entropy(truth, tempered(probabilities, each))
        )
        assert fit_temperature(truth, probabilities) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_no_weights_are_better_by_scipys_search(seed):
    rng = np.random.default_rng(seed)
    shares, first = distributions(seed, 200)
    models = np.stack([first, *(distributions(seed + 100 + i, 200)[1] for i in range(3))])
    models[3] = softmax(np.log(shares + 0.1) + rng.normal(size=shares.shape), axis=1)

    def loss(weights):
        return rel_entr(shares, np.tensordot(weights, models, 1)).sum(1).mean()

    received = fit_weights(shares, models)
    assert received.sum() == pytest.approx(1)
    assert (received >= 0).all()
    best = minimize(
        loss,
        np.full(4, 0.25),
        bounds=[(1e-9, 1)] * 4,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        method="SLSQP",
    )
    np.testing.assert_allclose(received, best.x, atol=0.01)
    assert loss(received) <= best.fun + 1e-6


def test_members_are_scored_by_what_was_fitted_on_others():
    shares, first = distributions(0, 300)
    held_out = {"a": first, "b": distributions(7, 300)[1]}
    fitted = score_members(shares, held_out)
    other, first = distributions(1, 100)
    members = {"a": first, "b": distributions(8, 100)[1]}
    scores = score_members(other, members, fitted)
    weights, temperature = fitted["weighted"]["weights"], fitted["tempered"]["temperature"]
    assert scores["weighted"]["weights"] == weights
    assert weights["a"] > 0.9
    mean = weights["a"] * members["a"] + weights["b"] * members["b"]
    assert scores["weighted"]["kl"] == pytest.approx(rel_entr(other, mean).sum(1).mean())
    sharper = softmax(np.log((members["a"] + members["b"]) / 2) / temperature, axis=1)
    assert scores["tempered"]["kl"] == pytest.approx(rel_entr(other, sharper).sum(1).mean())
    assert scores["members"]["b"]["accuracy"] == (other.argmax(1) == members["b"].argmax(1)).mean()


def test_members_of_a_cross_validation_are_scored_on_their_own_folds():
    shares, probabilities = distributions(0, 10)
    parts = {"a": probabilities.copy(), "b": probabilities.copy()}
    parts["a"][:4], parts["b"][4:] = np.nan, np.nan
    scores = score_members(shares, parts)
    assert "weighted" not in scores
    assert scores["members"]["b"]["kl"] == pytest.approx(rel_entr(shares, probabilities)[:4].sum(1).mean())
    assert set(score_members(shares, {"": probabilities})) == {"tempered"}
    assert set(score_members(shares, parts | {"c": np.full_like(probabilities, np.nan)})["members"]) == {
        *"ab"
    }


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"Received: shares of shape \(3,\)"):
        score_distributions(np.zeros(3), np.zeros((3, 2)), np.zeros(2))
