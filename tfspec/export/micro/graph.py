"""What a TFLite file of a streaming network holds, as Python objects."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tfspec.borrowed import tflite_schema, tflite_tree

schema = tflite_schema()

FEATURES, LOGITS, STATE = "features", "logits", "state_"
OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
TYPES = {schema.TensorType.INT8: np.int8, schema.TensorType.INT32: np.int32}


class Tensor(NamedTuple):
    """A tensor of a graph; an integer q in it stands for scale · (q − zero).

    Args:
        number: its own, in the graph.
        shape: its axes, the batch's first.
        is_int8: whether it holds 8-bit integers.
        scales: float32, one, or one a channel; empty where it is no quantity.
        zero: the integer that stands for 0.
        values: what it always holds; None where that is computed.
    """

    number: int
    shape: tuple[int, ...]
    is_int8: bool
    scales: np.ndarray
    zero: int
    values: np.ndarray | None

    @property
    def scale(self) -> float:
        """The one scale of a tensor that has no more."""
        (scale,) = self.scales
        return float(scale)

    @property
    def size(self) -> int:
        """Number of its values."""
        return int(np.prod(self.shape))


class Operator(NamedTuple):
    """An operator of a graph.

    Args:
        kind: TFLite's name, such as "CONV_2D".
        inputs: what it takes; None for what is left out.
        output: what it gives, the first if it gives more.
        options: its options, by TFLite's names.
    """

    kind: str
    inputs: tuple[Tensor | None, ...]
    output: Tensor
    options: Any


class Graph(NamedTuple):
    """A network with memory.

    Args:
        operators: in the order in which they run.
        features: what goes in.
        logits: what comes out.
        states: pairs of what was kept of the hop before and what is kept of this one.
    """

    operators: tuple[Operator, ...]
    features: Tensor
    logits: Tensor
    states: tuple[tuple[Tensor, Tensor], ...]


def read_graph(model: bytes) -> Graph:
    """Read a network of one hop after another.

    Args:
        model: a TFLite file whose signature takes `features` and `state_0` …, and gives `logits` and the
            next `state_0` …, all int8; a state has one scale and zero point on both sides.

    Returns:
        The graph.

    Raises:
        ValueError: it is no such file.
    """
    tree = tflite_tree(model)
    graph, (signature,) = tree.subgraphs[0], tree.signatureDefs
    tensors = [_tensor(tree, i) for i in range(len(graph.tensors))]
    names = [
        {each.name.decode(): tensors[each.tensorIndex] for each in side}
        for side in (signature.inputs, signature.outputs)
    ]
    given, returned = names
    features, logits = given.pop(FEATURES, None), returned.pop(LOGITS, None)
    if features is None or logits is None or given.keys() != returned.keys():
        raise ValueError(
            f"A network takes `features` and states, and gives `logits` and these states. Received: {names}"
        )
    states = tuple((given[name], returned[name]) for name in sorted(given))
    for old, new in ((features, features), (logits, logits), *states):
        if not (old.is_int8 and new.is_int8):
            raise ValueError("A network's features, logits and states are int8. Received: another type")
        if (old.shape, old.scale, old.zero) != (new.shape, new.scale, new.zero):
            raise ValueError("A state has the same shape, scale and zero point on both sides")
    return Graph(tuple(_operator(tree, each, tensors) for each in graph.operators), features, logits, states)


def _tensor(tree: Any, index: int) -> Tensor:
    tensor = tree.subgraphs[0].tensors[index]
    kept = tree.buffers[tensor.buffer].data
    shape = tuple(map(int, tensor.shape)) if tensor.shape is not None else ()
    quantity = tensor.quantization
    scales = np.zeros(0) if quantity is None or quantity.scale is None else quantity.scale
    zeros = [0] if quantity is None or quantity.zeroPoint is None else quantity.zeroPoint
    values = None
    if kept is not None and tensor.type in TYPES:
        values = np.frombuffer(bytes(kept), TYPES[tensor.type]).reshape(shape)
    return Tensor(
        index,
        shape,
        tensor.type == schema.TensorType.INT8,
        np.asarray(scales, np.float32),
        int(zeros[0]),
        values,
    )


def _operator(tree: Any, operator: Any, tensors: list[Tensor]) -> Operator:
    code = tree.operatorCodes[operator.opcodeIndex]
    kind = OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
    inputs = tuple(None if i < 0 else tensors[i] for i in operator.inputs)
    return Operator(kind, inputs, tensors[operator.outputs[0]], operator.builtinOptions)
