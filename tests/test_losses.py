"""The losses are scipy's, and finite with their gradients."""

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from agreement import some_examples
from hypothesis import strategies as st
from scipy.special import log_softmax, rel_entr, softmax

from tfspec.training import PossibleAccuracy
from tfspec.training.losses import KLDivergence, PossibleClassesLoss


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


@pytest.mark.parametrize("kind", [PossibleClassesLoss, PossibleAccuracy])
def test_what_knows_absent_classes_survives_its_config(kind):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(kind(name="x")))
    assert (type(again), again.name) == (kind, "x")
