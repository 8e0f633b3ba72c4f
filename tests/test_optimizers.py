"""SGD as PyTorch means it."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tfspec.training.optimizers import CoupledSGD

GOLDEN = np.load(Path(__file__).parent / "golden" / "sgd.npz")


def schedule():
    return keras.optimizers.schedules.CosineDecay(0.2, len(GOLDEN["rates"]), alpha=1 / 40)


def path(optimizer):
    weights = keras.Variable(GOLDEN["weights"][0], dtype="float64")
    steps = [weights.numpy().copy()]
    for gradient in GOLDEN["gradients"]:
        optimizer.apply([keras.ops.array(gradient)], [weights])
        steps.append(weights.numpy().copy())
    return np.array(steps)


def test_every_step_is_that_of_pytorch():
    received = path(CoupledSGD(schedule(), momentum=0.9, decay=0.05))
    np.testing.assert_allclose(received, GOLDEN["weights"], atol=1e-6)
    for other in (
        keras.optimizers.SGD(schedule(), momentum=0.9, weight_decay=0.05),
        CoupledSGD(schedule(), momentum=0.9),
        CoupledSGD(schedule(), momentum=0.0, decay=0.05),
    ):
        assert np.abs(path(other) - GOLDEN["weights"]).max() > 1e-3


def test_the_cosine_is_that_of_pytorch_step_by_step():
    rates = [float(schedule()(step)) for step in range(len(GOLDEN["rates"]))]
    np.testing.assert_allclose(rates, GOLDEN["rates"], rtol=1e-5)
    assert float(schedule()(len(rates))) == pytest.approx(0.2 / 40)


def test_without_momentum_it_is_plain_descent_with_the_penalty():
    weight = keras.Variable([2.0])
    CoupledSGD(0.5, momentum=0.0, decay=0.1).apply([keras.ops.array([1.0])], [weight])
    assert float(weight[0]) == pytest.approx(2 - 0.5 * (1 + 0.1 * 2))


def test_biases_and_scales_decay_too():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    for weight in model.trainable_weights:
        weight.assign(keras.ops.ones_like(weight))
    zeros = [keras.ops.zeros_like(weight) for weight in model.trainable_weights]
    CoupledSGD(1.0, momentum=0.9, decay=0.25).apply(zeros, model.trainable_weights)
    assert len(zeros) == 4
    for weight in model.trainable_weights:
        np.testing.assert_array_equal(weight, np.full(weight.shape, 0.75))


def test_it_survives_its_config_and_a_model_its_file(tmp_path):
    optimizer = CoupledSGD(schedule(), momentum=0.8, decay=0.1, clipnorm=1.0)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert (again.momentum, again.decay, again.clipnorm) == (0.8, 0.1, 1.0)
    x, y = np.ones((8, 3), np.float32), np.ones((8, 2), np.float32)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(CoupledSGD(schedule(), decay=0.1), "mse")
    model.fit(x, y, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for each in (model, loaded):
        each.fit(x, y, batch_size=4, verbose=0)
    for received, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize("options", [{"momentum": 1.5}, {"momentum": -0.1}, {"decay": -1.0}])
def test_what_cannot_be_is_refused(options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}`"):
        CoupledSGD(**options)
