"""Manifests of pictures in class folders: a folder a class, and the PNG and JPEG files in it its examples."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tfspec.audio.recordings import counted
from tfspec.base.errors import UserError, listed
from tfspec.base.progress import Tracker, untracked
from tfspec.base.text import excerpt, normalized, shown
from tfspec.base.threads import threads
from tfspec.data.problems import with_problems
from tfspec.data.sources.class_folders import ListedFolders, class_folders, list_files
from tfspec.data.sources.picture_files import inspect_picture, is_picture
from tfspec.data.sources.pictures import LISTED, spelling_key, spellings


def list_picture_folders(folder: str | os.PathLike, classes: Sequence[str] | None = None) -> ListedFolders:
    """List the PNG and JPEG files in a folder of class folders, and count what is passed over.

    Args:
        folder: holds a folder a class, named as the class in any case.
        classes: allowed names; if None, every folder is a class, and no file knows its group.

    Returns:
        The manifest has the columns `path` (relative to `folder`, with forward slashes), `label`, spelt as
        `classes`, and `group`, which is the path, or "" where every folder is a class; ordered by path.

    Raises:
        UserError: the folder is missing, holds no such files, or folders of another name.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "noises").mkdir()
        ...     _ = Path(folder, "noises", "1.png").write_bytes(b"")
        ...     list_picture_folders(folder, ["Noises"]).manifest.values.tolist()
        [['noises/1.png', 'Noises', 'noises/1.png']]
        >>> list_picture_folders("missing")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No such folder: missing. Give one that holds a folder per class.
    """
    spelt = spellings(classes or [])
    found = class_folders(folder, lambda name: spelt.get(spelling_key(name), normalized(name)))
    if classes and (unknown := [excerpt(name) for name in found if name not in classes]):
        raise UserError(
            f"{shown(folder)} has folders of no known class: {listed(unknown, LISTED, '; ')}. "
            f"Known: {', '.join(classes)}."
        )
    listing = list_files(Path(folder), found, is_picture)
    if listing.manifest.empty:
        passed_over = f" Passed over: {counted(listing.passed_over)}." if listing.passed_over else ""
        named = f"folders named {', '.join(classes)}" if classes else "class folders"
        raise UserError(f"{shown(folder)} holds no PNG or JPEG files in {named}.{passed_over}")
    group = listing.manifest["path"] if classes else ""
    return dataclasses.replace(listing, manifest=listing.manifest.assign(group=group))


def inspect_picture_folders(
    folder: str | os.PathLike,
    classes: Sequence[str],
    progress: Tracker = untracked,
) -> pd.DataFrame:
    """List pictures of 64 times and 128 frequencies, tell what is passed over, and decode every file.

    Args:
        folder: as in `list_picture_folders`.
        classes: allowed names.
        progress: wraps the iteration over so many files, to draw a bar.

    Returns:
        The manifest of `list_picture_folders` with the column `problem`: why a file cannot be used, None
        for a good one.

    Raises:
        UserError: as in `list_picture_folders`.
    """
    listing = list_picture_folders(folder, classes)
    listing.tell()

    def problems(rows: pd.DataFrame) -> list[str | None]:
        paths = [Path(folder, path) for path in rows["path"]]
        inspect = functools.partial(inspect_picture, frequency_across=True)
        return [each.problem for each in progress(threads().map(inspect, paths), len(paths))]

    return with_problems(listing.manifest, problems)


def inspect_pictures(folder: str | os.PathLike, progress: Tracker = untracked) -> pd.DataFrame:
    """List pictures of any size, a folder a class, tell what is passed over, and decode every file.

    Args:
        folder: as in `list_picture_folders`.
        progress: wraps the iteration over so many files, to draw a bar.

    Returns:
        The manifest of `list_picture_folders` with the columns `height`, `width` and `channels`, 1 for grey
        or 3, all 0 for what cannot be decoded, and `problem`: why a file cannot be used, None for a good one.

    Raises:
        UserError: as in `list_picture_folders`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "owl").mkdir()
        ...     _ = Path(folder, "owl", "1.png").write_bytes(b"")
        ...     inspect_pictures(folder)["problem"].tolist()
        ['empty file']
    """
    listing = list_picture_folders(folder)
    listing.tell()
    paths = [Path(folder, path) for path in listing.manifest["path"]]
    found = list(progress(threads().map(inspect_picture, paths), len(paths)))
    sizes = {name: [getattr(each, name) for each in found] for name in ("height", "width", "channels")}
    return with_problems(
        listing.manifest.assign(**sizes), lambda rows: [found[row].problem for row in rows.index]
    )


def common_shape(manifest: pd.DataFrame) -> tuple[int, ...]:
    """Choose the one shape that pictures are read in: the commonest size, in colours where any has some.

    Args:
        manifest: from `inspect_pictures`, or rows of it.

    Returns:
        (rows, columns), or (rows, columns, 3). Of sizes that are as common, the smallest.

    Raises:
        UserError: no picture can be used.

    Example:
        >>> common_shape(pd.DataFrame({"height": [64, 64, 80], "width": [99, 99, 99], "channels": [1, 3, 1]}))
        (64, 99, 3)
    """
    good = manifest[manifest["channels"] > 0]
    if good.empty:
        raise UserError(f"None of {len(manifest)} pictures can be decoded.")
    sizes = good.groupby(["height", "width"]).size()
    height, width = sizes.index[sizes.to_numpy().argmax()]
    return (int(height), int(width)) + (3,) * int((good["channels"] == 3).any())
