"""Spectra by the signal library of TensorFlow Lite for Microcontrollers, which lacks TFLite's RFFT2D."""

from __future__ import annotations

from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from tfspec.base.errors import UserError
from tfspec.borrowed import tflite_tree
from tfspec.export.layers import packed, schema

SPECTRUM = "SignalRfft"
"""Its output holds real and imaginary parts in turn."""
KINDS = schema.BuiltinOperator


def with_signal_operators(model: bytes) -> bytes:
    """Compute a file's power spectra by a custom operator of TensorFlow Lite for Microcontrollers.

    RFFT2D, REAL, IMAG, two SQUAREs and ADD become SignalRfft, SQUARE, RESHAPE and SUM. All else must be there
    on microcontrollers as it is; a streaming file's front end is, and so is a network for streams.

    Args:
        model: a TFLite file with builtin operators, such as `streaming_tflite` makes.

    Returns:
        The file. LiteRT cannot run it.

    Raises:
        UserError: it has no power spectrum by a transform whose length is a power of two.
    """
    tree = tflite_tree(model)
    graph = tree.subgraphs[0]
    made_by = {int(each): operator for operator in graph.operators for each in operator.outputs}
    operators, replaced = [], 0
    for operator in graph.operators:
        transform = _transform_of(tree, operator, made_by)
        if transform is None:
            operators.append(operator)
        else:
            operators += _power(tree, transform, int(operator.outputs[0]))
            replaced += 1
    if not replaced:
        raise UserError(
            "Signal operators are for spectra by transforms whose length is a power of two. Received: a file "
            "without any; train with such an fft_length"
        )
    graph.operators = _needed(operators, graph.outputs)
    for tensor in graph.tensors:  # of those that nobody needs any more
        if tensor.type == schema.TensorType.COMPLEX64:
            tensor.type = schema.TensorType.FLOAT32
    return packed(tree)


def _transform_of(tree: Any, operator: Any, made_by: dict[int, Any]) -> Any:
    """Return the RFFT2D of whose result an ADD makes the power; None for any other operator."""
    if _kind(tree, operator) != KINDS.ADD:
        return None
    squares = [made_by.get(int(each)) for each in operator.inputs]
    parts = [_before(tree, each, KINDS.SQUARE, made_by) for each in squares]
    if {each and _kind(tree, each) for each in parts} != {KINDS.REAL, KINDS.IMAG}:
        return None
    spectra = [made_by[int(each.inputs[0])] for each in parts]
    while _kind(tree, spectra[0]) == KINDS.RESHAPE:
        spectra = [made_by[int(each.inputs[0])] for each in spectra]
    is_one = spectra[0] is spectra[1] and _kind(tree, spectra[0]) == KINDS.RFFT2D
    return spectra[0] if is_one else None


def _before(tree: Any, operator: Any, kind: int, made_by: dict[int, Any]) -> Any:
    """Return what makes the input of an operator, if that is of a kind."""
    if operator is None or _kind(tree, operator) != kind:
        return None
    return made_by.get(int(operator.inputs[0]))


def _power(tree: Any, transform: Any, power: int) -> list[Any]:
    """Make the operators from the input of a transform to a tensor of powers."""
    tensors = tree.subgraphs[0].tensors
    signal = int(transform.inputs[0])
    *outer, length = map(int, tensors[signal].shape)
    shape = [int(size) for size in tensors[power].shape]
    spectrum = _tensor(tree, [*outer, length + 2])
    squares = _tensor(tree, [*outer, length + 2])
    pairs = _tensor(tree, [*shape, 2])
    last = _tensor(tree, [1], np.array([len(shape)], np.int32))
    new_shape = _tensor(tree, [len(shape) + 1], np.array([*shape, 2], np.int32))
    custom = _operator(tree, KINDS.CUSTOM, [signal], spectrum)
    custom.customOptions = np.frombuffer(bytes(_options(length)), np.uint8)
    return [
        custom,
        _operator(tree, KINDS.SQUARE, [spectrum], squares, "SquareOptions"),
        _operator(tree, KINDS.RESHAPE, [squares, new_shape], pairs, "ReshapeOptions"),
        _operator(tree, KINDS.SUM, [pairs, last], power, "ReducerOptions"),
    ]


def _options(length: int) -> bytes:
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("T")
        builder.Int(schema.TensorType.FLOAT32)
        builder.Key("fft_length")
        builder.Int(length)
    return builder.Finish()


def _needed(operators: list[Any], outputs: Any) -> list[Any]:
    """Leave out operators whose results nobody takes any more."""
    wanted, kept = {int(each) for each in outputs}, []
    for operator in reversed(operators):
        if wanted & {int(each) for each in operator.outputs}:
            kept.append(operator)
            wanted |= {int(each) for each in operator.inputs}
    return kept[::-1]


def _kind(tree: Any, operator: Any) -> int:
    code = tree.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def _tensor(tree: Any, shape: list[int], values: np.ndarray | None = None) -> int:
    """Add a tensor and return its number; int32 if its values are given, else float32."""
    tensor, buffer = schema.TensorT(), schema.BufferT()
    tensors = tree.subgraphs[0].tensors
    tensor.name, tensor.shape, tensor.hasRank = f"tensor_{len(tensors)}", np.array(shape, np.int32), True
    tensor.type = schema.TensorType.FLOAT32
    if values is not None:
        tensor.type = schema.TensorType.INT32
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    tensor.buffer = len(tree.buffers)
    tree.buffers.append(buffer)
    tensors.append(tensor)
    return len(tensors) - 1


def _operator(tree: Any, kind: int, inputs: list[int], output: int, options: str | None = None) -> Any:
    """Make an operator, and the code of its kind if there is none yet."""
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = inputs, [output]
    custom = SPECTRUM if kind == KINDS.CUSTOM else None
    known = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in tree.operatorCodes]
    if kind not in known:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version, code.customCode = 1, custom
        tree.operatorCodes.append(code)
        known.append(kind)
    operator.opcodeIndex = known.index(kind)
    if options is not None:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
        operator.builtinOptions = getattr(schema, f"{options}T")()
    return operator
