"""Checks of options by their annotations: one place that says what each may be, one that holds it to that."""

from __future__ import annotations

import math
import numbers
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tfspec.base.errors import UserError
from tfspec.base.text import shown

NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}


@dataclass(frozen=True)
class Range:
    """What a number may be; stands in the annotation of an option.

    Args:
        low: the least value.
        high: the greatest value.
        without_low: whether the least value itself is excluded.
        without_high: whether the greatest value itself is excluded.

    Example:
        >>> print(Range(0, 1, without_low=True))
        above 0, at most 1
        >>> 0.0 in Range(0, 1, without_low=True)
        False
    """

    low: float
    high: float
    without_low: bool = False
    without_high: bool = False

    def __contains__(self, value: float) -> bool:
        """Say whether a value lies in the range; NaN lies in none."""
        above = value > self.low if self.without_low else value >= self.low
        below = value < self.high if self.without_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        """Say what is allowed."""
        if not (self.without_low or self.without_high):
            return f"from {self.low:,} to {self.high:,}"
        low = f"above {self.low:,}" if self.without_low else f"from {self.low:,}"
        return f"{low}, {'below' if self.without_high else 'at most'} {self.high:,}"


Count = Annotated[int, Range(1, 10_000_000)]
"""How many of something that is there at least once."""
Seed = Annotated[int, Range(0, 2**31 - 1)]
Seconds = Annotated[float, Range(0, 86_400, without_low=True)]
"""A length of time, at most a day."""
Hertz = Annotated[int, Range(1, 10_000_000)]
"""A sample rate."""
Fraction = Annotated[float, Range(0, 1, without_low=True, without_high=True)]
"""A part of a whole that leaves something."""
Rate = Annotated[float, Range(0, 1000, without_low=True)]
"""A learning rate."""
Port = Annotated[int, Range(0, 2**16 - 1)]
"""A TCP port; 0 stands for any that is free."""


def check_options(target: Callable, values: Mapping[str, Any]) -> dict[str, Any]:
    """Hold options to their annotations, before anything is read or written.

    Args:
        target: a dataclass, or a function, whose annotations say what is allowed; a `Range` in an
            `Annotated` bounds a number.
        values: the options, by name.

    Returns:
        The same options, as their annotations have them: paths from text and tuples from lists, as JSON gives
        them.

    Raises:
        UserError: a value is of another type, not in its range or, of a `Literal`, not among those allowed.

    Example:
        >>> def train(epochs: Annotated[int, Range(1, 100)], out: Path | None = None): ...
        >>> check_options(train, {"epochs": 3, "out": "run"})
        {'epochs': 3, 'out': PosixPath('run')}
        >>> check_options(train, {"epochs": 1e20})
        Traceback (most recent call last):
        tfspec.base.errors.UserError: epochs must be a whole number from 1 to 100. Received: 1e+20
    """
    hints = typing.get_type_hints(target, include_extras=True)
    return {name: _checked(name, value, hints.get(name, Any)) for name, value in values.items()}


def _checked(name: str, value: Any, hint: Any) -> Any:
    try:
        return _as(value, hint)
    except (TypeError, ValueError):
        raise UserError(f"{name} must be {_described(hint)}. Received: {shown(repr(value))}") from None


def _as(value: Any, hint: Any, allowed: Range | None = None) -> Any:
    """Give the value as its annotation has it; a ValueError or TypeError if that cannot be."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        ranges = [each for each in arguments[1:] if isinstance(each, Range)]
        return _as(value, arguments[0], *ranges[:1])
    if origin in (typing.Union, types.UnionType):
        return _first(value, arguments)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool) != isinstance(arguments[0], bool):
            raise ValueError
        return value
    if origin is tuple:
        return _as_tuple(value, arguments)
    if hint is type(None):
        if value is not None:
            raise TypeError
        return None
    if hint in NAMES:
        return _as_scalar(value, hint, allowed)
    return value  # a type of the user's own


def _first(value: Any, hints: tuple[Any, ...]) -> Any:
    """Give the value as the first of several annotations that takes it."""
    for hint in hints:
        try:
            return _as(value, hint)
        except (TypeError, ValueError):
            continue
    raise ValueError


def _as_tuple(value: Any, hints: tuple[Any, ...]) -> tuple:
    if not isinstance(value, (tuple, list)):
        raise TypeError
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = (hints[0],) * len(value)
    return tuple(_as(each, hint) for each, hint in zip(value, hints, strict=True))


def _as_scalar(value: Any, kind: type, allowed: Range | None) -> Any:
    if kind is Path:
        if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
            raise TypeError
        return Path(value)
    if kind is str or kind is bool:
        if not isinstance(value, kind):
            raise TypeError
        return value
    abstract = numbers.Integral if kind is int else numbers.Real
    if isinstance(value, bool) or not isinstance(value, abstract):
        raise TypeError
    number = int(value) if isinstance(value, numbers.Integral) else float(value)
    if not math.isfinite(number) or (allowed is not None and number not in allowed):
        raise ValueError
    return number


def _described(hint: Any) -> str:
    """Say what an annotation allows."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        ranges = [str(each) for each in arguments[1:] if isinstance(each, Range)]
        return " ".join([_described(arguments[0]), *ranges])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_described(each) for each in arguments)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"a list, each {_described(arguments[0])}"
        return f"{len(arguments)} values, each {_described(arguments[0])}"
    if hint is type(None):
        return "none"
    return NAMES.get(hint) or str(getattr(hint, "__name__", hint))
