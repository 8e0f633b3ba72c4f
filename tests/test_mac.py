"""MAC is the published overlapped-speech network."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from families import others_slow

from tfspec import UserError
from tfspec.models import mac

GOLDEN = np.load(Path(__file__).parent / "golden" / "mac.npz")
WIDTH, CHANNELS, CLASSES = 3, 4, 7
EVERY = 41
LAYERS = (keras.layers.Conv2D, keras.layers.BatchNormalization, keras.layers.Dense)


def numbers(shape, offset: int) -> np.ndarray:
    """Return the same numbers as in golden/make_mac.py."""
    places = np.arange(offset, offset + np.prod(shape), dtype=np.int64)
    return (places * places % 100003 / 50001 - 1).reshape(shape)


def of_type(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def from_torch(value: np.ndarray) -> np.ndarray:
    """Bring a weight from PyTorch's layout to Keras's."""
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T


def golden_weights(model):
    """Set the weights of golden/make_mac.py: both hold them in the same order."""
    place = 0
    for layer in of_type(model, LAYERS):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        values = []
        for number, weight in enumerate(layer.get_weights()):
            to_torch = (3, 2, 0, 1) if weight.ndim == 4 else range(weight.ndim)[::-1]
            drawn = numbers(weight.transpose(to_torch).shape, 1000 * place)
            if weight.ndim > 1:
                drawn *= (3 / drawn[0].size) ** 0.5
            elif is_norm and number in (0, 3):  # scale and variance
                drawn = 1 + 0.5 * drawn
            else:
                drawn *= 0.3
            values.append(from_torch(drawn))
            place += 1
        layer.set_weights(values)
    return model


@pytest.fixture(params=["average", "max"])
def pooling(request):
    return request.param


@pytest.fixture
def published(pooling):
    return golden_weights(mac((160, 160, CHANNELS), CLASSES, WIDTH, pooling))


@pytest.fixture
def features():
    return numbers((4, 160, 160, CHANNELS), 7).astype(np.float32)


def test_number_of_weights_is_the_published_one(pooling):
    model = mac((160, 160, 4), 30, pooling=pooling)
    assert sum(np.size(weights) for weights in model.trainable_weights) == 1_539_918
    moving = [norm.get_weights()[2:] for norm in of_type(model, keras.layers.BatchNormalization)]
    assert sum(np.size(part) for parts in moving for part in parts) == 4_512
    assert model.output_shape == (None, 30)


def test_every_group_gives_what_pytorch_gives(published, features, pooling):
    convolutions = of_type(published, keras.layers.Conv2D)
    outputs = [convolutions[0], *convolutions[4:21:4], convolutions[21]]
    assert (
        [layer.output.shape[1] for layer in outputs[:-1]]
        == GOLDEN["sizes"].tolist()
        == [80, 80, 40, 20, 10, 5]
    )
    maps = keras.Model(published.input, [layer.output for layer in outputs])(features)
    received = np.concatenate([np.ravel(part)[::EVERY] for part in maps])
    np.testing.assert_allclose(received, GOLDEN[f"{pooling}_maps"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(published(features), GOLDEN[f"{pooling}_logits"], rtol=1e-4, atol=1e-4)


@pytest.fixture
def float64():
    """In float32 a maximum of nearly equal values may be another one, and has another gradient."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


def test_training_normalises_learns_and_remembers_as_pytorch_does(float64, published, pooling):
    features = numbers((4, 160, 160, CHANNELS), 7)
    of_type(published, keras.layers.Dropout)[0].rate = 0
    norms = of_type(published, keras.layers.BatchNormalization)
    before = norms[-1].get_weights()[3]
    with tf.GradientTape() as tape:
        logits = published(features, training=True)
        loss = tf.reduce_mean(logits**2)
    np.testing.assert_allclose(logits, GOLDEN[f"{pooling}_training_logits"], rtol=1e-4, atol=1e-5)
    gradients = tape.gradient(loss, published.trainable_weights)
    norm = np.linalg.norm([np.linalg.norm(gradient) for gradient in gradients])
    assert norm == pytest.approx(GOLDEN["gradients"][int(pooling == "max")], rel=1e-4)
    *_, mean, variance = norms[0].get_weights()
    np.testing.assert_allclose(mean, GOLDEN[f"{pooling}_running_mean"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variance, GOLDEN[f"{pooling}_running_var"], rtol=1e-4)
    # of few values the unbiased variance, which PyTorch remembers, is another one
    change = norms[-1].get_weights()[3] - 0.9 * before
    expected = GOLDEN[f"{pooling}_last_running_var"] - 0.9 * before
    np.testing.assert_allclose(change * 4 / 3, expected, rtol=1e-3, atol=1e-4)


def test_weights_start_as_in_pytorch():
    """Uniform in ±1/√n, whose standard deviation is 1/√(3n), for kernels and biases of n inputs."""
    keras.utils.set_random_seed(0)
    for layer in of_type(mac((64, 64, 4), 30), (keras.layers.Conv2D, keras.layers.Dense)):
        kernel, bias = layer.get_weights()
        limit = (kernel[..., 0].size) ** -0.5
        for values, tolerance in ((kernel, 0.06), (bias, 0.5)):
            assert np.abs(values).max() <= limit
            assert values.std() == pytest.approx(limit / 3**0.5, rel=tolerance)


@pytest.mark.parametrize(("frames", "bins"), others_slow([(31, 31), (40, 97), (None, 64)], (None, 64)))
def test_other_sizes(frames, bins, pooling):
    model = mac((frames, bins, 1), 3, 2, pooling)
    assert model(np.ones((2, frames or 50, bins, 1))).shape == (2, 3)


def test_what_it_cannot_take_is_refused():
    with pytest.raises(UserError, match=r"at least 31 frames and 31 bins.*30 frames and 160 bins"):
        mac((30, 160, 4), 3)
    with pytest.raises(ValueError, match="`pooling`"):
        mac((160, 160, 4), 3, pooling="none")
    with pytest.raises(ValueError, match="`width`"):
        mac((160, 160, 4), 3, width=0)


def test_logits_are_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert mac((32, 32, 1), 3, 2)(np.zeros((1, 32, 32, 1))).dtype == tf.float32
    finally:
        keras.config.set_dtype_policy(before)
