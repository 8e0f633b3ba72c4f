"""Sound-event heads: logits of frames and of the signal, when the frames are, and what is exported."""

import json
import zipfile

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from families import others_slow

from tfspec.base.errors import UserError
from tfspec.base.frames import EventRule, Frames, event_facts, read_event_facts
from tfspec.export import TFLiteClassifier, export
from tfspec.export.saved_model import SavedModelClassifier
from tfspec.frontends import MelSpectrogram, Spectrogram
from tfspec.inference.loading import load_keras
from tfspec.models import (
    Classifier,
    at_temperature,
    bc_resnet,
    conv2d,
    ds_cnn,
    ensemble,
    event_head,
    lstm,
    matchboxnet,
    residual,
    tc_resnet,
    transfer,
)
from tfspec.models.events import BothWays, FramePooling, frames_of, of_frames, of_signal
from tfspec.training.losses import EventLoss, KnownLabelsLoss
from tfspec.training.metrics import MeanAveragePrecision

NAMES = ("cat", "dog", "owl")
NETWORKS = [residual, conv2d, ds_cnn, tc_resnet, bc_resnet, matchboxnet]
RATE = 8000


def classifier(pooling="attention", names=NAMES):
    keras.utils.set_random_seed(0)
    network = residual((None, 33, 1), len(names), width=4, time_halvings=1)
    backbone = event_head(network, pooling, recurrent_units=4)
    rule = ([0.3, 0.5, 0.6][: len(names)], [0.0, 0.2, 0.4][: len(names)])
    return Classifier(Spectrogram(64, 40), backbone, names, (RATE,), RATE, labels="several", event_rule=rule)


@pytest.fixture(scope="module")
def model():
    return classifier()


@pytest.fixture(scope="module")
def signals():
    return np.random.default_rng(0).uniform(-1, 1, (3, RATE)).astype(np.float32)


def pooled(frames, attention, pooling):
    """Pool probabilities as the papers write it."""
    p = scipy.special.expit(np.float64(frames))
    if pooling == "max":
        return p.max(1)
    weights = p if pooling == "linear" else scipy.special.softmax(np.float64(attention).clip(-10, 10), axis=1)
    return (weights * p).sum(1) / weights.sum(1)


@pytest.mark.parametrize("pooling", ["attention", "linear", "max"])
def test_pooling_is_that_of_the_papers(pooling, rng):
    frames, attention = rng.normal(0, 5, (2, 4, 20, 3)).astype(np.float32)
    given = [frames, attention] if pooling == "attention" else [frames]
    logits = FramePooling(pooling)(given)
    np.testing.assert_array_equal(of_frames(logits), frames)
    expected = pooled(frames, attention, pooling)
    np.testing.assert_allclose(tf.sigmoid(of_signal(logits)), expected, rtol=1e-4)


@pytest.mark.parametrize("pooling", ["attention", "linear", "max"])
def test_pooling_of_the_surest_frames_stays_finite(pooling):
    frames = tf.constant([[[200.0], [-200.0]], [[-200.0], [-200.0]]])
    with tf.GradientTape() as tape:
        tape.watch(frames)
        logits = FramePooling(pooling)([frames, frames] if pooling == "attention" else [frames])
    assert np.isfinite(logits).all() and np.isfinite(tape.gradient(logits, frames)).all()


@pytest.mark.parametrize("make", others_slow(NETWORKS, residual, tc_resnet))
def test_all_that_average_over_time_can_hear_events(make):
    mel = MelSpectrogram(RATE, 40, frame_length=256, frame_step=80)
    shape = mel.compute_output_shape((None, 2 * RATE))
    backbone = event_head(make((None, *shape[2:]), 3))
    frames = frames_of(mel, backbone, (2 * RATE,), RATE)
    assert backbone(np.zeros((2, *shape[1:]), np.float32)).shape == (2, 1 + frames.num_frames, 3)
    assert frames.step == pytest.approx(round(frames.step / 0.01) * 0.01)  # whole frames of features
    middle = frames.first + frames.step * (frames.num_frames - 1) / 2
    assert middle == pytest.approx(1, abs=frames.step)


@pytest.mark.parametrize("make", [conv2d, residual])
def test_frames_are_where_they_are_whether_their_number_is_known_or_not(make):
    mel = MelSpectrogram(RATE, 40, frame_length=256, frame_step=80)
    shape = mel.compute_output_shape((None, 2 * RATE))
    known, free = (event_head(make((frames, *shape[2:]), 2)) for frames in (shape[1], None))
    assert frames_of(mel, known, (2 * RATE,), RATE) == frames_of(mel, free, (2 * RATE,), RATE)


def test_those_that_keep_no_time_are_refused():
    with pytest.raises(UserError, match="does not average over time"):
        event_head(lstm((None, 40, 1), 3))


@pytest.mark.parametrize(("units", "reaches"), [(0, False), (8, True)])
def test_with_recurrent_units_each_frame_hears_of_all_others(units, reaches, rng):
    keras.utils.set_random_seed(1)
    network = residual((None, 20, 1), 2, width=4, time_halvings=2)  # which sees 49 frames at once
    backbone = event_head(network, recurrent_units=units)
    features = tf.constant(rng.normal(0, 1, (1, 120, 20, 1)), tf.float32)
    for heard in (0, -1):
        with tf.GradientTape() as tape:
            tape.watch(features)
            logits = of_frames(backbone(features))[:, heard]
        reach = np.abs(tape.gradient(logits, features))[0].sum((1, 2))
        assert reach[heard] > 0
        assert bool(reach[-1 - heard] > 0) == reaches


def test_a_recurrent_layer_under_its_earlier_name_is_loaded(tmp_path):
    layer = BothWays(keras.layers.GRU(4, return_sequences=True))
    model, frames = keras.Sequential([keras.Input((7, 5)), layer]), np.ones((1, 7, 5), np.float32)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(frames), model(frames))


def test_there_are_no_negative_recurrent_units():
    with pytest.raises(ValueError, match="`recurrent_units` must be an integer of at least 0"):
        event_head(residual((None, 20, 1), 2), recurrent_units=-1)


def test_a_large_network_is_cut_where_time_is_left():
    whole = transfer("mobilenet_v2", (64, 64, 1), 3, weights=None, last_layer="block_6_expand_relu")
    assert event_head(whole).output_shape == (None, 1 + 8, 3)


@pytest.mark.parametrize("halvings", [0, 2, 4])
def test_frames_of_residual_hear_what_is_when_they_are(halvings, rng):
    """Whatever the weights, the middle of what a frame's logits come from is where it is said to be."""
    keras.utils.set_random_seed(1)
    spectrogram = Spectrogram(30, 10)
    shape = spectrogram.compute_output_shape((None, 8000))
    network = residual((None, shape[2], 1), 2, width=4, time_halvings=halvings)
    backbone = event_head(network)
    frames = frames_of(spectrogram, backbone, (8000,), 1000)
    features = tf.constant(rng.normal(0, 1, (8, *shape[1:])), tf.float32)
    place = frames.num_frames // 2
    with tf.GradientTape() as tape:
        tape.watch(features)
        logits = of_frames(backbone(features))[:, place]
    reach = np.abs(tape.gradient(logits, features)).sum((0, 2, 3))
    seen = np.flatnonzero(reach)
    middle = (spectrogram.frame_times(shape[1], 1000)[seen]).mean()
    assert middle == pytest.approx(frames.first + place * frames.step, abs=0.6 * frames.step + 0.01)


def test_what_a_signal_gives_does_not_depend_on_its_neighbours(model, signals):
    alone = np.concatenate([model.frame_probabilities(each[np.newaxis]) for each in signals])
    np.testing.assert_allclose(model.frame_probabilities(signals), alone, atol=1e-6)
    broken = signals.copy()
    broken[1, 5] = np.nan
    received = model.frame_probabilities(broken)
    assert np.isnan(received[1]).all() and np.isfinite(received[[0, 2]]).all()


def test_a_classifier_without_frames_says_so():
    plain = Classifier(Spectrogram(64, 40), conv2d((None, 33, 1), 3), NAMES, (RATE,), RATE)
    assert plain.frames is None and plain.event_rule is None
    with pytest.raises(ValueError, match="no frames"):
        plain.frame_probabilities(np.zeros((1, RATE), np.float32))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "one"}, "several"),
        ({"event_rule": ([0.5], [0.0])}, "event_rule"),
        ({"event_rule": ([0.5, 0.5, 2.0], [0.0] * 3)}, "thresholds"),
        ({"event_rule": ([0.5] * 3, [0.0, -1.0, 0.0])}, "event_rule"),
        ({"sample_rate": None}, "sampled in time"),
    ],
)
def test_wrong_rules_are_refused(model, options, message):
    usual = {"labels": "several", "sample_rate": RATE}
    with pytest.raises(ValueError, match=message):
        Classifier(model.front_end, model.backbone, NAMES, (RATE,), **{**usual, **options})


def test_saved_and_loaded_it_is_the_same(model, signals, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = load_keras(tmp_path / "model.keras")
    assert loaded.frames == model.frames and loaded.event_rule == model.event_rule
    np.testing.assert_array_equal(loaded.frame_probabilities(signals), model.frame_probabilities(signals))


@pytest.mark.slow
def test_ensembles_and_temperatures_have_frames_too(model, signals):
    both = model.with_backbone(ensemble([classifier().backbone, classifier("max").backbone], "several"))
    parts = [classifier().frame_probabilities(signals), classifier("max").frame_probabilities(signals)]
    np.testing.assert_allclose(both.frame_probabilities(signals), np.mean(parts, axis=0), atol=1e-6)
    cold = model.with_backbone(at_temperature(model.backbone, 0.5))
    odds = scipy.special.logit(model.frame_probabilities(signals))
    np.testing.assert_allclose(scipy.special.logit(cold.frame_probabilities(signals)), 2 * odds, atol=1e-3)
    assert both.frames == cold.frames == model.frames


def test_exported_files_hear_the_same_frames(model, signals, tmp_path):
    parity = export(model, tmp_path / "export", [signals])
    assert max(each["largest_frame_difference"] for each in parity.values()) < 1e-4
    saved, lite = (
        SavedModelClassifier(tmp_path / "export/saved_model"),
        TFLiteClassifier(tmp_path / "export/model.tflite"),
    )
    broken = np.concatenate([signals, np.full((1, RATE), np.inf, np.float32)])
    for file in (saved, lite):
        with pytest.raises(UserError, match=r"takes signals of shape .* Received: an array of shape \(8,\)"):
            file.probabilities(np.zeros(8))
        assert file.probabilities(signals.astype(np.float64)).tolist() == file.probabilities(signals).tolist()
        assert file.frames == model.frames and file.event_rule == model.event_rule
        np.testing.assert_allclose(file.probabilities(signals), model.probabilities(signals), atol=1e-4)
        np.testing.assert_allclose(
            file.frame_probabilities(broken), model.frame_probabilities(broken), atol=1e-4
        )
    facts = json.loads(zipfile.ZipFile(tmp_path / "export/model.tflite").read("events.json"))
    assert read_event_facts(facts, 3) == (model.frames, model.event_rule)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": 0},
        {"frames": None},
        {"frame_step_seconds": 0},
        {"first_frame_seconds": float("nan")},
        {"thresholds": [0.5]},
        {"thresholds": [0.5, 7]},
        {"median_seconds": [0, -1]},
        {"median_seconds": None},
    ],
)
def test_damaged_facts_of_frames_are_refused(wrong):
    facts = event_facts(Frames(0.1, 0.1, 5), EventRule.usual(2))
    assert read_event_facts(facts, 2)
    with pytest.raises(ValueError, match="frames"):
        read_event_facts({**facts, **wrong}, 2)


@pytest.mark.slow
def test_a_plain_file_says_nothing_of_frames(tmp_path, signals):
    plain = Classifier(Spectrogram(64, 40), conv2d((None, 33, 1), 3), NAMES, (RATE,), RATE)
    export(plain, tmp_path / "export", [signals])
    file = TFLiteClassifier(tmp_path / "export/model.tflite")
    assert file.frames is None
    with pytest.raises(UserError, match="frames"):
        file.frame_probabilities(signals)


def test_the_loss_is_that_of_what_is_known(rng):
    logits = rng.normal(0, 2, (6, 1 + 5, 3)).astype(np.float32)
    truth = rng.choice([0.0, 1.0, np.nan], logits.shape).astype(np.float32)
    truth[1, 1:] = np.nan  # weak alone
    truth[2, 0] = np.nan  # strong alone
    truth[3] = np.nan
    known = ~np.isnan(truth)
    each = -scipy.special.log_expit(np.where(truth == 1, logits, -logits).astype(float)) * known

    def mean(part, axes):
        return part(each).sum(axes) / np.maximum(part(known).sum(axes), 1)

    expected = mean(lambda x: x[:, 1:], (1, 2)) + 0.3 * mean(lambda x: x[:, 0], 1)
    received = EventLoss(signal_weight=0.3).call(truth, logits)
    np.testing.assert_allclose(received, expected, rtol=1e-5)
    assert received[3] == 0
    weak = KnownLabelsLoss().call(truth[:, 0], logits[:, 0])
    np.testing.assert_allclose(received[1], 0.3 * weak[1], rtol=1e-5)


def test_precision_is_measured_of_whole_signals(rng):
    logits = rng.normal(0, 2, (20, 1 + 5, 3)).astype(np.float32)
    truth = rng.choice([0.0, 1.0], logits.shape).astype(np.float32)
    of_all, of_whole = MeanAveragePrecision(3), MeanAveragePrecision(3)
    of_all.update_state(truth, logits)
    of_whole.update_state(truth[:, 0], logits[:, 0])
    assert float(of_all.result()) == float(of_whole.result())
