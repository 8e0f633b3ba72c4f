"""The code that numbers come from, so that a change of it is noticed."""

from __future__ import annotations

import inspect
import marshal
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

KNOWN_BY_VERSION = ("builtins", "keras", "tensorflow", "numpy", "abc", "typing")
TFSPEC = Path(__file__).parents[1]


def code_of(kinds: Iterable[type]) -> Iterator[bytes]:
    """Collect the code of some classes: of the modules they and their bases are in, and of what these import.

    Code that is installed, and tfspec's own, is not followed further than to the classes' modules; of Keras,
    TensorFlow and NumPy the version tells enough. Of a class without a file, as in a notebook, it is the
    source of the class, or its compiled code.

    Args:
        kinds: the classes.

    Yields:
        The modules' sources, each once, in an order that is always the same.

    Example:
        >>> any(b"def code_of" in code for code in code_of([type("Mine", (), {"__module__": __name__})]))
        True
    """
    classes = {base for kind in kinds for base in kind.__mro__ if not _is_known(base.__module__)}
    files: set[Path] = set()
    for kind in classes:
        _follow(sys.modules.get(kind.__module__), files)
    yield from (path.read_bytes() for path in sorted(files))
    without_file = [kind for kind in classes if _file(sys.modules.get(kind.__module__)) is None]
    for kind in sorted(without_file, key=lambda kind: kind.__qualname__):
        yield from _own_code(kind)


def package_code(package: ModuleType) -> Iterator[bytes]:
    """Return the sources of all modules of a package, in order.

    Args:
        package: an imported one.

    Example:
        >>> import tfspec.base
        >>> sum(1 for _ in package_code(tfspec.base)) > 3
        True
    """
    yield from (path.read_bytes() for path in sorted(Path(package.__path__[0]).glob("*.py")))


def _is_known(module: str) -> bool:
    return module.partition(".")[0] in KNOWN_BY_VERSION


def _file(module: ModuleType | None) -> Path | None:
    name = getattr(module, "__file__", None)
    return Path(name) if name and name.endswith(".py") and Path(name).is_file() else None


def _follow(module: ModuleType | None, files: set[Path]) -> None:
    """Add a module's file and, where it is not installed, the files of modules that it takes names from."""
    path = _file(module)
    if path is None or path in files:
        return
    files.add(path)
    if _is_installed(path):
        return
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        imported = sys.modules.get(name) if isinstance(name, str) else None
        found = _file(imported)
        if found is not None and not _is_installed(found):
            _follow(imported, files)


def _is_installed(path: Path) -> bool:
    folders = [TFSPEC, *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))]
    # Also where they are a user's own, or another environment's
    of_packages = {"site-packages", "dist-packages"} & set(path.parts)
    return bool(of_packages) or any(path.is_relative_to(folder) for folder in folders)


def _own_code(kind: type) -> Iterator[bytes]:
    try:
        yield inspect.getsource(kind).encode()
    except (OSError, TypeError):
        functions = [value for _, value in sorted(vars(kind).items()) if inspect.isfunction(value)]
        yield from (marshal.dumps(function.__code__) for function in functions)
