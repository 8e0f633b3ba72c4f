"""The one exception for what a user can put right, and how its messages list things."""

from __future__ import annotations

import re
from collections.abc import Sequence


class UserError(ValueError):
    """Something the user gave cannot be used; the message says what was received and what to do.

    The command line prints it as one line and exits with code 2.
    """


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
