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

from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.models import Classifier
from tfspec.quantization import Quantize, has_loop, tflite_model, weights_of
from tfspec.tflite_metadata import read_metadata

# The smallest part of the signals on which a file must give the top class that Keras gives. Of 24 keyword
# models the worst one quantised gave it on 0.997, 0.959 and 0.938; with the front end in int8 too, on 0.14.
SAME_TOP_CLASS: dict[Quantize, float] = {"none": 0.999, "float16": 0.99, "dynamic": 0.95, "int8": 0.9}


class ParityError(UserError, RuntimeError):
    """An exported file does not give what the Keras model gives; nothing is left of the export."""


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
    classifier: Classifier,
    folder: str | os.PathLike,
    signals: Iterable[np.ndarray],
    quantize: Quantize = "none",
    calibration: Iterable[np.ndarray] = (),
) -> dict[str, Any]:
    """Write `saved_model/`, `model.tflite` and `parity.json`, all or nothing.

    The SavedModel's signature takes (batch, *signal_shape) float32 `signal` and gives `logits`,
    `probabilities` and `class_names`; TensorFlow alone loads it. The TFLite file takes one signal, gives
    `probabilities`, has builtin operators only, and carries the labels and the sample rate in its metadata.

    Only the TFLite file is quantised, and of it only the backbone; see `tflite_model` for the modes. An lstm,
    or any backbone with a loop, has no integer activations: of it "int8" makes what "dynamic" makes.

    Args:
        classifier: the model.
        folder: what to write; replaced if it is there.
        signals: batches (batch, *signal_shape) on which both are compared with the Keras model.
        quantize: "none", "float16", "dynamic" or "int8".
        calibration: for "int8", batches (batch, *signal_shape) that show the range of each activation; best a
            thousand signals in all, and not those of `signals`.

    Returns:
        What parity.json holds. For `saved_model` and `tflite`: on how many signals they were compared, on
        which part of these the top class is the same, the largest difference of a probability; for `tflite`
        also its size in bytes, the median time of one signal in ms, on one core, and how its backbone is
        quantised.

    Raises:
        ParityError: a file gives the top class that Keras gives on a smaller part of the signals than
            `SAME_TOP_CLASS` asks for. It is a RuntimeError.
        ValueError: there is no such mode, or "int8" without signals to calibrate on.

    Example:
        >>> import tempfile
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> noise = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8000)).astype(np.float32)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     parity = export(model, f"{folder}/export", noise[:1], "int8", calibration=noise[1:])
        >>> parity["tflite"]["quantize"], parity["tflite"]["signals"]
        ('int8', 8)
    """
    if quantize == "int8" and has_loop(classifier):
        quantize = "dynamic"
    with written_beside(folder) as part:
        part.mkdir()
        _write_saved_model(classifier, part / "saved_model")
        (part / "model.tflite").write_bytes(tflite_model(classifier, quantize, calibration))
        parity = _compare(classifier, part, signals, quantize)
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

    tf.saved_model.save(weights_of(classifier), folder, signatures=serve)


def _compare(
    classifier: Classifier, folder: Path, signals: Iterable[np.ndarray], quantize: Quantize
) -> dict[str, Any]:
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
    parity["tflite"]["quantize"] = quantize
    for name, result in parity.items():
        smallest = SAME_TOP_CLASS[result.get("quantize", "none")]
        if result["same_top_class"] < smallest:
            raise ParityError(
                f"The exported {name} gives Keras's top class on {result['same_top_class']:.2%} of "
                f"the signals, which is less than {smallest:.1%}: {result}"
            )
    return parity


def _difference(expected: np.ndarray, received: np.ndarray) -> dict[str, Any]:
    return {
        "signals": len(expected),
        "same_top_class": float((expected.argmax(1) == received.argmax(1)).mean()),
        "largest_difference": float(np.abs(expected - received).max()),
    }
