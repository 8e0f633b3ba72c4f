"""Options of the command line: read by tyro, held to their annotations by `base.options`."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import inspect
import io
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from tfspec.base.errors import UserError
from tfspec.base.options import Range, check_options, limits


def parse(target: type, arguments: Sequence[str], program: str, defaults: Mapping[str, Any]) -> Any:
    """Make an object from a command line: one option a parameter, its range in `--help`.

    Args:
        target: what is made, a dataclass whose constructor checks its own options.
        arguments: the command line.
        program: what stands before it, for `--help`.
        defaults: what stands for options that are not given, where this is not what the dataclass says.

    Returns:
        The object.

    Raises:
        UserError: an option is not known or not as its annotation asks.

    Example:
        >>> import dataclasses
        >>> Point = dataclasses.make_dataclass("Point", [("x", int), ("y", int)])
        >>> parse(Point, ["--x", "3"], "point", {"y": 4})
        Point(x=3, y=4)
    """
    hints, text = _for_tyro(target), target.__doc__ or ""
    stand_in = {
        "__new__": lambda _, **options: functools.partial(target, **options),
        "__module__": target.__module__,
        "__doc__": "" if text.startswith(f"{target.__name__}(") else text,  # what dataclasses write
    }
    given = [(name, hints[name], dataclasses.field(default=value)) for name, value in defaults.items()]
    kind = dataclasses.make_dataclass(
        target.__name__, given, bases=(target,), namespace=stand_in, kw_only=True
    )
    kind.__annotations__ = hints
    return _parse(kind, arguments, program)()


def split_off_preset(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Find what a command of a pipeline takes beside the pipeline's options.

    Args:
        arguments: the command line.

    Returns:
        The attributes `preset`, a name, and `show`, whether the options are only to be shown; and the rest
        of the command line.

    Raises:
        UserError: `--preset` comes without a name.

    Example:
        >>> split_off_preset(["--epochs", "3", "--preset", "published"])
        (Namespace(preset='published', show=False), ['--epochs', '3'])
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--show", action="store_true")
    try:
        return parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise UserError(str(error)) from None


def given_columns(arguments: Sequence[str]) -> dict[str, Any]:
    """Find which columns of a table a command line names, before it is known what the table is of.

    Args:
        arguments: the command line.

    Returns:
        The options of `Columns` that are given; they stay on the command line.

    Example:
        >>> given_columns(["--epochs", "3", "--label-column", "word"])
        {'label': 'word'}
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("path", "label", "group"):
        parser.add_argument(f"--{name}-column", f"--{name}_column", dest=name)
    parser.add_argument("--class-columns", "--class_columns", dest="classes", nargs="*")
    try:
        found = vars(parser.parse_known_args(arguments)[0])
    except argparse.ArgumentError as error:
        raise UserError(str(error)) from None
    return {name: tuple(value) if name == "classes" else value for name, value in found.items() if value}


def parse_call(function: Callable, arguments: Sequence[str], program: str) -> Callable[[], Any]:
    """Bind a function to a command line, without calling it.

    Args:
        function: what is bound, its docstring the text of `--help`.
        arguments: the command line.
        program: what stands before it, for `--help`.

    Returns:
        The function that takes no more arguments.

    Raises:
        UserError: an option is not known or not as its annotation asks.

    Example:
        >>> def double(x: int): return 2 * x
        >>> parse_call(double, ["--x", "3"], "double")()
        6
    """
    signature = inspect.signature(function)

    def bind(*given, **options):
        bound = signature.bind(*given, **options).arguments
        return functools.partial(function, **check_options(function, bound))

    bind.__signature__ = signature  # type: ignore[attr-defined]
    bind.__annotations__, bind.__doc__ = _for_tyro(function), function.__doc__
    return _parse(bind, arguments, program)


def _parse(target: Callable, arguments: Sequence[str], program: str) -> Any:
    """Parse with tyro, its boxed error message folded into one line."""
    message = io.StringIO()
    try:
        with contextlib.redirect_stderr(message):
            return tyro.cli(target, args=arguments, prog=program)
    except SystemExit as stop:
        if not stop.code:
            raise
        said = " ".join(re.sub("[│╭╮╰╯─]|-{4,}", " ", message.getvalue()).split())
        raise UserError(re.split(" Got errors:| Argument helptext:", said)[0]) from None


def _for_tyro(target: Callable) -> dict[str, Any]:
    """Return annotations by which tyro shows the ranges, and leaves numbers and paths to `check_options`."""
    hints = typing.get_type_hints(target, include_extras=True)
    return {name: _shown(hint) for name, hint in hints.items()}


def _shown(hint: Any, said: str = "") -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(map(_shown, arguments))]  # noqa: UP007  of any number
    if origin is tuple:
        return tuple[tuple(map(_shown, arguments))]  # type: ignore[misc]
    if origin is Annotated:
        said = "".join(f" ({each})" for each in limits(hint) if isinstance(each, Range))
        said = re.sub(r"(?<=\d),(?=\d)", "", said)  # where tyro would break the line
        return Annotated[(_shown(arguments[0], said), *hint.__metadata__)]
    return Annotated[hint, _read_later(hint, said)] if hint in (int, float, str, Path) else hint


def _read_later(kind: type, said: str) -> PrimitiveConstructorSpec:
    """Have tyro show what an option may be, and take what it is given."""
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper() + said,
        instance_from_str=lambda given: _number(given[0]) if kind in (int, float) else given[0],
        is_instance=lambda value: isinstance(value, kind),
        str_from_instance=lambda value: [str(value)],
    )


def _number(text: str) -> float:
    """Read a number of whichever kind it is: whether it may be that is not decided here."""
    try:
        return int(text)
    except ValueError:
        return float(text)
