"""TC-ResNet: the published numbers of weights, and the layers on NumPy."""

import keras
import numpy as np
import pytest
from time_convolutions import convolve, normalise, rectify, weights_of, with_statistics

from tfspec import UserError
from tfspec.models import tc_resnet


@pytest.mark.parametrize(
    ("depth", "width", "weights", "published"),
    [(8, 1, 65_824, 66), (8, 1.5, 145_248, 145), (14, 1, 136_928, 137), (14, 1.5, 304_608, 305)],
)
def test_number_of_weights_is_the_published_one(depth, width, weights, published):
    """In thousands, with the moving statistics: table 2 of the paper."""
    model = tc_resnet((98, 40, 1), 12, depth, width)
    assert model.count_params() == weights
    assert round(weights / 1000) == published


def test_the_layers_give_what_numpy_gives(rng):
    """The shortcut of a block with other filters is rectified by itself, as in the authors' repository."""
    keras.utils.set_random_seed(0)
    model = with_statistics(tc_resnet((90, 10, 1), 3, width=0.25, kernel=5, padding="valid"))
    features = rng.standard_normal((2, 90, 10, 1)).astype(np.float32)
    kernels = (kernel for (kernel,) in weights_of(model, keras.layers.Conv2D))
    statistics = weights_of(model, keras.layers.BatchNormalization)

    def convolved(x, stride=1):
        return normalise(convolve(x, next(kernels), stride), next(statistics))

    x = rectify(convolved(features[1, :, :, 0].astype(np.float64)))
    for _ in range(3):
        past = rectify(convolved(x[6:-6], stride=2))  # in the middle of 5 + 2 · 4 frames
        x = rectify(past + convolved(rectify(convolved(x, stride=2))))
    (last,) = weights_of(model, keras.layers.Dense)
    np.testing.assert_allclose(model(features)[1], x.mean(0) @ last[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("padding", "frames"), [("same", 13), ("causal", 13), ("valid", 2)])
def test_frames_that_are_left(padding, frames):
    """Three blocks halve, rounded up where there is padding."""
    model = tc_resnet((98, 40, 1), 12, kernel=5, padding=padding)
    mean = next(layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D))
    assert mean.input.shape == (None, frames, 1, 48)


def test_blocks_of_the_same_filters_pass_their_input_on():
    strides = [
        layer.strides[0]
        for layer in tc_resnet((98, 40, 1), 12, depth=14).layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert len(strides) == 13 + 3
    assert strides.count(2) == 6


def test_sizes_that_there_are_not():
    with pytest.raises(UserError, match=r"takes at least 171 frames. Received: 170. Give it more"):
        tc_resnet((170, 40, 1), 12, padding="valid")
    with pytest.raises(ValueError, match=r"`depth` must be one of \(8, 14\). Received: depth=10"):
        tc_resnet((98, 40, 1), 12, depth=10)
