"""Several TFLite models in one file, each going on where those before it end."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from tfspec.borrowed import tflite_tree
from tfspec.export.layers import packed


def chain(models: Iterable[bytes]) -> bytes:
    """Make one TFLite model of several, each of which takes, by its name, what those before it return.

    What none of those before returns is an input of the whole.

    Args:
        models: TFLite files, each with one signature.

    Returns:
        A file that returns what the last one does.
    """
    return packed(functools.reduce(_append, map(tflite_tree, models)))


def _append(first: Any, second: Any) -> Any:
    """Let the first model, which is changed, go on with the second."""
    _renumber(second, len(first.buffers), len(first.operatorCodes), len(first.subgraphs) - 1)
    (given,), (taken,) = first.signatureDefs, second.signatureDefs
    joints = {each.name: each.tensorIndex for each in given.outputs}
    joined = [each for each in taken.inputs if each.name in joints]
    places = {each.tensorIndex: joints[each.name] for each in joined}
    for each in joined:
        first.subgraphs[0].tensors[joints.pop(each.name)].name = each.name
    _join(first.subgraphs[0], second.subgraphs[0], places)
    added = [each for each in taken.inputs if each not in joined]
    for each in added + taken.outputs:
        each.tensorIndex = places[each.tensorIndex]
    given.inputs += added
    given.outputs = [each for each in given.outputs if each.name in joints] + taken.outputs
    first.subgraphs[0].inputs = [each.tensorIndex for each in given.inputs]
    first.subgraphs[0].outputs = [each.tensorIndex for each in given.outputs]
    first.buffers += second.buffers
    first.operatorCodes += second.operatorCodes
    first.subgraphs += second.subgraphs[1:]
    first.metadata = []  # it says which runtime the first needs, and nothing of the second
    return first


def _join(head: Any, tail: Any, places: dict[int, int]) -> None:
    """Let the first graph, which is changed, go on with the second.

    The places say which tensors of the first the second one's inputs are; the second one's other tensors'
    new numbers are put there too.
    """
    places[-1] = -1  # an optional input that is not given
    for i, tensor in enumerate(tail.tensors):
        if i not in places:
            places[i] = len(head.tensors)
            head.tensors.append(tensor)
    for operator in tail.operators:
        for role in ("inputs", "outputs", "intermediates"):
            if (tensors := getattr(operator, role)) is not None:
                setattr(operator, role, [places[i] for i in tensors])
    head.operators += tail.operators


def _renumber(model: Any, buffers: int, codes: int, subgraphs: int) -> None:
    """Raise a model's references to buffers, operator codes and subgraphs by so many."""
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer += buffers
        for operator in graph.operators:
            operator.opcodeIndex += codes
            options = vars(operator.builtinOptions) if operator.builtinOptions else {}
            for name in options:
                if name.endswith("SubgraphIndex"):  # a loop's condition and body, an initialiser
                    options[name] += subgraphs
