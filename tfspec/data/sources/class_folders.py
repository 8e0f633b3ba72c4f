"""Manifests of class folders: a folder a class, and the files in it are its examples."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from tfspec.audio.inspection import inspect_all
from tfspec.audio.recordings import AUDIO_SUFFIXES, count_suffixes, counted, is_recording
from tfspec.base.errors import UserError, listed
from tfspec.base.files import HIDDEN_PREFIXES, walk_files
from tfspec.base.options import SPEAKER_PATTERN
from tfspec.base.progress import Tracker, remark, untracked
from tfspec.base.text import normalized, shown
from tfspec.data.groups import compiled, first_group
from tfspec.data.problems import with_problems

BEHIND = "begins behind its recording's end"
LISTED = 50
"""Classes that an error names."""


@dataclass(frozen=True)
class ListedFolders:
    """What is in a folder of class folders.

    Args:
        manifest: a row a file that can be an example.
        passed_over: number of the other files, by suffix.
        empty: classes whose folders hold no example.
    """

    manifest: pd.DataFrame
    passed_over: dict[str, int]
    empty: list[str]

    def tell(self) -> None:
        """Print what is left out to standard error, where it does not get among the results."""
        if self.passed_over:
            remark(f"Passed over: {counted(self.passed_over)}")
        if self.empty:
            remark(f"Class folders that hold nothing: {listed(self.empty)}")


def from_class_folders(
    folder: str | os.PathLike, classes: Sequence[str] | None = None, group_pattern: str = SPEAKER_PATTERN
) -> pd.DataFrame:
    """List a folder of class folders.

    Args:
        folder: as in `list_class_folders`.
        classes: as in `list_class_folders`.
        group_pattern: as in `list_class_folders`.

    Returns:
        The manifest of `list_class_folders`.

    Raises:
        UserError: as in `list_class_folders`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "yes", "0ab_nohash_0.wav")
        ...     path.parent.mkdir()
        ...     _ = path.write_bytes(b"")
        ...     from_class_folders(folder).values.tolist()
        [['yes/0ab_nohash_0.wav', 'yes', '0ab']]
    """
    return list_class_folders(folder, classes, group_pattern).manifest


def list_class_folders(
    folder: str | os.PathLike, classes: Sequence[str] | None = None, group_pattern: str = SPEAKER_PATTERN
) -> ListedFolders:
    """List the recordings in a folder of class folders, and count what is passed over.

    Args:
        folder: holds a folder a class, with recordings somewhere inside: files with a well-known suffix, and
            whatever else libsndfile knows by its content. Names that begin with a full stop, and macOS's
            `__MACOSX`, count as nothing.
        classes: the class folders to read; all if None. Folders whose names differ only in how Unicode spells
            them are one class.
        group_pattern: regular expression, matched at the start of a file name without its suffix; its first
            group that took part names the speaker.

    Returns:
        The manifest has the columns `path` (relative to `folder`, with forward slashes), `label` and `group`,
        ordered by path; `group` is "" where the pattern finds none.

    Raises:
        UserError: the folder, one of `classes` or every recording is missing, or the pattern is no regular
            expression.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("1.wav", "1.txt"):
        ...         Path(folder, "yes").mkdir(exist_ok=True)
        ...         _ = Path(folder, "yes", name).write_bytes(b"")
        ...     list_class_folders(folder).passed_over
        {'.txt': 1}
    """
    pattern = compiled(group_pattern)
    found = class_folders(folder, normalized)
    chosen = list(found) if classes is None else [*dict.fromkeys(map(normalized, classes))]
    if missing := sorted(set(chosen) - set(found)):
        there = shown(listed([*found], LISTED))
        raise UserError(f"{shown(folder)} has no folder for {', '.join(missing)}. It has: {there}.")
    listing = list_files(Path(folder), {label: found[label] for label in chosen}, is_recording)
    passed_over = f" Passed over: {counted(listing.passed_over)}." if listing.passed_over else ""
    if listing.manifest.empty:
        raise UserError(
            f"{shown(folder)} holds no recordings in class folders. Looked for {', '.join(AUDIO_SUFFIXES)} "
            f"and what else libsndfile reads in {len(found)} folders.{passed_over}"
        )
    if classes and listing.empty:
        raise UserError(f"{shown(folder)} has no recordings of {', '.join(listing.empty)}.{passed_over}")
    stems = (normalized(PurePosixPath(path).stem) for path in listing.manifest["path"])
    groups = [first_group(pattern.match(stem)) for stem in stems]
    manifest = listing.manifest.assign(group=pd.Series(groups, dtype=object))
    return dataclasses.replace(listing, manifest=manifest)


def inspect_class_folders(
    folder: str | os.PathLike,
    classes: Sequence[str] | None = None,
    group_pattern: str = SPEAKER_PATTERN,
    progress: Tracker = untracked,
) -> pd.DataFrame:
    """List a folder of class folders, tell what is passed over, and decode every recording.

    Args:
        folder: as in `list_class_folders`.
        classes: as in `list_class_folders`.
        group_pattern: as in `list_class_folders`.
        progress: wraps the iteration over so many recordings, to draw a bar.

    Returns:
        The manifest of `list_class_folders` with the column `problem`: why a recording cannot be used, None
        for a good one.

    Raises:
        UserError: as in `list_class_folders`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "yes").mkdir()
        ...     _ = Path(folder, "yes", "1.wav").write_bytes(b"")
        ...     inspect_class_folders(folder)["problem"].tolist()
        ['empty file']
    """
    listing = list_class_folders(folder, classes, group_pattern)
    listing.tell()
    return inspect_listed(listing.manifest, folder, progress)


def inspect_listed(
    manifest: pd.DataFrame, folder: str | os.PathLike, progress: Tracker = untracked
) -> pd.DataFrame:
    """Decode every recording of a manifest, once.

    Args:
        manifest: column `path`, and maybe `start`, where in the recording an example begins, in seconds.
        folder: what the paths are relative to.
        progress: as in `inspect_class_folders`.

    Returns:
        The manifest with the column `problem`, as `inspect_class_folders` returns it.

    Example:
        >>> inspect_listed(pd.DataFrame({"path": ["1.wav", "1.wav"]}), "missing")["problem"].tolist()
        ['no such file', 'no such file']
    """

    def problems(rows: pd.DataFrame) -> pd.Series:
        paths = rows["path"].unique()
        recordings = [Path(folder, path) for path in paths]
        found = dict(zip(paths, inspect_all(recordings, progress), strict=True))
        problem = rows["path"].map({path: each.problem for path, each in found.items()})
        if "start" in rows:
            seconds = rows["path"].map({path: each.seconds for path, each in found.items()})
            problem = problem.mask(problem.isna() & (rows["start"] >= seconds), BEHIND)
        return problem

    return with_problems(manifest, problems)


def class_folders(folder: str | os.PathLike, label_of: Callable[[str], str]) -> dict[str, list[Path]]:
    """Find the class folders in a folder.

    Args:
        folder: holds them.
        label_of: gives the class for a folder's name.

    Returns:
        The folders of each class; several where names are spelt in several ways.

    Raises:
        UserError: there is no such folder, or it cannot be read.

    Example:
        >>> class_folders("missing", str.lower)
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No such folder: missing. Give one that holds a folder per class.
    """
    if not Path(folder).is_dir():
        raise UserError(f"No such folder: {shown(folder)}. Give one that holds a folder per class.")
    try:
        paths = sorted(path for path in Path(folder).iterdir() if path.is_dir())
    except OSError as error:
        raise UserError(f"The folder {shown(folder)} cannot be read: {error.strerror}.") from None
    found: dict[str, list[Path]] = {}
    for path in paths:
        if not path.name.startswith(HIDDEN_PREFIXES):
            found.setdefault(label_of(path.name), []).append(path)
    return found


def list_files(
    folder: Path, folders: dict[str, list[Path]], is_example: Callable[[Path], bool]
) -> ListedFolders:
    """List the files of class folders; the files beside these folders are passed over too.

    Args:
        folder: what holds the class folders.
        folders: as `class_folders` finds them.
        is_example: tells the files that can be examples.

    Returns:
        The manifest has the columns `path` and `label`.
    """
    rows: list[tuple[str, str]] = []
    others = [p for p in folder.iterdir() if not p.is_dir() and not p.name.startswith(HIDDEN_PREFIXES)]
    for label, paths in folders.items():
        for path in itertools.chain.from_iterable(map(walk_files, paths)):
            if is_example(path):
                rows.append((path.relative_to(folder).as_posix(), label))
            else:
                others.append(path)
    manifest = pd.DataFrame(sorted(rows), columns=["path", "label"], dtype=object)
    there = {*manifest["label"]}
    empty = [shown(label) for label in folders if label not in there]
    return ListedFolders(manifest, count_suffixes(others), empty)
