"""Checks of options by their annotations: one place that says what each may be, one that holds it to that."""

from __future__ import annotations

import functools
import math
import numbers
import re
import reprlib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tfspec.base.errors import UserError
from tfspec.base.text import shown

NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
REFUSALS = (TypeError, ValueError, OverflowError)
"""What says that a value is not what its annotation asks for."""
LONGEST_EXPRESSION = 1000
LONGEST_SIGNAL = 2**28
"""Samples of a gigabyte."""
_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 200


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
        """Say whether a value lies in the range; NaN lies in no range."""
        above = value > self.low if self.without_low else value >= self.low
        below = value < self.high if self.without_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        """Say what is allowed."""
        if not (self.without_low or self.without_high):
            return f"from {self.low:,} to {self.high:,}"
        low = f"above {self.low:,}" if self.without_low else f"from {self.low:,}"
        return f"{low}, {'below' if self.without_high else 'at most'} {self.high:,}"


@dataclass(frozen=True)
class Matching:
    """What a text may be; stands in the annotation of an option.

    Args:
        pattern: regular expression that all of the text matches.
        meaning: what that is, in words.

    Example:
        >>> "x" in Matching("[0-9a-f]+", "of hexadecimal digits")
        False
    """

    pattern: str
    meaning: str

    def __contains__(self, value: str) -> bool:
        """Say whether a text is one of these."""
        return re.fullmatch(self.pattern, value, re.DOTALL) is not None

    def __str__(self) -> str:
        """Say what is allowed."""
        return self.meaning


class _Expression:
    """What a regular expression may be that finds one thing in a text."""

    def __contains__(self, value: str) -> bool:
        try:
            return len(value) <= LONGEST_EXPRESSION and re.compile(value).groups > 0
        except (re.error, OverflowError, RecursionError):
            return False

    def __str__(self) -> str:
        return f"that is a regular expression with a group, of at most {LONGEST_EXPRESSION:,} characters"


class _Filled:
    """What a list may be that names at least one thing."""

    def __contains__(self, values: tuple) -> bool:
        return len(values) > 0

    def __str__(self) -> str:
        return "with at least one of them"


Count = Annotated[int, Range(1, 1_000_000)]
"""How many of something that is there at least once."""
AnyCount = Annotated[int, Range(0, 1_000_000)]
"""How many of something that may be missing."""
Batch = Annotated[int, Range(1, 100_000)]
"""Examples of a batch."""
Seed = Annotated[int, Range(0, 2**31 - 1)]
Seconds = Annotated[float, Range(0, 86_400, without_low=True)]
"""A length of time, at most a day."""
Pause = Annotated[float, Range(0, 3600)]
"""A length of time in seconds that may be nothing, at most an hour."""
Hertz = Annotated[int, Range(1, 10_000_000)]
"""A sample rate."""
Fraction = Annotated[float, Range(0, 1, without_low=True, without_high=True)]
"""A part of a whole that leaves something."""
Share = Annotated[float, Range(0, 1)]
"""A share of a whole, 0…1."""
Dropout = Annotated[float, Range(0, 1, without_high=True)]
"""A share of a whole, from 0 to below 1."""
Rate = Annotated[float, Range(0, 1000, without_low=True)]
"""A learning rate."""
Ratio = Annotated[float, Range(0, 1000)]
"""How much larger one thing is than another."""
Port = Annotated[int, Range(0, 2**16 - 1)]
"""A TCP port; 0 stands for any that is free."""
Name = Annotated[
    str, Matching(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+", "that is not empty nor holds control characters")
]
Names = Annotated[tuple[Name, ...], _Filled()]
Host = Annotated[str, Matching(r"[\w.:\[\]-]{1,253}", "that names a machine")]
Sha256 = Annotated[str, Matching("[0-9a-fA-F]{64}", "of 64 hexadecimal digits")]
"""A checksum."""
Expression = Annotated[str, _Expression()]
"""A regular expression with a group."""
SPEAKER_PATTERN = r"(?:.*_)?([^_]+)_nohash_|([^_]+)"
"""Speech Commands' `<speaker>_nohash_<n>`, also behind a word as in `_unknown_`; else all before the first
underscore."""
# What the writers of simulated data take, and their commands, which start without them.
SignalCount = Annotated[int, Range(1, 10_000_000)]
ClipSpecies = Annotated[int, Range(2, 6)]
"""How many species call in clips, of those that there are."""
SoundscapeSpecies = Annotated[int, Range(2, 1000)]
SoundscapeSeconds = Annotated[float, Range(5, 3600)]
WordCount = Annotated[int, Range(2, 30)]
"""How many words are said, of those that voices can say."""
StreamMinutes = Annotated[float, Range(0.1, 1440)]
Decibels = Annotated[float, Range(-60, 60)]
"""How much louder one sound is than another."""
SlotSeconds = Annotated[float, Range(2, 3600)]
"""Room for a word and a pause."""
SplitPart = Literal["train", "validation", "test"]
PeopleCount = Annotated[int, Range(2, 151)]
"""How many people wear watches, of Capture-24's number."""
WristMinutes = Annotated[float, Range(1, 10_080)]
"""A length of time, at most a week."""
WristRate = Annotated[int, Range(10, 1000)]
SampleFormat = Literal["s16le", "f32le"]
"""Samples of a stream: 16-bit whole numbers, or 32-bit floating-point ones in −1…1; both little-endian."""
Quantize = Literal["none", "float16", "dynamic", "int8"]
"""What becomes of the backbone in a TFLite file."""
Strategy = Literal["auto", "none", "mirrored", "multi_worker", "tpu"]
"""Devices to train on, as in `distributed.devices.open_strategy`."""


def check_options(target: Callable, values: Mapping[str, Any]) -> dict[str, Any]:
    """Hold options to their annotations, before anything is read or written.

    Args:
        target: a dataclass, or a function, whose annotations say what is allowed; a `Range` in an
            `Annotated` bounds a number, and so for text does what else has `in`.
        values: the options, by name.

    Returns:
        The same options, as their annotations have them: paths from text and tuples from lists, as JSON has
        them.

    Raises:
        UserError: a value is of another type, not in its range, or not what a `Literal` allows.

    Example:
        >>> def train(epochs: Annotated[int, Range(1, 100)], out: Path | None = None): ...
        >>> check_options(train, {"epochs": 3, "out": "run"})
        {'epochs': 3, 'out': PosixPath('run')}
        >>> check_options(train, {"epochs": 1e20})
        Traceback (most recent call last):
        tfspec.base.errors.UserError: epochs must be a whole number from 1 to 100. Received: 1e+20
    """
    hints = _hints(target)
    return {name: _checked(name, value, hints.get(name, Any)) for name, value in values.items()}


@functools.cache
def _hints(target: Callable) -> dict[str, Any]:
    return typing.get_type_hints(target, include_extras=True)


def _checked(name: str, value: Any, hint: Any) -> Any:
    try:
        return _as(value, hint)
    except REFUSALS:
        raise UserError(f"{name} must be {described(hint)}. Received: {_received(value)}") from None


def _received(value: Any) -> str:
    try:
        return shown(_brief.repr(value))
    except REFUSALS:  # a number of more digits than Python writes
        return "something that cannot be shown"


def check_seeds(first: int, count: int) -> None:
    """Refuse numbers of seeds that reach beyond the largest one.

    Args:
        first: the first seed.
        count: how many follow one another.

    Raises:
        UserError: the last one is too large.

    Example:
        >>> check_seeds(2**31 - 2, 2)
    """
    if first + count > 2**31:
        raise UserError(f"seed must leave room for {count} of them below 2**31. Received: {first}")


def limits(hint: Any) -> list[Any]:
    """List what bounds an option beyond its type.

    Args:
        hint: the annotation of an option.

    Returns:
        What its `Annotated` holds that a value can be in, such as a `Range`.

    Example:
        >>> limits(Port)
        [Range(low=0, high=65535, without_low=False, without_high=False)]
    """
    if typing.get_origin(hint) is not Annotated:
        return []
    return [each for each in hint.__metadata__ if isinstance(each, (Range, Matching, _Expression, _Filled))]


def _as(value: Any, hint: Any) -> Any:
    """Convert the value to what its annotation says; one of `REFUSALS` if that cannot be."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        value = _as(value, arguments[0])
        if not all(value in allowed for allowed in limits(hint)):
            raise ValueError
        return value
    if origin in (typing.Union, types.UnionType):
        return _first(value, arguments)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool) != isinstance(arguments[0], bool):
            raise ValueError
        return value
    if tuple in (origin, hint):
        return _as_tuple(value, arguments or (Any, ...))
    if hint is type(None):
        if value is not None:
            raise TypeError
        return None
    if hint in NAMES:
        return _as_scalar(value, hint)
    return value  # a type of the user's own


def _first(value: Any, hints: tuple[Any, ...]) -> Any:
    """Convert the value to the first of several annotations that takes it."""
    for hint in hints:
        try:
            return _as(value, hint)
        except REFUSALS:
            continue
    raise ValueError


def _as_tuple(value: Any, hints: tuple[Any, ...]) -> tuple:
    if not isinstance(value, (tuple, list)):
        raise TypeError
    if hints[1:] == (Ellipsis,):
        hints = (hints[0],) * len(value)
    return tuple(_as(each, hint) for each, hint in zip(value, hints, strict=True))


def _as_scalar(value: Any, kind: type) -> Any:
    if kind is Path:
        if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
            raise TypeError
        return Path(value)
    if kind is str or kind is bool:
        if not isinstance(value, kind):
            raise TypeError
        return kind(value)
    abstract = numbers.Integral if kind is int else numbers.Real
    if isinstance(value, bool) or not isinstance(value, abstract):
        raise TypeError
    number = kind(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def described(hint: Any) -> str:
    """Say what an annotation allows.

    Args:
        hint: the annotation of an option.

    Example:
        >>> described(Port | None)
        'a whole number from 0 to 65,535 or none'
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return " ".join([described(arguments[0]), *map(str, limits(hint))])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(described(each) for each in arguments)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        if arguments[1:] == (Ellipsis,):
            return f"a list, each {described(arguments[0])}"
        return f"{len(arguments)} values, each {described(arguments[0])}"
    if hint is type(None):
        return "none"
    return NAMES.get(hint) or str(getattr(hint, "__name__", hint))
