"""Constructors that know which argument was meant."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from tfspec.base.suggestions import meant


class NamedArguments:
    """Base of classes whose constructor says which argument was meant, where it is given one that it has not.

    Python and Keras would name only the wrong one, or say of the right one that it is missing.

    Raises:
        TypeError: an argument of such a name is not known.

    Example:
        >>> class Tone(NamedArguments):
        ...     def __init__(self, sample_rate: int): ...
        >>> Tone(sr=16000)
        Traceback (most recent call last):
        TypeError: Tone has no argument `sr`. Did you mean `sample_rate`?
    """

    def __new__(cls, *args: Any, **named: Any):
        """Look at the names before Python does."""
        known = arguments_of(cls)  # type: ignore[arg-type]
        for name in named:
            if name not in known and (right := meant(name, known)):
                raise TypeError(f"{cls.__name__} has no argument `{name}`. Did you mean `{right}`?")
        make = super().__new__
        return make(cls) if make is object.__new__ else make(cls, *args, **named)


@functools.cache
def arguments_of(kind: type, above: type = object) -> frozenset[str]:
    """List the arguments of a class, and of the bases that its own are passed on to.

    Args:
        kind: the class.
        above: the base whose own arguments, and those of its bases, do not count.

    Example:
        >>> class Tone:
        ...     def __init__(self, sample_rate: int): ...
        >>> arguments_of(Tone)
        frozenset({'sample_rate'})
    """
    names: set[str] = set()
    for each in kind.__mro__[: kind.__mro__.index(above)]:
        if "__init__" not in vars(each):
            continue
        parameters = inspect.signature(each.__init__).parameters.values()  # type: ignore[misc]
        kinds = {parameter.kind for parameter in parameters}
        names |= {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return frozenset(names - {"self"})
