"""The one exception for what a user can put right, and how its messages list things."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tfspec.base.text import shown


class UserError(ValueError):
    """Something the user gave cannot be used; the message says what was received and what to do.

    The command line prints it as one line and exits with code 2. A message names what came from outside, so
    characters that could do harm in a terminal are spelt out in it.
    """

    def __init__(self, message: object):
        super().__init__(shown(message))


def user_error_in(text: str) -> UserError | None:
    """Find what a user can put right in the text of another error, such as TensorFlow's of a reader's.

    Args:
        text: the message of the other error.

    Returns:
        The error anew; None where the text holds no error.

    Example:
        >>> user_error_in("Error in user-defined function: UserError: a.wav cannot be decoded")
        UserError('a.wav cannot be decoded')
    """
    kinds, names = [UserError], set()
    while kinds:
        kind = kinds.pop()
        names.add(kind.__name__)
        kinds += kind.__subclasses__()
    found = re.search(rf"\b(?:{'|'.join(sorted(names))}): (.*)", text)
    return UserError(found[1]) if found else None


def listed(items: Sequence[str], most: int = 10, between: str = ", ") -> str:
    """Join what there is too much of to name it all.

    Args:
        items: in the order of naming.
        most: how many are named.
        between: what stands between two.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    more = len(items) - most
    return between.join(items[:most]) + (f" and {more} more" if more > 0 else "")


def unusable(
    kind: str, problems: Iterable[tuple[object, str]], total: int, remedy: str = "", most: int = 100
) -> UserError:
    """Make the error that names what of many things cannot be used.

    Args:
        kind: what they are, such as "files".
        problems: the name of each bad one, and why it cannot be used.
        total: how many there are, the good ones too.
        remedy: what to do, a sentence.
        most: how many are named.

    Returns:
        The error.

    Example:
        >>> unusable("files", [("a.wav", "empty file")], total=3, remedy="Remove them.")
        UserError('1 of 3 files cannot be used: a.wav (empty file). Remove them.')
    """
    named = [f"{shown(name)} ({problem})" for name, problem in problems]
    return UserError(
        f"{len(named)} of {total} {kind} cannot be used: {listed(named, most, '; ')}. {remedy}".rstrip()
    )
