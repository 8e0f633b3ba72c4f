"""Finding a pipeline: by name, in a user's Python file, or as a run folder remembers it."""

from __future__ import annotations

import dataclasses
import inspect
import os
import typing
from pathlib import Path
from typing import Any

from tfspec.base.errors import UserError, listed
from tfspec.base.files import HIDDEN_PREFIXES
from tfspec.base.modules import load_file
from tfspec.base.plugins import known_pipelines
from tfspec.base.progress import say
from tfspec.base.suggestions import meant, remedy
from tfspec.base.text import text_problem
from tfspec.data.sources.columns import Columns
from tfspec.data.sources.recognise import Kind, recognise
from tfspec.experiment.pipeline import Pipeline
from tfspec.experiment.reference import checksum
from tfspec.experiment.run import Run, check_run

GENERAL: dict[Kind, str] = {
    "class folders": "recordings",
    "table": "recordings",
    "annotated recordings": "recordings",
    "windows": "windows",
    "pictures": "pictures",
}
"""The pipelines for data of one's own, by kind."""


def find_pipeline(name: str) -> type[Pipeline]:
    """Find a pipeline by name, or in a user's Python file.

    Args:
        name: a key of `known_pipelines`, or a path that ends in .py, of a file that defines one Pipeline.

    Returns:
        The class.

    Raises:
        UserError: there is no such pipeline or file, or the file does not define exactly one.

    Example:
        >>> find_pipeline("capture24").__name__
        'Capture24'
    """
    if name.endswith(".py"):
        return _in_file(name)
    if name not in (known := known_pipelines()):
        raise UserError(f"No pipeline {name!r}. {remedy(name, known)} A Python file may define one, too.")
    return known[name].load()


def pipeline_for(target: str, columns: Columns | None = None) -> tuple[type[Pipeline], dict[str, Any]]:
    """Find the pipeline for what is to be trained on or by.

    Args:
        target: what `find_pipeline` takes; or data of one's own, a file or folder that `recognise` knows.
        columns: of a table, as far as they are known.

    Returns:
        The class, and the options that this settles: `data` for data of one's own, which is said.

    Raises:
        UserError: it is neither a pipeline nor data.

    Example:
        >>> pipeline_for("missing")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No pipeline and no data at 'missing'. Give a folder ...
    """
    if target.endswith(".py") or target in (known := known_pipelines()):
        return find_pipeline(target), {}
    if not os.path.lexists(target):
        others = (
            f"Give a folder of class folders, a table or arrays; a Python file; or one of {', '.join(known)}."
        )
        right = meant(target, known)
        raise UserError(
            f"No pipeline and no data at {target!r}. {f'Did you mean {right!r}?' if right else others}"
        )
    data = recognise(target, columns)
    say(f"{target}: {data.said}")
    return find_pipeline(GENERAL[data.kind]), {"data": data.path}


def _in_file(path: str) -> type[Pipeline]:
    module = load_file(path)
    found = {
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Pipeline) and value.__module__ == module.__name__
    }
    if len(found) != 1:
        names = listed(sorted(each.__name__ for each in found)) or "none"
        raise UserError(f"{path} must define exactly one Pipeline. It defines {len(found)}: {names}.")
    (pipeline,) = found
    _check(pipeline, path)
    _check_steps(pipeline, path)
    _check_options(pipeline, path)
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


def _check_steps(pipeline: type[Pipeline], file: str) -> None:
    """Refuse a pipeline that lacks what it must define, maybe since it is misspelt."""
    missing = [
        name for name in dir(pipeline) if getattr(getattr(pipeline, name), "__isabstractmethod__", False)
    ]
    if missing:
        own = [name for name in vars(pipeline) if name not in vars(Pipeline)]
        misspelt = [close for name in missing if (close := meant(name, own))]
        received = f" Received: {listed(misspelt)}" if misspelt else ""
        raise UserError(f"{file}: {pipeline.__name__} must define {', '.join(missing)}.{received}")


def _check_options(pipeline: type[Pipeline], file: str) -> None:
    """Refuse what looks like an option and would be none, so that it would change nothing."""
    fields = {field.name: field for field in dataclasses.fields(pipeline)}
    for name, hint in inspect.get_annotations(pipeline).items():
        if name not in fields and "ClassVar" not in str(hint):
            raise UserError(
                f"{file}: {pipeline.__name__} needs @dataclass(kw_only=True), for {name} to be an option."
            )
    for name, field in fields.items():
        if name in vars(pipeline) and name not in inspect.get_annotations(pipeline):
            kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "TYPE")
            raise UserError(
                f"{file}: {name} of {pipeline.__name__} is an option, whose default needs its type: "
                f"{name}: {kind} = {vars(pipeline)[name]!r}"
            )


def pipeline_of(run: Run, pipeline: str | None = None) -> Pipeline:
    """Make the pipeline that made a run again, with the run's options.

    Args:
        run: the run.
        pipeline: name or Python file; None for what the run remembers.

    Returns:
        The pipeline, whose `out` is where the run is now.

    Raises:
        UserError: it is no run; its file has moved or changed, its name is not known, or the options are not
            its own.
    """
    check_run(run)
    found = find_pipeline(pipeline or _remembered(run))
    try:
        return found(**{**found.earlier, **_options(run), "out": run.folder})
    except (TypeError, UserError) as error:
        config = run.folder / "config.json"
        raise UserError(
            f"The options in {config}, of tfspec {run.config.get('tfspec')}, cannot be used: {error}"
        ) from None


def _options(run: Run) -> dict[str, Any]:
    """Return the options of a run; in older ones no patience ended a training that keeps the last epoch."""
    options = run.config["options"]
    if options.get("keep") == "last" and "loader" not in options:
        return {**options, "patience": None}
    return options


def _remembered(run: Run) -> str:
    """Return the name or the file of a run's pipeline; a file only if it is the same as ever."""
    name, file = run.config["pipeline"], run.config.get("file")
    if file is None:
        if name in (known := known_pipelines()):
            return name
        raise UserError(
            f"{run.folder} was made by the pipeline {name!r}, which is neither one of "
            f"{', '.join(known)} nor in a file. Give its Python file: --pipeline FILE."
        )
    if problem := _file_problem(run, Path(file)):
        raise UserError(
            f"{run.folder} was made by the pipeline in {file}, which {problem}. "
            "Give the file that it is to be used with: --pipeline FILE."
        )
    return file


def _file_problem(run: Run, file: Path) -> str | None:
    """Say why a file is not to be run without being asked for; None if it is the one that trained."""
    if run.folder.resolve() in file.resolve().parents:  # where a folder from somebody else could bring code
        return "lies in the run folder itself"
    if not file.is_file():
        return "is no longer there"
    return None if checksum(file) == run.config.get("sha256") else "has changed since"
