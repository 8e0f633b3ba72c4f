"""The threads in which files are read and signals are made."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@functools.cache
def threads() -> ThreadPoolExecutor:
    """Make the decoding threads; libsndfile and soxr release the Python lock while they work."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="tfspec-decode")


def ahead(make: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Call a function in the threads, no more items ahead than there are threads.

    Args:
        make: what is called; not from within the threads themselves.
        items: its arguments.

    Yields:
        The results, in the order of the items.

    Example:
        >>> list(ahead(len, ["a", "bc"]))
        [1, 2]
    """
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(threads().submit(make, item))
        if len(waiting) > (os.cpu_count() or 1):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


if hasattr(os, "register_at_fork"):  # a forked process has the pool but none of its threads
    os.register_at_fork(after_in_child=threads.cache_clear)
