"""Names that come from outside: labels, groups, ids, columns and file names are untrusted text."""

from __future__ import annotations

import signal
import unicodedata

# Control characters, line and paragraph separators, and what stands for bytes that are not UTF-8.
UNWRITABLE = ("Cc", "Zl", "Zp", "Cs")


def normalized(text: str) -> str:
    """Spell a name in the one way in which names are compared: Unicode's NFC.

    macOS writes an ä of a file name as two characters, an a and its dots, other systems as one. Paths stay as
    they are on disk; what is made of them (labels, groups, ids) goes through here.

    Args:
        text: a name as it was found.

    Returns:
        The same name in NFC.

    Example:
        >>> normalized("a\u0308") == "\u00e4"
        True
    """
    return unicodedata.normalize("NFC", text)


def text_problem(text: str) -> str | None:
    r"""Say why a name can neither be printed nor written into a table.

    Args:
        text: a name as it was found.

    Returns:
        The reason, None for a good name.

    Example:
        >>> text_problem("robin\x1b[2J")
        'the name holds the character \\x1b; rename it'
    """
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            return "the name is not UTF-8; rename it"
        if category in UNWRITABLE:
            return f"the name holds the character {_escaped(character)}; rename it"
    return None


def shown(text: object) -> str:
    r"""Make text fit for a terminal, a line of a log or a table: what could do harm there is spelt out.

    Args:
        text: anything, such as a label, a path or an error's message.

    Returns:
        One line without control characters.

    Example:
        >>> shown("robin\x1b[2J\n")
        'robin\\x1b[2J\\n'
    """
    return "".join(_escaped(c) if unicodedata.category(c) in UNWRITABLE else c for c in str(text))


def shown_lines(text: object) -> str:
    r"""Make text of several lines fit for a terminal, each line as `shown` does.

    Args:
        text: anything that is printed.

    Returns:
        As many lines, without control characters.

    Example:
        >>> shown_lines("robin\x1b[2J\nwren")
        'robin\\x1b[2J\nwren'
    """
    return "\n".join(map(shown, str(text).split("\n")))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def number_of(count: int, one: str, several: str = "") -> str:
    """Say how many there are of something.

    Args:
        count: how many.
        one: what one is called.
        several: what several are called, where an s at the end doesn't do.

    Example:
        >>> number_of(1, "group"), number_of(1000, "class", "classes")
        ('1 group', '1,000 classes')
    """
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def ending(code: int) -> str:
    """Say how a process came to its exit code.

    Args:
        code: not zero; below zero if a signal ended the process, as `subprocess` has it.

    Example:
        >>> ending(3), ending(-9)
        ('ended with exit code 3', 'was ended by signal 9, Killed')
    """
    if code > 0:
        return f"ended with exit code {code}"
    return f"was ended by signal {-code}, {signal.strsignal(-code)}"


def excerpt(text: object, most: int = 60) -> str:
    """Make text fit for a message, however long it is: a cell of a table may have megabytes.

    Args:
        text: anything that is to be named.
        most: how many of its characters are shown.

    Returns:
        One line, as `shown` returns it.

    Example:
        >>> excerpt("a" * 1000, most=3)
        'aaa…'
    """
    text = str(text)
    return shown(text[:most]) + ("…" if len(text) > most else "")
