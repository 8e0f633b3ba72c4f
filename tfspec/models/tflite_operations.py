"""The operations of TFLite files, each as TensorFlow computes it.

Names and options are those of TFLite's schema. What a file can hold beyond these (control flow, variables,
quantised activations, operations of one's own) is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfspec.borrowed import tflite_schema

Options = dict[str, Any]
Operation = Callable[..., Any]
"""From options and tensors to a tensor, or a list of several."""

NUMPY_TYPES = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "INT32": np.int32,
    "INT64": np.int64,
    "BOOL": np.bool_,
    "COMPLEX64": np.complex64,
}
ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "NONE": lambda x: x,
    "RELU": tf.nn.relu,
    "RELU_N1_TO_1": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    "RELU6": tf.nn.relu6,
    "TANH": tf.tanh,
}


def name_of(enumeration: type, number: int) -> str:
    """Return what the schema calls a number.

    Example:
        >>> name_of(tflite_schema().Padding, 1)
        'VALID'
    """
    return next(name for name, value in vars(enumeration).items() if value == number)


def _activated(x: tf.Tensor, options: Options) -> tf.Tensor:
    return ACTIVATIONS[name_of(tflite_schema().ActivationFunctionType, options["fusedActivationFunction"])](x)


def _padding(options: Options) -> str:
    return name_of(tflite_schema().Padding, options["padding"])


def _strides(options: Options) -> list[int]:
    return [options["strideH"], options["strideW"]]


def _conv_2d(options: Options, x, kernel, bias=None):
    """Convolve; TFLite's kernels are (out, rows, columns, in)."""
    dilations = [options["dilationHFactor"], options["dilationWFactor"]]
    kernel = tf.transpose(kernel, [1, 2, 3, 0])
    y = tf.nn.conv2d(x, kernel, _strides(options), _padding(options), dilations=dilations)
    return _activated(y if bias is None else y + bias, options)


def _depthwise_conv_2d(options: Options, x, kernel, bias=None):
    """Convolve each channel by itself; TFLite's kernels are (1, rows, columns, in · multiplier)."""
    _, rows, columns, channels = kernel.shape
    multiplier = options["depthMultiplier"]
    kernel = tf.reshape(kernel, [rows, columns, channels // multiplier, multiplier])
    (row, column), dilations = _strides(options), [options["dilationHFactor"], options["dilationWFactor"]]
    y = tf.nn.depthwise_conv2d(x, kernel, [1, row, column, 1], _padding(options), dilations=dilations)
    return _activated(y if bias is None else y + bias, options)


def _fully_connected(options: Options, x, kernel, bias=None):
    if not options["keepNumDims"]:
        x = tf.reshape(x, [-1, kernel.shape[1]])
    y = tf.tensordot(x, kernel, [[-1], [1]])
    return _activated(y if bias is None else y + bias, options)


def _pool(pooling: Callable) -> Operation:
    def pool(options: Options, x):
        size = [options["filterHeight"], options["filterWidth"]]
        return _activated(pooling(x, size, _strides(options), _padding(options)), options)

    return pool


def _joined(function: Callable) -> Operation:
    """Make an operation on two tensors, behind which an activation may be."""

    def operation(options: Options, x, y):
        z = function(x, y)
        return _activated(z, options) if "fusedActivationFunction" in options else z

    return operation


def _reduced(function: Callable) -> Operation:
    return lambda options, x, axes: function(x, axes, keepdims=options["keepDims"])


def _plain(function: Callable) -> Operation:
    """Make an operation without options."""
    return lambda options, *tensors: function(*tensors)


def _strided_slice(options: Options, x, begin, end, strides):
    masks = ("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask")
    return tf.strided_slice(x, begin, end, strides, *(options[mask] for mask in masks))


def _cast(options: Options, x):
    """Convert to another type; of complex numbers the real part."""
    return tf.cast(tf.math.real(x) if x.dtype.is_complex else x, options["type"])


def _reshaped(options: Options, x, shape=None):
    return tf.reshape(x, options["newShape"] if shape is None else shape)


def _mirrored(options: Options, x, margins):
    return tf.pad(x, margins, name_of(tflite_schema().MirrorPadMode, options["mode"]))


OPERATIONS: dict[str, Operation] = {
    # layers
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": _pool(tf.nn.avg_pool2d),
    "MAX_POOL_2D": _pool(tf.nn.max_pool2d),
    "BATCH_MATMUL": lambda options, x, y: tf.matmul(
        x, y, transpose_a=options["adjX"], transpose_b=options["adjY"]
    ),
    "RFFT2D": _plain(tf.signal.rfft2d),
    # arithmetic
    "ADD": _joined(tf.add),
    "ADD_N": _plain(lambda *parts: tf.add_n(parts)),
    "SUB": _joined(tf.subtract),
    "MUL": _joined(tf.multiply),
    "DIV": _joined(tf.divide),
    "FLOOR_DIV": _joined(tf.math.floordiv),
    "FLOOR_MOD": _joined(tf.math.floormod),
    "MAXIMUM": _joined(tf.maximum),
    "MINIMUM": _joined(tf.minimum),
    "POW": _joined(tf.pow),
    "SQUARED_DIFFERENCE": _joined(tf.math.squared_difference),
    "ABS": _plain(tf.abs),
    "NEG": _plain(tf.negative),
    "SQUARE": _plain(tf.square),
    "SQRT": _plain(tf.sqrt),
    "RSQRT": _plain(tf.math.rsqrt),
    "EXP": _plain(tf.exp),
    "LOG": _plain(tf.math.log),
    "SIN": _plain(tf.sin),
    "COS": _plain(tf.cos),
    "FLOOR": _plain(tf.floor),
    "CEIL": _plain(tf.math.ceil),
    "ROUND": _plain(tf.round),
    "COMPLEX_ABS": _plain(tf.abs),
    "REAL": _plain(tf.math.real),
    "IMAG": _plain(tf.math.imag),
    "MEAN": _reduced(tf.reduce_mean),
    "SUM": _reduced(tf.reduce_sum),
    "REDUCE_MAX": _reduced(tf.reduce_max),
    "REDUCE_MIN": _reduced(tf.reduce_min),
    "REDUCE_PROD": _reduced(tf.reduce_prod),
    # activations
    "LOGISTIC": _plain(tf.sigmoid),
    "TANH": _plain(tf.tanh),
    "RELU": _plain(tf.nn.relu),
    "RELU6": _plain(tf.nn.relu6),
    "ELU": _plain(tf.nn.elu),
    "LEAKY_RELU": lambda options, x: tf.nn.leaky_relu(x, options["alpha"]),
    "PRELU": _plain(lambda x, alpha: tf.where(x > 0, x, alpha * x)),
    "HARD_SWISH": _plain(lambda x: x * tf.nn.relu6(x + 3) / 6),
    "GELU": lambda options, x: tf.nn.gelu(x, options["approximate"]),
    "SOFTMAX": lambda options, x: tf.nn.softmax(options["beta"] * x),
    "LOG_SOFTMAX": _plain(tf.nn.log_softmax),
    # comparisons
    "EQUAL": _plain(tf.equal),
    "NOT_EQUAL": _plain(tf.not_equal),
    "GREATER": _plain(tf.greater),
    "GREATER_EQUAL": _plain(tf.greater_equal),
    "LESS": _plain(tf.less),
    "LESS_EQUAL": _plain(tf.less_equal),
    "LOGICAL_AND": _plain(tf.logical_and),
    "LOGICAL_OR": _plain(tf.logical_or),
    "LOGICAL_NOT": _plain(tf.logical_not),
    "SELECT": _plain(tf.where),
    "SELECT_V2": _plain(tf.where),
    # shapes
    "SHAPE": _plain(tf.shape),
    "RESHAPE": _reshaped,
    "SQUEEZE": lambda options, x: tf.squeeze(x, options["squeezeDims"]),
    "EXPAND_DIMS": _plain(tf.expand_dims),
    "TRANSPOSE": _plain(tf.transpose),
    "BROADCAST_TO": _plain(tf.broadcast_to),
    "TILE": _plain(tf.tile),
    "FILL": _plain(tf.fill),
    "RANGE": _plain(tf.range),
    "PAD": _plain(tf.pad),
    "PADV2": _plain(lambda x, margins, value: tf.pad(x, margins, constant_values=value)),
    "MIRROR_PAD": _mirrored,
    "REVERSE_V2": _plain(tf.reverse),
    "SLICE": _plain(tf.slice),
    "STRIDED_SLICE": _strided_slice,
    "GATHER": lambda options, x, places: tf.gather(
        x, places, axis=options["axis"], batch_dims=options["batchDims"]
    ),
    "CONCATENATION": lambda options, *parts: tf.concat(parts, options["axis"]),
    "PACK": lambda options, *parts: tf.stack(parts, options["axis"]),
    "UNPACK": lambda options, x: tf.unstack(x, options["num"], options["axis"]),
    "SPLIT": lambda options, axis, x: tf.split(x, options["numSplits"], axis),
    "SPLIT_V": _plain(tf.split),
    "CAST": _cast,
    "DEQUANTIZE": _plain(tf.identity),
}
