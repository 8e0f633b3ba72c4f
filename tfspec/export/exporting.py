"""SavedModel and TFLite files that take the raw signal, each proved against the Keras model."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tfspec.base.boundary import first_line, in_one_line
from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.export.metadata import metadata_of, read_model
from tfspec.export.quantization import Quantize, has_loop, tflite_model, weights_of
from tfspec.models import Classifier

# The smallest part of the signals on which a file must give the top class that Keras gives. Of 24 keyword
# models the worst one quantised gave it on 0.997, 0.959 and 0.938; with the front end in int8 too, on 0.14.
SAME_TOP_CLASS: dict[Quantize, float] = {"none": 0.999, "float16": 0.99, "dynamic": 0.95, "int8": 0.9}

NOT_OURS = "it is damaged or was not made by tfspec"


class ParityError(UserError, RuntimeError):
    """An exported file does not give what the Keras model gives; nothing is left of the export."""


class TFLiteClassifier:
    """A TFLite file written by `export`, used like a `Classifier`.

    Args:
        path: the file. Class names and sample rate come from its metadata.

    Raises:
        UserError: it is not a TFLite file, is damaged, has no labels, or takes or gives something else than
            the files of `export`.
    """

    def __init__(self, path: str | os.PathLike):
        self._model = read_model(path)
        metadata = metadata_of(self._model, path)
        self.class_names = metadata.class_names
        self.sample_rate = metadata.sample_rate
        self._idle: list[Any] = []
        with in_one_line(f"{path} cannot be used as a TFLite model", NOT_OURS), self._runner() as runner:
            self.signal_shape = _signal_shape(runner, len(self.class_names))

    def probabilities(self, signal: np.ndarray) -> np.ndarray:
        """Classify signals one by one; several threads may do so at once.

        Args:
            signal: (batch, *signal_shape) float32.

        Returns:
            (batch, classes) float32; NaN for a signal that is not finite throughout.

        Raises:
            UserError: the signals have another shape.
        """
        signal = np.asarray(signal, np.float32)
        if signal.shape[1:] != self.signal_shape or not signal.ndim:
            raise UserError(
                f"This model takes signals of shape {self.signal_shape}, in a batch. "
                f"Received: an array of shape {signal.shape}"
            )
        scores = np.empty((len(signal), len(self.class_names)), np.float32)
        with self._runner() as runner:
            for row, one in zip(scores, signal, strict=True):
                row[:] = runner(signal=one[np.newaxis])["probabilities"][0]
        return scores

    @contextlib.contextmanager
    def _runner(self) -> Iterator[Any]:
        """Lend an interpreter to one thread; several at once would write into the same memory."""
        try:
            runner = self._idle.pop()
        except IndexError:
            runner = Interpreter(model_content=self._model, num_threads=1).get_signature_runner()
        yield runner
        self._idle.append(runner)  # one that raised is not used again

    def __getstate__(self) -> dict[str, Any]:
        """Give what a copy and another process need: the file, not the interpreters."""
        return {**vars(self), "_idle": []}


def _signal_shape(runner: Any, num_classes: int) -> tuple[int, ...]:
    """Give the shape of one signal; the file must show on silence that it gives what it should."""
    details = runner.get_input_details()
    if list(details) != ["signal"] or list(runner.get_output_details()) != ["probabilities"]:
        raise ValueError(
            f"it takes {list(details)} and gives {list(runner.get_output_details())}, "
            "and should take a signal and give probabilities"
        )
    batch, *shape = (int(size) for size in details["signal"]["shape"])
    if batch != 1 or not shape or min(shape) < 1 or details["signal"]["dtype"] != np.float32:
        raise ValueError(f"its signal has the shape {(batch, *shape)}, and should be one of float32")
    given = runner(signal=np.zeros((1, *shape), np.float32))["probabilities"]
    if given.shape != (1, num_classes) or given.dtype != np.float32:
        raise ValueError(f"it has {num_classes} labels and gives an array of shape {given.shape}")
    return tuple(shape)


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
        UserError: the folder cannot be written, for lack of space or of permission; what was there stays.
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
    folder = Path(folder)
    if quantize == "int8" and has_loop(classifier):
        quantize = "dynamic"
    if os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f"{folder} cannot be written: it is there and is no folder; remove or rename it")
    with _disk_errors(folder), written_beside(folder) as part:
        part.mkdir()
        write_saved_model(classifier, part / "saved_model")
        (part / "model.tflite").write_bytes(tflite_model(classifier, quantize, calibration))
        parity = _compare(classifier, part, signals, quantize)
        (part / "parity.json").write_text(json.dumps(parity, indent=2))
    return parity


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Tell in one way what the system, TensorFlow and HDF5 tell in three."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        full = getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error)
        if isinstance(error, tf.errors.OpError) and not full:
            raise  # of the signals, not of the disk
        reason = os.strerror(errno.ENOSPC) if full else error.strerror or first_line(error)
        raise UserError(
            f"{folder}, by way of {tempfile.gettempdir()}, cannot be written: {reason}"
        ) from error


def write_saved_model(classifier: Classifier, folder: str | os.PathLike) -> None:
    """Write a SavedModel from raw signals to `logits`, `probabilities` and `class_names`.

    Args:
        classifier: the model.
        folder: where it is to be, with any characters; nothing is there yet.

    Raises:
        OSError: it cannot be written.

    Example:
        >>> import tempfile
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_saved_model(model, f"{folder}/saved [1]")
        ...     Path(folder, "saved [1]", "saved_model.pb").exists()
        True
    """

    @tf.function(input_signature=[tf.TensorSpec((None, *classifier.signal_shape), tf.float32, "signal")])
    def serve(signal):
        logits = classifier(signal, training=False)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "class_names": tf.constant(classifier.class_names),
        }

    with _plainly_named() as plain:
        tf.saved_model.save(weights_of(classifier), str(plain), signatures=serve)
        shutil.move(plain, folder)


@contextlib.contextmanager
def _plainly_named() -> Iterator[Path]:
    """Give a path for a SavedModel: TensorFlow takes one with [, ], * or ? as a pattern."""
    with tempfile.TemporaryDirectory(prefix="tfspec-") as folder:
        yield Path(folder, "saved_model")


def _served(folder: Path) -> Any:
    """Load a SavedModel's signature from a path with any characters."""
    with _plainly_named() as plain:
        plain.symlink_to(folder.absolute())
        return tf.saved_model.load(str(plain)).signatures["serving_default"]


def _compare(
    classifier: Classifier, folder: Path, signals: Iterable[np.ndarray], quantize: Quantize
) -> dict[str, Any]:
    serve = _served(folder / "saved_model")
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
