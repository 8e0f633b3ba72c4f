"""Where in one block of memory tensors lie that are not needed at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

ALIGNMENT = 4


class Need(NamedTuple):
    """Memory that is needed for a while.

    Args:
        size: bytes.
        first: the first step at which it is needed.
        last: the last one.
    """

    size: int
    first: int
    last: int


def planned(needs: Mapping[int, Need]) -> tuple[dict[int, int], int]:
    """Place each need, the largest first, at the first address where nothing is that is needed meanwhile.

    Args:
        needs: by any number.

    Returns:
        Their addresses, and the size of all in bytes.

    Example:
        >>> planned({0: Need(8, 0, 1), 1: Need(16, 1, 2), 2: Need(5, 2, 3)})
        ({1: 0, 0: 16, 2: 16}, 24)
    """
    places: dict[int, int] = {}
    total = 0
    for key, need in sorted(needs.items(), key=lambda item: -item[1].size):
        taken = sorted(
            (place, place + needs[other].size)
            for other, place in places.items()
            if needs[other].first <= need.last and need.first <= needs[other].last
        )
        address = 0
        for start, end in taken:
            if address + need.size <= start:
                break
            address = max(address, -(-end // ALIGNMENT) * ALIGNMENT)
        places[key] = address
        total = max(total, -(-(address + need.size) // ALIGNMENT) * ALIGNMENT)
    return places, total
