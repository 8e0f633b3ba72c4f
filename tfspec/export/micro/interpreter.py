"""Running a streaming network in Python, as far as possible with the interpreter of microcontrollers."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfspec.borrowed import tflite_tree
from tfspec.export.micro.graph import Graph, Tensor, read_graph

PACKAGE = "tflite_micro"
MOST_ARENA = 2**24
"""Bytes that are given to TensorFlow Lite for Microcontrollers: too few can end the process."""

MEASURE = """
import sys
from tflite_micro.python.tflite_micro import runtime
interpreter = runtime.Interpreter.from_bytes(sys.stdin.buffer.read(), arena_size=int(sys.argv[1]))
interpreter.invoke()
interpreter.print_allocations()
"""


def is_there() -> bool:
    """Tell whether TensorFlow Lite for Microcontrollers is installed.

    Example:
        >>> isinstance(is_there(), bool)
        True
    """
    return importlib.util.find_spec(PACKAGE) is not None


def run(network: bytes, features: Iterable[np.ndarray]) -> np.ndarray:
    """Run a network from its beginning on.

    Args:
        network: a TFLite file, see `read_graph`.
        features: int8, for each hop.

    Returns:
        (hops, classes) int8, those of TensorFlow Lite for Microcontrollers if that is installed; LiteRT's
        otherwise, which rounds some values differently.
    """
    graph = read_graph(network)
    step = _micro_step(network, graph) if is_there() else _litert_step(network, graph)
    states = [np.full(old.shape, old.zero, np.int8) for old, _ in graph.states]
    logits = []
    for values in features:
        result, *states = step([values.reshape(graph.features.shape), *states])
        logits.append(result.ravel())
    return np.array(logits).reshape(-1, graph.logits.size)


def arena_bytes(network: bytes) -> int | None:
    """Measure the memory that TensorFlow Lite for Microcontrollers takes for a network, in another process.

    Args:
        network: a TFLite file.

    Returns:
        Bytes; None where it is not installed or does not run the network.
    """
    if not is_there():
        return None
    command = [sys.executable, "-c", MEASURE, str(MOST_ARENA)]
    finished = subprocess.run(command, input=network, capture_output=True, check=False)
    found = re.search(rb"Arena allocation total (\d+)", finished.stdout + finished.stderr)
    return int(found[1]) if found else None


def _micro_step(network: bytes, graph: Graph) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(network, arena_size=MOST_ARENA)
    main = tflite_tree(network).subgraphs[0]
    given = [list(main.inputs).index(tensor.number) for tensor in _given(graph)]
    returned = [list(main.outputs).index(tensor.number) for tensor in _returned(graph)]

    def step(values: list[np.ndarray]) -> list[np.ndarray]:
        for place, value in zip(given, values, strict=True):
            interpreter.set_input(value, place)
        interpreter.invoke()
        return [interpreter.get_output(place).copy() for place in returned]

    return step


def _litert_step(network: bytes, graph: Graph) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    interpreter: Any = Interpreter(model_content=network)
    interpreter.allocate_tensors()

    def step(values: list[np.ndarray]) -> list[np.ndarray]:
        for tensor, value in zip(_given(graph), values, strict=True):
            interpreter.set_tensor(tensor.number, value)
        interpreter.invoke()
        return [interpreter.get_tensor(tensor.number) for tensor in _returned(graph)]

    return step


def _given(graph: Graph) -> list[Tensor]:
    return [graph.features, *(old for old, _ in graph.states)]


def _returned(graph: Graph) -> list[Tensor]:
    return [graph.logits, *(new for _, new in graph.states)]
