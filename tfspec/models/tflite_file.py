"""TFLite files of other people's: run by LiteRT, up to any tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tfspec.base.threads import threads

WITHOUT_DELEGATES = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
"""Delegates keep no tensors but the outputs."""


class TFLiteFile:
    """Runs examples in threads, each with an interpreter of its own: one is not safe for several.

    Args:
        content: of the file, which has one input.
        output: the place of an output, or the name of any tensor.
        shape: of an example, or its last axes, before which the file has axes of 1.
    """

    def __init__(self, content: bytes, output: int | str, shape: Sequence[int]):
        self._content, self._output, self._shape = content, output, [*shape]
        self._idle: list[tuple[Interpreter, int, int]] = []

    def __call__(self, examples: np.ndarray) -> np.ndarray:
        """Compute what the file makes of (batch, …) examples, one after another, stacked."""
        return np.stack([*threads().map(self._run, examples)])

    def _run(self, example: np.ndarray) -> np.ndarray:
        try:
            lent = self._idle.pop()
        except IndexError:
            lent = self._opened()
        interpreter, taken, made = lent
        interpreter.set_tensor(taken, example.reshape(interpreter.get_input_details()[0]["shape"]))
        interpreter.invoke()
        result = interpreter.get_tensor(made)
        self._idle.append(lent)
        return result

    def _opened(self) -> tuple[Interpreter, int, int]:
        """Make an interpreter; the numbers of its input, and of the tensor that is wanted."""
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
        shape = [1] * (len(taken["shape"]) - len(self._shape)) + self._shape
        if [*taken["shape"]] != shape:
            interpreter.resize_tensor_input(taken["index"], shape, strict=True)
        interpreter.allocate_tensors()
        places = {each["name"]: each["index"] for each in outputs}
        made = outputs[self._output]["index"] if isinstance(self._output, int) else places[self._output]
        return interpreter, taken["index"], made
