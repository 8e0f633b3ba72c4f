"""The command that repeats a run, and the options that it was made with."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfspec.experiment.run import Run
from tfspec.experiment.steps import Steps
from tfspec.report.page import Table


def repeating_command(run: Run, steps: Steps | None) -> str:
    """Write the command that makes a run again.

    Args:
        run: the run.
        steps: its pipeline, whose defaults are left out; None where it is not there any more.

    Returns:
        One line for a shell.
    """
    target = run.config.get("file") or run.config["pipeline"]
    defaults = _defaults(steps)
    given = {name: value for name, value in run.config["options"].items() if name != "out"}
    chosen = {name: value for name, value in given.items() if not _same(value, defaults.get(name, ...))}
    words = [word for name, value in chosen.items() for word in _said(name, value)]
    return shlex.join(["tfspec", "train", str(target), *words])


def option_table(run: Run, steps: Steps | None) -> Table:
    """List all options of a run, and what else they would be.

    Args:
        run: the run.
        steps: its pipeline; None where it is not there any more.
    """
    defaults = _defaults(steps)
    rows = [
        [name, _text(value), "" if _same(value, defaults.get(name, value)) else _text(defaults[name])]
        for name, value in run.config["options"].items()
    ]
    return Table(["option", "value", "default"], rows)


def _defaults(steps: Steps | None) -> dict[str, Any]:
    if steps is None:
        return {}
    fields = dataclasses.fields(steps)
    return {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}


def _same(value: Any, default: Any) -> bool:
    """Compare what JSON holds with a default, which may be a path or a tuple."""
    if isinstance(default, Path):
        return value == str(default.resolve())
    return value == (list(default) if isinstance(default, tuple) else default)


def _said(name: str, value: Any) -> Iterator[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        yield f"--{option}" if value else f"--no-{option}"
    elif isinstance(value, list | tuple):
        yield f"--{option}"
        yield from map(str, value)
    else:
        yield f"--{option}={value}"


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
