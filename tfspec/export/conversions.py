"""TFLite models of one operator, between parts in float32 and parts in integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfspec.export.layers import packed, schema


def conversion(name: str, shape: Sequence[int], scale: float, zero_point: int, to_int8: bool) -> bytes:
    """Make a TFLite model that takes a tensor and gives it by the same name in another type.

    Args:
        name: of the tensor.
        shape: of the tensor.
        scale: what an int8 element is worth.
        zero_point: which int8 element stands for 0.
        to_int8: from float32 to int8; False for the other way.

    Returns:
        The file, for `chaining.chain`.

    Example:
        >>> len(conversion("features", (1, 2, 40, 1), 0.05, 10, to_int8=True)) < 1000
        True
    """
    kinds = schema.BuiltinOperator
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    graph = schema.SubGraphT()
    wide, narrow = _tensor(f"{name}_float", shape), _tensor(f"{name}_int8", shape)
    narrow.type = schema.TensorType.INT8
    narrow.quantization = schema.QuantizationParametersT()
    narrow.quantization.scale, narrow.quantization.zeroPoint = (
        np.array([scale], np.float32),
        np.array([zero_point]),
    )
    graph.tensors = [wide, narrow] if to_int8 else [narrow, wide]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kinds.QUANTIZE if to_int8 else kinds.DEQUANTIZE
    signature = schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.inputs, signature.outputs = [_place(name, 0)], [_place(name, 1)]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.signatureDefs, model.buffers = [signature], [schema.BufferT()]
    return packed(model)


def _tensor(name: str, shape: Sequence[int]) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, list(shape), schema.TensorType.FLOAT32
    tensor.hasRank = True
    return tensor


def _place(name: str, index: int) -> Any:
    place = schema.TensorMapT()
    place.name, place.tensorIndex = name, index
    return place
