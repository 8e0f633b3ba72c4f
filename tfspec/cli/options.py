"""What options of pipelines and commands are called, take and do: from annotations and docstrings."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from tyro.conf import Positional

from tfspec.base.options import Range, limits

EVERYDAY = "What most people give"
OWN = "This experiment's own"
UNNAMED = "Given without a name"
ADDED = "What this pipeline adds"
"""Of a pipeline that is not one of tfspec's, the options of its own."""
(POSITIONAL,) = Positional[Any].__metadata__  # type: ignore[misc]
KINDS = {int: "INT", float: "NUMBER", Path: "PATH", str: "TEXT", type(None): "none"}
MISSING = (dataclasses.MISSING, inspect.Parameter.empty)


class Option(NamedTuple):
    """What a page says of one option.

    Args:
        name: as Python has it.
        hint: its annotation.
        default: what stands for it if it is not given; one of `MISSING` where it must be.
        said: what it does.
        group: heading under which it stands.
    """

    name: str
    hint: Any
    default: Any
    said: str
    group: str

    @property
    def spelt(self) -> str:
        """Its name on the command line, without dashes."""
        renamed = (getattr(each, "name", None) for each in _metadata(self.hint))
        return next(filter(None, renamed), self.name).replace("_", "-")

    @property
    def is_positional(self) -> bool:
        """Whether it is given without its name."""
        return POSITIONAL in _metadata(self.hint)

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return self.hint is bool

    @property
    def value(self) -> str:
        """What stands for its value."""
        kind = _value(self.hint)
        if self.default is None:  # so that nobody needs to give none
            kind = kind.removesuffix("|none")
        return self.name.upper() + "…" * kind.endswith("…") if self.is_positional else kind

    @property
    def limits(self) -> str:
        """The range of its numbers, and what stands for it if it is not given."""
        if self.is_positional or self.default in MISSING:
            return ""
        default = [] if self.default in (None, ()) else [f"default: {_spelt(self.default)}"]
        return "; ".join([*dict.fromkeys(map(str, _ranges(self.hint))), *default])


def fields_of(target: type, defaults: Mapping[str, Any]) -> list[Option]:
    """List the options of a pipeline, those that everybody needs first.

    Args:
        target: a dataclass, maybe with `everyday`, the names of those options.
        defaults: what stands for options that are not given, where this is not what the dataclass says.

    Returns:
        All of them, those of a group together.

    Example:
        >>> Point = dataclasses.make_dataclass("Point", [("x", int), ("y_hz", float, 3.0)])
        >>> [(option.spelt, option.value, option.limits) for option in fields_of(Point, {"x": 4})]
        [('x', 'INT', 'default: 4'), ('y-hz', 'NUMBER', 'default: 3.0')]
    """
    hints = typing.get_type_hints(target, include_extras=True)
    said = _said_of_fields(target)
    everyday = getattr(target, "everyday", ())
    found = {
        field.name: Option(
            field.name,
            hints[field.name],
            defaults.get(field.name, field.default),
            said.get(field.name, ""),
            EVERYDAY if field.name in everyday else _group(target, field.name),
        )
        for field in dataclasses.fields(target)
    }
    first = [found.pop(name) for name in everyday if name in found]
    order = {ADDED: 0, OWN: 1}
    return [*first, *sorted(found.values(), key=lambda option: order.get(option.group, 2))]


def parameters_of(function: Callable) -> list[Option]:
    """List the options of a command, which its docstring describes.

    Args:
        function: the command.

    Returns:
        All of them, in its order.

    Example:
        >>> def double(x: Annotated[int, Range(0, 9)] = 2): ...
        >>> [(option.spelt, option.value, option.limits) for option in parameters_of(double)]
        [('x', 'INT', 'from 0 to 9; default: 2')]
    """
    hints, said = typing.get_type_hints(function, include_extras=True), _said_of_arguments(function)
    parameters = inspect.signature(function).parameters.values()
    groups = {name: UNNAMED if POSITIONAL in _metadata(hint) else "Options" for name, hint in hints.items()}
    return [
        Option(each.name, hints[each.name], each.default, said.get(each.name, ""), groups[each.name])
        for each in parameters
    ]


def _ranges(hint: Any) -> Iterator[Range]:
    yield from (each for each in limits(hint) if isinstance(each, Range))
    for argument in typing.get_args(hint):
        yield from _ranges(argument)


def _metadata(hint: Any) -> tuple:
    return hint.__metadata__ if typing.get_origin(hint) is Annotated else ()


def _spelt(value: Any) -> str:
    """Write a value as the command line takes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _value(hint: Any) -> str:
    """Say in a word of what kind an option's value is."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _value(arguments[0])
    if origin is Literal:
        return "|".join(map(str, arguments))
    if origin is tuple:
        return (
            f"{_value(arguments[0])}…" if arguments[1:] == (Ellipsis,) else " ".join(map(_value, arguments))
        )
    if origin in (typing.Union, types.UnionType):
        return "|".join(dict.fromkeys(map(_value, arguments)))
    return KINDS.get(hint, "VALUE")


def _said_of_fields(target: type) -> dict[str, str]:
    """Read what stands below each field of a dataclass and its bases."""
    said: dict[str, str] = {}
    for each in reversed(target.__mro__):
        if not dataclasses.is_dataclass(each) or (tree := _tree(each)) is None:
            continue
        for field, text in itertools.pairwise(tree.body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(found))):
                    said[name] = " ".join(found.split())
    return said


def _tree(kind: type) -> ast.ClassDef | None:
    """Parse a class's own text, where there is one."""
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    except (OSError, TypeError):  # made by a program
        return None
    assert isinstance(tree, ast.ClassDef)
    return tree


def _said_of_arguments(function: Callable) -> dict[str, str]:
    """Read the arguments' section of a docstring in Google's style."""
    _, _, section = (inspect.getdoc(function) or "").partition("Args:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.M)
    return {name: " ".join(said.split()) for name, said in entries}


def _group(target: type, name: str) -> str:
    """Tell where an option stands: those that many pipelines share, under what their class is about."""
    definer = next(each for each in reversed(target.__mro__) if name in vars(each).get("__annotations__", {}))
    if not definer.__module__.startswith("tfspec."):
        return ADDED
    return (inspect.getdoc(definer) or OWN).rstrip(".") if definer.__name__.endswith("Options") else OWN
