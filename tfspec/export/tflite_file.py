"""Running a TFLite file: LiteRT and NumPy alone, so that nobody waits for TensorFlow."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.frames import Frames
from tfspec.base.model import NOT_OURS, checked_signals, usually_takes
from tfspec.base.quiet import hushed
from tfspec.export.metadata import metadata_of, read_model


class TFLiteClassifier:
    """A TFLite file written by `export`, used like a `Classifier`.

    Args:
        path: the file. Class names, sample rate and what it takes come from its metadata.

    Raises:
        UserError: it is not a TFLite file, is damaged, has no labels, or takes or gives something else than
            the files of `export`.
    """

    in_threads = True

    def __init__(self, path: str | os.PathLike):
        self._model = read_model(path)
        metadata = metadata_of(self._model, path)
        self.class_names = metadata.class_names
        self.sample_rate = metadata.sample_rate
        self.labels, self.thresholds = metadata.labels, metadata.thresholds
        self.frames, self.event_rule = metadata.frames, metadata.event_rule
        self._idle: list[Any] = []
        problem = f"{path} cannot be used as a TFLite model"
        with in_one_line(problem, NOT_OURS), hushed(), self._runner() as runner:
            self.signal_shape = _signal_shape(runner, len(self.class_names), self.frames)
        self.takes = metadata.takes or usually_takes(self.signal_shape, self.sample_rate)

    def probabilities(self, signal: np.ndarray) -> np.ndarray:
        """Classify signals one by one; several threads may do so at once.

        Args:
            signal: (batch, *signal_shape) float32.

        Returns:
            (batch, classes) float32; NaN for a signal that is not finite throughout.

        Raises:
            UserError: the signals have another shape, or are whole numbers that must be scaled.
        """
        return self._run(signal, "probabilities", (len(self.class_names),))

    def frame_probabilities(self, signal: np.ndarray) -> np.ndarray:
        """Say of each frame what is heard in it, of signals one by one; several threads may do so at once.

        Args:
            signal: (batch, *signal_shape) float32.

        Returns:
            (batch, frames, classes) float32, frames as `frames` has them; NaN for a signal that is not finite
            throughout.

        Raises:
            UserError: as in `probabilities`, or the file says nothing of frames.
        """
        if self.frames is None:
            raise UserError("This model says what is in a whole signal, and not in its frames.")
        return self._run(signal, "frame_probabilities", (self.frames.num_frames, len(self.class_names)))

    def _run(self, signal: np.ndarray, output: str, shape: tuple[int, ...]) -> np.ndarray:
        signal = checked_signals(signal, self.signal_shape, self.takes)
        scores = np.empty((len(signal), *shape), np.float32)
        with self._runner() as runner:
            for row, one in zip(scores, signal, strict=True):
                row[:] = runner(signal=one[np.newaxis])[output][0]
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
        """Return what a copy and another process need: the file, not the interpreters."""
        return {**vars(self), "_idle": []}


def _signal_shape(runner: Any, num_classes: int, frames: Frames | None) -> tuple[int, ...]:
    """Return the shape of one signal; the file must show on silence that it gives what it should."""
    details = runner.get_input_details()
    shapes: dict[str, tuple[int, ...]] = {"probabilities": (1, num_classes)}
    if frames is not None:
        shapes["frame_probabilities"] = (1, frames.num_frames, num_classes)
    if list(details) != ["signal"] or {*runner.get_output_details()} != {*shapes}:
        raise ValueError(
            f"it takes {list(details)} and gives {list(runner.get_output_details())}, "
            f"and should take a signal and give {' and '.join(shapes)}"
        )
    batch, *shape = (int(size) for size in details["signal"]["shape"])
    if batch != 1 or not shape or min(shape) < 1 or details["signal"]["dtype"] != np.float32:
        raise ValueError(f"its signal has the shape {(batch, *shape)}, and should be one of float32")
    given = runner(signal=np.zeros((1, *shape), np.float32))
    for name, wanted in shapes.items():
        if given[name].shape != wanted or given[name].dtype != np.float32:
            raise ValueError(f"it has {num_classes} labels and gives an array of shape {given[name].shape}")
    return tuple(shape)
