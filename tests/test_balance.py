"""Class weights and balanced drawing: scikit-learn's weights, and classes drawn as often as each other."""

import hypothesis
import numpy as np
import pytest
import scipy.stats
from agreement import some_examples
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from tfspec.data.balance import balanced_order, class_weights, sample_weights

FUNCTIONS = {
    "class_weights": class_weights,
    "sample_weights": sample_weights,
    "balanced_order": lambda labels, num_classes: balanced_order(labels, num_classes, 5, 0),
}
all_functions = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
whole_numbers = hnp.arrays(np.int32, st.integers(1, 60), elements=st.integers(0, 5))
soft = hnp.arrays(np.float32, st.tuples(st.integers(1, 30), st.just(4)), elements=st.floats(0, 1, width=16))


@some_examples
@hypothesis.given(whole_numbers)
def test_weights_of_whole_numbers_are_scikit_learns(labels):
    there = np.unique(labels)
    weights = class_weights(labels, 7)
    np.testing.assert_allclose(
        weights[there], compute_class_weight("balanced", classes=there, y=labels), rtol=1e-12
    )
    assert not np.delete(weights, there).any()
    np.testing.assert_allclose(sample_weights(labels, 7), compute_sample_weight("balanced", labels), 1e-12)


@some_examples
@hypothesis.given(whole_numbers)
def test_one_hot_labels_are_whole_numbers(labels):
    one_hot = np.eye(7, dtype=np.float32)[labels]
    np.testing.assert_allclose(class_weights(one_hot, 7), class_weights(labels, 7))
    np.testing.assert_allclose(sample_weights(one_hot, 7), sample_weights(labels, 7))
    np.testing.assert_array_equal(balanced_order(one_hot, 7, 20, 3), balanced_order(labels, 7, 20, 3))


@some_examples
@hypothesis.given(soft)
def test_weighted_classes_have_equal_parts_of_soft_labels(labels):
    weights = class_weights(labels, 4)
    assert np.isfinite(weights).all()
    parts = weights * labels.sum(axis=0, dtype=np.float64)
    there = labels.any(axis=0)
    np.testing.assert_allclose(parts[there], labels.sum(dtype=np.float64) / max(there.sum(), 1), rtol=1e-9)
    np.testing.assert_array_equal(parts[~there], 0)


@some_examples
@hypothesis.given(soft)
def test_an_example_weighs_what_its_labels_do_on_average(labels):
    weights, of_classes = sample_weights(labels, 4), class_weights(labels, 4)
    assert weights.shape == (len(labels),)
    for row, weight in zip(labels, weights, strict=True):
        expected = np.average(of_classes, weights=row) if row.any() else 1
        assert weight == pytest.approx(expected)
    mass = labels.sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(weights @ mass, mass.sum(), rtol=1e-9)


# ---------------------------------------------------------------- drawing

COUNTS = np.array([500, 60, 7, 0, 1])


def test_classes_are_drawn_as_often_as_each_other_and_so_are_their_examples():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(5), COUNTS))
    drawn = balanced_order(labels, 5, 40_000, seed=1)
    assert drawn.dtype == np.int64
    of_class = np.bincount(labels[drawn], minlength=5)
    assert of_class[3] == 0
    assert scipy.stats.chisquare(of_class[[0, 1, 2, 4]]).pvalue > 0.001
    for label in (1, 2):
        places = np.flatnonzero(labels == label)
        times = np.bincount(drawn, minlength=len(labels))[places]
        assert scipy.stats.chisquare(times).pvalue > 0.001
    unbalanced = np.random.default_rng(1).choice(len(labels), 40_000)
    assert scipy.stats.chisquare(np.bincount(labels[unbalanced], minlength=5)[[0, 1, 2, 4]]).pvalue < 1e-9


def test_soft_labels_are_drawn_by_class_and_then_by_share():
    labels = np.array([[1, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0], [0, 0, 0]])
    drawn = np.bincount(balanced_order(labels, 3, 40_000, seed=2), minlength=4)
    chance = np.array([1 / 2, 1 / 4 + 1, 1 / 4]) / 2  # of the first class half, a quarter, a quarter
    assert drawn[3] == 0
    assert scipy.stats.chisquare(drawn[:3], 40_000 * chance).pvalue > 0.001


def test_same_seed_gives_the_same_order_whatever_was_drawn_before():
    labels = np.repeat(np.arange(5), COUNTS)
    first = balanced_order(labels, 5, 1000, seed=7)
    np.random.default_rng().random(3)
    np.testing.assert_array_equal(balanced_order(labels, 5, 1000, seed=7), first)
    others = [balanced_order(labels, 5, 1000, seed) for seed in (8, (7, 1), (7, 2))]
    assert len({order.tobytes() for order in [first, *others]}) == 4


# ---------------------------------------------------------------- what cannot be weighed


def test_without_labels_there_are_no_weights_and_nothing_to_draw():
    assert class_weights(np.zeros((3, 2)), 2).tolist() == [0, 0]
    assert class_weights(np.array([], int), 2).tolist() == [0, 0]
    assert sample_weights(np.zeros((3, 2)), 2).tolist() == [1, 1, 1]
    for nothing in (np.zeros((3, 2)), np.zeros((0, 2)), np.array([], int)):
        with pytest.raises(ValueError, match="must hold a label to draw"):
            balanced_order(nothing, 2, 5, 0)


@all_functions
@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 3], "from 0 to 2. Received: 0 to 3"),
        ([-1, 2], "from 0 to 2. Received: -1 to 2"),
        ([0.5, 1.0], r"\(examples,\) whole numbers or \(examples, 3\). Received: float64 of shape \(2,\)"),
        (["a", "b"], r"Received: <U1 of shape \(2,\)"),
        (np.zeros((4, 2)), r"Received: float64 of shape \(4, 2\)"),
        (np.zeros((4, 3, 1)), r"Received: float64 of shape \(4, 3, 1\)"),
        ([[0, 1, -0.5]], "finite and not negative. Received: -0.5 to 1.0"),
        ([[0, 1, np.nan]], "finite and not negative. Received: nan to nan"),
        ([[0, 1, np.inf]], "finite and not negative. Received: 0.0 to inf"),
    ],
)
def test_other_labels_are_refused(function, labels, said):
    with pytest.raises(ValueError, match=said):
        function(np.array(labels), 3)
