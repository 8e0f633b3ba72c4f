"""Checks of constructor arguments: each error names the argument, what was received and what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any


def number(name: str, value: Any) -> Any:
    """Let a number pass."""
    if not isinstance(value, numbers.Real):
        raise ValueError(f"`{name}` must be a number. Received: {name}={value!r}")
    return value


def positive(name: str, value: Any) -> Any:
    """Let a finite number above zero pass."""
    if not 0 < number(name, value) < math.inf:
        raise ValueError(f"`{name}` must be positive. Received: {name}={value!r}")
    return value


def positive_or_none(name: str, value: Any) -> Any:
    """Let a finite number above zero or None pass."""
    if value is not None and not 0 < number(name, value) < math.inf:
        raise ValueError(f"`{name}` must be positive or None. Received: {name}={value!r}")
    return value


def between(name: str, value: Any, lowest: float, highest: float = math.inf) -> float:
    """Let a finite number pass that is not outside the range."""
    if not lowest <= number(name, value) <= highest or math.isinf(value):
        allowed = f"at least {lowest}" if math.isinf(highest) else f"from {lowest} to {highest}"
        raise ValueError(f"`{name}` must be {allowed}. Received: {name}={value!r}")
    return float(value)


def integer(name: str, value: Any, lowest: int = 1, highest: float = math.inf) -> int:
    """Let an integer pass that is not outside the range."""
    if not isinstance(value, numbers.Integral) or not lowest <= int(value) <= highest:
        if highest < math.inf:
            allowed = f"an integer from {lowest} to {highest}"
        else:
            allowed = "a positive integer" if lowest == 1 else f"an integer of at least {lowest}"
        raise ValueError(f"`{name}` must be {allowed}. Received: {name}={value!r}")
    return int(value)


def ends(low_name: str, low: Any, high_name: str, high: Any) -> tuple[Any, Any]:
    """Let the two ends of a range pass."""
    if not -math.inf < number(low_name, low) <= number(high_name, high) < math.inf:
        raise ValueError(
            f"`{low_name}` must not be above `{high_name}`, both finite. "
            f"Received: {low_name}={low!r}, {high_name}={high!r}"
        )
    return low, high


def one_of(name: str, value: Any, allowed: Sequence) -> Any:
    """Let one of the allowed values pass."""
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {tuple(allowed)}. Received: {name}={value!r}")
    return value


def axes(name: str, value: Any) -> tuple[int, ...]:
    """Let axes of features pass, the batch's excepted."""
    if not isinstance(value, (tuple, list)) or not value or not set(value) <= {1, 2, 3}:
        raise ValueError(f"`{name}` must be a tuple of some of 1, 2 and 3. Received: {name}={value}")
    return tuple(value)
