"""Arrays on disk by their usual names: .npy files in a folder, or in an .npz archive."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from tfspec.base.errors import UserError, listed
from tfspec.base.files import HIDDEN_PREFIXES, file_problem
from tfspec.base.text import excerpt, shown
from tfspec.data.sources.columns import simplified
from tfspec.data.sources.windows import mapped, read_header, unreadable

USUAL = {
    "X": ("x", "data", "signals", "windows", "x_train", "features", "inputs"),
    "y": ("y", "labels", "label", "target", "targets", "y_train"),
    "groups": (
        *("groups", "group", "pid", "subject", "subjects", "subject_id", "speaker", "speakers", "person"),
    ),
    "times": ("t", "times", "time", "timestamps"),
    "names": ("names", "class_names", "classes", "label_names", "target_names"),
}
"""Names of arrays, whatever their case; the first that is there counts."""
LOCAL_HEADER = struct.Struct("<26xHH")
"""Of a member of an archive; its name and another field follow, of these lengths."""


@dataclass(frozen=True)
class Stored:
    """An array on disk.

    Args:
        path: a .npy file, or an .npz archive.
        member: of the archive.
    """

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """What an error calls it."""
        return shown(self.path.name if self.member is None else f"{self.member} in {self.path.name}")

    @property
    def begin(self) -> int | None:
        """Where in the file its .npy file begins, in bytes; None where that is compressed."""
        if self.member is None:
            return 0
        with _archive(self.path) as archive, self.path.open("rb") as file:
            info = archive.getinfo(self.member)
            if info.compress_type != zipfile.ZIP_STORED:
                return None
            file.seek(info.header_offset)
            name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
            return info.header_offset + LOCAL_HEADER.size + name + extra

    @property
    def header(self) -> tuple[tuple[int, ...], bool, np.dtype]:
        """Its shape, whether it is in Fortran's order, and its type."""
        with self.opened() as file:
            return read_header(file)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """Open its .npy file, or say why that cannot be done."""
        try:
            if self.member is None:
                with self.path.open("rb") as file:
                    yield file
            else:
                with _archive(self.path) as archive, archive.open(self.member) as file:
                    yield file
        except UserError:
            raise
        except Exception as error:  # what numpy and zipfile raise of hostile files is no closed list
            raise unreadable(self.name, error) from None

    def array(self) -> np.ndarray:
        """Map it into memory; where it is compressed, read it."""
        if (begin := self.begin) is not None:
            return mapped(self.path, begin)
        with self.opened() as file:
            return np.lib.format.read_array(file, allow_pickle=False)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    if problem := file_problem(path):
        raise UserError(f"{shown(path)} cannot be read: {problem}.")
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        NotImplementedError,
        RuntimeError,
        struct.error,
    ) as error:
        raise UserError(f"{shown(path)} is no .npz archive, or damaged: {excerpt(error, 200)}") from None


def is_called(path: Path, *kinds: str) -> bool:
    """Tell whether an array has one of the usual names of some kinds.

    Args:
        path: a .npy file.
        kinds: keys of `USUAL`.

    Example:
        >>> is_called(Path("Subject-ID.npy"), "groups"), is_called(Path("night.npy"), *USUAL)
        (True, False)
    """
    return any(simplified(path.stem) in USUAL[kind] for kind in kinds)


def arrays_in(path: str | os.PathLike) -> dict[str, Stored]:
    """Find all arrays.

    Args:
        path: as of `stored_arrays`.

    Returns:
        The arrays by the names of their files.

    Raises:
        UserError: it is no archive that can be read.

    Example:
        >>> arrays_in("missing")
        {}
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        with _archive(path) as archive:
            return {name: Stored(path, name) for name in archive.namelist() if name.endswith(".npy")}
    folder = path if path.is_dir() else path.parent
    files = sorted(folder.glob("*.npy")) if folder.is_dir() else []
    return {file.name: Stored(file) for file in files if not file.name.startswith(HIDDEN_PREFIXES)}


def stored_arrays(path: str | os.PathLike) -> dict[str, Stored]:
    """Find arrays by their usual names.

    Args:
        path: an .npz archive, a folder of .npy files, or the .npy file of the signals, beside which the
            others are.

    Returns:
        "X", "y", "groups", "times" and "names", as far as they are there.

    Raises:
        UserError: there is no such file or folder, it is none of these, or has no array called as signals.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/a.npz", Data=np.zeros([2, 5]), labels=[0, 1])
        ...     {kind: stored.name for kind, stored in stored_arrays(f"{folder}/a.npz").items()}
        {'X': 'Data.npy in a.npz', 'y': 'labels.npy in a.npz'}
    """
    path = Path(path)
    if not path.exists():  # what stands beside it would be other data
        raise UserError(f"No such file or folder: {shown(path)}")
    there = arrays_in(path)
    simple = {simplified(PurePosixPath(name).stem): stored for name, stored in reversed(there.items())}
    names = {kind: next((name for name in usual if name in simple), "") for kind, usual in USUAL.items()}
    found = {kind: simple[name] for kind, name in names.items() if name}
    if path.suffix.lower() == ".npy" and path.name in there:
        found["X"] = there[path.name]
    if "X" not in found:
        what = listed([shown(name) for name in there]) or "no arrays"
        raise UserError(f"{shown(path)} has no array of signals, called X. Received: {what}")
    return found
