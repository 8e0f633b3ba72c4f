"""The losses are scipy's, and finite with their gradients."""

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from agreement import some_examples
from hypothesis import strategies as st
from scipy.special import log_softmax, rel_entr, softmax
from sklearn import metrics

from tfspec.training import MeanAveragePrecision, PossibleAccuracy
from tfspec.training.losses import KLDivergence, KnownLabelsLoss, PossibleClassesLoss, SmoothedCrossEntropy


def soft_labels(rng, rows, classes):
    shares = rng.dirichlet(np.full(classes, 0.3), rows)
    return np.where(shares < 0.05, 0, shares) / np.where(shares < 0.05, 0, shares).sum(1, keepdims=True)


@some_examples
@hypothesis.given(st.integers(0, 2**31), st.integers(1, 9), st.integers(2, 30), st.sampled_from([0.1, 3, 30]))
def test_it_is_the_sum_of_relative_entropies(seed, rows, classes, scale):
    rng = np.random.default_rng(seed)
    labels, logits = soft_labels(rng, rows, classes), scale * rng.normal(size=(rows, classes))
    # rel_entr(p, softmax) where softmax does not vanish; log_softmax keeps what it rounds to zero
    expected = (rel_entr(labels, 1) - labels * log_softmax(logits, axis=1)).sum(1)
    if scale < 30:
        np.testing.assert_allclose(expected, rel_entr(labels, softmax(logits, axis=1)).sum(1), atol=1e-9)
    received = KLDivergence(reduction="none")(labels.astype(np.float32), logits.astype(np.float32))
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)
    mean = KLDivergence()(labels.astype(np.float32), logits.astype(np.float32))
    assert float(mean) == pytest.approx(expected.mean(), rel=1e-4, abs=1e-5)


def test_it_is_least_and_zero_for_the_labels_own_logits():
    labels = tf.constant([[0.5, 0.25, 0.25]])
    assert float(KLDivergence()(labels, tf.math.log(labels))) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("logits", [[0.0, 0.0, 0.0], [1e4, -1e4, 0.0], [-1e30, 0.0, 0.0]])
def test_zeros_in_labels_and_extreme_logits_have_finite_values_and_gradients(logits):
    """The gradient of the logits is the softmax less the labels."""
    labels, z = tf.constant([[0.0, 1.0, 0.0]]), tf.constant([logits])
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = KLDivergence()(labels, z)
    assert np.isfinite(loss)
    np.testing.assert_allclose(tape.gradient(loss, z), tf.nn.softmax(z) - labels, atol=1e-6)


def test_it_survives_its_config():
    again = keras.losses.deserialize(keras.losses.serialize(KLDivergence(name="kl")))
    assert isinstance(again, KLDivergence)
    assert again.name == "kl"


def test_an_absent_class_costs_the_logarithm_of_all_others_probability(rng):
    logits = rng.normal(size=(60, 5)).astype(np.float32)
    classes, absent = rng.integers(0, 5, 60), rng.random(60) < 0.5
    labels, p = np.where(absent, ~classes, classes), softmax(logits, axis=1)[np.arange(60), classes]
    expected = -np.log(np.where(absent, 1 - p, p))
    np.testing.assert_allclose(PossibleClassesLoss(reduction="none")(labels, logits), expected, rtol=1e-4)
    assert float(PossibleClassesLoss()(labels, logits)) == pytest.approx(expected.mean(), rel=1e-4)
    accuracy, is_class = PossibleAccuracy(), logits.argmax(1) == classes
    accuracy.update_state(labels, logits)
    assert float(accuracy.result()) == pytest.approx(np.where(absent, ~is_class, is_class).mean())


@pytest.mark.parametrize("logits", [[0.0, 1.0, 2.0], [1e4, -1e4, 0.0], [-1e30, 0.0, 0.0]])
def test_an_absent_class_is_lowered_and_the_others_keep_their_ratios(logits):
    """The gradient is the softmax less the softmax of all others."""
    z = tf.constant([logits])
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = PossibleClassesLoss()([~0], z)
    assert np.isfinite(loss)
    others = np.append(0, softmax(np.float64(logits)[1:]))
    np.testing.assert_allclose(tape.gradient(loss, z)[0], softmax(np.float64(logits)) - others, atol=1e-6)


@some_examples
@hypothesis.given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9), st.floats(0, 1))
def test_several_labels_cost_the_mean_binary_cross_entropy_of_those_that_are_known(
    seed, rows, classes, known
):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (rows, classes)).astype(np.float32)
    logits = rng.normal(0, 3, (rows, classes)).astype(np.float32)
    labels[rng.random(labels.shape) > known] = np.nan
    received = KnownLabelsLoss(reduction="none")(labels, logits).numpy()
    for row, truth, z in zip(received, labels, logits.astype(float), strict=True):
        there = ~np.isnan(truth)
        p = 1 / (1 + np.exp(-z[there]))
        expected = metrics.log_loss(truth[there], p, labels=[0, 1]) if there.any() else 0
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert float(KnownLabelsLoss()(labels, logits)) == pytest.approx(received.mean(), rel=1e-5)


def test_unknown_labels_and_extreme_logits_have_finite_gradients():
    """The gradient of a known label's logit is its sigmoid less the label, over their number."""
    z, unknown = tf.constant([[1e4, -1e4, 0.0, 3.0], [1.0, 2.0, 3.0, 4.0]]), float("nan")
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = KnownLabelsLoss()([[0.0, 1.0, 1.0, unknown], [unknown] * 4], z)
    assert np.isfinite(loss)
    expected = np.array([[1, -1, -0.5, 0], [0, 0, 0, 0]]) / 3 / 2
    np.testing.assert_allclose(tape.gradient(loss, z), expected, atol=1e-6)


def test_mean_average_precision_of_an_epoch_is_scikit_learns_of_the_known_labels(rng):
    labels = (rng.random((400, 4)) < [0.5, 0.2, 0.1, 0]).astype(np.float32)  # the last class never holds
    logits = (rng.normal(size=labels.shape) + 2 * labels).astype(np.float32)
    labels[rng.random(labels.shape) < 0.3] = np.nan
    precision = MeanAveragePrecision(4)
    for start in range(0, 400, 64):
        precision.update_state(labels[start : start + 64], logits[start : start + 64])
    known = ~np.isnan(labels)
    each = [metrics.average_precision_score(labels[known[:, k], k], logits[known[:, k], k]) for k in range(3)]
    assert float(precision.result()) == pytest.approx(np.mean(each), abs=0.01)  # of 200 thresholds
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(precision))
    assert (again.name, again.num_labels) == ("mean_average_precision", 4)


@pytest.mark.parametrize("kind", [PossibleClassesLoss, PossibleAccuracy, KnownLabelsLoss])
def test_what_knows_absent_classes_survives_its_config(kind):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(kind(name="x")))
    assert (type(again), again.name) == (kind, "x")


def test_smoothed_cross_entropy_takes_places_as_it_takes_shares(rng):
    """By the formula: the class counts 1 − s, and s is spread over all."""
    places, logits = rng.integers(0, 4, 9), rng.normal(size=(9, 4)).astype(np.float32)
    shares = np.eye(4)[places]
    expected = -((0.7 * shares + 0.3 / 4) * log_softmax(logits, axis=1)).sum(1).mean()
    for truth in (places, places[:, np.newaxis], shares):
        assert float(SmoothedCrossEntropy(0.3)(truth, logits)) == pytest.approx(expected, rel=1e-5)
