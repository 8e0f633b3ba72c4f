"""The graph of a TFLite file in TensorFlow's operations, so that it can stand in a Keras model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.files import file_problem
from tfspec.base.float_layer import FloatLayer
from tfspec.base.text import shown
from tfspec.borrowed import tflite_schema, tflite_tree
from tfspec.models.tflite_file import TFLiteFile
from tfspec.models.tflite_operations import NUMPY_TYPES, OPERATIONS, name_of

NEAR = 1e-3
"""How far from LiteRT's numbers TensorFlow's may be, as part of the greatest: sums go in another order."""


@keras.saving.register_keras_serializable("tfspec")
class TFLiteGraph(FloatLayer):
    """Computes what a TFLite file does, from its input to one of its tensors.

    The file's weights are the layer's, and do not train.

    Args:
        graph: JSON of "steps", the operations in their order, each with its "kind", the numbers of the
            tensors that it "takes" and "makes", and its "options" as TFLite's schema calls them; "constants",
            by number, of weights the "shape", of other numbers "type" and "values"; "taken", the "number" of
            what is given and the "shape" that it gets; and "made", the "number" of what is wanted, and its
            "shape" without the batch.
        one_by_one: the graph takes one example at a time.

    Input shape:
        (batch, …) of what "taken" can be made of.

    Output shape:
        (batch, …) float32, of the shape "made".

    Example:
        >>> graph = {
        ...     "steps": [{"kind": "ABS", "takes": [0], "makes": [1], "options": {}}],
        ...     "constants": {},
        ...     "taken": {"number": 0, "shape": [-1, 3]},
        ...     "made": {"number": 1, "shape": [3]},
        ... }
        >>> TFLiteGraph(json.dumps(graph))(tf.constant([[-1.0, 2.0, -3.0]])).numpy().tolist()
        [[1.0, 2.0, 3.0]]
    """

    def __init__(self, graph: str, one_by_one: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.graph = graph
        self.one_by_one = one_by_one

    def build(self, input_shape):
        """Make the weights."""
        self._weights_of = {
            number: self.add_weight(constant["shape"], trainable=False, name=f"tensor_{number}")
            for number, constant in json.loads(self.graph)["constants"].items()
            if "shape" in constant
        }
        super().build(input_shape)

    def call(self, examples):
        """Run the graph."""
        graph, examples = json.loads(self.graph), tf.cast(examples, tf.float32)
        if not self.one_by_one:
            return self._run(graph, examples)
        made = tf.TensorSpec(graph["made"]["shape"], tf.float32)
        return tf.map_fn(lambda one: self._run(graph, one[tf.newaxis])[0], examples, fn_output_signature=made)

    def _run(self, graph: dict[str, Any], examples: tf.Tensor) -> tf.Tensor:
        """Compute one tensor after another; what an operation leaves out has the number -1."""
        taken, made = graph["taken"], graph["made"]
        tensors = {taken["number"]: tf.reshape(examples, taken["shape"])}
        for number, constant in graph["constants"].items():
            weight = self._weights_of.get(number)
            values = np.array(constant["values"], constant["type"]) if weight is None else weight.value
            tensors[int(number)] = values
        for step in graph["steps"]:
            given = [tensors.get(number) for number in step["takes"]]
            results = OPERATIONS[step["kind"]](step["options"], *given)
            tensors |= zip(step["makes"], results if isinstance(results, list) else [results], strict=True)
        return tf.reshape(tensors[made["number"]], [-1, *made["shape"]])

    def compute_output_shape(self, input_shape):
        """Return (batch, …)."""
        return (input_shape[0], *json.loads(self.graph)["made"]["shape"])


def load_tflite(path: str | os.PathLike, shape: Sequence[int], output: int | str = 0) -> keras.Model:
    """Load a TFLite file of other people's as a Keras model.

    It can stand in other Keras models, and is saved and exported with them. Its numbers are held to those of
    LiteRT when it is loaded.

    Args:
        path: of a file with one input of float32, and weights in float32 or float16.
        shape: of an example, without the batch.
        output: the place of an output, or the name of any tensor.

    Returns:
        A model from (batch, *shape) to (batch, …) float32 of which nothing trains.

    Raises:
        UserError: the file is missing or damaged, quantised, or has operations that are not known here.

    Example:
        >>> load_tflite("missing.tflite", (16000,))
        Traceback (most recent call last):
        tfspec.base.errors.UserError: missing.tflite cannot be read: no such file
    """
    if problem := file_problem(path):
        raise UserError(f"{shown(path)} cannot be read: {problem}")
    content = Path(path).read_bytes()
    with in_one_line(f"{shown(path)} cannot be a Keras model", "give another file, or another shape"):
        return tflite_network(content, output, shape, TFLiteFile(content, output, shape))


def tflite_network(
    content: bytes, output: int | str, shape: Sequence[int], run: Callable[[np.ndarray], np.ndarray]
) -> keras.Model:
    """Rebuild a TFLite file as a Keras model, and hold it to the numbers that it gave elsewhere.

    Args:
        content: of the file, which has one input.
        output: the place of an output, or the name of any tensor.
        shape: of an example, or its last axes, before which the file has axes of 1.
        run: what the file was made from, or LiteRT on it: from (batch, *shape) to (batch, …).

    Returns:
        A model from (batch, *shape) to (batch, …) float32 of which nothing trains.

    Raises:
        ValueError: the file has operations that are not known here, or is quantised, or gives other numbers.
    """
    # A loud and a quiet one: what is scaled by the loudest of a batch depends on neighbours
    levels = np.reshape([0.5, 0.0005], [2, *[1] * len(shape)])
    examples = (levels * np.random.default_rng(0).uniform(-1, 1, (2, *shape))).astype(np.float32)
    expected = run(examples)
    graph, weights = _read(content, output, shape, expected.shape[1:])
    example = keras.Input(tuple(shape))
    for one_by_one in (False, True):  # several examples do not fit where a shape is fixed to one
        layer = TFLiteGraph(json.dumps(graph), one_by_one)
        layer.build(examples.shape)
        layer.set_weights(weights)
        try:
            found = layer(examples).numpy()
        except (tf.errors.InvalidArgumentError, ValueError):
            continue
        if all(_are_near(*each) for each in zip(found, expected, strict=True)):
            return keras.Model(example, layer(example))
    raise ValueError("its operations do not give the same numbers in TensorFlow")


def _are_near(found: np.ndarray, expected: np.ndarray) -> bool:
    return np.abs(found - expected).max() <= NEAR * np.abs(expected).max()


def _read(
    content: bytes, output: int | str, shape: Sequence[int], made: tuple[int, ...]
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read a file's first graph up to a tensor: what `TFLiteGraph` takes, and its weights."""
    tree = tflite_tree(content)
    graph = tree.subgraphs[0]
    (taken,) = graph.inputs
    names = [tensor.name.decode() for tensor in graph.tensors]
    wanted = graph.outputs[output] if isinstance(output, int) else names.index(output)
    operators = _leading_to(wanted, graph.operators)
    steps = [_step(tree, operator) for operator in operators]
    if unknown := sorted({step["kind"] for step in steps} - OPERATIONS.keys()):
        raise ValueError(f"its operations {', '.join(unknown)} are not known")
    computed = {taken, -1, *(number for operator in operators for number in operator.outputs)}
    read = {number for operator in operators for number in operator.inputs}
    constants = {int(number): _constant(tree, graph.tensors[number]) for number in sorted(read - computed)}
    rank = len(graph.tensors[taken].shape)
    before = [-1, *[1] * (rank - 1 - len(shape))] if rank > len(shape) else []  # a file may know no batch
    described = {
        "steps": steps,
        "constants": {number: _described(values) for number, values in constants.items()},
        "taken": {"number": int(taken), "shape": [*before, *shape]},
        "made": {"number": int(wanted), "shape": made},
    }
    return described, [values for values in constants.values() if values.dtype == np.float32]


def _described(constant: np.ndarray) -> dict[str, Any]:
    """Describe a constant: of weights the shape alone, as the layer's own hold their values."""
    if constant.dtype == np.float32:
        return {"shape": constant.shape}
    return {"type": constant.dtype.name, "values": constant.tolist()}


def _leading_to(wanted: int, operators: list[Any]) -> list[Any]:
    """List the operators on which a tensor depends."""
    needed, leading = {wanted}, []
    for operator in reversed(operators):
        if needed.intersection(operator.outputs):
            needed.update(operator.inputs)
            leading.append(operator)
    return leading[::-1]


def _step(tree: Any, operator: Any) -> dict[str, Any]:
    code = tree.operatorCodes[operator.opcodeIndex]
    made = tree.subgraphs[0].tensors[operator.outputs[0]]
    options = {"type": _numpy_type(made).name}  # which the options of a cast may leave out
    for name, value in (vars(operator.builtinOptions) if operator.builtinOptions else {}).items():
        options[name] = value.tolist() if isinstance(value, np.ndarray) else value
    return {
        # files of before 2020 have the code in the older field alone, which ends at 127
        "kind": name_of(tflite_schema().BuiltinOperator, max(code.builtinCode, code.deprecatedBuiltinCode)),
        "takes": operator.inputs.tolist(),
        "makes": operator.outputs.tolist(),
        "options": options,
    }


def _constant(tree: Any, tensor: Any) -> np.ndarray:
    """Read a tensor's values, float16 as float32."""
    kind = _numpy_type(tensor)
    values = np.frombuffer(bytes(tree.buffers[tensor.buffer].data), kind)
    values = values.reshape([] if tensor.shape is None else tensor.shape)
    return values.astype(np.float32) if kind == np.float16 else values


def _numpy_type(tensor: Any) -> np.dtype:
    name = name_of(tflite_schema().TensorType, tensor.type)
    if tensor.quantization is not None and tensor.quantization.scale is not None:
        raise ValueError("it is quantised: take the file in float32 or float16")
    if name not in NUMPY_TYPES:
        raise ValueError(f"it holds numbers of the type {name}")
    return np.dtype(NUMPY_TYPES[name])
