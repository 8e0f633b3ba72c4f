"""Packages whose names are imported when they are asked for, so that nobody waits for what is not used."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make a package's `__getattr__` and `__dir__` (PEP 562).

    Args:
        package: its `__name__`.
        homes: where each public name comes from: "module:name", or "module" for a module itself.

    Returns:
        The two functions. A name that was asked for once stands in the package from then on.

    Example:
        >>> find, listing = lazy("tfspec.base", {"listed": "tfspec.base.errors:listed"})
        >>> find("listed")(["a", "b", "c"], most=2)
        'a, b and 1 more'
        >>> find("unlisted")
        Traceback (most recent call last):
        AttributeError: module 'tfspec.base' has no attribute 'unlisted'
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = pkgutil.resolve_name(homes[name])
        setattr(sys.modules[package], name, value)
        return value

    return find, lambda: sorted({*vars(sys.modules[package]), *homes})
