import hypothesis
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from agreement import some_examples
from families import others_slow
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics

from tfspec.base.errors import UserError
from tfspec.data import Epochs
from tfspec.models import Classifier, conv2d, event_head, mac
from tfspec.pipelines.regularised import Regularised
from tfspec.training import (
    Batches,
    CohenKappa,
    Phase,
    Progress,
    RecentLoss,
    Training,
    fit,
    in_float32,
    in_precision,
)
from tfspec.training.losses import KLDivergence
from tfspec.training.optimizers import CoupledSGD


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


@pytest.mark.parametrize("batches", others_slow([1, 2, 100, 135, 400], 2, 135))
def test_recent_loss_is_that_of_the_capture24_tutorials(batches, rng):
    """An exponentially weighted mean: alpha 0.05, weights below 0.001 left out, of batches of any size."""
    recent = RecentLoss(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = []
    for size in rng.integers(1, 9, batches):
        labels, logits = rng.integers(0, 3, size), rng.normal(0, 2, (size, 3))
        recent.update_state(labels, logits)
        losses.append(np.mean(special.logsumexp(logits, axis=1) - logits[np.arange(size), labels]))
    weights = 0.95 ** np.arange(batches)[::-1]
    expected = np.average(losses, weights=np.where(weights < 1e-3, 0, weights))
    assert float(recent.result()) == pytest.approx(expected, rel=1e-5)
    if batches <= 135:
        assert expected == pytest.approx(pd.Series(losses).ewm(alpha=0.05).mean().iloc[-1])
    recent.reset_state()
    assert float(recent.result()) == 0


def test_recent_loss_survives_its_config():
    recent = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(RecentLoss(keras.losses.MeanSquaredError()))
    )
    recent.update_state([[0.0]], [[3.0]])
    assert (float(recent.result()), recent.name) == (9, "recent_loss")


def test_kappa_survives_its_config():
    kappa = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(CohenKappa(3, name="k"))
    )
    assert (kappa.num_classes, kappa.name) == (3, "k")


@pytest.fixture
def half_precision():
    """A network in float16 with its first steps behind it."""
    keras.utils.set_random_seed(0)
    with in_precision("mixed_float16"):
        backbone = conv2d((32, 32, 1), 3)
    backbone.compile(CoupledSGD(0.1, decay=1e-4), KLDivergence())
    rng = np.random.default_rng(0)
    labels = 100 * np.eye(3, dtype=np.float32)[np.arange(8) % 3]  # so that gradients overflow at first
    batch = rng.normal(size=(8, 32, 32, 1)).astype(np.float32), labels
    for _ in range(8):
        backbone.train_on_batch(*batch)
    return backbone, batch


def test_half_precision_scales_the_loss_so_that_gradients_are_finite(half_precision):
    backbone, _ = half_precision
    optimizer = backbone.optimizer
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    # It halves with every step whose gradients overflow, which is left out
    assert 2 ** (8 - int(optimizer.iterations)) == optimizer.initial_scale / float(optimizer.dynamic_scale)
    assert 0 < int(optimizer.iterations) < 8
    assert all(np.isfinite(weights).all() for weights in backbone.get_weights())


@pytest.mark.slow
def test_half_precision_goes_on_from_its_file_and_has_a_twin(half_precision, tmp_path):
    backbone, batch = half_precision
    Progress(tmp_path, history=[{"epoch": 0, "val_loss": 1.0}]).save(backbone)
    with in_precision("mixed_float16"):
        loaded = Progress.load(tmp_path).backbone()
    assert float(loaded.optimizer.dynamic_scale) == float(backbone.optimizer.dynamic_scale)
    for layer in loaded.layers:  # whose draws Keras does not save
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign(backbone.get_layer(layer.name).seed_generator.state)
    for model in (backbone, loaded):
        model.train_on_batch(*batch)
    twin = in_float32(loaded)
    for weights in zip(loaded.get_weights(), backbone.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(weights[0], weights[1])
        np.testing.assert_array_equal(weights[0], weights[2])
    assert {layer.compute_dtype for layer in loaded.layers} == {"float16", "float32"}
    assert {layer.compute_dtype for layer in twin.layers} == {"float32"}
    assert in_float32(twin) is twin


def test_the_twin_predicts_the_same(rng):
    with in_precision("mixed_float16"):
        backbone = mac((32, 32, 1), 3, 2)
    x = rng.normal(size=(8, 32, 32, 1)).astype(np.float32)
    received, expected = in_float32(backbone)(x), backbone(x)
    np.testing.assert_allclose(received, expected, atol=2e-3)
    assert (received != expected).numpy().any()


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("pooling", others_slow(["average", "max"], "max"))
def test_silence_and_zeros_in_labels_have_finite_gradients(precision, pooling):
    with in_precision(precision):
        backbone = mac((32, 32, 4), 3, 2, pooling)
    with tf.GradientTape() as tape:
        loss = KLDivergence()(np.eye(3, dtype=np.float32), backbone(np.zeros((3, 32, 32, 4)), training=True))
    assert np.isfinite(loss)
    gradients = tape.gradient(loss, backbone.trainable_weights)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert any(np.abs(gradient).max() > 0 for gradient in gradients)


def train(folder, keep, validates=True):
    """Learn the sign of a number in up to four epochs; what validates says the opposite, and gets worse."""
    numbers = np.linspace(-1, 1, 8, dtype=np.float32).reshape(8, 1, 1, 1)
    signs = (numbers > 0).astype(np.int32).ravel()
    keras.utils.set_random_seed(0)
    backbone = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    classifier = Classifier(keras.layers.Reshape((1, 1, 1)), backbone, ["minus", "plus"], (1,), None)
    data = [tf.data.Dataset.from_tensor_slices((numbers, labels)).batch(8) for labels in (signs, 1 - signs)]
    batches = Batches(data[0], data[1] if validates else None, Epochs(0))
    folder.mkdir()
    fit(backbone, classifier, batches, Training([Phase(4, 0.1)], patience=1, keep=keep), Progress(folder), 0)
    kept = {
        name: keras.saving.load_model(folder / f"{name}.keras").get_weights() for name in ("best", "last")
    }
    is_last = all(map(np.array_equal, kept["best"], kept["last"]))
    return pd.read_csv(folder / "history.csv"), is_last


def test_patience_ends_a_training_whichever_epoch_counts(tmp_path):
    for keep in ("best", "last"):
        history, is_last = train(tmp_path / keep, keep)
        assert len(history) == 2 and history["val_loss"].is_monotonic_increasing
        assert is_last == (keep == "last")


def test_without_validation_all_epochs_train_and_the_last_one_counts(tmp_path):
    history, is_last = train(tmp_path / "last", "last", validates=False)
    assert len(history) == 4 and "val_loss" not in history
    assert is_last
    with pytest.raises(ValueError, match='`keep` must be "last"'):
        train(tmp_path / "best", "best", validates=False)


class Signs(keras.utils.PyDataset):
    """Batches whose third epoch does not begin, where it is said so."""

    def __init__(self, is_interrupted):
        super().__init__()
        self.epoch, self.is_interrupted = -1, is_interrupted

    def __len__(self):
        return 4

    def on_epoch_begin(self):
        self.epoch += 1
        if self.is_interrupted and self.epoch == 2:
            raise KeyboardInterrupt

    def __getitem__(self, place):
        x = np.random.default_rng(place).choice([-1.0, 1.0], (8, 3)).astype(np.float32)
        return x, (x[:, 0] > 0).astype(np.int32)


def decayed(folder, backbone, is_interrupted):
    """Train with a decay that leaves biases and batch norms as they are; return the weights."""
    classifier = Classifier(keras.layers.Identity(), backbone, ["minus", "plus"], (3,), None)
    recipe = Training(
        [Phase(4, 0.1, warm_up=0.5)],
        optimizer=lambda rate: Regularised(weight_decay=0.9)._optimizer(rate, 1.0),
        keep="last",
    )
    fit(
        backbone,
        classifier,
        Batches(Signs(is_interrupted), None, Epochs(0)),
        recipe,
        Progress.load(folder),
        0,
    )
    return backbone.get_weights()


def test_a_training_that_goes_on_decays_what_it_did_before(tmp_path):
    def network():
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
        return keras.Sequential([keras.Input((3,)), *layers])

    with pytest.raises(KeyboardInterrupt):
        decayed(tmp_path / "a", network(), is_interrupted=True)
    resumed = decayed(tmp_path / "a", Progress.load(tmp_path / "a").backbone(), is_interrupted=False)
    for received, expected in zip(resumed, decayed(tmp_path / "b", network(), False), strict=True):
        np.testing.assert_array_equal(received, expected)


def test_a_rise_leaves_a_step_to_fall():
    for epochs, steps in ((1, 4), (2, 10), (1, 1)):
        rates = Phase(epochs, 0.5, learning_rate_end=0.1, warm_up=0.99).rates(steps)
        assert float(rates(epochs * steps)) == pytest.approx(0.05)


def test_twins_of_heads_of_events_and_of_wrappers_are_in_float32():
    with in_precision("mixed_bfloat16"):
        head = event_head(conv2d((40, 20, 1), 2))
        wrapped = keras.Sequential(
            [keras.Input((4, 3)), keras.layers.Bidirectional(keras.layers.LSTM(2)), keras.layers.Dense(2)]
        )
    np.testing.assert_allclose(
        in_float32(head)(np.ones((1, 40, 20, 1))), head(np.ones((1, 40, 20, 1))), atol=0.05
    )
    inner = in_float32(wrapped).layers[0]._flatten_layers()
    assert {layer.compute_dtype for layer in inner} == {"float32"}


def test_a_training_whose_last_epoch_counts_and_is_not_finite_is_not_finished(tmp_path):
    numbers = np.ones((8, 1), np.float32)
    data = tf.data.Dataset.from_tensor_slices((numbers, np.zeros(8, np.int32))).batch(8)
    backbone = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    classifier = Classifier(keras.layers.Identity(), backbone, ["minus", "plus"], (1,), None)

    class Growing(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return tf.where(steps.assign_add(1.0) > 2, np.nan, 1.0) + 0 * tf.reduce_sum(y_pred, 1)

    steps = tf.Variable(0.0)
    recipe = Training([Phase(4, 0.1)], loss=Growing(), keep="last")
    with pytest.raises(UserError, match="not finite in the last epoch, which counts"):
        fit(backbone, classifier, Batches(data, None, Epochs(0)), recipe, Progress(tmp_path), 0)
    assert not Progress.load(tmp_path).finished
