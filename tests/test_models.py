import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from families import others_slow

from tfspec.base.errors import UserError
from tfspec.frontends import Decibel, Spectrogram, Standardize
from tfspec.models import (
    Classifier,
    at_temperature,
    bc_resnet,
    conv2d,
    ds_cnn,
    ds_tc_resnet,
    lstm,
    matchboxnet,
    tc_resnet,
    trace_conv2d,
)

BACKBONES = {"conv2d": conv2d, "lstm": lstm, "trace_conv2d": trace_conv2d}
all_backbones = pytest.mark.parametrize("make", BACKBONES.values(), ids=BACKBONES)
FOR_WORDS = [bc_resnet, ds_cnn, ds_tc_resnet, matchboxnet, tc_resnet]
also_for_words = pytest.mark.parametrize(
    "make", others_slow([*BACKBONES.values(), *FOR_WORDS], *BACKBONES.values(), ds_tc_resnet)
)
NAMES = ("no", "perhaps", "yes")
FEATURES = (27, 40, 1)


def small_classifier(make=conv2d, **options):
    """Build a classifier of 600 samples, which give FEATURES."""
    arguments = {
        "front_end": Spectrogram(78, 20),
        "backbone": make(FEATURES, 3),
        "class_names": NAMES,
        "signal_shape": (600,),
        "sample_rate": 8000,
    }
    return Classifier(**arguments | options)


@pytest.fixture(autouse=True)
def same_weights_every_time():
    keras.utils.set_random_seed(0)


@pytest.fixture
def signals(rng):
    return rng.standard_normal((4, 600)).astype(np.float32)


def test_conv2d_has_the_reference_networks_weights():
    model = conv2d((None, 257, 1), 8)
    assert model.count_params() == 58_088
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [32, 64, 64]
    assert [layer.padding for layer in convolutions] == ["valid"] * 3


def test_lstm_has_four_gates_and_one_dense_layer():
    assert lstm((None, 39, 1), 8).count_params() == 4 * 256 * (39 + 256 + 1) + (256 + 1) * 8


@pytest.mark.parametrize("make", [conv2d, lstm])
def test_logits_are_those_of_a_call_and_traced_once_for_any_number_of_signals(make, signals):
    class Counted(Spectrogram):
        calls = 0

        def call(self, signal):
            Counted.calls += 1
            return super().call(signal)

    model = small_classifier(make, front_end=Counted(78, 20))
    expected = model(signals).numpy()
    before = Counted.calls
    for batch in (signals, signals[:1], signals.astype(np.float64)):
        np.testing.assert_allclose(model.logits(batch), expected[: len(batch)], atol=1e-6)
        np.testing.assert_allclose(
            model.probabilities(batch), scipy.special.softmax(expected[: len(batch)], axis=1), atol=1e-6
        )
    assert Counted.calls == before + 1


@pytest.mark.parametrize("make", [conv2d, lstm])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_number_of_frames(make, channels, rng):
    model = make((None, 18, channels), 5)
    assert model.input_shape == (None, None, 18, channels)
    for frames in (18, 19, 40):
        features = rng.standard_normal((2, frames, 18, channels)).astype(np.float32)
        assert model(features).shape == (2, 5)


def test_lstm_reads_a_single_frame():
    assert lstm((None, 4, 1), 2, units=3)(np.zeros((1, 1, 4, 1))).shape == (1, 2)


@pytest.mark.parametrize("frames", [None, 6])
def test_lstm_puts_the_channels_of_one_frame_side_by_side(frames, rng):
    features = rng.standard_normal((2, 6, 4, 3)).astype(np.float32)
    model = lstm((frames, 4, 3), 2, units=5)
    recurrent = next(layer for layer in model.layers if isinstance(layer, keras.layers.LSTM))
    assert recurrent.input.shape == (None, frames, 12)
    np.testing.assert_array_equal(
        keras.Model(model.input, recurrent.input)(features), features.reshape(2, 6, 12)
    )


def test_trace_conv2d_does_not_mind_where_in_frequency_a_trace_lies(rng):
    model = trace_conv2d((16, 192, 1), 3)
    pattern = rng.standard_normal((16, 8, 1))
    low, high = np.zeros((2, 1, 16, 192, 1), np.float32)
    low[:, :, 88:96] = pattern
    high[:, :, 96:104] = pattern
    np.testing.assert_allclose(model(high), model(low), rtol=1e-4, atol=1e-5)
    assert abs(model(low[:, ::-1]) - model(low)).numpy().max() > 1e-4


@pytest.mark.parametrize("shape", [(8, 40, 2), (9, 47, 1)])
def test_trace_conv2d_takes_the_smallest_picture_it_names(shape):
    assert trace_conv2d(shape, 3)(np.zeros((2, *shape))).shape == (2, 3)


@also_for_words
def test_channels_all_count(make, rng):
    features = rng.standard_normal((1, 24, 40, 2)).astype(np.float32)
    model = make((24, 40, 2), 3)
    logits = model(features).numpy()
    for channel in (0, 1):
        changed = features.copy()
        changed[..., channel] *= -2
        assert abs(model(changed) - logits).numpy().max() > 1e-2 * abs(logits).max()


@all_backbones
def test_logits_are_not_softmaxed_and_scale_with_the_last_weights(make, rng):
    features = rng.standard_normal((4, *FEATURES)).astype(np.float32)
    model = make(FEATURES, 3)
    logits = model(features).numpy()
    last = model.get_layer("logits")
    last.set_weights([-50 * weights for weights in last.get_weights()])
    np.testing.assert_allclose(model(features), -50 * logits, rtol=1e-4, atol=1e-4)


@all_backbones
def test_dropout_acts_in_training_alone(make, signals):
    model = small_classifier(make)
    np.testing.assert_array_equal(model(signals, training=False), model(signals))
    np.testing.assert_array_equal(model.probabilities(signals), model.probabilities(signals))
    assert (model(signals, training=True) != model(signals, training=True)).numpy().any()


@also_for_words
def test_every_weight_has_a_gradient(make, signals):
    model = small_classifier(make)
    labels = np.array([0, 1, 2, 1])
    with tf.GradientTape() as tape:
        losses = keras.losses.sparse_categorical_crossentropy(labels, model(signals), from_logits=True)
        loss = tf.reduce_mean(losses)
    for gradient in tape.gradient(loss, model.trainable_variables):
        assert np.isfinite(gradient).all()
        assert np.any(gradient)


@all_backbones
def test_probabilities_are_the_softmax_of_the_logits(make, signals):
    model = small_classifier(make)
    probabilities = model.probabilities(10 * signals)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    expected = scipy.special.softmax(model(10 * signals), axis=1)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)


@also_for_words
def test_logits_are_float32_under_mixed_precision(make, signals):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_classifier(make)
        assert model(signals).dtype == tf.float32
        np.testing.assert_allclose(model.probabilities(signals).sum(axis=1), 1, rtol=1e-6)
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"backbone": lstm((None, *FEATURES[1:]), 3, units=8), "sample_rate": None},
        {
            "front_end": keras.Sequential([Spectrogram(78, 20, power=2), Decibel(), Standardize()]),
            "backbone": trace_conv2d((27, 40, 2), 3),
            "signal_shape": (600, 2),
        },
    ],
    ids=["conv2d", "lstm", "two channels"],
)
def test_classifier_survives_its_file(parts, tmp_path, rng):
    model = small_classifier(**parts)
    signals = rng.standard_normal((2, *model.signal_shape)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert type(loaded) is Classifier
    assert loaded.class_names == NAMES
    assert loaded.signal_shape == model.signal_shape
    assert loaded.sample_rate == model.sample_rate
    np.testing.assert_allclose(loaded(signals), model(signals), rtol=1e-6)


def test_classifier_is_its_front_end_then_its_backbone(signals):
    model = small_classifier()
    np.testing.assert_allclose(model(signals), model.backbone(model.front_end(signals)), rtol=1e-6)
    assert model.compute_output_shape((None, 600)) == (None, 3)


@pytest.mark.parametrize(
    ("takes", "said"),
    [
        ("recording", r"floats in −1…1\. Received: u?int.*\. Scale them, such as int16 by 1 / 32768"),
        ("picture", r"floats in 0…1\. Received: u?int.*\. Scale them, such as uint8 by 1 / 255"),
    ],
)
def test_whole_numbers_are_taken_from_sensors_alone(signals, takes, said):
    whole = (1000 * signals).astype(np.int16)
    model = small_classifier(takes=takes)
    for given in (whole, whole.astype(np.uint8), whole.tolist(), tf.constant(whole)):
        with pytest.raises(UserError, match=said):
            model.probabilities(given)
    of_sensor = small_classifier(takes="windows")
    np.testing.assert_array_equal(
        of_sensor.probabilities(whole), of_sensor.probabilities(whole.astype(np.float32))
    )


def test_classifier_takes_signals_of_any_length():
    model = small_classifier(backbone=conv2d((None, *FEATURES[1:]), 3), signal_shape=(None,))
    for samples in (450, 950):
        assert model(np.zeros((1, samples))).shape == (1, 3)
        assert model.probabilities(np.zeros((1, samples))).shape == (1, 3)


@pytest.mark.parametrize("shape", [(600,), (2, 599), (2, 600, 1), ()])
def test_arrays_of_another_shape_are_told(shape):
    with pytest.raises(UserError, match=r"takes signals of shape \(600,\), in a batch\. Received: an array"):
        small_classifier().probabilities(np.zeros(shape))


@pytest.mark.parametrize("names", [("no", "yes"), ("no", "perhaps", "yes", "never")])
def test_wrong_number_of_class_names_is_refused(names):
    with pytest.raises(
        ValueError, match=r"one logit a class. Received: logits of shape \(None, 3\), class_names=\('no', "
    ) as error:
        small_classifier(class_names=names)
    assert names[-1] in str(error.value)


@all_backbones
@pytest.mark.parametrize("other", [(27, 41, 1), (27, 40, 2), (28, 40, 1)])
def test_backbone_for_other_features_is_refused(make, other):
    with pytest.raises(ValueError, match="must take what the front end returns") as error:
        small_classifier(backbone=make(other, 3))
    assert str((None, *FEATURES)) in str(error.value)
    assert str((None, *other)) in str(error.value)


def test_a_temperature_changes_how_sure_a_model_is_and_nothing_else(rng, tmp_path):
    keras.utils.set_random_seed(0)
    backbone = conv2d((None, 64, 1), 3)
    features = rng.normal(size=(5, 40, 64, 1)).astype(np.float32)
    cooled = at_temperature(backbone, 2.5)
    np.testing.assert_allclose(cooled(features), backbone(features) / 2.5, rtol=1e-5)
    cooled.save(tmp_path / "model.keras")
    np.testing.assert_allclose(
        keras.saving.load_model(tmp_path / "model.keras")(features), cooled(features), rtol=1e-6
    )
    with pytest.raises(ValueError, match="`temperature`"):
        at_temperature(backbone, 0)
