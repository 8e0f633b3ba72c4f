"""Networks that start from another one: what is kept, what is new, and that nobody shares weights."""

import keras
import numpy as np
import pytest
from families import others_slow

from tfspec.base.errors import UserError
from tfspec.models import (
    at_temperature,
    below_logits,
    bin_statistics,
    continued,
    conv2d,
    ensemble,
    freeze,
    lstm,
    mac,
    pyramid,
    trace_conv2d,
    transfer,
    unfreeze,
)

SHAPE = (64, 64, 1)
NETWORKS = {make.__name__: make for make in (bin_statistics, conv2d, lstm, pyramid, trace_conv2d)} | {
    "mac": lambda shape, classes: mac(shape, classes, width=4),
    "transfer": lambda shape, classes: transfer("mobilenet_v2", shape, classes, weights=None),
    "tempered": lambda shape, classes: at_temperature(conv2d(shape, classes), 2.0),
    "ensemble": lambda shape, classes: ensemble(
        [conv2d(shape, classes), at_temperature(lstm(shape, classes), 3.0)]
    ),
}


@pytest.fixture(params=others_slow(NETWORKS, "conv2d", "mac", "ensemble"))
def trained(request, rng):
    """A network whose weights are nobody's start."""
    backbone = NETWORKS[request.param](SHAPE, 3)
    for weight in backbone.trainable_variables:
        weight.assign_add(0.01 * rng.standard_normal(weight.shape))
    return backbone


def last_layers(backbone):
    """Find the layers that make logits, below whatever joins them."""
    inner = [layer for layer in backbone.layers if isinstance(layer, keras.Model)]
    if isinstance(backbone.layers[-1], keras.layers.Dense):
        return [backbone.layers[-1]]
    return [last for member in inner for last in last_layers(member)]


def test_the_last_layer_on_what_is_below_it_makes_the_logits(trained, rng):
    """Of several members the mean probability, of each at its temperature, which SciPy takes afresh."""
    from scipy.special import softmax

    features = rng.uniform(0, 1, (2, *SHAPE)).astype(np.float32)
    below, start, members = below_logits(trained)(features).numpy(), 0, []
    for dense in last_layers(trained):
        kernel, bias = dense.get_weights()
        members.append(below[:, start : start + len(kernel)] @ kernel + bias)
        start += len(kernel)
    assert start == below.shape[1]
    temperatures = {"ensemble": [1.0, 3.0], "at_temperature": [2.0]}.get(trained.name, [1.0])
    expected = np.mean(
        [softmax(logits / by, axis=1) for logits, by in zip(members, temperatures, strict=True)], axis=0
    )
    np.testing.assert_allclose(softmax(trained(features).numpy(), axis=1), expected, atol=1e-5)


def test_all_but_the_last_layer_is_kept_and_copied(trained, rng):
    features = rng.uniform(0, 1, (2, *SHAPE)).astype(np.float32)
    before = below_logits(trained)(features).numpy()
    other = continued(trained, SHAPE, num_classes=5)
    base, head = other.layers[-2:]
    kept = base(features).numpy()
    np.testing.assert_allclose(kept, before[:, : kept.shape[1]], atol=1e-6)
    assert other(features).shape == (2, 5) and head.name == "logits"
    for weight in other.variables:
        weight.assign(weight + 1)
    np.testing.assert_array_equal(below_logits(trained)(features), before)


@pytest.mark.parametrize("make", others_slow(["conv2d", "mac", "transfer"], "conv2d", "mac"))
def test_the_head_trains_first_and_batch_norms_never(make):
    other = continued(NETWORKS[make](SHAPE, 3), SHAPE, 4)
    everything = len(other.trainable_variables)
    freeze(other)
    assert [weight.path for weight in other.trainable_variables] == ["logits/kernel", "logits/bias"]
    unfreeze(other)
    trains = {weight.name for weight in other.trainable_variables}
    assert "kernel" in trains and not {"gamma", "beta"} & trains
    assert (len(other.trainable_variables) == everything) == (make == "conv2d")


def test_a_continued_network_is_saved_and_continued_again(tmp_path, rng):
    features = rng.uniform(0, 1, (2, *SHAPE)).astype(np.float32)
    once = continued(conv2d(SHAPE, 3), SHAPE, 4)
    once.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(features), once(features), atol=1e-6)
    twice = continued(loaded, SHAPE, 2)
    np.testing.assert_allclose(twice.layers[-2](features), below_logits(once)(features), atol=1e-6)


def test_any_number_of_frames_fits_and_another_number_of_bins_does_not():
    trained = conv2d((None, 64, 1), 3)
    assert continued(trained, (99, 64, 1), 2).output_shape == (None, 2)
    with pytest.raises(UserError, match=r"shape \(None, 64, 1\), and these have \(99, 40, 1\)"):
        continued(trained, (99, 40, 1), 2)
    with pytest.raises(UserError, match="has no embedding"):
        continued(keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(3, 2)]), SHAPE, 2)
