"""Progress bars, and what a function that can draw one takes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Tracker(Protocol):
    """Wraps an iteration, and is told its length: the type of all `progress` arguments."""

    def __call__(self, items: Iterable[Item], total: int) -> Iterable[Item]:
        """Return the items, one by one."""


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
    if not console.is_terminal:  # where even an erased bar leaves an empty line
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
