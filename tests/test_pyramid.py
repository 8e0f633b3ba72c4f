"""The pyramid is the published Capture-24 network, and takes pictures of any size."""

from pathlib import Path

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from tfspec.models import pyramid

GOLDEN = np.load(Path(__file__).parent / "golden" / "pyramid.npz")
EVERY = 13


def numbers(shape, offset: int) -> np.ndarray:
    """Return the same numbers as in golden/make_pyramid.py."""
    places = np.arange(offset, offset + np.prod(shape), dtype=np.int64)
    return (places * places % 100003 / 50001 - 1).reshape(shape)


def of_type(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.fixture
def published():
    """Build the network with the weights of golden/make_pyramid.py."""
    model = pyramid((61, 61, 3), 5)
    convolutions = of_type(model, keras.layers.Conv2D)
    norms = of_type(model, keras.layers.BatchNormalization)
    for i, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
        height, width, before, filters = convolution.kernel.shape
        scale = (6 / (height * width * before)) ** 0.5
        kernel = scale * numbers((filters, before, height, width), 1000 * i)
        convolution.set_weights([kernel.transpose(2, 3, 1, 0)])
        gamma, beta, mean, variance = (numbers(filters, 1000 * i + k) for k in (100, 200, 300, 400))
        norm.set_weights([1 + 0.5 * gamma, 0.3 * beta, 0.3 * mean, 1 + 0.5 * variance])
    model.get_layer("logits").set_weights([numbers((5, 512), 5000).T / 10, numbers(5, 5100)])
    return model


@pytest.fixture
def features():
    return numbers((2, 61, 61, 3), 7).astype(np.float32)


def test_number_of_weights_is_the_published_one():
    model = pyramid((61, 61, 3), 5)
    assert sum(np.size(weights) for weights in model.trainable_weights) == 2_776_357
    moving = sum(2 * filters for filters in (32, 64, 128, 256, 512))
    assert model.count_params() == 2_776_357 + moving


@pytest.mark.parametrize("first", [1, 8, 32])
def test_filters_double_from_the_first_ones(first):
    model = pyramid((61, 61, 3), 5, num_filters_init=first)
    assert [layer.filters for layer in of_type(model, keras.layers.Conv2D)] == [
        first,
        2 * first,
        4 * first,
        8 * first,
        16 * first,
    ]
    kernels = 9 * 3 * first + 9 * 2 * first**2 + 16 * (8 + 32 + 128) * first**2
    assert (
        sum(np.size(weights) for weights in model.trainable_weights) == kernels + 62 * first + 80 * first + 5
    )


def test_weights_start_as_in_pytorch():
    """Uniform in ±1/√n, whose standard deviation is 1/√(3n), for kernels and biases of n inputs."""
    keras.utils.set_random_seed(0)
    model = pyramid((61, 61, 3), 200)
    for layer in [*of_type(model, keras.layers.Conv2D), model.get_layer("logits")]:
        limit = layer.get_weights()[0][..., 0].size ** -0.5
        for values in layer.get_weights():
            assert np.abs(values).max() <= limit
            assert values.std() == pytest.approx(limit / 3**0.5, rel=0.1)


def test_every_layer_gives_what_pytorch_gives(published, features):
    blocks = of_type(published, keras.layers.ReLU)
    assert [block.output.shape[1:] for block in blocks] == [tuple(shape) for shape in GOLDEN["shapes"]]
    assert [shape[0] for shape in GOLDEN["shapes"]] == [31, 16, 8, 4, 1]
    outputs = keras.Model(published.input, [block.output for block in blocks])(features)
    for i, output in enumerate(outputs):
        expected = GOLDEN[f"block_{i}"]
        assert (expected > 0).mean() > 0.1
        np.testing.assert_allclose(np.ravel(output)[::EVERY], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(published(features), GOLDEN["logits"], rtol=1e-4, atol=1e-5)


def test_training_normalises_and_remembers_as_pytorch_does(published, features):
    np.testing.assert_allclose(
        published(features, training=True), GOLDEN["training_logits"], rtol=1e-3, atol=1e-3
    )
    *_, mean, variance = of_type(published, keras.layers.BatchNormalization)[0].get_weights()
    np.testing.assert_allclose(mean, GOLDEN["running_mean_0"], rtol=1e-4, atol=1e-5)
    # PyTorch remembers the unbiased variance of 1922 values
    np.testing.assert_allclose(variance, GOLDEN["running_var_0"], rtol=1e-4)


@pytest.mark.slow
@hypothesis.settings(max_examples=12, deadline=None)
@hypothesis.given(frames=st.integers(1, 90), bins=st.integers(1, 90), channels=st.integers(1, 4))
def test_any_size(frames, bins, channels):
    model = pyramid((frames, bins, channels), 3)
    assert model.output_shape == (None, 3)
    tops = of_type(model, keras.layers.Conv2D)[-1].kernel.shape[:2]
    for top, size in zip(tops, (frames, bins), strict=True):
        assert top == size if size <= 4 else top in (3, 4)
    expected = 32 * 9 * channels + 18_432 + 131_072 + 524_288 + tops[0] * tops[1] * 256 * 512
    assert sum(np.size(weights) for weights in model.trainable_weights) == expected + 2 * 992 + 513 * 3


@pytest.mark.parametrize("size", [(1, 1), (58, 13), (61, 61), (134, 257)])
def test_every_part_of_the_picture_counts(size, rng):
    """The gradient of the logits reaches the four corners."""
    features = tf.constant(rng.standard_normal((8, *size, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = tf.reduce_sum(pyramid((*size, 3), 2)(features) ** 2)
    reached = abs(tape.gradient(loss, features)).numpy().sum(axis=(0, 3)) > 0
    assert reached[[0, 0, -1, -1], [0, -1, 0, -1]].all()


def test_weights_do_not_grow_with_the_picture():
    assert pyramid((500, 257, 3), 5).count_params() == pyramid((61, 61, 3), 5).count_params()


def test_logits_are_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert pyramid((61, 61, 3), 5)(np.zeros((1, 61, 61, 3))).dtype == tf.float32
    finally:
        keras.config.set_dtype_policy(before)
