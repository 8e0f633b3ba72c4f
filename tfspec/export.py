"""SavedModel and TFLite files that take the raw signal, each proved against the Keras model."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfspec.files import written_beside
from tfspec.models import Classifier
from tfspec.tflite_metadata import read_metadata, write_metadata

SAME_TOP_CLASS = 0.999


class TFLiteClassifier:
    """A TFLite file written by `export`, used like a `Classifier`.

    Args:
        path: the file. Class names and sample rate come from its metadata.

    Raises:
        UserError: it is not a TFLite file, or one without labels.
    """

    def __init__(self, path: str | os.PathLike):
        from ai_edge_litert.interpreter import Interpreter

        metadata = read_metadata(path)
        self.class_names = metadata.class_names
        self.sample_rate = metadata.sample_rate
        self._runner = Interpreter(os.fspath(path), num_threads=1).get_signature_runner()
        self.signal_shape = tuple(int(n) for n in self._runner.get_input_details()["signal"]["shape"][1:])

    def probabilities(self, signal: np.ndarray) -> np.ndarray:
        """Classify signals one by one.

        Args:
            signal: (batch, *signal_shape) float32.

        Returns:
            (batch, classes) float32.
        """
        return np.concatenate([self._runner(signal=one[np.newaxis])["probabilities"] for one in signal])


def export(
    classifier: Classifier, folder: str | os.PathLike, signals: Iterable[np.ndarray]
) -> dict[str, Any]:
    """Write `saved_model/`, `model.tflite` and `parity.json`, all or nothing.

    The SavedModel's signature takes (batch, *signal_shape) float32 `signal` and gives `logits`,
    `probabilities` and `class_names`; TensorFlow alone loads it. The TFLite file takes one signal, gives
    `probabilities`, has builtin operators only, and carries the labels and the sample rate in its metadata.

    Args:
        classifier: the model.
        folder: what to write; replaced if it is there.
        signals: batches (batch, *signal_shape) on which both are compared with the Keras model.

    Returns:
        What parity.json holds. For `saved_model` and `tflite`: on how many signals they were compared, on
        which part of these the top class is the same, the largest difference of a probability; for `tflite`
        also its size in bytes and the median time of one signal in ms, on one core.

    Raises:
        RuntimeError: a file gives another top class than Keras does on more than 0.1% of the signals.
    """
    with written_beside(folder) as part:
        part.mkdir()
        _write_saved_model(classifier, part / "saved_model")
        (part / "model.tflite").write_bytes(_tflite_model(classifier))
        parity = _compare(classifier, part, signals)
        (part / "parity.json").write_text(json.dumps(parity, indent=2))
    return parity


def _write_saved_model(classifier: Classifier, folder: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, *classifier.signal_shape), tf.float32, "signal")])
    def serve(signal):
        logits = classifier(signal, training=False)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "class_names": tf.constant(classifier.class_names),
        }

    tf.saved_model.save(_module(classifier), folder, signatures=serve)


def _tflite_model(classifier: Classifier) -> bytes:
    @tf.function(input_signature=[tf.TensorSpec((1, *classifier.signal_shape), tf.float32, "signal")])
    def classify(signal):
        return {"probabilities": tf.nn.softmax(classifier(signal, training=False))}

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [classify.get_concrete_function()], _module(classifier)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return write_metadata(
        converter.convert(),
        name=classifier.backbone.name,
        description="Classifies raw signals. Made by tfspec.",
        class_names=classifier.class_names,
        sample_rate=classifier.sample_rate,
    )


def _module(classifier: Classifier) -> tf.Module:
    """Hold the weights alone, so that loading needs no Keras."""
    module = tf.Module()
    module.weights = [variable.value for variable in classifier.variables]
    return module


def _compare(classifier: Classifier, folder: Path, signals: Iterable[np.ndarray]) -> dict[str, Any]:
    serve = tf.saved_model.load(folder / "saved_model").signatures["serving_default"]
    tflite = TFLiteClassifier(folder / "model.tflite")
    expected, seconds = [], []
    received: dict[str, list[np.ndarray]] = {"saved_model": [], "tflite": []}
    for batch in signals:
        expected.append(classifier.probabilities(batch))
        received["saved_model"].append(serve(signal=tf.constant(batch))["probabilities"].numpy())
        start = time.perf_counter()
        received["tflite"].append(tflite.probabilities(batch))
        seconds.append((time.perf_counter() - start) / len(batch))
    parity = {
        name: _difference(np.concatenate(expected), np.concatenate(parts)) for name, parts in received.items()
    }
    parity["tflite"]["bytes"] = (folder / "model.tflite").stat().st_size
    parity["tflite"]["milliseconds"] = 1000 * float(np.median(seconds))
    for name, result in parity.items():
        if result["same_top_class"] < SAME_TOP_CLASS:
            raise RuntimeError(f"The exported {name} does not give what the Keras model gives: {result}")
    return parity


def _difference(expected: np.ndarray, received: np.ndarray) -> dict[str, Any]:
    return {
        "signals": len(expected),
        "same_top_class": float((expected.argmax(1) == received.argmax(1)).mean()),
        "largest_difference": float(np.abs(expected - received).max()),
    }
