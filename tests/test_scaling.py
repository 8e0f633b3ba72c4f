import keras
import numpy as np
import pytest
import sklearn.preprocessing
import tensorflow as tf
from agreement import assert_same

from tfspec.dsp import resampling
from tfspec.frontends import Equalize, FrequencyRamp, MinMax, Resize, Standardize

AXES = [(1, 2, 3), (1, 2), (1,), (2,)]


def pictures(rng) -> np.ndarray:
    """Return (3, 50, 20, 2) decibels whose scales differ 100000-fold."""
    return rng.normal(-70, 20, (3, 50, 20, 2)) * np.array([1e-2, 1, 1e3]).reshape(3, 1, 1, 1)


def by_group(function, features, axis):
    """Apply a function of columns to what shares a scale."""
    rest = [a for a in range(4) if a not in axis]
    moved = features.transpose(*axis, *rest)
    columns = function(moved.reshape(int(np.prod(moved.shape[: len(axis)])), -1))
    return columns.reshape(moved.shape).transpose(np.argsort([*axis, *rest]))


# ---------------------------------------------------------------- Standardize


@pytest.mark.parametrize("axis", AXES)
def test_standardize_is_scikit_learns(axis, rng):
    features = pictures(rng)
    expected = by_group(sklearn.preprocessing.scale, features, axis)
    assert_same(Standardize(axis, epsilon=1e-12)(features), expected)


@pytest.mark.parametrize("axis", AXES)
def test_standardize_gives_zero_mean_and_unit_variance(axis, rng):
    features = pictures(rng)
    scaled = Standardize(axis)(features).numpy().astype(np.float64)
    np.testing.assert_allclose(scaled.mean(axis), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis), 1, rtol=1e-3)
    expected = (features - features.mean(axis, keepdims=True)) / (features.std(axis, keepdims=True) + 3)
    assert_same(Standardize(axis, epsilon=3)(features), expected)
    assert_same(Standardize(axis, deviation=4)(features), (features - features.mean(axis, keepdims=True)) / 4)


@pytest.mark.parametrize("value", [3.3, -100.0])
def test_standardize_makes_a_constant_zero(value):
    assert abs(Standardize()(np.full((1, 134, 257, 1), value)).numpy()).max() < 1e-3


# ---------------------------------------------------------------- MinMax


@pytest.mark.parametrize("lower, upper", [(0.0, 1.0), (-1.0, 1.0), (3.0, 10.5)])
@pytest.mark.parametrize("axis", AXES)
def test_min_max_is_scikit_learns(axis, lower, upper, rng):
    features = pictures(rng)
    expected = by_group(lambda x: sklearn.preprocessing.minmax_scale(x, (lower, upper)), features, axis)
    received = MinMax(lower, upper, axis)(features).numpy()
    assert_same(received, expected)
    assert received.min() == lower
    np.testing.assert_allclose(received.max(axis), upper, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, -80.0, 1e-30])
def test_min_max_makes_silence_the_lower_number(value):
    silence = np.full((2, 5, 4, 1), value)
    silence[1, 2, 2] += 7
    scaled = MinMax(-1.0, 2.0)(silence).numpy()
    np.testing.assert_array_equal(scaled[0], -1)
    assert scaled[1].max() == 2


# ---------------------------------------------------------------- FrequencyRamp


@pytest.mark.parametrize(
    "lower, upper, bins", [(-0.5, 0.5, 160), (0.0, 3.0, 7), (1.0, 1.0, 2), (-2.0, 1.0, 1)]
)
def test_frequency_ramp_is_a_line_over_the_bins(lower, upper, bins, rng):
    features = rng.standard_normal((3, 5, bins, 2)).astype(np.float32)
    added = FrequencyRamp(lower, upper)(features).numpy() - features
    expected = np.interp(np.arange(bins), [0, max(1, bins - 1)], [lower, upper])
    np.testing.assert_allclose(added, np.broadcast_to(expected[:, np.newaxis], added.shape), atol=1e-6)


# ---------------------------------------------------------------- Resize

PLACE = 1e-4  # pixel 333's place, a float32, is exact to 2e-5: of that order is what lies between two pixels
SIZES = [(56, 128), (188, 35), (94, 70), (10, 10), (94, 35), (188, 70), (1, 1), (93, 71), (300, 300)]


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_resize_is_tensorflows(size, antialias, rng):
    features = rng.standard_normal((2, 94, 70, 2)).astype(np.float32)
    expected = tf.image.resize(features, size, antialias=antialias)
    layer = Resize(*size, antialias)
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 70, 2])])
    np.testing.assert_allclose(layer(features), expected, atol=PLACE if antialias else 2e-6)
    np.testing.assert_allclose(unknown(features), expected, atol=PLACE)


def test_resize_of_signals_of_any_length_is_tensorflows(rng):
    layer = Resize(40, 8)
    model_input = keras.Input((None, 10, 1))
    model = keras.Model(model_input, layer(model_input))
    assert model.output_shape == (None, 40, 8, 1)
    for frames in (1, 2, 17, 40, 41, 333):
        features = rng.standard_normal((2, frames, 10, 1)).astype(np.float32)
        expected = tf.image.resize(features, (40, 8), antialias=True)
        np.testing.assert_allclose(model(features), expected, atol=PLACE)


@pytest.mark.parametrize("size", SIZES)
def test_resize_without_antialiasing_is_scikit_images(size, rng):
    transform = pytest.importorskip("skimage.transform")
    features = rng.standard_normal((94, 70, 2))
    expected = transform.resize(features, size, order=1, mode="edge", anti_aliasing=False)
    np.testing.assert_allclose(Resize(*size, antialias=False)(features[np.newaxis])[0], expected, atol=PLACE)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("present, wanted", [(1, 5), (5, 1), (7, 7), (100, 33), (33, 100), (1000, 7)])
def test_resized_pixels_are_means_of_those_present(present, wanted, antialias):
    weights = resampling.linear_weights(present, wanted, antialias).numpy()
    assert weights.shape == (present, wanted)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-6)
    np.testing.assert_array_equal(weights, resampling.linear_weights(tf.constant(present), wanted, antialias))


@pytest.mark.parametrize("shape", [(64, 128, 1), (3, 5, 2)])
def test_equalize_equals_scikit_learns_quantile_transformer(shape, rng):
    """Between its quantiles scikit-learn's is linear in probability, ours in the normal distribution."""
    x = rng.gamma(24, size=(2, *shape)).astype(np.float32)
    transformer = sklearn.preprocessing.QuantileTransformer(
        n_quantiles=min(1000, x[0].size), output_distribution="normal"
    )
    for example, received in zip(x, Equalize()(x).numpy(), strict=True):
        expected = transformer.fit_transform(example.reshape(-1, 1)).reshape(shape)
        inside = abs(expected) < 3
        assert inside.mean() > 0.9
        np.testing.assert_allclose(received[inside], expected[inside], atol=0.1 if x[0].size > 1000 else 0.35)
        assert (received.min(), received.max()) == (-3.5, 3.5)


def test_equalize_undoes_what_keeps_the_order(rng):
    x = rng.gamma(24, 1 / 48, (2, 64, 128, 1))
    expected = Equalize()(x)
    for change in (np.log, np.sqrt, np.square, lambda x: 7 * x - 3, lambda x: np.round(255 * x) / 255):
        np.testing.assert_allclose(Equalize()(change(x)), expected, atol=0.15)
    np.testing.assert_allclose(Equalize()(-x), -expected, atol=1e-3)


def test_equalize_gives_equal_values_the_middle_of_their_ranks(rng):
    levels = rng.integers(0, 3, (1, 64, 128, 1))
    received = Equalize()(levels).numpy()
    assert len(np.unique(received)) == 3
    np.testing.assert_allclose(received[levels == 1], 0, atol=0.3)
    np.testing.assert_array_equal(Equalize()(np.ones((2, 4, 4, 1))), 0)
