"""DS-TC-ResNet: the published sizes, and what each padding does to frames."""

import keras
import numpy as np
import pytest

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
    return sum(np.size(weights) for weights in model.trainable_weights)


@pytest.fixture
def features(rng):
    return rng.standard_normal((2, 98, 10, 1)).astype(np.float32)


def before_the_mean(padding, frames=98):
    """Build the small network up to its mean over time, its batch norms with statistics of their own."""
    keras.utils.set_random_seed(0)
    model = ds_tc_resnet((frames, 10, 1), 3, SMALL, padding)
    draw = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([draw.uniform(0.5, 1.5, weight.shape) for weight in layer.weights])
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
    assert before_the_mean(padding)(features).shape == (2, frames, 1, 8)
    assert before_the_mean(padding, None)(features).shape == (2, frames, 1, 8)


def test_valid_gives_what_same_gives_away_from_the_ends(features):
    """Strides of one keep the frames of both in step."""
    blocks = (SeparableBlock(6, 5), SeparableBlock(6, 3, repeats=2, dilation=2, residual=True))
    same = ds_tc_resnet((98, 10, 1), 3, blocks)
    valid = ds_tc_resnet((98, 10, 1), 3, blocks, "valid")
    valid.set_weights(same.get_weights())
    received, all_frames = (
        keras.Model(model.input, model.layers[-3].output)(features).numpy() for model in (valid, same)
    )
    assert received.shape[1] == 98 - 4 - 8
    np.testing.assert_allclose(received, all_frames[:, 6:-6], atol=1e-5)


def test_a_valid_output_sees_its_frames_and_no_other(features):
    model = before_the_mean("valid")
    expected = model(features).numpy()
    for frame in (0, 5, 6, 53, 94, 95, 97):  # the last three frames are one too few for another output
        changed = features.copy()
        changed[:, frame] += 5
        differs = np.flatnonzero(np.abs(model(changed) - expected).max(axis=(0, 2, 3)) > 1e-4)
        sees = {output for output in range(8) if 0 <= frame - 6 * output < LOOKS_AT}
        assert set(differs) <= sees
        assert bool(sees) == bool(len(differs))


def test_a_causal_output_sees_no_later_frame(features):
    model = before_the_mean("causal")
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
