"""The small residual network for sounds."""

import keras
import numpy as np
import pytest

from tfspec.models import residual


@pytest.mark.parametrize(("width", "channels", "classes"), [(16, 1, 10), (8, 2, 3)])
def test_number_of_weights(width, channels, classes):
    """Kernels, then four numbers a filter in each batch norm, then one mean and one maximum a class."""
    model = residual((None, 64, channels), classes, width)
    kernels = 25 * channels * width
    norms = width
    for before, after in ((1, 2), (2, 3), (3, 4)):
        kernels += (before * after * (1 + 9) + 9 * after * after) * width**2
        norms += 3 * after * width
    assert model.count_params() == kernels + 4 * norms + classes * (2 * 4 * width + 1)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (131, 40), (250, 64)])
def test_each_of_four_steps_halves_pictures_of_any_size(size):
    model = residual((*size, 1), 3)
    last = [layer for layer in model.layers if isinstance(layer, keras.layers.ReLU)][-1]
    assert last.output.shape == (None, *(-(-side // 16) for side in size), 64)
    assert model(np.zeros((2, *size, 1), np.float32)).shape == (2, 3)


def test_frames_may_be_any_number(rng):
    model, fixed = residual((None, 20, 1), 3), residual((33, 20, 1), 3)
    fixed.set_weights(model.get_weights())
    features = rng.normal(0, 1, (2, 33, 20, 1)).astype(np.float32)
    np.testing.assert_allclose(model(features), fixed(features), atol=1e-5)


def test_every_value_counts(rng):
    """A stride of two over a 1 × 1 convolution would pass three quarters of the picture by."""
    model = residual((16, 16, 1), 3)
    features = rng.normal(0, 1, (1, 16, 16, 1)).astype(np.float32)
    for frame, bin_ in ((0, 0), (1, 0), (0, 1), (15, 15)):
        changed = features.copy()
        changed[0, frame, bin_] += 3
        assert abs(model(changed) - model(features)).numpy().max() > 1e-5


def test_one_event_far_away_moves_nothing_by_its_place(rng):
    """Shifted by what all strides together skip, a sound between silence is the same sound."""
    model = residual((192, 16, 1), 3)
    early, late = np.zeros((2, 1, 192, 16, 1), np.float32)
    early[:, 64:80] = late[:, 96:112] = rng.normal(0, 1, (16, 16, 1))
    np.testing.assert_allclose(model(early), model(late), atol=1e-5)
    assert abs(model(early) - model(np.zeros_like(early))).numpy().max() > 1e-3


def test_width_must_be_a_number_of_filters():
    with pytest.raises(ValueError, match=r"`width` must be .*Received: width=0"):
        residual((None, 40, 1), 3, width=0)
