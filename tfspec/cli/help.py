"""The pages that `--help` and `--help-all` print."""

from __future__ import annotations

import argparse
import inspect
import itertools
import re
import shutil
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tfspec.cli.options import Option


def print_page(program: str, text: str, options: Sequence[Option], shown: Collection[str] = ()) -> None:
    """Print what a command does and takes.

    Args:
        program: the command, without its options.
        text: what it does, a docstring.
        options: all of them.
        shown: groups that are printed, and how many options the others have; all groups if not given.

    Example:
        >>> print_page("double", "Double a number.", [Option("x", int, 2, "the number", "Options")])
        usage: double [options]
        <BLANKLINE>
        Double a number.
        <BLANKLINE>
        Options:
          --x INT  the number (default: 2)
    """
    positional = [option for option in options if option.is_positional]
    usage = " ".join([program, *(option.value for option in positional), "[options]"])
    parser = argparse.ArgumentParser(
        usage=usage.replace("%", "%%"),
        add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    before, *_ = re.split(r"^(?:Args|Example|Raises|Returns):$", inspect.cleandoc(text), flags=re.M)
    parser.description = filled(before)
    listed = [option for option in options if not shown or option.group in shown]
    for group, members in itertools.groupby(listed, lambda option: option.group):
        add = parser.add_argument_group(group).add_argument
        for option in members:
            _add(add, option)
    if len(listed) < len(options):
        command = program.partition(" [")[0]
        parser.epilog = f"{len(options) - len(listed)} more: {command} --help-all"
    parser.print_help()


def filled(text: str, indent: int = 0) -> str:
    """Break paragraphs into lines, as the terminal is wide.

    Args:
        text: paragraphs, with an empty line between them.
        indent: of all lines of a paragraph but its first one.

    Example:
        >>> print(filled("word " * 20, indent=2))
        word word word word word word word word word word word word word word word
          word word word word word
    """
    wrapper = textwrap.TextWrapper(
        shutil.get_terminal_size().columns - 2,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n\n".join(map(wrapper.fill, text.strip("\n").split("\n\n")))


def summaries(calls: Mapping[str, Callable]) -> str:
    """List commands, or kinds of something, and the first line of what each says of itself.

    Args:
        calls: functions by their names.

    Example:
        >>> print(summaries({"filled": filled, "summaries": summaries}))
          filled    Break paragraphs into lines, as the terminal is wide.
          summaries List commands, or kinds of something, and the first line of what
                    each says of itself.
    """
    room = max(map(len, calls)) + 1
    said = {name: (inspect.getdoc(call) or "").splitlines()[0] for name, call in calls.items()}
    return "\n".join(filled(f"  {name:{room}}{line}", indent=2 + room) for name, line in said.items())


def _add(add: Callable[..., Any], option: Option) -> None:
    said = f"{option.said} ({option.limits})" if option.limits else option.said
    said = said.replace("%", "%%")
    if option.is_positional:
        add(option.name, metavar=option.value, help=said)
    elif option.is_flag:
        add(f"--{option.spelt}", action=argparse.BooleanOptionalAction, help=said)
    else:
        add(f"--{option.spelt}", metavar=option.value, help=said)
