"""A last layer alone."""

import numpy as np

from tfspec.models import linear


def test_it_is_linear_in_the_mean_over_time(rng):
    model = linear((None, 4, 1), 3)
    assert model.count_params() == 4 * 3 + 3 + 2 * 4
    features = rng.normal(size=(5, 7, 4, 1)).astype(np.float32)
    kernel, bias = model.get_layer("logits").get_weights()
    expected = features.mean(axis=1)[..., 0] / np.sqrt(1 + 1e-3) @ kernel + bias  # as no batch has been seen
    np.testing.assert_allclose(model(features), expected, atol=1e-5)
