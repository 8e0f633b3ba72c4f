"""Manifests of arrays: windows of signals, with their labels and maybe whose they are and when they begin."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.files import written_beside
from tfspec.base.progress import Tracker, untracked
from tfspec.base.text import excerpt, shown
from tfspec.data.label_targets import are_shares
from tfspec.data.manifest import class_columns
from tfspec.data.problems import NO_LABEL, with_problems
from tfspec.data.sources.columns import known_name
from tfspec.data.sources.labels import check_class_names
from tfspec.data.sources.npy import Stored, arrays_in, is_called, stored_arrays
from tfspec.data.sources.windows import (
    NOT_FINITE,
    TEXT_BYTES,
    WindowReader,
    decoded_texts,
    finite_windows,
    list_windows,
    seconds_of,
)

UNPACKED_BYTES = 2**20
"""So much is unpacked at a time."""


def list_arrays(path: str | os.PathLike, label_column: str | None = None) -> pd.DataFrame:
    """List the windows of arrays; nothing of the signals is read but their shape.

    Args:
        path: an .npz archive, a folder of .npy files or the .npy file of the signals, with the arrays that
            `stored_arrays` finds there. X holds numbers of shape (windows, samples) or (windows, samples,
            channels). y has the labels: (windows,) text or whole numbers, or (windows, classes) numbers from
            0 to 1, NaN or −1 where nobody knows. Groups are text or whole numbers, times dates or seconds.
            Names, (classes,) text, say what the numbers of y mean.
        label_column: column of annotation-label-dictionary.csv; arrays are read as in `list_windows` then.

    Returns:
        Columns `label`, or one a class; `group`, "" where unknown; and `time` in seconds, if there are times.
        Its index, called "window", is the window's place in X.

    Raises:
        UserError: arrays are missing or damaged, or do not match.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/a.npz", X=np.zeros([2, 600]), y=[1, 0], names=["sit", "walk"])
        ...     list_arrays(f"{folder}/a.npz").values.tolist()
        [['walk', ''], ['sit', '']]
    """
    if label_column is not None:
        return list_windows(path, label_column)
    stored = stored_arrays(path)
    if "y" not in stored:
        others = [shown(name) for name, each in arrays_in(path).items() if each != stored["X"]]
        raise UserError(
            f"{shown(path)} has no array of labels, called y, beside {stored['X'].name}. "
            f"Received: {listed(others) or 'no other array'}"
        )
    count = _check_signals(stored["X"])
    arrays = {
        kind: _checked(each, count) for kind, each in stored.items() if kind in ("y", "groups", "times")
    }
    names = _texts(stored["names"].array(), stored["names"].name) if "names" in stored else None
    table = _labels(arrays["y"], stored["y"].name, names)
    table["group"] = _texts(arrays["groups"], stored["groups"].name) if "groups" in arrays else ""
    if "times" in arrays:
        table["time"] = _times(arrays["times"], stored["times"].name)
    return table.set_axis(pd.RangeIndex(count, name="window"))


def unlabelled_arrays(path: str | os.PathLike) -> pd.DataFrame:
    """List the windows of an array, labelled or not, with groups and times if they are known.

    Args:
        path: a .npy file as X in `list_arrays`. Beside one that is called as signals are, groups and times
            are read if they are there.

    Returns:
        Columns `group` and `time`, each if known; dates stay dates. Its index, called "window", is the
        window's place in the array.

    Raises:
        UserError: an array is damaged, or they do not match.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/X.npy", np.zeros([2, 600, 3]))
        ...     np.save(f"{folder}/pid.npy", ["P1", "P2"])
        ...     unlabelled_arrays(f"{folder}/X.npy")["group"].tolist()
        ['P1', 'P2']
    """
    path = Path(path)
    count = _check_signals(Stored(path))
    beside = stored_arrays(path) if is_called(path, "X") else {}
    columns = {}
    if "groups" in beside:
        columns["group"] = _texts(_checked(beside["groups"], count), beside["groups"].name)
    if "times" in beside:
        columns["time"] = np.array(_checked(beside["times"], count))
    return pd.DataFrame(columns, index=pd.RangeIndex(count, name="window"))


def inspect_arrays(
    path: str | os.PathLike,
    kept: str | os.PathLike,
    label_column: str | None = None,
    progress: Tracker = untracked,
) -> pd.DataFrame:
    """List the windows of arrays, and read all to find those that are no numbers.

    Args:
        path: as in `list_arrays`.
        kept: as in `array_reader`.
        label_column: as in `list_arrays`.
        progress: wraps the iteration over so many chunks, to draw a bar.

    Returns:
        The manifest of `list_arrays` with the column `problem`: why a window cannot be used, None for a good
        one.

    Raises:
        UserError: as in `list_arrays`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/a.npz", X=[[0, 1], [np.nan, 0]], y=["sit", "walk"])
        ...     inspect_arrays(f"{folder}/a.npz", folder)["problem"].tolist()
        [None, 'holds NaN or infinity in float32']
    """
    manifest = list_arrays(path, label_column)
    finite = finite_windows(array_reader(path, kept), progress)
    problem = np.array([None if is_finite else NOT_FINITE for is_finite in finite], object)
    if "label" in manifest:
        problem[(manifest["label"] == "").to_numpy()] = NO_LABEL
    else:
        numbers = manifest[class_columns(manifest)].to_numpy(float)
        if are_shares(numbers):
            problem[np.isnan(numbers).all(axis=1)] = NO_LABEL
    return with_problems(manifest, lambda rows: problem[rows.index])


def array_reader(
    path: str | os.PathLike, kept: str | os.PathLike, sample_rate: int | None = None
) -> WindowReader:
    """Make what reads the windows of arrays, in little memory.

    Args:
        path: as in `list_arrays`.
        kept: folder for the signals of an archive that is compressed. They are unpacked once, and again when
            the archive has changed.
        sample_rate: samples per second.

    Returns:
        The reader. Its signals are (samples,) or (samples, channels).

    Raises:
        UserError: the signals are missing, damaged or none.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez_compressed(f"{folder}/a.npz", X=np.eye(3), y=[0, 1, 2])
        ...     array_reader(f"{folder}/a.npz", f"{folder}/kept")(pd.DataFrame(index=[1])).tolist()
        [[0.0, 1.0, 0.0]]
    """
    signals = stored_arrays(path)["X"]
    _check_signals(signals)
    if (begin := signals.begin) is not None:
        return WindowReader(signals.path, sample_rate, begin)
    return WindowReader(_unpacked(signals, Path(kept)), sample_rate)


def _unpacked(signals: Stored, kept: Path) -> Path:
    status = signals.path.stat()
    known = f"{signals.path.resolve()} {signals.member} {status.st_size} {status.st_mtime_ns}"
    name = f"{signals.path.stem}-{hashlib.sha256(os.fsencode(known)).hexdigest()[:16]}.npy"
    if not (kept / name).exists():
        with (
            signals.opened() as packed,
            written_beside(kept / name) as temporary,
            temporary.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, UNPACKED_BYTES)
    return kept / name


def _check_signals(signals: Stored) -> int:
    """Count the windows of what can be signals."""
    shape, is_fortran, dtype = signals.header
    if dtype.kind not in "fiu" or len(shape) not in (2, 3) or 0 in shape:
        raise UserError(
            f"{signals.name} must hold numbers of shape (windows, samples) or (windows, samples, channels), "
            f"and holds {excerpt(dtype)} of shape {shape}."
        )
    if is_fortran:
        raise UserError(f"{signals.name} is in Fortran's order, save it by np.ascontiguousarray.")
    return shape[0]


def _checked(stored: Stored, count: int) -> np.ndarray:
    """Read an array that has something to say of each window."""
    shape, _, dtype = stored.header
    if shape[:1] != (count,):
        raise UserError(f"{stored.name} must have one entry for each of {count} windows. Its shape: {shape}")
    if dtype.kind not in "USfiubM" or dtype.itemsize > TEXT_BYTES:
        raise UserError(f"{stored.name} must hold text, numbers or dates, and holds {excerpt(dtype)}.")
    return stored.array()


def _texts(array: np.ndarray, name: str) -> np.ndarray:
    """Return the texts or whole numbers of an array, as text; "" where nobody knows."""
    if array.ndim != 1 or array.dtype.kind not in "USfiub":
        raise UserError(f"{name} must hold text or whole numbers, one a window. Received: {_kind(array)}")
    found = np.empty(len(array), object)
    if array.dtype.kind == "f":
        found[:] = _whole(array, name)
        return found
    for place, some in decoded_texts(array, name):
        found[place] = [known_name(text) for text in some]
    return found


def _times(array: np.ndarray, name: str) -> np.ndarray:
    """Return times in seconds."""
    if array.ndim != 1 or array.dtype.kind not in "Mfiu":
        raise UserError(f"{name} must hold dates or seconds, one a window. Received: {_kind(array)}")
    return seconds_of(array, name)


def _kind(array: np.ndarray) -> str:
    return f"{excerpt(array.dtype)} of shape {array.shape}"


def _labels(array: np.ndarray, name: str, names: np.ndarray | None) -> pd.DataFrame:
    """Read what the windows are: `label`, or a column a class."""
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim == 2 and array.dtype.kind in "fiub":
        return _class_columns(array, name, names)
    if names is None or array.dtype.kind not in "fiub":
        return pd.DataFrame({"label": _texts(array, name)}, dtype=object)
    numbers = _texts(array.astype(np.uint8) if array.dtype.kind == "b" else array, name)
    return pd.DataFrame({"label": _named(numbers, name, names)}, dtype=object)


def _whole(array: np.ndarray, name: str) -> list[str]:
    """Return whole numbers that were saved as others, as text; "" for NaN."""
    known = np.isfinite(array)
    if (array[known] != np.round(array[known])).any():
        raise UserError(f"{name} must hold text or whole numbers, and holds numbers that are not whole.")
    return [f"{number:.0f}" if is_known else "" for number, is_known in zip(array, known, strict=True)]


def _named(numbers: np.ndarray, name: str, names: np.ndarray) -> list[str]:
    """Say what labels that are places among the names mean."""
    called = {"": "", **{str(place): each for place, each in enumerate(names)}}
    if without := sorted({*numbers} - {*called}):
        raise UserError(
            f"{name} holds numbers that have no name, {listed(without, 5)}: "
            f"the first of {len(names)} names is that of 0."
        )
    return [called[number] for number in numbers]


def _class_columns(array: np.ndarray, name: str, names: np.ndarray | None) -> pd.DataFrame:
    columns = [str(place) for place in range(array.shape[1])] if names is None else [*names]
    if len(columns) != array.shape[1]:
        raise UserError(f"{name} has {array.shape[1]} classes, and there are names of {len(columns)}.")
    check_class_names(columns, len(array))
    numbers = np.array(array, np.float64)
    numbers[numbers == -1] = np.nan
    if bad := np.flatnonzero(((numbers < 0) | (numbers > 1)).any(1))[:1].tolist():
        raise UserError(f"{name} must hold numbers from 0 to 1, or NaN. It does not in row {bad[0]}.")
    return pd.DataFrame(numbers, columns=pd.Index(columns, dtype=object))
