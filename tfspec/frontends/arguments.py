"""Checks of constructor arguments: each error names the argument, what was received and what is allowed."""

from __future__ import annotations

import numbers
from typing import Any


def positive(name: str, value: Any) -> Any:
    """Let a positive number pass."""
    if not value > 0:
        raise ValueError(f"`{name}` must be positive. Received: {name}={value}")
    return value


def positive_or_none(name: str, value: Any) -> Any:
    """Let a positive number or None pass."""
    if value is not None and not value > 0:
        raise ValueError(f"`{name}` must be positive or None. Received: {name}={value}")
    return value


def integer(name: str, value: Any, lowest: int = 1) -> int:
    """Let an integer pass that is not below the lowest."""
    if not isinstance(value, numbers.Integral) or value < lowest:
        kind = "a positive integer" if lowest == 1 else f"an integer of at least {lowest}"
        raise ValueError(f"`{name}` must be {kind}. Received: {name}={value!r}")
    return int(value)


def one_of(name: str, value: Any, allowed: tuple) -> Any:
    """Let one of the allowed values pass."""
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {allowed}. Received: {name}={value!r}")
    return value


def axes(name: str, value: Any) -> tuple[int, ...]:
    """Let axes of features pass, the batch's excepted."""
    if not isinstance(value, (tuple, list)) or not value or not set(value) <= {1, 2, 3}:
        raise ValueError(f"`{name}` must be a tuple of some of 1, 2 and 3. Received: {name}={value}")
    return tuple(value)
