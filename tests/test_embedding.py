"""Frozen networks of other people's: Keras files, SavedModels and TFLite files, against NumPy."""

import json
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tfspec.base.errors import UserError
from tfspec.export import export
from tfspec.frontends import Embedding
from tfspec.inference import load_model
from tfspec.models import Classifier, bin_statistics, load_embedding, load_tflite

WINDOW, SIZE, RATE = 100, 8, 1000
SAID = {"sample_rate": RATE, "window_seconds": WINDOW / RATE}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    signal = keras.Input((WINDOW,))
    inner = keras.layers.Dense(SIZE, "tanh", name="inner", bias_initializer="normal")(signal)
    return keras.Model(signal, keras.layers.Dense(3, name="classes")(inner))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, network):
    """The network in files of every kind, each with its JSON."""
    folder = tmp_path_factory.mktemp("files")
    both = keras.Model(network.inputs[0], [network.output, network.get_layer("inner").output])
    network.save(folder / "named.keras")
    both.save(folder / "placed.keras")

    @tf.function(input_signature=[tf.TensorSpec((None, WINDOW), tf.float32, "signal")])
    def batched(signal):
        return dict(zip(["classes", "embedding"], both(signal), strict=True))

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "waveform")])
    def one(waveform):  # in frames, as YAMNet takes and returns them
        frames = tf.concat([tf.reshape(waveform, (1, WINDOW))] * 2, 0)
        return dict(zip(["classes", "embedding"], both(frames), strict=True))

    for name, serve in {"batched": batched, "one": one}.items():
        tf.saved_model.save(both, str(folder / name), signatures=serve)
        converter = tf.lite.TFLiteConverter.from_keras_model(both)
    (folder / "both.tflite").write_bytes(converter.convert())
    (folder / "inner.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    return folder


def describe(path, output, **changes):
    beside = path / "embedding.json" if path.is_dir() else path.with_suffix(".json")
    beside.write_text(json.dumps({**SAID, "output": output, **changes}))
    return path


def by_hand(network, windows):
    kernel, bias = network.get_layer("inner").get_weights()
    return np.tanh(windows @ kernel + bias)


def place_or_name(path):
    """Find what has an embedding's shape: an output, else what comes of the hyperbolic tangent."""
    interpreter = Interpreter(str(path))
    outputs = [[*each["shape"]] == [1, SIZE] for each in interpreter.get_output_details()]
    if any(outputs):
        return outputs.index(True)
    return next(each["name"] for each in interpreter.get_tensor_details() if "Tanh" in each["name"])


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("named.keras", "inner"),
        ("placed.keras", 1),
        ("batched", "embedding"),
        ("batched", 1),
        ("one", "embedding"),
        ("inner.tflite", None),
        ("both.tflite", None),
    ],
)
def test_all_kinds_of_files_embed_as_numpy_does(folder, network, rng, name, output):
    path = folder / name
    embedder = load_embedding(describe(path, place_or_name(path) if output is None else output))
    assert (embedder.sample_rate, embedder.window_samples) == (RATE, WINDOW)
    windows = rng.uniform(-1, 1, (4, WINDOW)).astype(np.float32)
    expected = by_hand(network, windows)
    np.testing.assert_allclose(embedder(windows), expected, atol=1e-5)
    long = np.concatenate([windows[0], windows[1], windows[2, :30]])[np.newaxis]
    three = by_hand(network, np.stack([long[0, :100], long[0, 100:200], long[0, 130:230]]))
    np.testing.assert_allclose(embedder(long), three.mean(0, keepdims=True), atol=1e-5)
    short = np.pad(windows[:1, :60], ((0, 0), (0, 40)), mode="edge")
    np.testing.assert_allclose(embedder(windows[:1, :60]), by_hand(network, short), atol=1e-5)
    windows[1, 3] = np.nan
    found = embedder(windows)
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(np.delete(found, 1, 0), np.delete(expected, 1, 0), atol=1e-5)


def test_many_threads_get_the_right_embeddings_of_a_tflite_file(folder, network, rng):
    embedder = load_embedding(describe(folder / "both.tflite", place_or_name(folder / "both.tflite")))
    windows = rng.uniform(-1, 1, (64, 5, WINDOW)).astype(np.float32)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(embedder, windows))
    np.testing.assert_allclose(found, by_hand(network, windows), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "output", "changes", "said"),
    [
        ("named.keras", "nothing", {}, "No such layer: nothing"),
        ("batched", "nothing", {}, "outputs are classes, embedding, and not nothing"),
        ("both.tflite", "nothing", {}, "nothing"),
        ("both.tflite", 7, {}, "cannot be used as an embedding"),
        ("both.tflite", 1, {"window_seconds": 0.2}, "cannot be used as an embedding"),
        ("named.keras", "inner", {"sample_rate": "16k"}, "sample_rate is 16k"),
        ("named.keras", "inner", {"window_seconds": 0}, "window_seconds 0"),
        ("named.keras", [1], {}, "output is"),
    ],
)
def test_what_does_not_go_together_is_one_line(folder, name, output, changes, said):
    with pytest.raises(UserError, match=said) as caught:
        load_embedding(describe(folder / name, output, **changes))
    assert "\n" not in str(caught.value)


def test_many_outputs_of_a_saved_model_count_from_0(tmp_path):
    class Several(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, WINDOW), tf.float32, "signal")])
        def serve(self, signal):
            return {f"output_{place}": signal[:, :2] + place for place in range(12)} | {"z": signal[:, 0]}

    module = Several()
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    embedder = load_embedding(describe(tmp_path, 2))
    np.testing.assert_array_equal(embedder(np.zeros((1, WINDOW), np.float32)), [[2, 2]])
    with pytest.raises(UserError, match=r"output of one window has the shape \(1,\), and not \(1, size\)"):
        load_embedding(describe(tmp_path, "z"))


def test_all_axes_before_the_last_are_frames(rng):
    signal = keras.Input((WINDOW,))
    picture = keras.layers.Reshape((5, 4, 5))(signal)
    front_end = Embedding(keras.Model(signal, picture), WINDOW)
    signals = rng.uniform(-1, 1, (2, 2 * WINDOW)).astype(np.float32)
    np.testing.assert_array_equal(front_end(signals)[..., 0], signals.reshape(2, 40, 5))
    assert front_end.compute_output_shape((None, 2 * WINDOW)) == (None, 40, 5, 1)


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(UserError, match=r"none\.keras cannot be read: no such file"):
        load_embedding(tmp_path / "none.keras")
    (tmp_path / "a.tflite").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"a\.json cannot be read: no such file\. It must say"):
        load_embedding(tmp_path / "a.tflite")
    with pytest.raises(UserError, match=r"a\.tflite cannot be used as an embedding"):
        load_embedding(describe(tmp_path / "a.tflite", 1))


def test_what_cannot_stand_in_a_model_serves_for_arrays(folder, network, rng):
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([window[np.newaxis]] for window in windows)
    windows = rng.uniform(-1, 1, (20, WINDOW)).astype(np.float32)
    path = folder / "quantised.tflite"
    path.write_bytes(converter.convert())
    embedder = load_embedding(describe(path, 0))
    np.testing.assert_allclose(embedder(windows), network(windows), atol=0.1)
    with pytest.raises(UserError, match=r"cannot stand in a model: it is quantised.*; train on arrays of"):
        _ = embedder.network


def test_a_tflite_file_is_a_keras_model_of_its_own(folder, network, rng):
    windows = rng.uniform(-1, 1, (3, WINDOW)).astype(np.float32)
    loaded = load_tflite(folder / "inner.tflite", (WINDOW,))
    np.testing.assert_allclose(np.squeeze(loaded(windows), 1), network(windows), atol=1e-5)
    with pytest.raises(UserError, match=r"none\.tflite cannot be read: no such file"):
        load_tflite(folder / "none.tflite", (WINDOW,))
    with pytest.raises(UserError, match=r"inner\.tflite cannot be a Keras model: .*; give another file, or"):
        load_tflite(folder / "inner.tflite", (WINDOW + 1,))
    (folder / "text.tflite").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"text\.tflite cannot be a Keras model"):
        load_tflite(folder / "text.tflite", (WINDOW,))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["named.keras", "inner.tflite", "batched", "one"])
def test_a_network_is_a_front_end_that_is_saved_and_exported(folder, network, rng, tmp_path, name):
    """Its embeddings are NumPy's, nothing of it trains, and SavedModel and TFLite file agree with Keras."""
    path = folder / name
    output = {"named.keras": "inner", "inner.tflite": place_or_name(folder / "inner.tflite")}
    embedder = load_embedding(describe(path, output.get(name, "embedding")))
    front_end = Embedding(embedder.network, WINDOW)
    signals = rng.uniform(-1, 1, (6, 250)).astype(np.float32)
    features = front_end(signals).numpy()
    frames = 2 if name == "one" else 1  # of each window, as YAMNet makes them
    assert features.shape == (6, 3 * frames, SIZE, 1)
    expected = by_hand(network, np.stack([signals[:, :100], signals[:, 100:200], signals[:, 150:]], 1))
    np.testing.assert_allclose(features[:, ::frames, :, 0], expected, atol=1e-5)
    np.testing.assert_allclose(features[..., 0].mean(1), embedder(signals), atol=1e-5)
    short = np.pad(signals[:, :60], ((0, 0), (0, 40)), mode="edge")
    np.testing.assert_allclose(front_end(signals[:, :60])[:, 0, :, 0], by_hand(network, short), atol=1e-5)
    model = Classifier(front_end, bin_statistics(features.shape[1:], 2), ["no", "yes"], (250,), RATE)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(signals), model(signals), atol=1e-6)
    for each in (model, again):
        assert len(each.trainable_weights) == len(each.backbone.trainable_weights) > 0
    export(model, tmp_path / "export", [signals])
    for name in ("model.tflite", "saved_model"):
        exported = load_model(tmp_path / "export" / name)
        np.testing.assert_allclose(exported.probabilities(signals), model.probabilities(signals), atol=1e-5)
