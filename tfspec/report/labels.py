"""Names of classes and of files as a figure has room for them. They are untrusted text here."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from tfspec.base.text import excerpt, shown
from tfspec.report.fonts import drawable

LONGEST = 24
"""Characters of a label beside an axis."""
MOST_LINES = 3
"""Of a title."""
INCHES = 0.08
"""Width of a character in matplotlib's usual font and size, about."""


def labels(names: Iterable[str]) -> list[str]:
    """Shorten names to labels; names that begin alike are told apart by their ends too.

    Args:
        names: as they are.

    Returns:
        What is drawn for each.

    Example:
        >>> labels(["owl", "Setophaga_coronata_yellow-rumped_warbler"])
        ['owl', 'Setophaga_coronata_yello…']
    """
    return [*map(plain, shortened(names))]


def shortened(names: Iterable[str]) -> list[str]:
    """Shorten names as labels do, for a page.

    Args:
        names: as they are.

    Example:
        >>> shortened([f"Setophaga_coronata_yellow-rumped_{sound}" for sound in ("call", "song")])
        ['Setophaga_co…-rumped_call', 'Setophaga_co…-rumped_song']
    """
    names, half = [*names], LONGEST // 2
    begun = [excerpt(name, LONGEST) for name in names]
    counts = Counter(begun)
    return [
        short if counts[short] == 1 else f"{shown(name[:half])}…{shown(name[-half:])}"
        for name, short in zip(names, begun, strict=True)
    ]


def room_for(drawn: Sequence[str]) -> float:
    """Return how wide the longest label is, in inches.

    Args:
        drawn: from `labels`.
    """
    return INCHES * max(map(len, drawn), default=0)


def titled(text: str, width: int) -> str:
    """Break a title into lines, of which there are few.

    Args:
        text: what it says.
        width: characters of a line.

    Example:
        >>> titled("Setophaga_coronata_yellow-rumped_warbler", 32).splitlines()
        ['Setophaga_coronata_yellow-', 'rumped_warbler']
    """
    lines = textwrap.wrap(shown(text), width, max_lines=MOST_LINES, placeholder="…")
    return "\n".join(map(plain, lines))


def plain(text: str) -> str:
    """Keep matplotlib from reading text as a formula, and from what no font has.

    Args:
        text: what is to be drawn.
    """
    return drawable(shown(text)).replace("$", r"\$")
