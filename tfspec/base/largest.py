"""The largest of many things, of which no more are held than are wanted."""

from __future__ import annotations

import heapq
from typing import Any


def keep_largest(heap: list, item: Any, most: int) -> None:
    """Add an item to a heap, and drop the smallest where there are too many.

    Args:
        heap: the largest so far, the smallest of them first; empty in the beginning, and changed.
        item: comparable with the others.
        most: how many are kept, at least 1.

    Example:
        >>> heap = []
        >>> for number in (3, 1, 5, 2, 4):
        ...     keep_largest(heap, number, most=2)
        >>> sorted(heap)
        [4, 5]
    """
    push = heapq.heappush if len(heap) < most else heapq.heappushpop
    push(heap, item)
