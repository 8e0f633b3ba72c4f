"""How others stop a program of ours."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def stopped_in_order() -> Iterator[None]:
    """Have SIGTERM, by which systemd and Docker stop a program, end a block by `SystemExit`.

    So what is to be done in the end is done. Python alone would end at once. Only the main thread can have
    this; in others nothing changes.

    Example:
        >>> import os
        >>> with contextlib.suppress(SystemExit), stopped_in_order():
        ...     os.kill(os.getpid(), signal.SIGTERM)
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
