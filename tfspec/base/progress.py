"""What is told while something goes on: a line, a bar, or nothing at all."""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from tfspec.base.text import shown

Item = TypeVar("Item")
_silent = contextvars.ContextVar("silent", default=False)


class Tracker(Protocol):
    """Wraps an iteration, and is told its length: the type of all `progress` arguments."""

    def __call__(self, items: Iterable[Item], total: int) -> Iterable[Item]:
        """Return the items, one by one."""


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


def untracked(items: Iterable[Item], total: int) -> Iterable[Item]:
    """Iterate without a bar.

    Args:
        items: what to iterate over.
        total: how many items there are.

    Returns:
        The items.

    Example:
        >>> list(untracked("ab", 2))
        ['a', 'b']
    """
    return items


def bar(description: str) -> Tracker:
    """Make what draws a progress bar.

    Args:
        description: what is going on.

    Returns:
        `track` for that.

    Example:
        >>> list(bar("Counting")("ab", 2))
        ['a', 'b']
    """
    return functools.partial(_track, description)


def _track(description: str, items: Iterable[Item], total: int) -> Iterable[Item]:
    return track(items, description, total)


def track(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Draw a progress bar on standard error while iterating, with the time left and the rate.

    Nothing is drawn where standard error is no terminal.

    Args:
        items: what to iterate over.
        description: what is going on.
        total: how many items there are.

    Yields:
        The items.

    Example:
        >>> list(track("ab", "Counting", 2))
        ['a', 'b']
    """
    from rich.console import Console

    console = Console(stderr=True, force_jupyter=False)
    if _silent.get() or not console.is_terminal:  # where even an erased bar leaves an empty line
        yield from items
        return
    from rich.progress import Progress, ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Items a second."""

        def render(self, task):
            return Text(f"{task.speed:.3g}/s" if task.speed else "")

    columns = [*Progress.get_default_columns(), Rate()]
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(items, total, description=description)
