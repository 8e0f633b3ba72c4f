"""How far along time a layer looks, by which it is known how to give it a signal piece by piece."""

from __future__ import annotations

from typing import NamedTuple

from tfspec.base.errors import UserError


class Reach(NamedTuple):
    """What one value that a layer gives is made of, along time.

    Args:
        length: samples, or frames, that one value is made of.
        step: samples, or frames, from one value to the next one.

    Example:
        >>> Reach(length=480, step=160)
        Reach(length=480, step=160)
    """

    length: int = 1
    step: int = 1


def check_streams(is_fit: bool, what: str, remedy: str) -> None:
    """Refuse a layer that has to see the whole signal before it gives its first value.

    Args:
        is_fit: whether it does without.
        what: the layer, and which of its arguments asks for the whole signal.
        remedy: what to do instead, a sentence.

    Raises:
        UserError: it does not.
    """
    if not is_fit:
        raise UserError(f"{what} needs the whole signal, which a stream never has. {remedy}")
