"""Running a streaming TFLite file, a hop of samples at a time: LiteRT and NumPy alone."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.model import NOT_OURS
from tfspec.base.quiet import hushed
from tfspec.export.metadata import read_model
from tfspec.export.streaming_file import StreamingFacts, read_facts, streaming_paths

SIGNATURE = "serving_default"


class StreamingFile:
    """A streaming TFLite file that listens to one stream.

    Args:
        model: content of the TFLite file.
        facts: what streaming.json says.

    Raises:
        ValueError: they do not fit each other; the message says how.
    """

    def __init__(self, model: bytes, facts: StreamingFacts):
        self.class_names, self.sample_rate = facts.classes, facts.sample_rate
        self.hop_samples, self.warm_up_hops = facts.hop_samples, facts.warm_up_hops
        self.channels, self.detector = facts.channels, facts.detector
        self._interpreter = Interpreter(model_content=model, num_threads=1)
        self._inputs, self._outputs = _details(self._interpreter)
        self._shape = (self.hop_samples,) if self.channels is None else (self.hop_samples, self.channels)
        states = {state.name: (state.shape, np.dtype(state.type).type) for state in facts.states}
        _check("takes", self._inputs, {"samples": ((1, *self._shape), np.float32), **states})
        _check("gives", self._outputs, {"probabilities": ((1, len(facts.classes)), np.float32), **states})
        self._interpreter.allocate_tensors()
        self._initial = {each.name: np.full(each.shape, each.initial, each.type) for each in facts.states}
        self.reset()

    def reset(self) -> None:
        """Begin another stream."""
        self.not_finite = 0
        self._states = self._initial

    def step(self, samples: np.ndarray) -> np.ndarray:
        """Classify what has been heard up to the end of the next hop.

        Samples that are NaN or infinite count as 0, for they would stay in the states; `not_finite` says how
        many there were since the stream began.

        Args:
            samples: (hop_samples,) or, of several channels, (hop_samples, channels); sound in −1…1. Whole
                numbers are taken as they are, as a sensor's are: those of int16 sound want to be divided by
                32768.

        Returns:
            (classes,) float32. Those of the first `warm_up_hops` hops are of a clip that is not yet full.

        Raises:
            UserError: the samples have another shape.
        """
        samples, bad = finite(samples)
        if samples.shape != self._shape:
            raise UserError(
                f"A hop of this model has the shape {self._shape}. Received: one of shape {samples.shape}"
            )
        self.not_finite += bad
        for name, value in {"samples": samples[np.newaxis], **self._states}.items():
            self._interpreter.set_tensor(self._inputs[name]["index"], value)
        self._interpreter.invoke()
        results = {name: self._interpreter.get_tensor(each["index"]) for name, each in self._outputs.items()}
        probabilities = results.pop("probabilities")
        self._states = results
        return probabilities[0]


def _details(interpreter: Interpreter) -> tuple[dict[str, Any], dict[str, Any]]:
    """Describe what the signature takes and gives; its runner must be gone when tensors are allocated."""
    runner = interpreter.get_signature_runner(SIGNATURE)
    return runner.get_input_details(), runner.get_output_details()


def _check(verb: str, details: dict[str, Any], expected: dict[str, tuple]) -> None:
    """Hold the tensors of a signature to what they should be."""
    given = {name: (tuple(map(int, each["shape"])), each["dtype"]) for name, each in details.items()}
    if given.keys() != expected.keys():
        raise ValueError(f"it {verb} {', '.join(given)}, and should {verb[:-1]} {', '.join(expected)}")
    for name, (shape, kind) in expected.items():
        if given[name] != (shape, kind):
            has, should = (f"{np.dtype(k)} of shape {s}" for s, k in (given[name], (shape, kind)))
            raise ValueError(f"its {name} has {has}, and should have {should}")


def finite(samples: np.ndarray) -> tuple[np.ndarray, int]:
    """Put 0 in the place of samples that are NaN or infinite.

    Args:
        samples: an array of any shape.

    Returns:
        The samples as float32, and how many were replaced.

    Example:
        >>> finite(np.array([1.0, np.nan]))
        (array([1., 0.], dtype=float32), 1)
    """
    samples = np.asarray(samples, np.float32)
    good = np.isfinite(samples)
    return (samples, 0) if good.all() else (np.where(good, samples, np.float32(0)), int((~good).sum()))


def load_streaming(path: str | os.PathLike) -> StreamingFile:
    """Load a streaming model, without TensorFlow.

    Args:
        path: a folder that holds streaming.tflite and streaming.json, or either file.

    Returns:
        The model, at the beginning of a stream.

    Raises:
        UserError: a file is missing or damaged, or they do not fit each other.

    Example:
        >>> load_streaming("missing")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: missing/streaming.json cannot be used as a streaming model's facts: ...
    """
    model_path, facts_path = streaming_paths(path)
    facts = read_facts(facts_path)
    model = read_model(model_path)
    if facts.sha256 not in (None, hashlib.sha256(model).hexdigest()):
        raise UserError(f"{model_path} is not the file that {facts_path} is about: copy or export both again")
    with in_one_line(f"{model_path} cannot be used as a streaming model", NOT_OURS), hushed():
        return StreamingFile(model, facts)
