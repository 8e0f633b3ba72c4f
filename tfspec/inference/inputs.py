"""The files that a user names: by themselves, by folders, or by patterns such as `in/*.wav`."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tfspec.audio.recordings import count_suffixes, counted, is_recording
from tfspec.base.files import check_not_read, walk_files
from tfspec.base.model import Takes
from tfspec.base.progress import remark
from tfspec.base.text import text_problem
from tfspec.data.sources.npy import is_called

COMPANIONS = ("y", "groups", "times", "names")
"""Kinds of arrays that stand beside windows and hold none."""
PLURALS = {"recording": "recordings", "windows": "arrays", "picture": "pictures"}
"""What folders are searched for."""


@dataclass
class Inputs:
    """What the names stand for.

    Attributes:
        files: each file once, by its path, in the order of the names and sorted within each; and where it is
            below the folder that was named. A name that stands for nothing is here, too.
        problems: why some of the files cannot be used, as there is none or no table can hold its name.
        passed_over: what else stands in the folders.
    """

    files: dict[str, Path] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    passed_over: list[Path] = field(default_factory=list)

    def tell(self) -> None:
        """Print to standard error what kinds of files are passed over, and how many of each."""
        if self.passed_over:
            remark(f"Passed over: {counted(count_suffixes(self.passed_over))}")


def find_inputs(names: str | os.PathLike | Iterable[str | os.PathLike], takes: Takes) -> Inputs:
    """Find the files that some names stand for, without reading them.

    A folder stands for all that the model takes in it and below it; hidden names count as nothing. A name
    with `*`, `?` or `[` that is no file's is a pattern, in which `**` stands for any folders.

    Args:
        names: files, folders and patterns, or one of them.
        takes: what the model takes.

    Returns:
        The files. Whether a file that was named by itself can be used is seen when it is read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("b.wav", "a.wav", "notes.txt"):
        ...         _ = Path(folder, name).write_bytes(b"")
        ...     found = find_inputs([folder, f"{folder}/*.flac"], "recording")
        >>> [path.as_posix() for path in found.files.values()], [path.name for path in found.passed_over]
        (['a.wav', 'b.wav', '*.flac'], ['notes.txt'])
        >>> [*found.problems.values()]
        ['no file has such a name']
    """
    inputs = Inputs()
    for name in [names] if isinstance(names, (str, os.PathLike)) else names:
        name = os.fspath(name)
        paths = _matching(name)
        if not paths:
            _add_problem(inputs, name, "no file has such a name")
        for path in paths:
            if Path(path).is_dir():
                _add_folder(inputs, path, takes)
            else:
                inputs.files.setdefault(path, Path(Path(path).name))
    bad_names = {path: problem for path in inputs.files if (problem := text_problem(path))}
    inputs.problems = bad_names | inputs.problems
    return inputs


def check_kept(out: str | os.PathLike, names: Iterable[str | os.PathLike]) -> None:
    """Refuse to write over a file that some names stand for, but for what is in folders.

    Args:
        out: a table, which is nothing that folders are searched for.
        names: as in `find_inputs`.

    Raises:
        UserError: it is among the files.

    Example:
        >>> check_kept("scores.csv", ["*.wav"])
    """
    check_not_read(out, (path for name in names for path in _matching(os.fspath(name))))


def _matching(name: str) -> list[str]:
    """Return the name, or what it matches as a pattern."""
    if glob.escape(name) == name or os.path.lexists(name):
        return [name]
    return sorted(glob.glob(name, recursive=True))  # noqa: PTH207  of any path, as it was written


def _add_folder(inputs: Inputs, folder: str, takes: Takes) -> None:
    found = False
    for path in walk_files(folder):
        if _is_taken(path, takes):
            inputs.files.setdefault(os.fspath(path), path.relative_to(folder))
            found = True
        else:
            inputs.passed_over.append(path)
    if not found:
        _add_problem(inputs, folder, f"a folder without {PLURALS[takes]}")


def _add_problem(inputs: Inputs, name: str, problem: str) -> None:
    inputs.files.setdefault(name, Path(Path(name).name))
    inputs.problems[name] = problem


def _is_companion(path: Path) -> bool:
    """Tell whether an array has something to say of the windows in another one beside it."""
    return is_called(path, *COMPANIONS) and any(is_called(each, "X") for each in path.parent.glob("*.npy"))


def _is_taken(path: Path, takes: Takes) -> bool:
    """Tell whether a file in a folder is of the kind that a model takes."""
    if takes == "recording":
        return is_recording(path)
    if takes == "windows":
        return path.suffix.lower() == ".npy" and not _is_companion(path)
    from tfspec.data.sources.picture_files import is_picture

    return is_picture(path)
