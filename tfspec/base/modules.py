"""Python files of the user's own: loaded as modules that stand in the way of no other."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from tfspec.base.errors import UserError
from tfspec.base.files import file_problem

PREFIX = "_tfspec_file_"
_loading: list[Path] = []


def load_file(path: str | os.PathLike) -> ModuleType:
    """Run a Python file as a module, under a name that depends on nothing but its path.

    So a file called json.py replaces no module, and classes have the same names in every process. A file that
    was loaded and has not changed since is not run again.

    Args:
        path: the file.

    Returns:
        The module, which stands in `sys.modules`.

    Raises:
        UserError: it is no file, no Python, or raises an error; the message names the line.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "json.py").write_text("x = 3")
        ...     load_file(f"{folder}/json.py").x
        3
    """
    if (problem := file_problem(path)) is not None:
        raise UserError(
            f"{'No such file' if problem == 'no such file' else f'Not a Python file ({problem})'}: {path}"
        )
    path = Path(path).resolve()
    source, name = path.read_bytes(), _module_name(path)
    loaded = sys.modules.get(name)
    if loaded is not None and vars(loaded).get("__source__") == source:
        return loaded
    module = ModuleType(name)
    vars(module).update(__file__=str(path), __source__=source)
    sys.modules[name] = module  # where dataclasses look for the module of a class
    _loading.append(path)
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, (UserError, KeyboardInterrupt)):
            raise
        raise UserError(_told(path, error)) from error
    finally:
        _loading.pop()
    return module


def _module_name(path: Path) -> str:
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return f"{PREFIX}{digest}_{re.sub('[^0-9A-Za-z_]', '_', path.stem)}"


def _told(path: Path, error: BaseException) -> str:
    """Say what went wrong in a file, and in which of its lines."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    if isinstance(error, SyntaxError):
        lines, error = [error.lineno], SyntaxError(error.msg)
    where = f", line {lines[-1]}" if lines and lines[-1] else ""
    return f"{path}{where}: {type(error).__name__}: {error}"


def refuse_while_loading() -> None:
    """Refuse to train where a file is only to be loaded, for its classes.

    Raises:
        UserError: a file is being loaded.

    Example:
        >>> refuse_while_loading()
    """
    if _loading:
        raise UserError(
            f'{_loading[-1]} trains while it is loaded: put that under `if __name__ == "__main__":`.'
        )
