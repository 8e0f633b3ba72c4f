"""TFLite files as objects; their layers that multiply by weights, and what goes through them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tfspec.borrowed import tflite_schema

schema = tflite_schema()

KINDS = {
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
}


def packed(tree: Any) -> bytes:
    """Write a TFLite file from what `tflite_tree` made of one, however it was changed."""
    tree.buffers = [_Buffer(old.data) for old in tree.buffers]
    builder = flatbuffers.Builder()
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Buffer(schema.BufferT):  # type: ignore[name-defined]
    """A buffer aligned to 16 bytes, as TFLite's schema asks and the classes made from it do not do."""

    def __init__(self, data: np.ndarray | None):
        super().__init__()
        self.data = data

    def Pack(self, builder):  # noqa: N802
        if self.data is not None:
            builder.Prep(16, len(self.data))
        return super().Pack(builder)


def layers_of(tree: Any) -> list[Any]:
    """List the convolutions and dense layers of a file's first graph.

    A model in float32, with weights in int8 and all in int8 has the same ones in the same order.

    Args:
        tree: from `tflite_tree`.

    Returns:
        Their operators: inputs are what goes in, the weights and, mostly, the biases.
    """
    graph = tree.subgraphs[0]
    return [
        operator
        for operator in graph.operators
        if tree.operatorCodes[operator.opcodeIndex].builtinCode in KINDS
        and tree.buffers[graph.tensors[operator.inputs[1]].buffer].data is not None
    ]


def values_of(
    model: bytes, tensors: Iterable[int], examples: Iterable[np.ndarray]
) -> Iterator[dict[int, np.ndarray]]:
    """Run a file on one example after another and read what is inside.

    Args:
        model: a TFLite file with one input.
        tensors: numbers of tensors of its first graph.
        examples: what it takes, each with an axis for the batch.

    Yields:
        For each example the tensors' values by number, float32 also where the file has integers.
    """
    interpreter = Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    for example in examples:
        interpreter.set_tensor(given["index"], example)
        interpreter.invoke()
        yield {i: _widened(interpreter.get_tensor(i), *details[i]["quantization"]) for i in tensors}


def _widened(values: np.ndarray, scale: float, zero: int) -> np.ndarray:
    """Return what integers stand for; a scale of 0 says that they are none."""
    return (values.astype(np.float32) - zero) * scale if scale else values
