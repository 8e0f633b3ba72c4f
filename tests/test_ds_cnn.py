"""DS-CNN: MLPerf Tiny's network."""

import keras
import pytest

from tfspec.models import ds_cnn


def test_number_of_weights_is_the_one_of_mlperf_tiny():
    """What Keras's summary of its keyword-spotting reference says, of which 23,756 train."""
    model = ds_cnn((49, 10, 1), 12)
    assert model.count_params() == 24_908
    assert sum(each.shape.num_elements() for each in model.trainable_weights) == 23_756


def test_pictures_are_halved_once():
    model = ds_cnn((49, 10, 1), 12)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.output.shape[1:] for layer in convolutions] == [(25, 5, 64)] * 5
    assert [layer.kernel_size for layer in convolutions] == [(10, 4), *[(1, 1)] * 4]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.2, 0.4]


@pytest.mark.parametrize("sizes", [{"filters": 0}, {"blocks": 0}, {"dropout": 0.5}])
def test_sizes_that_there_are_not(sizes):
    with pytest.raises(ValueError, match=f"`{next(iter(sizes))}` must be"):
        ds_cnn((49, 10, 1), 12, **sizes)
