"""C code of a streaming network: constants, and one call after another."""

from __future__ import annotations

import numpy as np

from tfspec.base.errors import UserError, listed
from tfspec.export.micro.graph import Graph, Operator, Tensor
from tfspec.export.micro.layout import VIEWS, lay_out
from tfspec.export.micro.operators import OPERATORS, Emission
from tfspec.export.micro.source_text import Source


def network_functions(graph: Graph, source: Source) -> str:
    """Write the functions that reset and run a network.

    Args:
        graph: the network.
        source: where its constants go.

    Returns:
        C, to follow the constants.

    Raises:
        UserError: it has operators that are not there on microcontrollers.
        ValueError: a state becomes another one as it is.
    """
    check_operators(graph)
    layout = lay_out(graph)

    def place(tensor: Tensor) -> str:
        if tensor.values is not None:
            return source.table("int8_t", tensor.values)
        return layout.places[tensor.index]

    emission = Emission(source, place, [])
    for operator in graph.operators:
        if operator.kind not in VIEWS:
            OPERATORS[operator.kind](operator, emission)
    for start, target, count in layout.copies:
        emission.call("memcpy", target, start, count)
    emission.call("memcpy", "logits", place(graph.logits), graph.logits.size)
    resets = [
        f"memset({state}, {old.zero}, {old.size});"
        for state, (old, _) in zip(layout.states, graph.states, strict=True)
    ]
    memory = [
        f"static int8_t {name}[{size}];"
        for name, size in (("arena", layout.arena_bytes), ("states", layout.state_bytes))
        if size
    ]
    return "\n".join(
        [
            *memory,
            "",
            _function("void tfspec_reset_network(void)", resets),
            "",
            _function("void tfspec_network(const int8_t *features, int8_t *logits)", emission.calls),
        ]
    )


def check_operators(graph: Graph) -> None:
    """Check that all operators of a network are there on microcontrollers.

    Args:
        graph: the network.

    Raises:
        UserError: some are not.
    """
    missing = {each.kind for each in graph.operators} - {*OPERATORS, *VIEWS}
    others = {each.kind for each in graph.operators if not each.output.is_int8} - missing
    if missing or others:
        names = listed(sorted(missing | others))
        why = "are not there on microcontrollers" if missing else "have other numbers than int8"
        raise UserError(
            f"Operators of the network {why}: {names}. Train one of the networks for streams, such as ds_tc_resnet"
        )


def multiplications(graph: Graph) -> int:
    """Count the products of a weight and a value of one hop.

    Args:
        graph: the network.
    """
    return sum(_multiplications(operator) for operator in graph.operators)


def _multiplications(operator: Operator) -> int:
    if operator.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    weights = operator.inputs[1]
    assert weights is not None
    of_one = weights.shape[1:3] if operator.kind == "DEPTHWISE_CONV_2D" else weights.shape[1:]
    return operator.output.size * int(np.prod(of_one))


def _function(head: str, statements: list[str]) -> str:
    return "\n".join([f"{head} {{", *(f"    {statement}" for statement in statements), "}"])
