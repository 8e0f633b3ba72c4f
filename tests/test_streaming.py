"""Classifiers of streams: equal to those of clips at every hop, in Keras and in TFLite; what is refused."""

import json

import keras
import numpy as np
import pytest
from agreement import few_examples
from families import others_slow
from hypothesis import given, settings
from hypothesis import strategies as st

from tfspec.base.errors import UserError
from tfspec.export import export
from tfspec.export.streaming import StreamingClassifier
from tfspec.export.streaming_runner import load_streaming
from tfspec.frontends import MFCC, PCEN, Decibel, FrequencyRamp, Log, MelSpectrogram, Spectrogram, Standardize
from tfspec.models import (
    Classifier,
    SeparableBlock,
    bc_resnet,
    conv2d,
    ds_cnn,
    ds_tc_resnet,
    ensemble,
    lstm,
    matchboxnet,
    tc_resnet,
)

RATE = 16000
FRAMES = {"center": False, "frame_length": 480, "frame_step": 160, "fft_length": 512}
BLOCKS = [SeparableBlock(12, 5, stride=2), SeparableBlock(12, 7, residual=True), SeparableBlock(16, 1)]


def _mel(**options):
    return MelSpectrogram(RATE, 40, **{**FRAMES, **options})


FRONT_ENDS = {
    "log_mel": lambda: [_mel(), Log(offset=1e-6), keras.layers.Rescaling(0.25, 2.0)],
    "stft": lambda: [Spectrogram(480, 160, 512, power=2), keras.layers.AveragePooling2D((1, 8)), Log()],
    "mfcc": lambda: [MFCC(13, RATE, 40, dynamic_range_db=None, **FRAMES)],
    "decibel": lambda: [_mel(), Decibel(dynamic_range_db=None), FrequencyRamp(), Standardize(axis=(2, 3))],
    "pcen": lambda: [_mel(), PCEN(RATE, 160, time_constant=0.1, scale=2.0**20)],
}
NETWORKS = {
    "ds_tc_resnet": lambda shape, padding: ds_tc_resnet(shape, 3, BLOCKS, padding=padding),
    "tc_resnet": lambda shape, padding: tc_resnet(shape, 3, kernel=3, width=0.5, padding=padding),
    "ds_cnn": lambda shape, padding: ds_cnn(shape, 3, filters=8, blocks=2, padding=padding),
    "bc_resnet": lambda shape, padding: bc_resnet(shape, 3, bands=1, padding=padding),
    "matchboxnet": lambda shape, padding: matchboxnet(shape, 3, blocks=1, channels=8, padding=padding),
    "conv2d": lambda shape, _: conv2d(shape, 3),
    "lstm": lambda shape, _: lstm(shape, 3, units=8),
    "ensemble": lambda shape, _: ensemble([conv2d(shape, 3), conv2d(shape, 3)]),
}
KINDS = [
    ("log_mel", "ds_tc_resnet", "valid"),
    ("decibel", "tc_resnet", "causal"),
    ("pcen", "ds_cnn", "valid"),
    ("mfcc", "lstm", ""),
    ("log_mel", "ensemble", ""),
]
ALL = [
    (features, network, padding)
    for features in FRONT_ENDS
    for network in NETWORKS
    for padding in (("",) if network in ("conv2d", "lstm", "ensemble") else ("valid", "causal"))
    if not (network == "conv2d" and features in ("mfcc", "stft"))  # which have too few bins for it
    if not (network == "ensemble" and features in ("mfcc", "stft"))
]


def _classifier(features="log_mel", network="ds_tc_resnet", padding="valid", seconds=1.0):
    """Return one whose weights, those of batch norms too, are all drawn."""
    keras.utils.set_random_seed(1)
    samples = round(seconds * RATE)
    front_end = keras.Sequential(FRONT_ENDS[features]())
    shape = front_end.compute_output_shape((None, samples))
    backbone = NETWORKS[network]((None, *shape[2:]), padding)
    rng = np.random.default_rng(2)
    for weights in backbone.weights:
        if "variance" in weights.name or "gamma" in weights.name:
            weights.assign(rng.uniform(0.5, 1.5, weights.shape))
        elif len(weights.shape) == 1:
            weights.assign(rng.uniform(-0.3, 0.3, weights.shape))
    return Classifier(front_end, backbone, ["no", "yes", "_unknown_"], (samples,), RATE)


def _sound(samples, seed=0):
    """Return (samples,) of noise that grows, falls silent, and a tone."""
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal(samples) * np.linspace(0.001, 0.3, samples)
    sound[samples // 2 : samples // 2 + samples // 8] = 0
    sound[-samples // 4 :] += 0.5 * np.sin(np.arange(samples // 4 + (samples % 4 > 0)) * 0.3)
    return sound.astype(np.float32)


def assert_streams(classifier, phase):
    """Compare the stream with the clips, at each hop after warm-up, or where its beginning matters at one."""
    streaming = StreamingClassifier(classifier)
    hop, clip, lead = streaming.hop_samples, streaming.clip_samples, streaming.lead_samples
    sound = _sound(clip + 5 * hop + lead + phase)[phase:]
    given = np.concatenate(list(streaming.steps(sound[lead:], sound[np.newaxis, :lead])))
    ends = lead + hop * np.arange(1, len(given) + 1)
    compared = ends == clip if streaming.begins_anew else ends >= clip
    assert compared.sum() >= (1 if streaming.begins_anew else 4)
    clips = np.stack([sound[end - clip : end] for end in ends[compared]])
    logits = classifier.backbone(classifier.front_end(clips), training=False)
    np.testing.assert_allclose(given[compared], keras.ops.softmax(logits), atol=1e-5)
    assert np.ptp(given, axis=0).max() > 1e-3  # it has heard something


@pytest.mark.parametrize(("features", "network", "padding"), others_slow(ALL, *KINDS))
def test_a_stream_gives_what_its_last_clip_gives(features, network, padding):
    long = network in ("bc_resnet", "matchboxnet") and padding == "valid"  # which leave out 116 frames
    assert_streams(_classifier(features, network, padding, 1.37 if long else 1.0), phase=0)


@pytest.mark.parametrize("phase", others_slow([53, 111], 53))
def test_hops_may_begin_anywhere(phase):
    assert_streams(_classifier(seconds=0.8765), phase)


@pytest.mark.slow
@settings(few_examples, max_examples=4)  # each makes two models
@given(st.integers(9600, 14000), st.integers(0, 319), st.sampled_from(["valid", "causal"]))
def test_clips_of_any_length(samples, phase, padding):
    assert_streams(_classifier(padding=padding, seconds=samples / RATE), phase)


@pytest.mark.parametrize("compression", [PCEN(RATE, 320), Log(offset=1e-6)])
def test_nothing_leads_a_stream_where_frames_lie_apart(compression):
    """The first state is then what PCEN remembers, or none; a lead of no samples changes nothing."""
    keras.utils.set_random_seed(1)
    front_end = keras.Sequential([_mel(frame_length=256, frame_step=320, fft_length=256), compression])
    backbone = ds_tc_resnet((None, 40, 1), 2, BLOCKS, padding="valid")
    streaming = StreamingClassifier(Classifier(front_end, backbone, ["a", "b"], (RATE,), RATE))
    assert streaming.lead_samples == 0
    sound = _sound(RATE)
    led = list(streaming.steps(sound, lead=np.zeros((1, 0), np.float32)))
    np.testing.assert_array_equal(led, list(streaming.steps(sound)))


def test_several_channels_and_a_front_end_of_one_layer():
    keras.utils.set_random_seed(0)
    backbone = ds_tc_resnet((None, 33, 3), 2, BLOCKS, padding="valid")
    classifier = Classifier(Spectrogram(64, 16), backbone, ["a", "b"], (800, 3), 100)
    streaming = StreamingClassifier(classifier)
    sound = np.random.default_rng(0).normal(size=(streaming.hop_samples * 30, 3)).astype(np.float32)
    given = np.concatenate(list(streaming.steps(sound)))
    np.testing.assert_allclose(given[-1:], classifier.probabilities(sound[np.newaxis, -800:]), atol=1e-5)


def test_the_model_itself_is_left_as_it_is():
    classifier = _classifier()
    before = [each.numpy() for each in classifier.weights]
    list(StreamingClassifier(classifier).steps(_sound(RATE)))
    for one, other in zip(before, classifier.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("front_end", "padding", "said"),
    [
        ([_mel(center=True), Log()], "valid", "MelSpectrogram with center .* center=False"),
        ([_mel(), Decibel()], "valid", "Decibel with dynamic_range_db .* dynamic_range_db=None"),
        ([_mel(), Log(), Standardize(axis=(1,))], "valid", "Standardize over time .* fixed statistics"),
        ([_mel(), Log()], "same", r"DepthwiseConv2D with padding 'same'\).*`padding=.valid.`"),
    ],
)
def test_what_cannot_stream_is_named_with_the_remedy(front_end, padding, said):
    backbone = ds_tc_resnet((None, 40, 1), 2, BLOCKS, padding=padding)
    classifier = Classifier(keras.Sequential(front_end), backbone, ["a", "b"], (RATE,), RATE)
    with pytest.raises(UserError, match=said):
        StreamingClassifier(classifier)


def test_a_layer_that_is_not_known_is_refused():
    class Reversed(keras.Layer):
        def call(self, x):
            return x[:, ::-1]

    backbone = keras.Sequential(
        [keras.Input((None, 40, 1)), Reversed(name="turned"), keras.layers.GlobalAveragePooling2D()]
    )
    classifier = Classifier(keras.Sequential([_mel(), Log()]), backbone, ["a"], (RATE,), RATE)
    with pytest.raises(UserError, match=r"turned \(Reversed\)"):
        StreamingClassifier(classifier)


def test_a_member_that_takes_so_many_frames_only_is_refused():
    front_end = keras.Sequential([_mel(), Log()])
    frames = front_end.compute_output_shape((None, RATE))[1]
    members = [ds_tc_resnet((frames, 40, 1), 2, BLOCKS, padding="valid") for _ in range(2)]
    classifier = Classifier(front_end, ensemble(members), ["a", "b"], (RATE,), RATE)
    with pytest.raises(UserError, match=f"network .* of {frames} frames only needs the whole signal"):
        StreamingClassifier(classifier)


def test_a_layer_that_is_used_twice_is_refused():
    features = keras.Input((None, 40, 1))
    twice = keras.layers.Conv2D(1, (3, 1), name="twice")
    pooled = keras.layers.GlobalAveragePooling2D()(twice(twice(features)))
    classifier = Classifier(
        keras.Sequential([_mel(), Log()]), keras.Model(features, pooled), ["a"], (RATE,), RATE
    )
    with pytest.raises(UserError, match="twice is used twice"):
        StreamingClassifier(classifier)


def test_whole_numbers_of_sound_are_told():
    streaming = StreamingClassifier(_classifier())
    with pytest.raises(UserError, match=r"floats in −1…1\. Received: int16\. Scale them"):
        next(streaming.steps((32768 * _sound(RATE)).astype(np.int16)))


def test_a_hop_of_another_length_is_refused():
    streaming = StreamingClassifier(_classifier())
    with pytest.raises(UserError, match=r"shape \(1, 320\)\. Received: \(1, 100\)"):
        streaming.step(np.zeros((1, 100), np.float32), streaming.first_states())


@pytest.fixture(scope="module", params=others_slow(["none", "int8"], "int8"))
def exported(request, tmp_path_factory):
    """A folder, the classifier, and what parity.json says of the stream."""
    classifier = _classifier()
    folder = tmp_path_factory.mktemp("streaming") / "export"
    signals = np.stack([_sound(RATE, seed) for seed in range(6)])
    parity = export(classifier, folder, [signals[:4]], request.param, [signals], streaming=True)
    return folder, classifier, parity["streaming"]


def test_the_file_gives_what_the_clips_give(exported):
    folder, classifier, parity = exported
    file = load_streaming(folder)
    sound = _sound(2 * RATE, seed=9)
    hop = file.hop_samples
    given = np.stack([file.step(sound[i : i + hop]) for i in range(0, len(sound) - hop + 1, hop)])
    ends = np.arange(file.warm_up_hops + 1, len(given) + 1) * hop
    expected = classifier.probabilities(np.stack([sound[end - RATE : end] for end in ends]))
    tolerance = {"none": 1e-5, "int8": 0.05}[parity["quantize"]]
    np.testing.assert_allclose(given[file.warm_up_hops :], expected, atol=tolerance)
    assert parity["hops"] > 100 and parity["same_top_class"] >= 0.95
    assert json.loads((folder / "parity.json").read_text())["streaming"] == parity


def test_states_stand_in_the_facts_as_in_the_file(exported):
    folder, _, parity = exported
    facts = json.loads((folder / "streaming.json").read_text())
    kinds = {state["type"] for state in facts["states"][1:]}
    assert kinds == {{"none": "float32", "int8": "int8"}[parity["quantize"]]}
    assert (facts["hop_samples"], facts["clip_samples"], facts["warm_up_hops"]) == (320, RATE, 49)
    assert facts["states"][0]["type"] == "float32"  # of the front end, which stays in float32


def test_a_file_that_is_not_the_one_described_is_refused(exported, tmp_path):
    folder, *_ = exported
    content = bytearray((folder / "streaming.tflite").read_bytes())
    content[-100] ^= 1
    (tmp_path / "streaming.tflite").write_bytes(content)
    (tmp_path / "streaming.json").write_bytes((folder / "streaming.json").read_bytes())
    with pytest.raises(UserError, match="is not the file that"):
        load_streaming(tmp_path)


def test_what_a_stream_is_not_made_with(tmp_path):
    signals = [_sound(RATE)[np.newaxis]]
    with pytest.raises(UserError, match="quantize none or int8"):
        export(_classifier(), tmp_path / "export", unread := iter(signals), "float16", streaming=True)
    assert next(unread) is signals[0]
    with pytest.raises(UserError, match="padding 'same'"):
        export(_classifier(padding="same"), tmp_path / "export", signals, streaming=True)
    assert not (tmp_path / "export").exists()


@pytest.mark.slow
def test_one_clip_is_enough_to_compare_on(tmp_path):
    classifier = _classifier(seconds=1.00625)  # not a whole number of hops
    parity = export(classifier, tmp_path, [_sound(16_100)[np.newaxis]], streaming=True)["streaming"]
    assert parity["hops"] >= 1 and parity["same_top_class"] == 1
