"""FrequencyResponse: other microphones, other rooms."""

import numpy as np
import pytest
import scipy.fft
import scipy.stats
import tensorflow as tf

from tfspec.augment import FrequencyResponse


def test_curves_are_those_of_the_cosine_transform(rng):
    """On the bins' ends cos(π k f) is what scipy's type I transform is made of, whose ends count half."""
    x = rng.normal(0, 1, (3, 5, 17, 2)).astype(np.float32)
    layer = FrequencyResponse(1.5)
    params = layer.sample(3, [1, 2])
    coefficients = np.zeros((3, 17))
    coefficients[:, :4] = params["gains"]
    coefficients[:, 1:-1] /= 2
    expected = scipy.fft.dct(coefficients, type=1)
    added = layer.apply(tf.constant(x), params) - x
    np.testing.assert_allclose(added, np.broadcast_to(expected[:, None, :, None], x.shape), atol=1e-5)


def test_gains_are_uniform_up_to_the_greatest():
    gains = np.asarray(FrequencyResponse(0.3).sample(2000, [3, 4])["gains"])
    assert scipy.stats.kstest(gains.ravel() / 0.6 + 0.5, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(gains.T) - np.eye(4)).max() < 0.1


def test_the_gain_must_not_be_negative():
    with pytest.raises(ValueError, match=r"`max_gain` must be at least 0.*Received: max_gain=-1"):
        FrequencyResponse(-1)
