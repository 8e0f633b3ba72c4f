"""Networks of other people's, frozen: from a signal to the embedding that they make of it.

Beside the network a small JSON says what its file does not, such as

    {"sample_rate": 16000, "window_seconds": 0.975, "output": "embedding"}

It is called as the file, with the suffix .json; in the folder of a SavedModel, embedding.json.
"""

from __future__ import annotations

import functools
import json
import os
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfspec.audio.decoding import fit_length
from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.files import file_problem, plainly_named
from tfspec.base.text import shown
from tfspec.frontends.embedding import window_starts
from tfspec.models.tflite_file import TFLiteFile
from tfspec.models.tflite_graph import tflite_network

MOST_SAMPLES = 2**24
"""Of a window: over five minutes at 48 kHz."""

Run = Callable[[np.ndarray], np.ndarray]
Rebuild = Callable[[], keras.Model]
Output = int | str
"""The place of an output, or the name of an output, of a layer or of a tensor."""


@dataclass(frozen=True)
class Embedder:
    """Computes embeddings: of a window as the network does, of a longer signal the mean over its windows.

    Windows follow one another, and the last one ends with the signal. A signal that is shorter than a window
    is filled up by its last sample.

    Attributes:
        sample_rate: of the signals, in Hz.
        window_samples: of a window.
        run: from (windows, window_samples) to (windows, size), or (windows, frames, size).
        rebuild: makes `network`.
    """

    sample_rate: int
    window_samples: int
    run: Run
    rebuild: Rebuild

    @functools.cached_property
    def network(self) -> keras.Model:
        """The network as a Keras model, which can stand in a classifier, as `frontends.Embedding`.

        A TFLite file is rebuilt, and so is a SavedModel from what the TFLite converter makes of it.

        Raises:
            UserError: this cannot be done.
        """
        return self.rebuild()

    def __call__(self, signals: np.ndarray) -> np.ndarray:
        """Embed signals; not from within the decoding threads, in which a TFLite file runs.

        Args:
            signals: (batch, samples) float32.

        Returns:
            (batch, size) float32; NaN for a signal that is not finite throughout.
        """
        signals = np.asarray(signals, np.float32)
        finite = np.isfinite(signals).all(axis=1, keepdims=True)
        windows = [self._windows(signal) for signal in np.where(finite, signals, 0)]
        embeddings = self.run(np.concatenate(windows))
        means = embeddings.reshape(len(signals), -1, embeddings.shape[-1]).mean(axis=1)
        return np.where(finite, means, np.nan).astype(np.float32)

    def _windows(self, signal: np.ndarray) -> np.ndarray:
        """Cut (samples,) into (windows, window_samples)."""
        starts = window_starts(len(signal), self.window_samples)
        return np.stack([fit_length(signal[start:], self.window_samples) for start in starts])


def load_embedding(path: str | os.PathLike) -> Embedder:
    """Load a network of other people's that makes embeddings, and what the JSON beside it says.

    The network takes (batch, samples), or one window of (samples,). A SavedModel can do whatever TensorFlow
    can, such as write files: load those alone that you trust.

    Args:
        path: a .keras file, loaded in safe mode; a .tflite file; or the folder of a SavedModel. "output" in
            the JSON is the name of a Keras layer, of an output of the SavedModel's signature or of any tensor
            in the TFLite file; or the place of an output, from 0.

    Returns:
        What embeds signals.

    Raises:
        UserError: the file or the JSON is missing or damaged, or they do not go together.

    Example:
        >>> load_embedding("missing.tflite")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: missing.tflite cannot be read: no such file
    """
    path = Path(path)
    if not path.is_dir() and (problem := file_problem(path)):
        raise UserError(f"{shown(path)} cannot be read: {problem}")
    beside = path / "embedding.json" if path.is_dir() else path.with_suffix(".json")
    rate, window, output = _described(beside)
    with in_one_line(f"{shown(path)} cannot be used as an embedding", "mend its JSON, or give another file"):
        if path.is_dir():
            run, rebuild = _saved_model(path, output, window)
        elif path.suffix == ".tflite":
            run, rebuild = _tflite(path.read_bytes(), output, window)
        else:
            network = _keras(path, output)
            run, rebuild = network.predict_on_batch, lambda: network
        if (made := run(np.zeros((1, window), np.float32))).ndim < 2:
            raise ValueError(f"its output of one window has the shape {made.shape}, and not (1, size)")

    def rebuilt() -> keras.Model:
        remedy = "train on arrays of what `tfspec.models.load_embedding` makes of the recordings"
        with in_one_line(f"{shown(path)} cannot stand in a model", remedy):
            return rebuild()

    return Embedder(rate, window, run, rebuilt)


def _described(path: Path) -> tuple[int, int, Output]:
    """Read sample rate, samples of a window and output from the JSON."""
    example = '{"sample_rate": 16000, "window_seconds": 0.975, "output": 1}'
    if problem := file_problem(path):
        raise UserError(
            f"{shown(path)} cannot be read: {problem}. It must say what the network takes: {example}"
        )
    with in_one_line(f"{shown(path)} cannot be read", f"it must be like {example}"):
        said = json.loads(path.read_text(encoding="utf-8"))
        rate, seconds, output = said["sample_rate"], said["window_seconds"], said["output"]
        if not isinstance(rate, int) or not 1 <= rate * seconds <= MOST_SAMPLES:
            raise ValueError(f"sample_rate is {rate}, window_seconds {seconds}")
        if not isinstance(output, (int, str)):
            raise ValueError(f"output is {output}")
    return rate, round(rate * seconds), output


def _keras(path: Path, output: Output) -> keras.Model:
    """Load a Keras model and cut it behind a layer."""
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    embedding = model.outputs[output] if isinstance(output, int) else model.get_layer(output).output
    return keras.Model(model.inputs[0], embedding, name="embedding")


def _saved_model(folder: Path, output: Output, window_samples: int) -> tuple[Run, Rebuild]:
    with plainly_named() as plain:
        plain.symlink_to(folder.absolute())
        loaded = tf.saved_model.load(str(plain))
    serve = loaded.signatures["serving_default"]
    ((name, taken),) = serve.structured_input_signature[1].items()
    names = sorted(serve.structured_outputs, key=lambda name: (name.rstrip(string.digits), len(name), name))
    chosen = names[output] if isinstance(output, int) else output
    if chosen not in names:
        raise ValueError(f"its outputs are {', '.join(names)}, and not {chosen}")
    takes_one = taken.shape.rank == 1
    shape = [window_samples] if takes_one else [None, window_samples]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def embedding(windows):
        return serve(**{name: windows})[chosen]

    def run(windows: np.ndarray) -> np.ndarray:
        return (
            np.stack([embedding(window) for window in windows]) if takes_one else embedding(windows).numpy()
        )

    def rebuild() -> keras.Model:
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [embedding.get_concrete_function()], loaded
        )
        return tflite_network(converter.convert(), 0, (window_samples,), run)

    return run, rebuild


def _tflite(content: bytes, output: Output, window_samples: int) -> tuple[Run, Rebuild]:
    run = TFLiteFile(content, output, (window_samples,))
    return run, lambda: tflite_network(content, output, (window_samples,), run)
