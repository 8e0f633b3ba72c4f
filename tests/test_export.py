"""Export: both files against the Keras model, and the SavedModel with TensorFlow alone."""

import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from tfspec import export as export_module
from tfspec.export import TFLiteClassifier, export
from tfspec.frontends import MFCC, Decibel, Spectrogram, Standardize
from tfspec.models import Classifier, conv2d, lstm

NAMES = ["no", "yes", "$ <b>"]


def _classifier(features="stft", model="conv2d", samples=4000):
    keras.utils.set_random_seed(0)
    if features == "stft":
        layers = [Spectrogram(256, 64, power=2), Decibel(), Standardize()]
    else:
        layers = [MFCC(20, 8000, num_mel_bins=32, frame_length=400, frame_step=128)]  # not a power of two
    front_end = keras.Sequential(layers)
    shape = front_end.compute_output_shape((None, samples))[1:]
    backbone = {"conv2d": conv2d, "lstm": lstm}[model]((None, *shape[1:]), len(NAMES))
    return Classifier(front_end, backbone, NAMES, (samples,), 8000)


def _signals(rng, count=6, samples=4000):
    return rng.uniform(-1, 1, (count, samples)).astype(np.float32)


@pytest.mark.parametrize(("features", "model"), [("stft", "conv2d"), ("mfcc", "lstm")])
def test_both_files_give_what_keras_gives(tmp_path, rng, features, model):
    classifier = _classifier(features, model)
    signals = _signals(rng)
    parity = export(classifier, tmp_path / "export", [signals[:4], signals[4:]])

    assert parity["saved_model"]["signals"] == parity["tflite"]["signals"] == 6
    assert parity["tflite"]["same_top_class"] == 1
    tflite = TFLiteClassifier(tmp_path / "export" / "model.tflite")
    np.testing.assert_allclose(tflite.probabilities(signals), classifier.probabilities(signals), atol=1e-4)
    assert tflite.class_names == tuple(NAMES)
    assert (tflite.sample_rate, tflite.signal_shape) == (8000, (4000,))


def test_tflite_has_builtin_operators_only_and_readable_labels(tmp_path, rng):
    export(_classifier(), tmp_path / "export", [_signals(rng, 1)])
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(tmp_path / "export" / "model.tflite"))
    operators = {op["op_name"] for op in interpreter._get_ops_details()}
    assert not [name for name in operators if "Flex" in name or "CUSTOM" in name.upper()]
    with zipfile.ZipFile(tmp_path / "export" / "model.tflite") as labels:
        assert labels.read("labels.txt").decode().split("\n")[:3] == NAMES


def test_saved_model_loads_with_tensorflow_alone(tmp_path, rng):
    classifier = _classifier()
    signals = _signals(rng, 3)
    export(classifier, tmp_path / "export", [signals])
    np.save(tmp_path / "signals.npy", signals)
    script = """
import sys, numpy as np, tensorflow as tf
sys.modules["keras"] = sys.modules["tfspec"] = None  # importing either would fail
out = tf.saved_model.load(sys.argv[1] + "/export/saved_model").signatures["serving_default"](
    signal=tf.constant(np.load(sys.argv[1] + "/signals.npy")))
assert [name.decode() for name in out["class_names"].numpy()] == ["no", "yes", "$ <b>"]
np.testing.assert_allclose(tf.nn.softmax(out["logits"]), out["probabilities"], rtol=1e-5)
np.save(sys.argv[1] + "/probabilities.npy", out["probabilities"].numpy())
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True)
    received = np.load(tmp_path / "probabilities.npy")
    np.testing.assert_allclose(received, classifier.probabilities(signals), atol=1e-5)


def test_a_file_that_differs_is_not_called_done(tmp_path, rng, monkeypatch):
    honest = TFLiteClassifier.probabilities
    monkeypatch.setattr(
        export_module.TFLiteClassifier, "probabilities", lambda self, x: np.roll(honest(self, x), 1, axis=1)
    )
    with pytest.raises(RuntimeError, match="tflite"):
        export(_classifier(), tmp_path / "export", [_signals(rng)])
    assert list(tmp_path.iterdir()) == []


def test_export_again_replaces_the_files(tmp_path, rng):
    for _ in range(2):
        export(_classifier(), tmp_path / "export", [_signals(rng, 1)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["export"]
    assert sorted(p.name for p in (tmp_path / "export").iterdir()) == [
        "model.tflite",
        "parity.json",
        "saved_model",
    ]
