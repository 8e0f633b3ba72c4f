"""Exported files against the Keras model, on real signals."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfspec.base.errors import UserError
from tfspec.base.options import Quantize
from tfspec.export.saved_model import SavedModelClassifier
from tfspec.export.tflite_file import TFLiteClassifier
from tfspec.models import Classifier

# The smallest part of the signals on which a file must give the top class that Keras gives. Of 24 keyword
# models the worst one quantised gave it on 0.997, 0.959 and 0.938; with the front end in int8 too, on 0.14.
SAME_TOP_CLASS: dict[Quantize, float] = {"none": 0.999, "float16": 0.99, "dynamic": 0.95, "int8": 0.9}


class ParityError(UserError, RuntimeError):
    """An exported file does not give what the Keras model gives; nothing is left of the export."""


def compare(
    classifier: Classifier, folder: Path, signals: Iterable[np.ndarray], quantize: Quantize = "none"
) -> dict[str, Any]:
    """Compare `saved_model/` and `model.tflite` in a folder with the Keras model.

    Args:
        classifier: the Keras model.
        folder: holds both.
        signals: batches (batch, *signal_shape) on which they are compared.
        quantize: how the TFLite file is quantised.

    Returns:
        As `export` does.

    Raises:
        ParityError: a file gives Keras's top class on too few of the signals.
    """
    files = {
        "saved_model": SavedModelClassifier(folder / "saved_model").probabilities,
        "tflite": TFLiteClassifier(folder / "model.tflite").probabilities,
    }
    expected: list[np.ndarray] = []
    received: dict[str, list[np.ndarray]] = {name: [] for name in files}
    seconds: dict[str, list[float]] = {name: [] for name in files}
    for batch in signals:
        expected.append(classifier.probabilities(batch))
        for name, probabilities in files.items():
            start = time.perf_counter()
            received[name].append(probabilities(batch))
            seconds[name].append((time.perf_counter() - start) / len(batch))
    parity = {
        name: _difference(np.concatenate(expected), np.concatenate(parts)) for name, parts in received.items()
    }
    parity["tflite"]["bytes"] = (folder / "model.tflite").stat().st_size
    parity["tflite"]["milliseconds"] = 1000 * float(np.median(seconds["tflite"]))
    parity["tflite"]["quantize"] = quantize
    _check(parity)
    return parity


def _check(parity: dict[str, dict[str, Any]]) -> None:
    for name, result in parity.items():
        smallest = SAME_TOP_CLASS[result.get("quantize", "none")]
        if result["same_top_class"] < smallest:
            raise ParityError(
                f"The exported {name} gives Keras's top class on {result['same_top_class']:.2%} of "
                f"the signals, which is less than {smallest:.1%}: {result}"
            )


def _difference(expected: np.ndarray, received: np.ndarray) -> dict[str, Any]:
    return {
        "signals": len(expected),
        "same_top_class": float((expected.argmax(1) == received.argmax(1)).mean()),
        "largest_difference": float(np.abs(expected - received).max()),
    }
