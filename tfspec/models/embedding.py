"""Networks of other people's, frozen: from a signal to the embedding that they make of it.

Beside the network a small JSON says what its file does not, such as

    {"sample_rate": 16000, "window_seconds": 0.975, "output": "embedding"}

It is called as the file, with the suffix .json; in the folder of a SavedModel, embedding.json.
"""

from __future__ import annotations

import json
import os
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tfspec.audio.decoding import fit_length
from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.files import file_problem, plainly_named
from tfspec.base.text import shown
from tfspec.base.threads import threads
from tfspec.frontends.embedding import window_starts

MOST_SAMPLES = 2**24
"""Of a window: over five minutes at 48 kHz."""

Output = int | str
"""The place of an output, or the name of an output, of a layer or of a tensor."""
WITHOUT_DELEGATES = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
"""Delegates keep no tensors but the outputs."""


@dataclass(frozen=True)
class Embedder:
    """Computes embeddings: of a window as the network does, of a longer signal the mean over its windows.

    Windows follow one another, and the last one ends with the signal. A signal that is shorter than a window
    is filled up by its last sample.

    Attributes:
        sample_rate: of the signals, in Hz.
        window_samples: of a window.
        run: from (windows, window_samples) to (windows, size), or (windows, frames, size).
        network: where it is a Keras model; such a one can stand in a classifier, as `frontends.Embedding`.
    """

    sample_rate: int
    window_samples: int
    run: Callable[[np.ndarray], np.ndarray]
    network: keras.Model | None = None

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
        network = None
        if path.is_dir():
            run = _saved_model(path, output)
        elif path.suffix == ".tflite":
            run = _TFLiteFile(path.read_bytes(), window, output)
        else:
            network = _keras(path, output)
            run = network.predict_on_batch
        embedder = Embedder(rate, window, run, network)
        if (made := run(np.zeros((1, window), np.float32))).ndim < 2:
            raise ValueError(f"its output of one window has the shape {made.shape}, and not (1, size)")
    return embedder


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


def _saved_model(folder: Path, output: Output) -> Callable[[np.ndarray], np.ndarray]:
    with plainly_named() as plain:
        plain.symlink_to(folder.absolute())
        loaded = tf.saved_model.load(str(plain))
    serve = loaded.signatures["serving_default"]
    ((name, taken),) = serve.structured_input_signature[1].items()
    names = sorted(serve.structured_outputs, key=lambda name: (name.rstrip(string.digits), len(name), name))
    chosen = names[output] if isinstance(output, int) else output
    if chosen not in names:
        raise ValueError(f"its outputs are {', '.join(names)}, and not {chosen}")

    def run(windows: np.ndarray, keep_alive=loaded) -> np.ndarray:
        if taken.shape.rank == 1:
            return np.stack([serve(**{name: tf.constant(window)})[chosen].numpy() for window in windows])
        return serve(**{name: tf.constant(windows)})[chosen].numpy()

    return run


class _TFLiteFile:
    """Runs windows in threads, each with an interpreter of its own: one is not safe for several."""

    def __init__(self, content: bytes, window_samples: int, output: Output):
        self._content, self._window_samples, self._output = content, window_samples, output
        self._idle: list[tuple[Interpreter, int, int]] = []

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Embed (windows, window_samples)."""
        return np.stack([*threads().map(self._embed, windows)])

    def _embed(self, window: np.ndarray) -> np.ndarray:
        try:
            lent = self._idle.pop()
        except IndexError:
            lent = self._opened()
        interpreter, taken, given = lent
        interpreter.set_tensor(taken, window.reshape(interpreter.get_input_details()[0]["shape"]))
        interpreter.invoke()
        embedding = interpreter.get_tensor(given)
        self._idle.append(lent)
        return embedding

    def _opened(self) -> tuple[Interpreter, int, int]:
        """Make an interpreter; the indices of its input, and of the tensor that is the embedding."""
        interpreter = Interpreter(model_content=self._content, num_threads=1)
        outputs = interpreter.get_output_details()
        if isinstance(self._output, str) and self._output not in [each["name"] for each in outputs]:
            interpreter = Interpreter(
                model_content=self._content,
                num_threads=1,
                experimental_op_resolver_type=WITHOUT_DELEGATES,
                experimental_preserve_all_tensors=True,
            )
            outputs = interpreter.get_tensor_details()
        (taken,) = interpreter.get_input_details()
        shape = [1] * (len(taken["shape"]) - 1) + [self._window_samples]
        if [*taken["shape"]] != shape:
            interpreter.resize_tensor_input(taken["index"], shape, strict=True)
        interpreter.allocate_tensors()
        places = {each["name"]: each["index"] for each in outputs}
        given = outputs[self._output]["index"] if isinstance(self._output, int) else places[self._output]
        return interpreter, taken["index"], given
