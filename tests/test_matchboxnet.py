"""MatchboxNet: the published sizes."""

import keras
import pytest

from tfspec import UserError
from tfspec.models import matchboxnet


@pytest.mark.parametrize(
    ("blocks", "repeats", "weights"),
    [(3, 1, 77_214), (3, 2, 92_766), pytest.param(6, 2, 138_846, marks=pytest.mark.slow)],
)
def test_number_of_weights_is_the_published_one(blocks, repeats, weights):
    """The paper's tables for 64 bins and 30 classes: 77K, 93K, and 140K for 6×2×64."""
    model = matchboxnet((128, 64, 1), 30, blocks, repeats)
    assert sum(each.shape.num_elements() for each in model.trainable_weights) == weights


def test_kernels_and_dilations_are_the_published_ones():
    model = matchboxnet((128, 64, 1), 30)
    depthwise = [layer for layer in model.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    assert [layer.kernel_size for layer in depthwise] == [(k, 1) for k in (11, 13, 15, 17, 29)]
    assert [layer.dilation_rate[0] for layer in depthwise] == [1, 1, 1, 1, 2]
    assert [layer.output.shape[1:] for layer in depthwise][-1] == (128, 1, 64)


def test_valid_takes_109_frames():
    """10 + 12 + 14 + 16 + 2 · 28, and one."""
    assert matchboxnet((109, 40, 1), 3, padding="valid").output_shape == (None, 3)
    with pytest.raises(UserError, match=r"matchboxnet .* at least 109 frames. Received: 108"):
        matchboxnet((108, 40, 1), 3, padding="valid")
