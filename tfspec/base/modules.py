"""Python files of the user's own: loaded as modules that stand in the way of no other."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from tfspec.base.boundary import in_brief
from tfspec.base.errors import UserError
from tfspec.base.files import file_problem
from tfspec.base.progress import volume
from tfspec.base.text import shown_lines

PREFIX = "_tfspec_file_"
IN_TRACEBACK = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<function>\S+)')
"""As Python prints it, and so TensorFlow where what its graphs call raises an error."""
RAISED = re.compile(r"^(?P<kind>[A-Za-z_][\w.]*): (?P<message>.*)", re.MULTILINE)
"""How that ends."""
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
    beside = isinstance(error, ModuleNotFoundError) and path.with_name(f"{error.name}.py").exists()
    remedy = f". It stands beside: set PYTHONPATH={path.parent}" if beside else ""
    return f"{path}{where}: {type(error).__name__}: {error}{remedy}"


@contextlib.contextmanager
def own_errors_told() -> Iterator[None]:
    r"""Turn what the code of a loaded file raises into a `UserError` that names its line.

    With `--verbose` the whole way there is printed, too.

    Raises:
        UserError: the file's code was asked for something and raised an error.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, own_errors_told():
        ...     _ = Path(folder, "mine.py").write_text("def half(x):\n    return x / 0")
        ...     load_file(f"{folder}/mine.py").half(1)
        Traceback (most recent call last):
        tfspec.base.errors.UserError: ...mine.py, line 2, in half: ZeroDivisionError: division by zero
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if (told := _told_of_own(error)) is None:
            raise
        if volume() == "verbose":
            print(shown_lines("".join(traceback.format_exception(error))), file=sys.stderr)
        raise UserError(told) from error


def _told_of_own(error: Exception) -> str | None:
    """Tell an error and the last line of loaded files on the way to it; None where there is none."""
    loaded = [module for name, module in [*sys.modules.items()] if name.startswith(PREFIX)]
    files = {vars(module)["__file__"] for module in loaded}
    in_text = [*IN_TRACEBACK.finditer(str(error))]
    frames = [
        (frame.filename, frame.lineno, frame.name) for frame in traceback.extract_tb(error.__traceback__)
    ]
    frames += [(match["file"], int(match["line"]), match["function"]) for match in in_text]
    own = [f"{file}, line {line}, in {function}" for file, line, function in frames if file in files]
    if not own:
        return None
    raised = RAISED.search(str(error), in_text[-1].end()) if in_text else None
    kind, message = raised.groups() if raised else (type(error).__name__, in_brief(error))
    return f"{own[-1]}: {kind}: {message.removeprefix(f'{kind}: ')}"


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
