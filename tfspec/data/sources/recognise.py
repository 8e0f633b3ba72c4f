"""What a user's data is: told from names, headers and shapes, and said in one sentence."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from tfspec.audio.recordings import count_suffixes, counted, is_recording
from tfspec.base.errors import UserError, listed
from tfspec.base.files import walk_files
from tfspec.base.text import number_of, shown
from tfspec.data.label_targets import are_shares
from tfspec.data.manifest import class_columns
from tfspec.data.problems import Faults
from tfspec.data.sources.arrays import list_arrays
from tfspec.data.sources.class_folders import class_folders
from tfspec.data.sources.columns import PARTS, Columns, found_columns, simplified
from tfspec.data.sources.labels import read_labels
from tfspec.data.sources.npy import arrays_in, stored_arrays
from tfspec.data.sources.picture_files import is_picture
from tfspec.data.sources.selections import annotation_files, list_events
from tfspec.data.sources.windows import DICTIONARY
from tfspec.data.tables import TABLES, first_line, read_any_table

Kind = Literal["class folders", "table", "annotated recordings", "windows", "pictures"]
ARRAYS = (".npz", ".npy")
PIXELS = {"0", "8191", "labels"}
"""Columns by which a table of pictures is known."""
WRITTEN_AS = {
    "Raven": "Raven selection tables",
    "Audacity": "Audacity labels",
    "competition": "a table of boxes",
}
WANTED = (
    "Give a folder with a folder of recordings or pictures (PNG, JPEG) for each class; a table (CSV, TSV, "
    "Parquet) of recordings and labels; a folder of recordings with Raven's or Audacity's annotations beside "
    "them; or arrays X and y (.npz, or a folder of .npy)."
)


@dataclass(frozen=True)
class Recognised:
    """What some data is.

    Args:
        kind: what it can be read as.
        said: the same for the user, with numbers.
        path: the file or folder that holds it: a table that is in the folder which was given, else what was
            given.
    """

    kind: Kind
    said: str
    path: Path


_KNOWN: ContextVar[dict[tuple[Path, Columns], Recognised] | None] = ContextVar("known", default=None)
"""What is known of the data of one command, by what was asked."""


def recognise(data: str | os.PathLike, given: Columns | None = None) -> Recognised:
    """Tell what some data is, without decoding anything.

    Args:
        data: a file or folder of the user's.
        given: columns of a table that are known; `label` also that of Raven's tables, or of the dictionary
            beside arrays.

    Returns:
        What it is. A folder is, in this order: arrays; recordings that are annotated; what a table in it says
        of the files in it; class folders.

    Raises:
        UserError: it is missing, or none of these; it is said what is there and what would do.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("yes", "no"):
        ...         Path(folder, name).mkdir()
        ...         _ = Path(folder, name, "1.wav").write_bytes(b"")
        ...     recognise(folder).said
        'a folder of 2 class folders with 2 recordings'
    """
    data, given = Path(data), given or Columns()
    if not data.exists():
        raise UserError(f"No such file or folder: {shown(data)}. {WANTED}")
    known = _KNOWN.get()
    if known is None:
        return _looked_at(data, given)
    if (data, given) not in known:
        found = _looked_at(data, given)
        known[data, given] = known[found.path, given] = found
    return known[data, given]


@contextlib.contextmanager
def looking_once() -> Iterator[None]:
    """Look at the same data once only, as long as one command runs; later the data may be another.

    Example:
        >>> with looking_once():
        ...     pass  # `recognise` as often as it takes
    """
    token = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(token)


def _looked_at(data: Path, given: Columns) -> Recognised:
    return _folder(data, given) if data.is_dir() else _file(data, given)


def _file(data: Path, given: Columns) -> Recognised:
    suffix = data.suffix.lower()
    if suffix in ARRAYS:
        return _arrays(data, given)
    if suffix not in (*TABLES, ".txt"):
        raise UserError(f"{shown(data)} is one {suffix or 'file'}, and nothing to train on. {WANTED}")
    if {*first_line(data).strip().split(",")} >= PIXELS:
        return Recognised("pictures", "a table of pictures, a pixel a column", data)
    return _table(data, given)


def _folder(data: Path, given: Columns) -> Recognised:
    if any(data.glob("*.npy")):
        return _arrays(data, given)
    recordings, pictures, others = _parted(data)
    if annotated := _annotated(data, given, recordings):
        return annotated
    tables = [path for path in others if path.parent == data and path.suffix.lower() in TABLES]
    if found := [path for path in tables if _is_of_files_beside(path, given)]:
        if len(found) > 1:
            names = listed([shown(path.name) for path in found])
            raise UserError(
                f"Several tables say what the files in {shown(data)} are: {names}. Give one of them."
            )
        return _table(found[0], given)
    kind: Kind = "pictures" if len(pictures) > len(recordings) else "class folders"
    folders = _class_folders(data, is_picture if kind == "pictures" else is_recording)
    if not folders:
        there = counted(count_suffixes([*recordings, *pictures, *others])) or "no files"
        raise UserError(f"{shown(data)} holds {there}, and nothing says what they are of. {WANTED}")
    if {*map(simplified, folders)} <= {*PARTS}:
        raise UserError(
            f"The folders in {shown(data)} are parts of a set and no classes: {listed(sorted(folders))}. "
            "Give the one that is to be split, or a table that names all files, with columns label and part."
        )
    what = number_of(sum(folders.values()), "picture" if kind == "pictures" else "recording")
    return Recognised(kind, f"a folder of {number_of(len(folders), 'class folder')} with {what}", data)


def _parted(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Part the files of a folder into recordings, pictures and others."""
    recordings: list[Path] = []
    pictures: list[Path] = []
    others: list[Path] = []
    for path in walk_files(folder):
        if is_picture(path):
            pictures.append(path)
        else:
            (recordings if is_recording(path) else others).append(path)
    return recordings, pictures, others


def _class_folders(folder: Path, is_example: Callable[[Path], bool]) -> dict[str, int]:
    """Count the examples of each folder of a folder; those of one that is linked twice are listed twice."""
    folders = [path for paths in class_folders(folder, str).values() for path in paths]
    counts = {path.name: sum(map(is_example, walk_files(path))) for path in folders}
    return {name: count for name, count in counts.items() if count}


def _annotated(data: Path, given: Columns, recordings: list[Path]) -> Recognised | None:
    """Tell recordings that are annotated; not where these are a few of class folders."""
    files, unread = annotation_files(data)
    if not files:
        return None
    events = list_events(data, given.label)
    paths = {*events["path"]}  # also names of which there is no recording
    if "competition" not in files and 2 * len(paths) < len(recordings) and _class_folders(data, is_recording):
        return None
    annotated = len(paths & {path.relative_to(data).as_posix() for path in recordings})
    heard = events["label"][events["label"] != ""]
    said = f"{number_of(annotated, 'recording')} with {' and '.join(map(WRITTEN_AS.__getitem__, files))}"
    said += f", {number_of(len(heard), 'event')} of {_classes(heard.nunique())}"
    without = 0 if "competition" in files else len(recordings) - annotated
    said += f"; {number_of(without, 'recording')} without" if without > 0 else ""
    if unread:
        names = listed([shown(path.relative_to(data)) for path in unread], 5)
        said += f". Not read, as no labels in UTF-8 of one recording: {names}"
    return Recognised("annotated recordings", said, data)


def _is_of_files_beside(path: Path, given: Columns) -> bool:
    """Say whether a table names files that are in its folder or below, the first one at least."""
    try:
        table = read_any_table(path)
        columns = found_columns(table, given)
    except UserError:
        return False
    first = table[columns.path].str.strip().iloc[0].replace("\\", "/")
    names = {name for file in walk_files(path.parent) for name in (file.name, file.stem)}
    return first.rpartition("/")[2] in names


def _table(path: Path, given: Columns) -> Recognised:
    table = read_any_table(path)
    columns = found_columns(table, given)
    labels = read_labels(table, columns, Faults(len(table)))
    recordings = table[columns.path].nunique()
    what = number_of(recordings, "recording")
    if len(table) > recordings:
        what = f"{number_of(len(table), 'row')} of {what}"
    return Recognised("table", f"a table of {what} in {_described(labels)}, {columns.described()}", path)


def _arrays(path: Path, given: Columns) -> Recognised:
    has_dictionary = path.is_dir() and (path / DICTIONARY).exists()
    manifest = list_arrays(path, given.label if has_dictionary else None)
    used = stored_arrays(path)
    (count, samples, *channels), *_ = used["X"].header
    said = f"arrays: {number_of(count, 'window')} of {number_of(samples, 'sample')}"
    said += f" × {number_of(channels[0], 'channel')}" if channels else ""
    said += f" in {_described(manifest)}"
    if groups := len(set(manifest["group"]) - {""}):
        said += f" of {number_of(groups, 'group')}"
    names = {each.name for each in used.values()}
    if unused := [shown(name) for name, each in arrays_in(path).items() if each.name not in names]:
        said += f"; not used: {listed(unused, 5)}"
    return Recognised("windows", said, path)


def _described(manifest: pd.DataFrame) -> str:
    """Say how many classes there are, and whether they hold at once."""
    if "label" in manifest:
        return _classes(len(set(manifest["label"]) - {""}))
    numbers = manifest[class_columns(manifest)]
    classes = _classes(numbers.shape[1])
    if not are_shares(numbers.to_numpy(float)):
        return f"{classes}, of which several can hold at once"
    return classes if numbers.isin([0, 1, np.nan]).all(axis=None) else f"shares of {classes}"


def _classes(count: int) -> str:
    return number_of(count, "class", "classes")
