"""SavedModel and TFLite files that take the raw signal, each proved against the Keras model."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfspec.base.boundary import in_brief
from tfspec.base.errors import UserError
from tfspec.base.files import check_place, written_beside
from tfspec.base.options import Quantize
from tfspec.export.parity import compare
from tfspec.export.quantization import has_loop
from tfspec.export.saved_model import write_saved_model
from tfspec.export.streaming_export import SAME_TOP_CLASS, enough_of, write_streaming
from tfspec.export.tflite import tflite_model
from tfspec.models import Classifier
from tfspec.models.classifier import check_classifier


def export(
    classifier: Classifier,
    folder: str | os.PathLike,
    signals: Iterable[np.ndarray],
    quantize: Quantize = "none",
    calibration: Iterable[np.ndarray] = (),
    streaming: bool = False,
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
        calibration: for "int8" and "dynamic", batches (batch, *signal_shape) as for `tflite_model`; best a
            thousand signals in all, and not those of `signals`.
        streaming: also write `streaming.tflite`, which takes a stream hop by hop, and `streaming.json`.

    Returns:
        What parity.json holds. For `saved_model` and `tflite`: on how many signals they were compared, on
        which part of these the top class is the same, or where several can hold all classes that reach their
        thresholds, `same_classes`; the largest difference of a probability, and with an
        `event_head` of one of a frame, `largest_frame_difference`; for `tflite`
        also its size in bytes, the median time of one signal in ms, on one core, and how its backbone is
        quantised. For `streaming` what `write_streaming` returns.

    Raises:
        UserError: the model is no `Classifier`; the folder cannot be written, for lack of space or of
            permission; or a stream is asked for with "float16" or "dynamic", or in "int8" of a network with a
            loop. What was there stays.
        ParityError: a file predicts what Keras does on a smaller part of the signals than `SAME_PREDICTION`
            asks for. It is a RuntimeError.
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
    check_classifier(classifier)
    folder = Path(folder)
    if streaming and quantize not in SAME_TOP_CLASS:
        raise UserError(f"A streaming file is made with quantize none or int8. Received: {quantize}")
    if quantize == "int8" and has_loop(classifier):
        if streaming:
            raise UserError(
                "TensorFlow cannot calibrate a network with a loop, such as an lstm, of which there is no "
                "streaming export in int8: export with quantize none. Received: int8"
            )
        quantize = "dynamic"
    check_place(folder, "folder")
    with _disk_errors(folder), written_beside(folder) as temporary:
        temporary.mkdir()
        streamed = {}
        if streaming:
            calibration, signals = list(calibration), iter(signals)
            stream = enough_of(signals, classifier)
            streamed["streaming"] = write_streaming(classifier, temporary, stream, quantize, calibration)
            signals = itertools.chain(stream, signals)
        write_saved_model(classifier, temporary / "saved_model")
        (temporary / "model.tflite").write_bytes(tflite_model(classifier, quantize, calibration))
        parity = compare(classifier, temporary, signals, quantize) | streamed
        (temporary / "parity.json").write_text(json.dumps(parity, indent=2))
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
        reason = os.strerror(errno.ENOSPC) if full else error.strerror or in_brief(error)
        raise UserError(
            f"{folder}, by way of {tempfile.gettempdir()}, cannot be written: {reason}"
        ) from error
