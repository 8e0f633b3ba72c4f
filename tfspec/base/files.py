"""Files that are either whole or not there, and what stands in a folder."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import stat
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Literal

from tfspec.base.errors import UserError
from tfspec.base.text import excerpt, shown

HIDDEN_PREFIXES = (".", "__MACOSX")
RUN_FILES = {"config.json", "split.csv"}
"""What every run folder has."""
OF_RUNS = RUN_FILES | {
    *("bad_files.csv", "history.csv", "predictions.csv", "groups.csv", "recordings.csv", "metrics.json"),
    *("progress.json", "parity.json", "streaming.json", "signals.npz", "report.html"),
}
"""What a run keeps in its folder and those below, whose names are those of tables and pages."""
KINDS = {
    stat.S_IFDIR: "a folder, not a file",
    stat.S_IFIFO: "a pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}
TEMPORARY = re.compile(
    r"\.(?P<stem>.+)\.(?:(?P<host>[0-9a-f]{8})-)?(?P<process>\d+)\.(?P<kind>part|old)(?P<suffix>\.[^.]*)?"
)
"""Name of a temporary file or folder; earlier versions left out the host."""


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it to `path` once the block succeeds.

    A file or a folder may be written there. Whoever reads `path` sees the old content or the new,
    never half of it; a failing block leaves no trace. A folder takes two renames to replace another: between
    these, neither is there. What a kill leaves behind, `clear_temporaries` puts in order.

    Args:
        path: where the finished file or folder is to be.

    Yields:
        The path to write to, with the same suffix. Its folder exists.

    Raises:
        OSError: the file cannot be written or renamed; it names `path`, which what writes archives does not
            name, and others by its temporary name.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with written_beside(f"{folder}/a.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     print(Path(f"{folder}/a.txt").read_text())
        whole
    """
    path = Path(path)
    new = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (_beside(path, kind) for kind in ("part", "old"))
    try:
        yield temporary
        if temporary.is_dir() and path.is_dir():  # a folder cannot be renamed over a filled one
            path.replace(old)
        temporary.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename in (None, os.fspath(temporary)):
            error.filename = os.fspath(path)
        raise
    finally:
        if old.is_dir() and not path.exists():
            old.replace(path)
        for leftover in (temporary, old):
            _remove(leftover)
        if not path.exists():
            _remove_empty(new)


def _beside(path: Path, kind: Literal["part", "old"]) -> Path:
    """Name a temporary file or folder, as `TEMPORARY` knows it."""
    return path.with_name(f".{path.stem}.{_host()}-{os.getpid()}.{kind}{path.suffix}")


@contextlib.contextmanager
def plainly_named() -> Iterator[Path]:
    """Yield a path for a SavedModel: TensorFlow takes one with [, ], * or ? as a pattern.

    Yields:
        The path, where nothing is yet; what is written or linked there goes when the block ends.

    Example:
        >>> with plainly_named() as plain:
        ...     plain.exists()
        False
    """
    with tempfile.TemporaryDirectory(prefix="tfspec-") as folder:
        yield Path(folder, "saved_model")


@contextlib.contextmanager
def held(folder: str | os.PathLike) -> Iterator[None]:
    """Keep other processes from holding a folder, as far as its file system can; a kill lets it go.

    Args:
        folder: that is there.

    Raises:
        UserError: another process holds it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, held(folder):
        ...     pass
    """
    try:
        import fcntl
    except ImportError:  # Windows has none
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"Another process works on {folder}. Wait until it ends, or end it.") from None
        except OSError:  # a file system without locks, such as a mounted drive
            pass
        yield
    finally:
        os.close(descriptor)


def clear_temporaries(folder: str | os.PathLike, of_all_processes: bool = False) -> list[Path]:
    """Remove what killed processes were writing with `written_beside`, in a folder and the folders below it.

    Where the kill came between the two renames that replace a folder, the old one gets its name back.

    Args:
        folder: what is put in order; nothing is done where it is missing.
        of_all_processes: also what belongs to a process that may still be at work; for a folder that is
            known to be nobody else's.

    Returns:
        What was there, of which nothing is there any more.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, ".a.123.part.txt").write_text("ha")
        ...     [path.name for path in clear_temporaries(folder, of_all_processes=True)]
        ['.a.123.part.txt']
    """
    cleared = []
    for parent, folders, files in os.walk(os.fspath(folder)):
        for name in sorted([*folders, *files]):
            match = TEMPORARY.fullmatch(name)
            if match is None or not (of_all_processes or _is_abandoned(match["host"], int(match["process"]))):
                continue
            path, whole = Path(parent, name), Path(parent, match["stem"] + (match["suffix"] or ""))
            if match["kind"] == "old" and not os.path.lexists(whole):
                path.replace(whole)
            _remove(path)
            cleared.append(path)
        folders[:] = [name for name in folders if not TEMPORARY.fullmatch(name)]
    return cleared


def _is_abandoned(host: str | None, process: int) -> bool:
    """Say whether a process of this machine is gone; of another machine's, nobody knows."""
    if host != _host() or os.name == "nt":  # where this way to ask would end the process
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, the inner one first, as far as nothing else is in them."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def file_problem(path: str | os.PathLike) -> str | None:
    """Say why a path is no file that could be read: opening a pipe waits for ever, and a device never ends.

    Args:
        path: what is to be read.

    Returns:
        The reason; None for a regular file, or a link to one, that is not empty.

    Example:
        >>> file_problem("missing.wav"), file_problem("/")
        ('no such file', 'a folder, not a file')
    """
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError) as error:  # such as a name that is too long, or with a zero in it
        return getattr(error, "strerror", None) or str(error)
    if not stat.S_ISREG(status.st_mode):
        return KINDS.get(stat.S_IFMT(status.st_mode), "not a file")
    return None if status.st_size else "empty file"


def check_place(path: str | os.PathLike, kind: Literal["file", "folder"] = "file") -> None:
    """Refuse a place where nothing can be written, before it is computed what will be there.

    Args:
        path: where a file or a folder is to be.
        kind: which of the two.

    Raises:
        UserError: the other one is there, or a file where a folder above it would be, or what a run keeps in
            its folder; nobody may write there; or a name is too long, with what `written_beside` adds to that
            of a file.

    Example:
        >>> check_place("/")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: / is a folder, where a file is to be written. Give another name.
    """
    path = Path(path)
    if os.path.lexists(path) and path.is_dir() != (kind == "folder"):
        found = "a folder" if path.is_dir() else "no folder"
        raise UserError(f"{shown(path)} is {found}, where a {kind} is to be written. Give another name.")
    if path.name in OF_RUNS and path.exists() and (run := _run_above(path)):
        raise UserError(f"{shown(path)} is what the run {shown(run)} keeps. Give another name.")
    above = next((each for each in path.parents if os.path.lexists(each)), Path())
    if not above.is_dir():
        raise UserError(f"{shown(path)} cannot be written, as {shown(above)} is no folder.")
    last = _beside(path, "part") if kind == "file" else path
    for name in last.relative_to(above).parts:  # asked of what is there, as what is not there asks no further
        try:
            os.lstat(above / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UserError(
                f"{excerpt(path)} cannot be written: {error.strerror}. Give a shorter name."
            ) from None
    into = path if path.is_dir() else above
    if not os.access(into, os.W_OK):
        raise UserError(
            f"{shown(path)} cannot be written: {shown(into)} may not be written to. Give another."
        )


def check_run_folder(folder: Path, file: str = "config.json") -> None:
    """Refuse what is not the folder of a run, also before what is slow to import.

    Args:
        folder: maybe of a run.
        file: what every run has in its folder.

    Raises:
        UserError: it is not there.
    """
    if not (folder / file).exists():
        raise UserError(f"{folder} is not a run folder: it has no {file}.")


def seen_from(folder: str | os.PathLike, file: str | os.PathLike) -> str:
    """Write a file's path as it is seen from a folder, for tables that move together with what they name.

    Args:
        folder: from where.
        file: any path, which need not be there.

    Returns:
        With forward slashes; absolute where no way leads there, on another drive of Windows.

    Example:
        >>> seen_from("night/tables", "night/a.wav")
        '../a.wav'
    """
    try:
        return PurePath(os.path.relpath(file, folder)).as_posix()
    except ValueError:
        return Path(file).absolute().as_posix()


def check_not_read(path: str | os.PathLike, read: Iterable[str | os.PathLike]) -> None:
    """Refuse to write over a file that is read.

    Args:
        path: where a file is to be.
        read: files that need not be there.

    Raises:
        UserError: it is one of them, by this name or another.

    Example:
        >>> check_not_read("a.csv", ["b.wav", "./a.csv"])
        Traceback (most recent call last):
        tfspec.base.errors.UserError: a.csv would be read and written over. Give another name to write to.
    """
    if os.path.realpath(path) in map(os.path.realpath, read):
        raise UserError(f"{shown(path)} would be read and written over. Give another name to write to.")


def _run_above(path: Path) -> Path | None:
    """Return the folder of the run that a file is in."""
    for folder in path.absolute().parents:
        if _is_run(folder, [name for name in RUN_FILES if (folder / name).is_file()]):
            return folder
    return None


def _is_run(folder: str | Path, files: Sequence[str]) -> bool:
    """Whether a folder is that of a training, whose figures are not to be taken for data."""
    if not RUN_FILES.issubset(files):
        return False
    with Path(folder, "config.json").open("rb") as config:
        return b'"tfspec":' in config.read(100)


def walk_files(folder: str | os.PathLike) -> Iterator[Path]:
    """Find what stands in a folder and the folders below it, linked ones too, but each folder once.

    Hidden names, macOS's `__MACOSX`, and run folders of trainings are passed over.

    Args:
        folder: where to look.

    Yields:
        All that is no folder, whether it can be read or not, sorted within each folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "yes").mkdir()
        ...     _ = Path(folder, "yes", "1.wav").write_bytes(b"")
        ...     [path.relative_to(folder).as_posix() for path in walk_files(folder)]
        ['yes/1.wav']
    """
    seen = set()
    for parent, folders, files in os.walk(os.fspath(folder), followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith(HIDDEN_PREFIXES))
        if (real := os.path.realpath(parent)) in seen or _is_run(parent, files):
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith(HIDDEN_PREFIXES))
