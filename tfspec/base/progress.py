"""What is told while something goes on: a line, a bar, or nothing at all."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tfspec.base.text import shown

T = TypeVar("T")
Track = Callable[[Iterable, int], Iterable]
"""Wraps an iteration over so many items, to draw a bar."""
_silent: contextvars.ContextVar[bool] = contextvars.ContextVar("silent", default=False)


@contextlib.contextmanager
def silenced(silent: bool = True) -> Iterator[None]:
    """Keep `say` and `track` from telling anything.

    Args:
        silent: False leaves things as they are.

    Example:
        >>> with silenced():
        ...     say("nobody hears this")
    """
    token = _silent.set(silent or _silent.get())
    try:
        yield
    finally:
        _silent.reset(token)


def say(text: str) -> None:
    """Print a line, without characters that could harm a terminal.

    Args:
        text: the line.

    Example:
        >>> say("Run folder: runs/a")
        Run folder: runs/a
    """
    if not _silent.get():
        print(shown(text), flush=True)


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Draw a bar with the time left and the rate on standard error, if that is a terminal.

    Args:
        items: what is gone through.
        description: what is done to them.
        total: how many they are.

    Returns:
        The items.

    Example:
        >>> list(track([1, 2], "Counting", 2))
        [1, 2]
    """
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Items a second."""

        def render(self, task):
            return Text(f"{task.speed:.3g}/s" if task.speed else "")

    console = Console(stderr=True, force_jupyter=False)
    hidden = _silent.get() or not console.is_terminal  # where even an erased bar leaves an empty line
    columns = [*Progress.get_default_columns(), Rate()]
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield from progress.track(items, total, description=description)


def bar(description: str) -> Track:
    """Make what `track`s items under a description.

    Args:
        description: what is done to them.

    Example:
        >>> list(bar("Counting")([1, 2], 2))
        [1, 2]
    """
    return lambda items, total: track(items, description, total)


def in_silence(items: Iterable, total: int) -> Iterable:
    """Draw no bar: the default of what takes a `Track`.

    Args:
        items: what is gone through.
        total: how many they are.

    Returns:
        The items.

    Example:
        >>> in_silence([1, 2], 2)
        [1, 2]
    """
    return items
