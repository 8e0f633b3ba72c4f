"""The threads in which files are read."""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor


@functools.cache
def threads() -> ThreadPoolExecutor:
    """Make the decoding threads; libsndfile and soxr release the Python lock while they work."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="tfspec-decode")


if hasattr(os, "register_at_fork"):  # a forked process has the pool but not its threads
    os.register_at_fork(after_in_child=threads.cache_clear)
