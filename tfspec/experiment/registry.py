"""Pipelines by name: those that come with tfspec, and those of the user's own files."""

from __future__ import annotations

import inspect
import typing

from tfspec.base.errors import UserError, listed
from tfspec.base.files import HIDDEN_PREFIXES
from tfspec.base.modules import load_file
from tfspec.base.text import text_problem
from tfspec.experiment.pipeline import Pipeline
from tfspec.pipelines import PIPELINES


def find_pipeline(name: str) -> type[Pipeline]:
    """Find a pipeline by name, or in a user's Python file.

    Args:
        name: a key of `PIPELINES`, or a path that ends in .py, of a file that defines one Pipeline.

    Returns:
        The class.

    Raises:
        UserError: there is no such pipeline or file, or the file does not define exactly one.

    Example:
        >>> find_pipeline("capture24").__name__
        'Capture24'
    """
    if name in PIPELINES:
        return PIPELINES[name]
    if not name.endswith(".py"):
        raise UserError(f"No pipeline {name!r}. Give one of {', '.join(PIPELINES)}, or a Python file.")
    module = load_file(name)
    found = {
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Pipeline) and value.__module__ == module.__name__
    }
    if len(found) != 1:
        names = listed(sorted(each.__name__ for each in found)) or "none"
        raise UserError(f"{name} must define exactly one Pipeline. It defines {len(found)}: {names}.")
    (pipeline,) = found
    _check(pipeline, name)
    return pipeline


def _check(pipeline: type[Pipeline], file: str) -> None:
    """Refuse what could not name a folder, or annotations that mean nothing."""
    own = getattr(pipeline, "name", None)
    if (
        not isinstance(own, str)
        or not own
        or "/" in own
        or own.startswith(HIDDEN_PREFIXES)
        or text_problem(own)
    ):
        raise UserError(
            f"{file}: `name` of {pipeline.__name__} must be able to name a folder. Received: {own!r}"
        )
    try:
        typing.get_type_hints(pipeline)
    except Exception as error:
        raise UserError(f"{file}: an annotation of {pipeline.__name__}: {error}") from error
