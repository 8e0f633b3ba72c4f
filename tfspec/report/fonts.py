"""Fonts for the scripts that labels are in, as far as the machine has them."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tfspec.base.progress import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST = "DejaVu Sans"
"""What matplotlib brings along."""
LAST_RESORT = "Last Resort"
"""Begins the name of fonts that have boxes for all characters, of which matplotlib brings one along."""
MISSING = "\ufffd"


def drawable(text: str) -> str:
    """Put a sign in the place of what no font of this machine has, and say so once a script.

    Args:
        text: what is to be drawn.

    Example:
        >>> drawable("Ärger")
        'Ärger'
    """
    return "".join(each if each.isascii() or _family_of(each) else MISSING for each in text)


def with_fonts(figure: Figure) -> Figure:
    """Give the texts of a figure the fonts that their characters are in.

    Args:
        figure: with all its texts.

    Returns:
        The same figure.
    """
    from matplotlib.text import Text

    for axes in figure.axes:  # which otherwise write their ticks only once they are drawn
        axes.get_xticklabels(), axes.get_yticklabels()
    texts = figure.findobj(Text)
    characters = {each for text in texts for each in text.get_text() if not each.isascii()}
    families = {family for each in sorted(characters) if (family := _family_of(each))} - {FIRST}
    if families:
        for text in texts:
            text.set_fontfamily([FIRST, *sorted(families)])
    return figure


@functools.cache
def _family_of(character: str) -> str | None:
    """Find a font that has a character, the usual one before all others."""
    for family, path in _installed():
        if ord(character) in _characters_of(path):
            return family
    is_letter = character.isalpha()  # whose name begins with its script
    _say_missing(f"{unicodedata.name(character).split()[0].lower()} characters" if is_letter else "symbols")
    return None


@functools.cache
def _say_missing(what: str) -> None:
    say(
        f"No font of this machine has all {what}: figures show {MISSING} for them, until such a "
        "font is installed, such as one of the Noto family. Tables and pages show them as they are."
    )


def _installed() -> Iterator[tuple[str, str]]:
    """Name the upright fonts and their files."""
    from matplotlib.font_manager import fontManager

    upright = [
        font
        for font in fontManager.ttflist
        if font.style == "normal" and not font.name.startswith(LAST_RESORT)
    ]
    for font in sorted(upright, key=lambda font: (font.name != FIRST, font.weight != 400)):
        yield font.name, font.fname


@functools.cache
def _characters_of(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # a font that is damaged, or gone since
        return frozenset()
