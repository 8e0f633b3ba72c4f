"""TensorFlow without its chatter, in programs of ours whose standard error is for what matters.

Importing tfspec does none of this: it is for the command line and for the processes that tfspec starts.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

LEVEL, SILENT = "TF_CPP_MIN_LOG_LEVEL", "3"


def hush_tensorflow() -> None:
    """Keep TensorFlow quiet in this process, whenever it is imported, and in those that it starts.

    Its C++ side reports on CPUs and missing GPUs while it is imported, whatever the log level says: so
    nothing reaches standard error meanwhile. TF_CPP_MIN_LOG_LEVEL=0 in the environment keeps all of it.

    Example:
        >>> hush_tensorflow()
    """
    hushed = any(isinstance(finder, _Hushing) for finder in sys.meta_path)
    if os.environ.setdefault(LEVEL, SILENT) == SILENT and "tensorflow" not in sys.modules and not hushed:
        sys.meta_path.insert(0, _Hushing())


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep what is not ours from standard error for a while, if this process is to be without chatter.

    Example:
        >>> with hushed():
        ...     _ = 1 + 1  # such as the first use of a TFLite file, of which LiteRT tells
    """
    with _no_standard_error() if os.environ.get(LEVEL) == SILENT else contextlib.nullcontext():
        yield


def quiet_program(module: str) -> list[str]:
    """Build the command that runs a module's `main` in a process of its own, without TensorFlow's chatter.

    Args:
        module: its name.

    Returns:
        The command, to which arguments may be added.

    Example:
        >>> quiet_program("tfspec.cli.main")[1]
        '-c'
    """
    hushed = "from tfspec.base.quiet import hush_tensorflow; hush_tensorflow()"
    return [sys.executable, "-c", f"{hushed}; from {module} import main; main()"]


class _Hushing(importlib.abc.MetaPathFinder):
    """Finds TensorFlow as ever, once, and has it imported without standard error."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module
            spec.loader.exec_module = lambda module: _in_silence(execute, module)  # type: ignore[method-assign]
        return spec


def _in_silence(execute, module) -> None:
    with _no_standard_error():
        execute(module)


@contextlib.contextmanager
def _no_standard_error() -> Iterator[None]:
    standard_error = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
