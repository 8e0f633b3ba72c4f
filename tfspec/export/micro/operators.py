"""What each operator of a TFLite file becomes: a call of a function of kernels.c, with its constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tfspec.base.errors import UserError
from tfspec.borrowed import tflite_schema
from tfspec.export.micro.graph import Operator, Tensor
from tfspec.export.micro.rounding import factor, logistic, requantized
from tfspec.export.micro.source_text import Source

schema = tflite_schema()

AXES = 4
"""Axes that a kernel runs over; neighbours that lie in one row count as one."""
ADDED_BITS = 20
"""By which addends are raised, as in kernels.c."""


class Emission(NamedTuple):
    """Where an operator's C goes.

    Args:
        source: constants.
        place: gives the C expression that points to a tensor.
        calls: statements, to which those of the operator are added.
    """

    source: Source
    place: Callable[[Tensor], str]
    calls: list[str]

    def call(self, function: str, *arguments: object) -> None:
        """Add a call."""
        self.calls.append(f"{function}({', '.join(map(str, arguments))});")

    def move(self, axes: Iterable[tuple[int, ...]], source: str, target: str) -> None:
        """Add a copy of values.

        Args:
            axes: of each its size, its step where values come from, and its step where they go.
            source: where the first one is.
            target: where it goes.
        """
        size, source_steps, target_steps = _four(axes)
        if size[:-1] == [1] * (AXES - 1) and source_steps[-1] == target_steps[-1] == 1:
            self.call("memcpy", target, source, size[-1])
            return
        fields = {"size": size, "in_steps": source_steps, "out_steps": target_steps}
        self.call("tfspec_move", self.source.structure("tfspec_moving", fields), source, target)


def _convolution(operator: Operator, emission: Emission) -> None:
    _, *kernel, depth = _kept(operator, 1).shape
    if depth != _given(operator).shape[-1]:
        raise UserError("A convolution in groups is not there on microcontrollers: train with groups=1")
    window = _joined(_window(operator, kernel))
    _weigh("tfspec_convolution", operator, emission, window, 0)


def _depthwise(operator: Operator, emission: Emission) -> None:
    _, *kernel, _ = _kept(operator, 1).shape
    window = _window(operator, kernel)
    if window["in_width"] == window["kernel_width"] == 1:
        window = _turned(window)  # a column is a row, over which the inner loop goes
    _weigh("tfspec_depthwise", operator, emission, window, 3)


def _fully_connected(operator: Operator, emission: Emission) -> None:
    """Take a dense layer for a convolution that looks at one place."""
    channels, depth = _kept(operator, 1).shape
    rows = operator.output.size // channels
    sizes = _sizes((rows, 1, depth), (rows, 1, channels), (1, 1))
    _weigh("tfspec_convolution", operator, emission, {**sizes, **_range(operator)}, 0)


def _weigh(function: str, operator: Operator, emission: Emission, window: dict, channel_axis: int) -> None:
    given, weights, bias = (*operator.inputs, None)[:3]
    assert given is not None and weights is not None
    values = _kept(operator, 1)
    others = tuple(axis for axis in range(values.ndim) if axis != channel_axis)
    biases = np.zeros(values.shape[channel_axis], np.int64)
    if operator.kind != "DEPTHWISE_CONV_2D":
        biases -= given.zero * values.sum(others, dtype=np.int64)
    if bias is not None:
        biases = biases + _kept(operator, 2)
    products = given.scale * weights.scales.astype(np.float64)
    if operator.kind == "FULLY_CONNECTED" and len(products) == 1:  # multiplied in float32 there
        products = (given.scale * weights.scales).astype(np.float64)
    factors = [factor(real) for real in products / operator.output.scale]
    multipliers, shifts = zip(*factors * (len(biases) // len(factors)), strict=True)
    constants = {
        "values": emission.source.table("int8_t", values),
        "bias": emission.source.table("int32_t", biases),
        "multipliers": emission.source.table("int32_t", multipliers),
        "shifts": emission.source.table("int8_t", shifts),
    }
    structures = [
        emission.source.structure("tfspec_window", window),
        emission.source.structure("tfspec_weights", constants),
    ]
    emission.call(function, *structures, emission.place(given), emission.place(operator.output))


def _pool(operator: Operator, emission: Emission) -> None:
    options = operator.options
    window = _window(operator, (options.filterHeight, options.filterWidth))
    function = "tfspec_max_pool" if operator.kind == "MAX_POOL_2D" else "tfspec_average_pool"
    structure = emission.source.structure("tfspec_window", window)
    emission.call(function, structure, emission.place(_given(operator)), emission.place(operator.output))


def _window(operator: Operator, kernel: Iterable[int]) -> dict[str, int]:
    """Say what an operator looks at, with the padding that TFLite computes."""
    options, given, output = operator.options, _given(operator).shape, operator.output.shape
    strides = (options.strideH, options.strideW)
    dilations = tuple(getattr(options, f"dilation{axis}Factor", 1) for axis in "HW")
    sizes = _sizes(given[1:], output[1:], tuple(kernel), strides, dilations)
    if options.padding == schema.Padding.SAME:
        for axis, name in (("height", "pad_top"), ("width", "pad_left")):
            spanned = (sizes[f"kernel_{axis}"] - 1) * sizes[f"dilation_{axis}"] + 1
            needed = (sizes[f"out_{axis}"] - 1) * sizes[f"stride_{axis}"] + spanned
            sizes[name] = max(0, needed - sizes[f"in_{axis}"]) // 2
    return {**sizes, **_range(operator)}


def _sizes(
    given: Iterable[int],
    output: Iterable[int],
    kernel: tuple[int, ...],
    strides: tuple[int, ...] = (1, 1),
    dilations: tuple[int, ...] = (1, 1),
) -> dict[str, int]:
    names = [f"{side}_{axis}" for side in ("in", "out") for axis in ("height", "width", "channels")]
    names += [f"{what}_{axis}" for what in ("kernel", "stride", "dilation") for axis in ("height", "width")]
    values = [*given, *output, *kernel, *strides, *dilations]
    return {**dict(zip(names, values, strict=True)), "pad_top": 0, "pad_left": 0}


def _joined(window: dict[str, int]) -> dict[str, int]:
    """Take neighbours that are always looked at together for channels of one place: one loop for several."""
    window = dict(window)
    is_padded = window["pad_top"] or window["pad_left"] or window["out_width"] > 1
    for axis in ("width", "height"):
        is_whole = axis == "height" or window["kernel_width"] == window["in_width"]
        if is_padded or window[f"out_{axis}"] > 1 or window[f"dilation_{axis}"] > 1 or not is_whole:
            break
        window["in_channels"] *= window[f"kernel_{axis}"]
        window[f"in_{axis}"] = window[f"kernel_{axis}"] = 1
    return window


def _turned(window: dict[str, int]) -> dict[str, int]:
    stems = ("in", "out", "kernel", "stride", "dilation")
    pairs = [(f"{stem}_height", f"{stem}_width") for stem in stems] + [("pad_top", "pad_left")]
    return window | {one: window[other] for pair in pairs for one, other in (pair, pair[::-1])}


def _range(operator: Operator) -> dict[str, int]:
    lowest, highest = _ends(operator.output, operator.options.fusedActivationFunction)
    zeros = {"zero_in": _given(operator).zero, "zero_out": operator.output.zero}
    return {**zeros, "lowest": lowest, "highest": highest}


def _ends(output: Tensor, activation: int) -> tuple[int, int]:
    """Say where an activation ends the integers of a tensor."""
    kinds = schema.ActivationFunctionType
    reals = {
        kinds.NONE: (-math.inf, math.inf),
        kinds.RELU: (0, math.inf),
        kinds.RELU_N1_TO_1: (-1, 1),
        kinds.RELU6: (0, 6),
    }
    if activation not in reals:
        names = {code: name for name, code in vars(kinds).items()}
        raise UserError(
            f"The activation {names.get(activation)} is not there on microcontrollers: train with ReLU"
        )
    lowest, highest = (
        int(output.zero + np.round(np.float32(real) / output.scale)) if math.isfinite(real) else end
        for real, end in zip(reals[activation], (-128, 127), strict=True)
    )
    return max(-128, lowest), min(127, highest)


def _pair(operator: Operator, emission: Emission) -> None:
    first, second, output = *operator.inputs, operator.output
    assert first is not None and second is not None
    strides = [_steps(tensor.shape, output.shape) for tensor in (first, second)]
    # With the output's own steps, so that only what lies in one row there, too, is joined
    axes = zip(output.shape, *strides, _steps(output.shape, output.shape), strict=True)
    size, first_steps, second_steps, _ = _four(axes)
    scales = [tensor.scale for tensor in (first, second, output)]
    if operator.kind == "ADD":
        largest = 2 * max(scales[:2])
        reals = [scales[0] / largest, scales[1] / largest, largest / (2**ADDED_BITS * scales[2])]
    else:
        reals = [1, 1, scales[0] * scales[1] / scales[2]]
    (of_first, of_second, of_both) = (factor(real) for real in reals)
    lowest, highest = _ends(output, operator.options.fusedActivationFunction)
    fields = {
        **{"size": size, "first_steps": first_steps, "second_steps": second_steps},
        **{"first_zero": first.zero, "second_zero": second.zero, "zero_out": output.zero},
        **{"first_multiplier": of_first[0], "second_multiplier": of_second[0], "multiplier": of_both[0]},
        **{"first_shift": of_first[1], "second_shift": of_second[1], "shift": of_both[1]},
        **{"lowest": lowest, "highest": highest},
    }
    places = [emission.place(tensor) for tensor in (first, second, output)]
    function = "tfspec_add" if operator.kind == "ADD" else "tfspec_product"
    emission.call(function, emission.source.structure("tfspec_pair", fields), *places)


def _mean(operator: Operator, emission: Emission) -> None:
    given, output = _given(operator), operator.output
    axes = sorted({int(axis) % len(given.shape) for axis in np.ravel(_kept(operator, 1))})
    if axes != list(range(axes[0], axes[-1] + 1)):
        raise UserError(f"A mean over axes {axes} is not there on microcontrollers: take neighbouring axes")
    parts = given.shape[: axes[0]], given.shape[axes[0] : axes[-1] + 1], given.shape[axes[-1] + 1 :]
    outer, middle, inner = map(math.prod, parts)
    multiplier, shift = factor(given.scale / output.scale)
    # The division is part of the factor, as far as its shift allows
    raised = min(middle.bit_length() - 1, 32, 31 + shift)
    fields = {
        **{"outer": outer, "middle": middle, "inner": inner},
        **{"zero_in": given.zero, "zero_out": output.zero},
        **{"multiplier": (multiplier << raised) // middle, "shift": shift - raised},
    }
    structure = emission.source.structure("tfspec_mean", fields)
    emission.call("tfspec_mean_of", structure, emission.place(given), emission.place(output))


def _look_up(operator: Operator, emission: Emission) -> None:
    given, output = _given(operator), operator.output
    if operator.kind == "LOGISTIC":
        table = logistic(given.scale, given.zero)
    else:
        kinds = schema.ActivationFunctionType
        activation = {"RELU": kinds.RELU, "RELU6": kinds.RELU6, "QUANTIZE": kinds.NONE}[operator.kind]
        table = requantized(given.scale, given.zero, output.scale, output.zero, *_ends(output, activation))
    name = emission.source.table("int8_t", table)
    emission.call("tfspec_look_up", name, output.size, emission.place(given), emission.place(output))


def _concatenation(operator: Operator, emission: Emission) -> None:
    axis = operator.options.axis % len(operator.output.shape)
    target = _steps(operator.output.shape, operator.output.shape)
    start = 0
    for given in operator.inputs:
        assert given is not None
        axes = zip(given.shape, _steps(given.shape, given.shape), target, strict=True)
        emission.move(
            axes, emission.place(given), f"{emission.place(operator.output)} + {start * target[axis]}"
        )
        start += given.shape[axis]


def _slice(operator: Operator, emission: Emission) -> None:
    given = _given(operator)
    ranges = _strided(operator) if operator.kind == "STRIDED_SLICE" else _plain(operator)
    steps = _steps(given.shape, given.shape)
    sizes = tuple(map(len, ranges))
    first = sum(each.start * step for each, step in zip(ranges, steps, strict=True))
    source = [each.step * step for each, step in zip(ranges, steps, strict=True)]
    axes = zip(sizes, source, _steps(sizes, sizes), strict=True)
    emission.move(axes, f"{emission.place(given)} + {first}", emission.place(operator.output))


def _plain(operator: Operator) -> list[range]:
    begins, sizes = (np.ravel(_kept(operator, i)).tolist() for i in (1, 2))
    return [
        range(begin, length if size < 0 else begin + size)
        for begin, size, length in zip(begins, sizes, _given(operator).shape, strict=True)
    ]


def _strided(operator: Operator) -> list[range]:
    options = operator.options
    if options.ellipsisMask or options.newAxisMask:
        raise UserError(
            "A slice with an ellipsis or a new axis is not there on microcontrollers: reshape before it"
        )
    ranges = []
    for axis, length in enumerate(_given(operator).shape):
        begin, end, step = (int(np.ravel(_kept(operator, i))[axis]) for i in (1, 2, 3))
        if options.shrinkAxisMask >> axis & 1:
            ranges.append(range(begin % length, begin % length + 1))
            continue
        ends = (
            None if options.beginMask >> axis & 1 else begin,
            None if options.endMask >> axis & 1 else end,
        )
        ranges.append(range(*slice(*ends, step).indices(length)))
    return ranges


def _pad(operator: Operator, emission: Emission) -> None:
    given, output = _given(operator), operator.output
    steps = _steps(output.shape, output.shape)
    before = sum(int(left) * step for (left, _), step in zip(_kept(operator, 1), steps, strict=True))
    axes = zip(given.shape, _steps(given.shape, given.shape), steps, strict=True)
    emission.call("memset", emission.place(output), output.zero, output.size)
    emission.move(axes, emission.place(given), f"{emission.place(operator.output)} + {before}")


def _given(operator: Operator) -> Tensor:
    (given, *_) = operator.inputs
    assert given is not None
    return given


def _kept(operator: Operator, i: int) -> np.ndarray:
    """Return what an input always holds."""
    tensor = operator.inputs[i]
    assert tensor is not None
    if tensor.values is None:
        raise UserError(
            f"{operator.kind} with constants that are computed is not there on microcontrollers: "
            "give the network a fixed shape, and weights in int8"
        )
    return tensor.values


def _steps(shape: tuple[int, ...], output: tuple[int, ...]) -> tuple[int, ...]:
    """Say how far the next place along each axis of an output is, in a tensor that is spread over it."""
    shape = (1,) * (len(output) - len(shape)) + tuple(shape)
    steps = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    return tuple(0 if size == 1 else step for size, step in zip(shape, steps, strict=True))


def _four(axes: Iterable[tuple[int, ...]]) -> list[list[int]]:
    """Join neighbouring axes that lie in one row, and name four: sizes, and each of the steps."""
    axes = list(axes)
    joined: list[tuple[int, ...]] = []
    for size, *steps in axes:
        if size == 1:
            continue
        if joined and all(before == step * size for before, step in zip(joined[-1][1:], steps, strict=True)):
            joined[-1] = (joined[-1][0] * size, *steps)
        else:
            joined.append((size, *steps))
    if len(joined) > AXES:
        raise UserError(f"Tensors with more than {AXES} axes are not there on microcontrollers: reshape them")
    columns = zip(*(joined or [(1,) * len(axes[0])]), strict=True)
    return [[1 if i == 0 else 0] * (AXES - len(column)) + list(column) for i, column in enumerate(columns)]


OPERATORS: dict[str, Callable[[Operator, Emission], Any]] = {
    "ADD": _pair,
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "LOGISTIC": _look_up,
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "MUL": _pair,
    "PAD": _pad,
    "QUANTIZE": _look_up,
    "RELU": _look_up,
    "RELU6": _look_up,
    "SLICE": _slice,
    "STRIDED_SLICE": _slice,
}
"""What is there on microcontrollers, besides views."""
