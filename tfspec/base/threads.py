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


def cores() -> int:
    """Return how many cores the machine has."""
    return os.cpu_count() or 1


@functools.cache
def threads() -> ThreadPoolExecutor:
    """Make the decoding threads; libsndfile and soxr release the Python lock while they work."""
    return ThreadPoolExecutor(cores(), thread_name_prefix="tfspec-decode")


@functools.cache
def scoring_threads(count: int) -> ThreadPoolExecutor:
    """Make the threads in which models run while others decode.

    Args:
        count: how many; 1 for a model that only one thread may use at a time.
    """
    return ThreadPoolExecutor(count, thread_name_prefix="tfspec-score")


def ahead(
    make: Callable[[Item], Result], items: Iterable[Item], pool: ThreadPoolExecutor | None = None
) -> Iterator[Result]:
    """Call a function in threads, no more items ahead than the machine has cores.

    Args:
        make: what is called; not from within the same threads.
        items: its arguments, which are made in the calling thread.
        pool: the threads; those of `threads` if None.

    Yields:
        The results, in the order of the items.

    Example:
        >>> list(ahead(len, ["a", "bc"]))
        [1, 2]
    """
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append((pool or threads()).submit(make, item))
            if len(waiting) > cores():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:  # of which nobody will ask for the result
            future.cancel()


if hasattr(os, "register_at_fork"):  # a forked process has the pool but not its threads
    os.register_at_fork(after_in_child=threads.cache_clear)
    os.register_at_fork(after_in_child=scoring_threads.cache_clear)
