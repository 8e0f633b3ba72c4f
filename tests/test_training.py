import hypothesis
import keras
import numpy as np
import pytest
from agreement import some_examples
from hypothesis import strategies as st
from sklearn import metrics

from tfspec.training import CohenKappa


@some_examples
@hypothesis.given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
@pytest.mark.filterwarnings("ignore")
def test_kappa_is_that_of_scikit_learn(pairs):
    labels, predicted = np.array(pairs).T
    kappa = CohenKappa(4)
    for part in np.array_split(np.arange(len(labels)), 3):
        kappa.update_state(labels[part], 5 * np.eye(4)[predicted[part]])
    expected = np.nan_to_num(metrics.cohen_kappa_score(labels, predicted))
    assert float(kappa.result()) == pytest.approx(expected, abs=1e-6)
    kappa.reset_state()
    kappa.update_state([0, 1], np.eye(4)[[0, 1]])
    assert float(kappa.result()) == 1


def test_kappa_survives_its_config():
    kappa = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(CohenKappa(3, name="k"))
    )
    assert (kappa.num_classes, kappa.name) == (3, "k")
