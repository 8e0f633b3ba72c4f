"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it to `path` once the block succeeds.

    A file or a folder may be written there. Whoever reads `path` sees the old content or the new,
    never half of it; a failing block leaves no trace.

    Args:
        path: where the finished file or folder is to be.

    Yields:
        The path to write to, with the same suffix. Its folder exists.

    Raises:
        OSError: the file cannot be written or renamed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with written_beside(f"{folder}/a.txt") as part:
        ...         _ = part.write_text("whole")
        ...     print(Path(f"{folder}/a.txt").read_text())
        whole
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    old = path.with_name(f".{path.stem}.{os.getpid()}.old{path.suffix}")
    try:
        yield part
        if part.is_dir() and path.is_dir():  # a folder cannot be renamed over a filled one
            path.replace(old)
        part.replace(path)
    finally:
        if old.is_dir() and not path.exists():
            old.replace(path)
        for leftover in (part, old):
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
