"""Options of the command line: read by tyro, held to their annotations by `base.options`."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import inspect
import io
import itertools
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from tfspec.base.errors import UserError, listed
from tfspec.base.options import check_options
from tfspec.base.progress import Volume
from tfspec.base.suggestions import meant
from tfspec.cli.help import print_page
from tfspec.cli.options import ADDED, EVERYDAY, Option, fields_of, parameters_of

HELP = {"-h", "--help", "--help-all"}
TOO_MANY = "Unrecognized options: "
"""How tyro begins to say that values are left."""


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
    options = fields_of(target, defaults)
    if HELP & {*arguments}:
        text = target.__doc__ or ""
        text = "" if text.startswith(f"{target.__name__}(") else text  # what dataclasses write
        _help(program, text, options, () if "--help-all" in arguments else (EVERYDAY, ADDED))
    _check_names(options, arguments, program)
    hints = _for_tyro(target)
    stand_in = {
        "__new__": lambda _, **options: functools.partial(target, **options),
        "__module__": target.__module__,
    }
    given = [(name, hints[name], dataclasses.field(default=value)) for name, value in defaults.items()]
    kind = dataclasses.make_dataclass(
        target.__name__, given, bases=(target,), namespace=stand_in, kw_only=True
    )
    kind.__annotations__ = hints
    return _parse(kind, arguments, program)()


def split_off_volume(arguments: Sequence[str]) -> tuple[Volume, list[str]]:
    """Find how much a command is to tell, which may stand anywhere before `--`.

    Args:
        arguments: the command line.

    Returns:
        How much, and the rest of the command line.

    Raises:
        UserError: it is to tell more and less.

    Example:
        >>> split_off_volume(["predict", "run", "--quiet", "a.wav"])
        ('quiet', ['predict', 'run', 'a.wav'])
    """
    own = [*itertools.takewhile(lambda each: each != "--", arguments)]
    volumes: dict[str, Volume] = {"--quiet": "quiet", "--verbose": "verbose"}
    given = [volumes[each] for each in own if each in volumes]
    if len({*given}) > 1:
        raise UserError("Give one of --quiet and --verbose. Received: both")
    rest = [each for each in own if each not in volumes]
    return (*given, "normal")[0], [*rest, *arguments[len(own) :]]


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
    signature, options = inspect.signature(function), parameters_of(function)
    if HELP & {*arguments}:
        _help(program, function.__doc__ or "", options)
    _check_names(options, arguments, program)

    def bind(*given, **options):
        bound = signature.bind(*given, **options).arguments
        return functools.partial(function, **check_options(function, bound))

    bind.__signature__ = signature  # type: ignore[attr-defined]
    bind.__annotations__, bind.__doc__ = _for_tyro(function), function.__doc__
    return _parse(bind, arguments, program)


def _help(program: str, text: str, options: Sequence[Option], shown: Collection[str] = ()) -> NoReturn:
    print_page(program, text, options, shown)
    sys.exit(0)


def _check_names(options: Sequence[Option], arguments: Sequence[str], program: str) -> None:
    """Refuse an option that is not known, and name the one that was meant, or how such a file is given."""
    named = [option for option in options if not option.is_positional]
    known = {option.name: option.spelt for option in named}
    known |= {option.spelt.replace("-", "_"): option.spelt for option in named}
    off = {f"no_{option.name}" for option in named if option.is_flag}
    takes_files = len(named) < len(options)
    for given in itertools.takewhile(lambda each: each != "--", arguments):
        is_file = re.match(r"-[A-Za-z].|-[^-A-Za-z]|--[^=]*\.", given) and isinstance(_number(given), str)
        if takes_files and is_file:
            raise UserError(f"No option {given}. A file of this name is given as ./{given}")
        option = given.partition("=")[0]
        name = option.lstrip("-").replace("-", "_")
        if re.match("--[A-Za-z]|-[A-Za-z]$", option) and name not in {*known, *off}:
            right = meant(name, known)
            page = f"{program.partition(' [')[0]} --help-all"
            remedy = f"Did you mean --{known[right]}?" if right else f"{page} lists all."
            raise UserError(f"No option {option}. {remedy}")


def _parse(target: Callable, arguments: Sequence[str], program: str) -> Any:
    """Parse with tyro, its boxed error message folded into one line."""
    message = io.StringIO()
    try:
        with contextlib.redirect_stderr(message):
            return tyro.cli(target, args=arguments, prog=program)
    except SystemExit as stop:
        if not stop.code:
            raise
        body = re.sub("^╭.*", "", message.getvalue(), flags=re.M)  # its title says it too
        said = " ".join(re.sub("[│╰╯─]|-{4,}", " ", body).split())
        said = re.split(r" Argument helptext:| For full helptext| \(required\)", said)[0]
        if said.startswith(TOO_MANY):  # no options: `_check_names` knows these
            given, page = said.removeprefix(TOO_MANY).split(", "), f"{program.partition(' [')[0]} --help"
            said = f"More is given than is taken: {listed(given, 3)}. `{page}` says what is."
        raise UserError(said) from None


def _for_tyro(target: Callable) -> dict[str, Any]:
    """Return annotations by which tyro finds the words of options, whose values `check_options` judges."""
    hints = typing.get_type_hints(target, include_extras=True)
    return {name: _of_words(hint) for name, hint in hints.items()}


def _of_words(hint: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        # Choices that hold "none" go first and take no other word, then None: all else takes any
        ordered = sorted(arguments, key=lambda each: (not _holds_none(each), each is not type(None)))
        return typing.Union[tuple(map(_of_one_among_others, ordered))]  # noqa: UP007  of any number
    if origin is tuple:
        return tuple[tuple(map(_of_words, arguments))]  # type: ignore[misc]
    if origin is Annotated:
        return Annotated[(_of_words(arguments[0]), *hint.__metadata__)]
    if hint is type(None):
        return Annotated[None, _NONE]
    return Annotated[hint, _word(hint)] if origin is Literal or hint in (int, float, str, Path) else hint


def _of_one_among_others(hint: Any) -> Any:
    return Annotated[hint, _word(hint, typing.get_args(hint))] if _holds_none(hint) else _of_words(hint)


def _holds_none(hint: Any) -> bool:
    return typing.get_origin(hint) is Literal and "none" in typing.get_args(hint)


def _none(given: list[str]) -> None:
    """Read that there is nothing, as people and Python write it."""
    if given[0].lower() != "none":
        raise ValueError("it is not none")


_NONE = PrimitiveConstructorSpec(
    nargs=1,
    metavar="none",
    instance_from_str=_none,
    is_instance=lambda value: value is None,
    str_from_instance=lambda _: ["none"],
)


def _word(kind: Any, choices: Sequence[str] = ()) -> PrimitiveConstructorSpec:
    """Have tyro take the word that it is given, as a number where that is asked and it is one.

    Where there are choices, others of the union take what is none of them.
    """

    def read(given: list[str]) -> int | float | str:
        if choices and given[0] not in choices:
            raise ValueError(f"{given[0]} is not a choice")
        return _number(given[0]) if kind in (int, float) else given[0]

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=getattr(kind, "__name__", "").upper(),
        instance_from_str=read,
        is_instance=lambda value: not isinstance(value, tuple),
        str_from_instance=lambda value: [str(value)],
    )


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
