"""What the command line writes: text that does no harm in a terminal, and JSON in any encoding."""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any

from rich.console import Console

from tfspec.base.text import UNWRITABLE, shown, shown_lines


class _Plain(Console):
    """Prints what comes from outside without what could do harm in a terminal."""

    def print(self, *objects, **options):
        """Print as rich does, text line by line."""
        plain = (shown_lines(each) if isinstance(each, str) else each for each in objects)
        super().print(*plain, **options)

    def on_broken_pipe(self):
        """Leave what rich has caught to `main`, as of all other output: rich itself would exit with 1."""
        raise


console = _Plain(soft_wrap=True, markup=False, emoji=False)


def name_bad(problems: Iterable[tuple[str, str]]) -> int:
    """Name what cannot be used, a line each on standard error; returns how much it was."""
    problems = list(problems)
    for file, problem in problems:
        print(f"tfspec: {shown(file)} cannot be used: {shown(problem)}", file=sys.stderr)
    return len(problems)


def fail_for_bad(problems: Iterable[tuple[str, str]]) -> None:
    """Name the files that cannot be used, a line each; the exit code is then 1."""
    if name_bad(problems):
        sys.exit(1)


def print_json(document: Any, indent: int | None = 2) -> None:
    """Write one JSON document, in characters that standard output can take; without an indent in one line."""
    text = json.dumps(_finite(document), indent=indent, ensure_ascii=False)
    encoding = sys.stdout.encoding or "utf-8"
    print("".join(each if _is_writable(each, encoding) else json.dumps(each)[1:-1] for each in text))


def _finite(document: Any) -> Any:
    """Put null in the place of numbers that JSON does not know."""
    if isinstance(document, dict):
        return {name: _finite(value) for name, value in document.items()}
    if isinstance(document, (list, tuple)):
        return [_finite(value) for value in document]
    return None if isinstance(document, float) and not math.isfinite(document) else document


def _is_writable(character: str, encoding: str) -> bool:
    if character.isascii():
        return character != "\x7f"
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return unicodedata.category(character) not in UNWRITABLE
