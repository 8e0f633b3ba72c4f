"""Where in a device's memory a network's tensors lie."""

from __future__ import annotations

from typing import NamedTuple

from tfspec.export.micro.arena import ALIGNMENT, Need, planned
from tfspec.export.micro.graph import Graph, Tensor

VIEWS = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")
"""Operators that give the same values in another shape: they cost nothing."""


class Layout(NamedTuple):
    """Places of a graph's tensors, as C expressions.

    Args:
        places: by the tensor's index, for all that is computed and what is given.
        states: place of each state of the graph.
        copies: (from, to, bytes) of the states that could not be computed where they are kept.
        arena_bytes: memory that is free again after each hop.
        state_bytes: memory that is kept.
    """

    places: dict[int, str]
    states: list[str]
    copies: list[tuple[str, str, int]]
    arena_bytes: int
    state_bytes: int


def lay_out(graph: Graph) -> Layout:
    """Place a graph's tensors.

    A state is computed where the old one lies if nobody reads the old one any more, and copied otherwise.

    Args:
        graph: the network.

    Returns:
        The places.

    Raises:
        ValueError: a state becomes another one as it is.
    """
    roots, made, read = _lives(graph)
    places = {graph.features.index: "features"}
    states, copied, size = [], [], 0
    for old, new in graph.states:
        states.append(f"states + {size}")
        places[old.index] = states[-1]
        size += -(-old.size // ALIGNMENT) * ALIGNMENT
    ends = [roots.get(each.index, each.index) for each in (graph.logits, *(new for _, new in graph.states))]
    for (old, new), state in zip(graph.states, states, strict=True):
        root = roots.get(new.index, new.index)
        in_place = root in made and ends.count(root) == 1 and read.get(old.index, -1) < made[root]
        if in_place:
            places[root] = state
        elif root != old.index:
            if root in {other.index for other, _ in graph.states}:
                raise ValueError("A state that becomes another one as it is: keep it once")
            copied.append((root, state, old.size))
    end = len(graph.operators)
    read.update(dict.fromkeys([ends[0], *(root for root, _, _ in copied)], end))
    tensors = {each.output.index: each.output for each in graph.operators}
    addresses, arena_bytes = planned(
        {
            root: Need(tensors[root].size, step, max(step, read.get(root, step)))
            for root, step in made.items()
            if root not in places
        }
    )
    places.update({root: f"arena + {address}" for root, address in addresses.items()})
    places.update({view: places[root] for view, root in roots.items() if root in places})
    copies = [(places[root], state, count) for root, state, count in copied]
    return Layout(places, states, copies, arena_bytes, size)


def _lives(graph: Graph) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
    """Tell whose view a tensor is, and at which step a tensor, in any view, is made and last read."""
    roots: dict[int, int] = {}
    made: dict[int, int] = {}
    read: dict[int, int] = {}

    def root_of(tensor: Tensor) -> int:
        return roots.get(tensor.index, tensor.index)

    for step, operator in enumerate(graph.operators):
        if operator.kind in VIEWS:
            (viewed, *_) = operator.inputs
            assert viewed is not None
            roots[operator.output.index] = root_of(viewed)
            continue
        read.update({root_of(tensor): step for tensor in operator.inputs if tensor is not None})
        made[operator.output.index] = step
    return roots, made, read
