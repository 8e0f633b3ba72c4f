"""The one exception for what a user can put right, and how its messages list things."""

from __future__ import annotations

from collections.abc import Sequence


class UserError(ValueError):
    """Something the user gave cannot be used; the message says what was received and what to do.

    The command line prints it as one line and exits with code 2.
    """


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
