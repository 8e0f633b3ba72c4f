"""Biases that make up for rounded weights.

A weight rounded to int8 is a little off, and what it is off by is multiplied by the input. Where inputs are
much the same for all signals, as behind relu6 in MobileNetV2 with means of up to 4.5 times their spread,
most of the error is one constant an output, which a bias can take back. The method is that of Nagel et al.,
Data-free quantization through weight equalization and bias correction, 2019, with means that are measured.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfspec.borrowed import tflite_tree
from tfspec.export.layers import layers_of, packed, schema, values_of

DTYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT8: np.int8,
}


def corrected(quantised: bytes, plain: bytes, features: Sequence[np.ndarray]) -> bytes:
    """Correct the biases of the layers whose weights are in int8.

    Args:
        quantised: a TFLite file with weights in int8.
        plain: the same in float32.
        features: what both take, each with an axis for the batch; some dozens show the means.

    Returns:
        The quantised file with other biases. A layer without bias stays as it is.
    """
    tree, original = tflite_tree(quantised), tflite_tree(plain)
    layers = layers_of(tree)
    _separate_biases(tree, layers)
    means = _input_means(plain, layers_of(original), features)
    for layer, other, mean in zip(layers, layers_of(original), means, strict=True):
        weights = tree.subgraphs[0].tensors[layer.inputs[1]]
        if weights.type == schema.TensorType.INT8 and _has_bias(layer):
            error = _matrix(tree, layer) - _matrix(original, other)
            _lower_bias(tree, layer, _shift(error, mean))
    return packed(tree)


def _has_bias(layer: Any) -> bool:
    return len(layer.inputs) > 2 and layer.inputs[2] >= 0


def _input_means(model: bytes, layers: list[Any], features: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the mean of each channel of each layer's input."""
    inputs = [int(layer.inputs[0]) for layer in layers]
    totals: dict[int, Any] = dict.fromkeys(inputs, 0)
    for values in values_of(model, totals, features):
        for i, value in values.items():
            totals[i] = totals[i] + value.reshape(-1, value.shape[-1]).mean(axis=0)
    return [totals[i] / len(features) for i in inputs]


def _matrix(tree: Any, layer: Any) -> np.ndarray:
    """Return a layer's weights as (outputs, inputs of each output), summed over rows and columns."""
    tensor = tree.subgraphs[0].tensors[layer.inputs[1]]
    weights = _constant(tree, tensor)
    if tensor.type == schema.TensorType.INT8:
        axes = np.ones(weights.ndim, int)
        axes[tensor.quantization.quantizedDimension] = -1
        weights = weights * np.reshape(tensor.quantization.scale, axes)
    if tree.operatorCodes[layer.opcodeIndex].builtinCode == schema.BuiltinOperator.DEPTHWISE_CONV_2D:
        weights = weights.transpose(3, 1, 2, 0)  # from (1, rows, columns, outputs): each has one input
    return weights.reshape(len(weights), -1, weights.shape[-1]).sum(axis=1)


def _shift(error: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return by how much each output is off, if the inputs are their means: outputs share them in groups."""
    groups = mean.reshape(-1, error.shape[1])
    return (error * np.repeat(groups, len(error) // len(groups), axis=0)).sum(axis=1)


def _lower_bias(tree: Any, layer: Any, shift: np.ndarray) -> None:
    tensor = tree.subgraphs[0].tensors[layer.inputs[2]]
    bias = _constant(tree, tensor)
    if tensor.type == schema.TensorType.INT32:
        shift = np.round(shift / tensor.quantization.scale)
    lowered = (bias - shift).astype(bias.dtype)
    tree.buffers[tensor.buffer].data = np.frombuffer(lowered.tobytes(), np.uint8)


def _constant(tree: Any, tensor: Any) -> np.ndarray:
    data = tree.buffers[tensor.buffer].data
    return np.frombuffer(bytes(data), DTYPES[tensor.type]).reshape(tensor.shape)


def _separate_biases(tree: Any, layers: list[Any]) -> None:
    """Let each layer have a bias of its own: a converter writes equal constants once."""
    graph, seen = tree.subgraphs[0], set()
    for layer in filter(_has_bias, layers):
        tensor = copy.copy(graph.tensors[layer.inputs[2]])
        if tensor.buffer in seen:
            tree.buffers.append(copy.copy(tree.buffers[tensor.buffer]))
            tensor.buffer = len(tree.buffers) - 1
            layer.inputs = [*layer.inputs[:2], len(graph.tensors)]
            graph.tensors.append(tensor)
        seen.add(tensor.buffer)
