"""How a run folder and other processes remember a pipeline."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Any

from tfspec.base.errors import UserError
from tfspec.base.plugins import known_pipelines
from tfspec.experiment.steps import Steps


def reference_to(steps: Steps) -> dict[str, Any]:
    """Say where another process, or another day, finds a pipeline.

    Args:
        steps: the pipeline.

    Returns:
        Its name as `pipeline`; if that is not known to all, also its `file`, None if it is in no file, as in
        a notebook, and the file's `sha256`.
    """
    known = known_pipelines().get(steps.name)
    if known and known.value == f"{type(steps).__module__}:{type(steps).__name__}":
        return {"pipeline": steps.name}
    if "<locals>" in type(steps).__qualname__:  # nobody finds what a function defines
        return {"pipeline": steps.name, "file": None}
    try:
        file = Path(inspect.getfile(type(steps))).resolve()
        return {"pipeline": steps.name, "file": str(file), "sha256": checksum(file)}
    except (TypeError, OSError):
        return {"pipeline": steps.name, "file": None}


def source_of(steps: Steps) -> str:
    """Return what another process finds a pipeline by: its name or its file.

    Args:
        steps: the pipeline.

    Raises:
        UserError: it is in no file, as in a notebook.
    """
    reference = reference_to(steps)
    source = reference.get("file", steps.name)
    if source is None:
        raise UserError(
            f"Another process cannot find the pipeline {steps.name!r}. Put it into a Python file of its own, "
            "or give processes=1."
        )
    return source


def checksum(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
