"""What is told while something goes on: a line, a bar, or nothing at all."""

from __future__ import annotations

import contextlib
import contextvars
import datetime
import functools
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from typing import Literal, Protocol, TypeVar

from tfspec.base.text import shown

Item = TypeVar("Item")
Volume = Literal["quiet", "lines", "normal", "verbose"]
"""How much is told: nothing; lines without bars; both; and what Keras and TensorFlow say, too."""
TELL_SECONDS = 60
"""From one line to the next where there are no bars."""
_volume: contextvars.ContextVar[Volume] = contextvars.ContextVar("volume", default="normal")


class Tracker(Protocol):
    """Wraps an iteration, and is told its length: the type of all `progress` arguments."""

    def __call__(self, items: Iterable[Item], total: int) -> Iterable[Item]:
        """Return the items, one by one."""


def volume() -> Volume:
    """Return how much is told."""
    return _volume.get()


@contextlib.contextmanager
def at_volume(wanted: Volume) -> Iterator[None]:
    """Tell more or less for a while; what is quiet stays so.

    Args:
        wanted: how much.

    Example:
        >>> with at_volume("quiet"), at_volume("verbose"):
        ...     say("nobody hears this")
    """
    token = _volume.set("quiet" if volume() == "quiet" else wanted)
    try:
        yield
    finally:
        _volume.reset(token)


def silenced(silent: bool = True) -> contextlib.AbstractContextManager[None]:
    """Keep `say` and `track` from telling anything.

    Args:
        silent: False leaves things as they are.

    Example:
        >>> with silenced():
        ...     say("nobody hears this")
    """
    return at_volume("quiet" if silent else volume())


def say(text: str) -> None:
    """Print a line, without characters that could harm a terminal.

    Args:
        text: the line.

    Example:
        >>> say("Run folder: runs/a")
        Run folder: runs/a
    """
    if volume() != "quiet":
        print(shown(text), flush=True)


def remark(text: str) -> None:
    """Print a line on standard error, of what goes on all the same.

    Args:
        text: the line.

    Example:
        >>> remark("Passed over: 3 .txt")
    """
    if volume() != "quiet":
        print(shown(text), file=sys.stderr)


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


def has_bars() -> bool:
    """Say whether bars are drawn: on standard error, where that is a terminal."""
    from rich.console import Console

    is_terminal = Console(stderr=True, force_jupyter=False).is_terminal
    return is_terminal and volume() in ("normal", "verbose")


def track(items: Iterable[Item], description: str, total: int) -> Generator[Item, None, None]:
    """Draw a progress bar on standard error while iterating, with the time left and the rate.

    Nothing is left of it in the end. Where standard error is no terminal, a line a minute says the same.

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
    if not has_bars():  # where even an erased bar leaves an empty line
        yield from _told(items, description, total)
        return
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Items a second."""

        def render(self, task):
            return Text(f"{task.speed:.3g}/s" if task.speed else "")

    columns = [*Progress.get_default_columns(), Rate()]
    beside = sys.stdout.isatty()  # or what is printed meanwhile would go to standard error
    console = Console(stderr=True, force_jupyter=False)
    with Progress(*columns, console=console, transient=True, redirect_stdout=beside) as progress:
        yield from progress.track(items, total, description=description)


def _told(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Say each minute how much of an iteration is done, and how long the rest takes at that rate."""
    began = told = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        if (now := time.monotonic()) - told >= TELL_SECONDS and done < total:
            left = datetime.timedelta(seconds=round((now - began) / done * (total - done)))
            remark(f"{description}: {done:,} of {total:,}, about {left} left")
            told = now
