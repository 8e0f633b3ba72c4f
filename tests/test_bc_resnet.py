"""BC-ResNet is the published network, and its normalisation goes by bands."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfspec import UserError
from tfspec.models import bc_resnet
from tfspec.models.sub_spectral_normalization import SubSpectralNormalization

GOLDEN = np.load(Path(__file__).parent / "golden" / "bc_resnet.npz")
EVERY = 11


def numbers(shape, offset: int) -> np.ndarray:
    """Return the same numbers as in golden/make_bc_resnet.py."""
    places = np.arange(offset, offset + np.prod(shape), dtype=np.int64)
    return (places * places % 100003 / 50001 - 1).reshape(shape)


def kernel(layer, offset: int) -> np.ndarray:
    """Return numbers for PyTorch's (out, in, bins, frames) as Keras's (frames, bins, in, out)."""
    frames, bins, before, filters = layer.kernel.shape
    is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    shape = (before, 1, bins, frames) if is_depthwise else (filters, before, bins, frames)
    values = numbers(shape, offset) * (3 / np.prod(shape[1:])) ** 0.5
    return values.transpose(3, 2, 0, 1) if is_depthwise else values.transpose(3, 2, 1, 0)


def norm_weights(filters: int, offset: int) -> list[np.ndarray]:
    gamma, beta, mean, variance = (numbers(filters, offset + k) for k in (100, 200, 300, 400))
    return [1 + 0.5 * gamma, 0.3 * beta, 0.3 * mean, 1 + 0.5 * variance]


@pytest.fixture(scope="module")
def published():
    """Build the network with the weights of golden/make_bc_resnet.py."""
    model = bc_resnet((30, 40, 1), 12, dropout=0.0)
    for place, layer in enumerate(layer for layer in model.layers if layer.weights):
        offset = 1000 * place
        if isinstance(
            layer, SubSpectralNormalization
        ):  # PyTorch counts the bands of a channel, then the next
            size = layer.weights[0].shape[0]
            layer.set_weights([v.reshape(-1, 5).T.ravel() for v in norm_weights(size, offset)])
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights(norm_weights(layer.gamma.shape[0], offset))
        elif isinstance(layer, keras.layers.Dense):
            weights = numbers((12, 32), offset).T * (3 / 32) ** 0.5
            layer.set_weights([weights, numbers(12, offset + 500)])
        else:
            layer.set_weights([kernel(layer, offset)])
    return model


@pytest.fixture
def features():
    return numbers((2, 30, 40, 1), 7).astype(np.float32)


@pytest.mark.parametrize(("tau", "weights"), [(1, 9_232), (8, 321_068)])
def test_number_of_weights_is_the_published_one(tau, weights):
    """The paper's table: 9.2k and 321k, without moving statistics."""
    model = bc_resnet((98, 40, 1), 12, tau)
    assert sum(each.shape.num_elements() for each in model.trainable_weights) == weights


def test_every_block_gives_what_pytorch_gives(published, features):
    added = [layer.output for layer in published.layers if isinstance(layer, keras.layers.Add)]
    blocks = [next(layer.output for layer in published.layers if layer.input is total) for total in added]
    assert [block.shape[2:] for block in blocks[::2]] == [(20, 8), (10, 12), *[(5, 16)] * 2, *[(5, 20)] * 2]
    outputs = keras.Model(published.input, blocks)(features)
    received = np.concatenate([np.ravel(output)[::EVERY] for output in outputs])
    np.testing.assert_allclose(received, GOLDEN["blocks"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(published(features), GOLDEN["logits"], rtol=1e-4, atol=1e-5)


def test_training_normalises_and_remembers_as_pytorch_does(published, features):
    norm = next(layer for layer in published.layers if isinstance(layer, SubSpectralNormalization)).norm
    before = norm.moving_variance.numpy().reshape(5, 8)
    np.testing.assert_allclose(
        published(features, training=True), GOLDEN["training_logits"], rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(norm.moving_mean.numpy().reshape(5, 8), GOLDEN["running_mean"], atol=1e-5)
    # PyTorch remembers the unbiased variance of 2 · 30 · 4 values
    learnt = norm.moving_variance.numpy().reshape(5, 8) - 0.9 * before
    np.testing.assert_allclose(learnt * 240 / 239, GOLDEN["running_var"] - 0.9 * before, atol=1e-5)


def test_an_example_is_normalised_without_its_neighbours(rng):
    layer = SubSpectralNormalization(bands=3)
    values = rng.normal(2, 3, (4, 5, 6, 2)).astype(np.float32)
    layer(values, training=True)
    np.testing.assert_allclose(layer(values)[1:2], layer(values[1:2]), rtol=1e-6)
    assert abs(layer(values) - layer(values, training=True)).numpy().max() > 0.1


def test_a_frozen_norm_keeps_its_statistics(rng):
    layer = SubSpectralNormalization(bands=3)
    values = rng.normal(2, 3, (4, 5, 6, 2)).astype(np.float32)
    expected = layer(values)
    layer.trainable = False
    np.testing.assert_array_equal(layer(values, training=True), expected)


def test_the_layer_survives_its_file(tmp_path, features):
    model = keras.Sequential([keras.Input((None, 40, 1)), SubSpectralNormalization(8, 0.5, 1e-2)])
    model(features, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.layers[0].get_config() == model.layers[0].get_config()
    np.testing.assert_allclose(loaded(features), model(features), rtol=1e-6)


def test_logits_are_float32_under_mixed_precision(features):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = bc_resnet((30, 40, 1), 3, tau=0.25)
        assert model(features, training=True).dtype == tf.float32
        norm = next(layer for layer in model.layers if isinstance(layer, SubSpectralNormalization))
        assert norm.norm.gamma.dtype == "float32"
        assert norm.output.dtype == "float16"
    finally:
        keras.config.set_dtype_policy(before)


def test_bins_that_cannot_be_divided():
    with pytest.raises(UserError, match=r"multiple of its 5 bands. Received: 64 bins, then \[32, 16, 8\]"):
        bc_resnet((30, 64, 1), 3)
    assert bc_resnet((30, 64, 1), 3, tau=0.25, bands=4).output_shape == (None, 3)
    with pytest.raises(ValueError, match=r"multiple of `bands`. Received: 7 bins, 5 bands"):
        SubSpectralNormalization()(np.zeros((1, 2, 7, 1)))
