"""PCEN whose parameters train: against librosa bin by bin, in a network, saved, exported and streamed."""

import hypothesis
import keras
import librosa
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from agreement import few_examples
from hypothesis import strategies as st
from keras import layers
from keywords import Keywords

from tfspec.base.errors import UserError
from tfspec.data.batches import make_dataset
from tfspec.data.readers import ArrayReader
from tfspec.dsp import compression
from tfspec.export.streaming import StreamingClassifier
from tfspec.export.tflite import tflite_model
from tfspec.export.tflite_file import TFLiteClassifier
from tfspec.frontends import PCEN, Spectrogram
from tfspec.models import Classifier

RATE, SAMPLES, BINS = 8000, 4000, 33
WEIGHTS = ["log_gain", "log_bias", "log_power", "coefficient_logit"]
SCALE = 1e5


def learnable(parameters: np.ndarray, **options) -> PCEN:
    """Return a layer that has learnt gain, bias, power and coefficient, (4, bins)."""
    layer = PCEN(learnable=True, **options)
    layer.build((None, None, parameters.shape[1], None))
    layer.set_weights([*np.log(parameters[:3]), np.log(parameters[3] / (1 - parameters[3]))])
    return layer


def librosas(energy: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Return librosa's of (batch, frames, bins, channels), each bin by its own parameters."""
    bins = [
        librosa.pcen(energy[:, :, i], axis=1, gain=gain, bias=bias, power=power, b=coefficient)
        for i, (gain, bias, power, coefficient) in enumerate(parameters.T)
    ]
    return np.stack(bins, axis=2)


def some_parameters(rng, bins: int) -> np.ndarray:
    return rng.uniform([[0.1], [0.1], [0.1], [0.005]], [[1.2], [10], [1], [0.9]], (4, bins))


@few_examples
@hypothesis.given(st.one_of(st.integers(1, 9), st.just(431)), st.integers(1, 5), st.integers(0, 99))
def test_each_bin_is_librosas(frames, bins, seed):
    rng = np.random.default_rng(seed)
    energy = 10 ** rng.uniform(-5, 1, (2, frames, bins, 2))
    parameters = some_parameters(rng, bins)
    received = learnable(parameters)(energy)
    np.testing.assert_allclose(received, librosas(energy, parameters), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("time_constant", [1e-3, 0.06, 0.4, 60.0])
@pytest.mark.parametrize("frames", [1, 2, 100, 700])
def test_what_has_learnt_nothing_is_the_fixed_layer(frames, time_constant, rng):
    energy = rng.uniform(size=(2, frames, 5, 2)).astype(np.float32)
    options = {"gain": 0.8, "bias": 1.5, "power": 0.25, "time_constant": time_constant, "scale": 100.0}
    fixed, learnt = (PCEN(16000, 160, learnable=learns, **options) for learns in (False, True))
    np.testing.assert_allclose(learnt(energy), fixed(energy), rtol=1e-5, atol=1e-5)
    assert not fixed.weights
    for name, value in learnt.parameters.items():
        np.testing.assert_allclose(value, np.full((5, 1), fixed.parameters[name]), rtol=1e-5)


def test_signals_of_unknown_length_have_the_same(rng):
    energy = rng.uniform(size=(2, 300, 4, 1)).astype(np.float32)
    layer = learnable(some_parameters(rng, 4))
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 4, None])])
    for frames in (1, 2, 5, 300):
        np.testing.assert_allclose(graph(energy[:, :frames]), layer(energy[:, :frames]), rtol=1e-5)


def test_unknown_frames_are_remembered_as_far_as_is_said():
    frames = compression.LONGEST_MEMORY + 5
    coefficient = tf.constant([[1e-6]])
    graph = tf.function(
        lambda x: compression.smoothed(x, coefficient), input_signature=[tf.TensorSpec([None, None, 1, 1])]
    )
    burst = np.zeros((1, frames, 1, 1), np.float32)
    burst[0, 0] = 1e6
    left = (graph(burst) - graph(0 * burst)).numpy().ravel()
    assert left[-6] == pytest.approx(np.exp(-1e-6 * (frames - 6)), rel=1e-4)
    assert left[-5] == pytest.approx(0, abs=1e-6)


def test_gradients_are_differences_of_librosas(rng):
    energy, weights = 10 ** rng.uniform(-4, 1, (2, 50, 3, 1)), rng.standard_normal((2, 50, 3, 1))
    parameters = some_parameters(rng, 3)
    layer = learnable(parameters)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(energy) * weights)
    received = tape.gradient(loss, layer.trainable_weights)

    def moved(row, column, by):
        """Return the loss where a weight is moved: a logarithm, or a logit."""
        other = parameters.copy()
        if row < 3:
            other[row, column] *= np.exp(by)
        else:
            odds = np.exp(by) * other[row, column] / (1 - other[row, column])
            other[row, column] = odds / (1 + odds)
        return np.sum(librosas(energy, other) * weights)

    expected = [[(moved(i, j, 1e-5) - moved(i, j, -1e-5)) / 2e-5 for j in range(3)] for i in range(4)]
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 2])
def test_gradients_of_signals_are_those_of_the_fixed_mean(channels, rng):
    energy = tf.constant(rng.uniform(size=(2, 37, 3, channels)), tf.float32)
    before = tf.constant(rng.uniform(size=(2, 1, 3, channels)), tf.float32)
    weights = rng.standard_normal(energy.shape).astype(np.float32)
    gradients = []
    for coefficient in (0.06, tf.fill([3, 1], 0.06)):
        with tf.GradientTape() as tape:
            tape.watch([energy, before])
            loss = tf.reduce_sum(compression.smoothed(energy, coefficient, before) ** 2 * weights)
        gradients.append(tape.gradient(loss, [energy, before]))
    for fixed, learnt in zip(*gradients, strict=True):
        np.testing.assert_allclose(learnt, fixed, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("logit", [-90.0, -17.0, 17.0, 90.0])
def test_coefficients_at_the_ends_of_their_range_have_finite_gradients(logit, rng):
    layer = learnable(some_parameters(rng, 3))
    layer.coefficient_logit.assign([logit] * 3)
    energy = rng.uniform(size=(1, 200, 3, 1)).astype(np.float32)
    with tf.GradientTape() as tape:
        features = layer(energy)
    gradients = tape.gradient(features, layer.trainable_weights)
    assert all(np.isfinite(values).all() for values in (features, *gradients))


# ---------------------------------------------------------------- in a network


def sounds(count: int, seed: int):
    """Return noises of any level, every second of which has a burst in it: levels tell nothing."""
    rng = np.random.default_rng(seed)
    signals = rng.standard_normal((count, SAMPLES)) * 10 ** rng.uniform(-3, -1, (count, 1))
    signals[1::2, 2000:2400] *= 3
    return signals.astype(np.float32), np.arange(count) % 2


@pytest.fixture(scope="module")
def trained():
    """Train a classifier's backbone that begins with the layer; return it and the losses of the epochs."""
    keras.utils.set_random_seed(0)
    front_end = Spectrogram(64, 64, power=2)
    powers = keras.Input((SAMPLES // 64, BINS, 1))
    pcen = PCEN(RATE, 64, time_constant=0.1, scale=SCALE, learnable=True, name="pcen")
    loudness = layers.Flatten()(layers.AveragePooling2D((4, BINS))(pcen(powers)))
    backbone = keras.Model(powers, layers.Dense(2)(loudness))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    backbone.compile(keras.optimizers.Adam(0.03), loss)
    signals, labels = sounds(64, seed=1)
    history = backbone.fit(front_end(signals), labels, batch_size=16, epochs=12, verbose=0)
    return Classifier(front_end, backbone, ["no", "yes"], (SAMPLES,), RATE), history.history["loss"]


@pytest.mark.slow
def test_parameters_move_and_the_loss_falls(trained):
    classifier, losses = trained
    assert losses[-1] < 0.7 * losses[0]
    layer = classifier.backbone.get_layer("pcen")
    assert [weight.name for weight in layer.trainable_weights] == WEIGHTS
    start = PCEN(RATE, 64, time_constant=0.1).parameters
    for name, value in layer.parameters.items():
        assert np.median(abs(np.log(value / start[name]))) > 0.05
    assert ((layer.parameters["coefficient"] > 0) & (layer.parameters["coefficient"] < 1)).numpy().all()


@pytest.mark.slow
def test_what_was_learnt_is_saved(trained, tmp_path):
    classifier, _ = trained
    classifier.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    signals, _ = sounds(6, seed=2)
    np.testing.assert_array_equal(loaded.probabilities(signals), classifier.probabilities(signals))


def test_the_tflite_file_is_the_model(trained, tmp_path):
    classifier, _ = trained
    signals, _ = sounds(6, seed=3)
    (tmp_path / "model.tflite").write_bytes(tflite_model(classifier))
    received = TFLiteClassifier(tmp_path / "model.tflite").probabilities(signals)
    np.testing.assert_allclose(received, classifier.probabilities(signals), atol=1e-5)


def test_a_stream_goes_on_with_what_was_learnt(rng):
    keras.utils.set_random_seed(0)
    powers = keras.Input((None, BINS, 1))
    x = PCEN(RATE, 64, scale=SCALE, learnable=True)(powers)
    x = layers.Conv2D(4, (3, BINS), activation="relu")(x)
    backbone = keras.Model(powers, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    for weight in backbone.trainable_weights[:4]:
        weight.assign_add(rng.uniform(-0.5, 0.5, weight.shape))
    classifier = Classifier(Spectrogram(64, 64, power=2), backbone, ["no", "yes"], (SAMPLES,), RATE)
    streaming = StreamingClassifier(classifier)
    (sound,), _ = sounds(1, seed=4)
    hop, lead = streaming.hop_samples, streaming.lead_samples
    given = np.concatenate(list(streaming.steps(sound[lead:], sound[np.newaxis, :lead])))
    assert streaming.begins_anew
    assert lead + hop * len(given) == SAMPLES
    np.testing.assert_allclose(given[-1:], classifier.probabilities(sound[np.newaxis]), atol=1e-5)


# ---------------------------------------------------------------- what is refused


def test_a_dataset_refuses_what_it_could_not_train():
    front_end = keras.Sequential([Spectrogram(64, 64, power=2), PCEN(learnable=True)])
    signals, labels = sounds(4, seed=0)
    manifest = pd.DataFrame({"label": np.array(["no", "yes"])[labels]})
    with pytest.raises(UserError, match="a learnable PCEN in the front end; begin the backbone with it"):
        make_dataset(manifest, ArrayReader(signals), ["no", "yes"], 2, front_end)


def test_a_pipeline_refuses_it_in_its_front_end_before_anything_is_read(tmp_path):
    class Learning(Keywords):
        def front_end(self):
            return keras.Sequential([super().front_end(), PCEN(learnable=True)])

    with pytest.raises(UserError, match="a learnable PCEN in the front end"):
        Learning(data=tmp_path / "none", out=tmp_path / "run").train()
    assert not (tmp_path / "run").exists()


def test_unknown_bins_are_refused():
    with pytest.raises(ValueError, match=r"must know how many bins.* Received: .*None, None, None, 1"):
        PCEN(learnable=True)(keras.Input((None, None, 1)))


def test_layers_of_before_load():
    config = PCEN(gain=0.5).get_config()
    del config["learnable"]
    layer = PCEN.from_config(config)
    assert (layer.gain, layer.learnable) == (0.5, False)
