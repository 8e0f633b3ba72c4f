"""DS-TC-ResNet: the published sizes, and what each padding does to frames."""

import keras
import numpy as np
import pytest
from time_convolutions import convolve, convolve_each, normalise, rectify, weights_of, with_statistics

from tfspec import UserError
from tfspec.models import SeparableBlock, ds_tc_resnet

SMALL = (
    SeparableBlock(6, 5, stride=2),
    SeparableBlock(8, 3, repeats=2, dilation=2, residual=True),
    SeparableBlock(8, 5, stride=3, repeats=2, residual=True),
)
# An output looks at 5 frames, then at 2 · 4 more that are 2 apart, then at 4 more 2 apart and 4 more 6 apart
LOOKS_AT = 5 + 2 * (2 * 4 + 4) + 6 * 4


def trained(model):
    return sum(weights.shape.num_elements() for weights in model.trainable_weights)


@pytest.fixture
def features(rng):
    return rng.standard_normal((2, 98, 10, 1)).astype(np.float32)


def small(padding, frames=98):
    keras.utils.set_random_seed(0)
    return with_statistics(ds_tc_resnet((frames, 10, 1), 3, SMALL, padding))


def before_the_mean(model):
    return keras.Model(model.input, model.layers[-3].output)


def test_the_published_number_of_weights():
    """kws_streaming's experiments say "75K" for 40 bins and 35 classes, and no more digits."""
    depthwise = 11 * 40 + 13 * 128 + 15 * 64 + 17 * 64 + 29 * 64 + 1 * 128
    pointwise = 40 * 128 + 128 * 64 + 64 * 64 + 64 * 64 + 64 * 128 + 128 * 128
    shortcuts = 128 * 64 + 64 * 64 + 64 * 64
    normalised = 128 + 2 * 64 + 2 * 64 + 2 * 64 + 128 + 128
    model = ds_tc_resnet((98, 40, 1), 35)
    assert trained(model) == depthwise + pointwise + shortcuts + 2 * normalised + 129 * 35 == 74_651
    assert model.count_params() == 74_651 + 2 * normalised


@pytest.mark.parametrize(
    ("padding", "frames"),
    [("same", -(-98 // 6)), ("causal", -(-98 // 6)), ("valid", (98 - LOOKS_AT) // 6 + 1)],
)
def test_frames_that_are_left(padding, frames, features):
    for length in (98, None):
        assert before_the_mean(small(padding, length))(features).shape == (2, frames, 1, 8)


def test_valid_gives_what_same_gives_away_from_the_ends(features):
    """Strides of one keep the frames of both in step."""
    blocks = (SeparableBlock(6, 5), SeparableBlock(6, 3, repeats=2, dilation=2, residual=True))
    same = ds_tc_resnet((98, 10, 1), 3, blocks)
    valid = ds_tc_resnet((98, 10, 1), 3, blocks, "valid")
    valid.set_weights(same.get_weights())
    received, all_frames = (before_the_mean(model)(features).numpy() for model in (valid, same))
    assert received.shape[1] == 98 - 4 - 8
    np.testing.assert_allclose(received, all_frames[:, 6:-6], atol=1e-5)


def test_the_layers_give_what_numpy_gives(features):
    """Each convolution is normalised, the shortcut's too; what comes before a sum is not rectified."""
    model = small("valid")
    each = (kernel for (kernel,) in weights_of(model, keras.layers.DepthwiseConv2D))
    mix = (kernel for (kernel,) in weights_of(model, keras.layers.Conv2D))
    statistics = weights_of(model, keras.layers.BatchNormalization)

    def separable(x, stride=1, dilation=1):
        return normalise(
            convolve(convolve_each(x, next(each), stride, dilation), next(mix)), next(statistics)
        )

    def shortcut(x):
        return normalise(convolve(x, next(mix)), next(statistics))

    x = rectify(separable(features[0, :, :, 0].astype(np.float64), stride=2))
    y = separable(rectify(separable(x, dilation=2)), dilation=2)
    x = rectify(y + shortcut(x[4:-4]))
    y = separable(rectify(separable(x, stride=3)))
    x = rectify(y + shortcut(x[8:-8:3]))
    (last,) = weights_of(model, keras.layers.Dense)
    np.testing.assert_allclose(model(features)[0], x.mean(0) @ last[0] + last[1], rtol=1e-4, atol=1e-5)


def test_a_causal_output_sees_no_later_frame(features):
    model = before_the_mean(small("causal"))
    expected = model(features).numpy()
    changed = features.copy()
    changed[:, 61:] += 5  # output 10 stands at frame 60
    differs = np.abs(model(changed) - expected).max(axis=(0, 2, 3)) > 1e-4
    assert not differs[:11].any()
    assert differs[11:].all()


def test_too_few_frames_for_valid():
    assert ds_tc_resnet((LOOKS_AT, 10, 1), 3, SMALL, "valid").output_shape == (None, 3)
    with pytest.raises(UserError, match=f"at least {LOOKS_AT} frames. Received: {LOOKS_AT - 1}"):
        ds_tc_resnet((LOOKS_AT - 1, 10, 1), 3, SMALL, "valid")


def test_sizes_and_paddings_that_there_are_not():
    with pytest.raises(ValueError, match=r"`padding` must be one of .* Received: padding='full'"):
        ds_tc_resnet((98, 10, 1), 3, SMALL, "full")
    with pytest.raises(ValueError, match=r"`kernel` must be a positive integer. Received: kernel=0"):
        ds_tc_resnet((98, 10, 1), 3, [SeparableBlock(8, 0)])
