"""Windows of sensor signals in one large array on disk, as Capture-24 has them."""

from __future__ import annotations

import functools
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.files import file_problem
from tfspec.base.progress import Tracker, untracked
from tfspec.base.text import excerpt, normalized, number_of, shown
from tfspec.data.problems import with_problems
from tfspec.data.tables import check_has, read_csv

DICTIONARY = "annotation-label-dictionary.csv"
CHUNK = 1024
"""Windows, or annotations, that are looked at at a time."""
CHUNK_BYTES = 2**26
"""Of windows, no more than this at a time, or one: there are recordings of hours among them."""
RUN_BYTES = 2**19
"""What a shuffle leaves together: enough that the disk reads on, not so much that a batch is all alike."""
RUNS = 64
"""Runs that are shuffled among each other. With 32 windows a batch, the share of a class in a batch varies
1.2 times as much as after a full shuffle."""
NOT_FINITE = "holds NaN or infinity in float32"
TEXT_BYTES = 2**16
"""The longest text that an array may have room for; a chunk of it has to fit into memory."""
KINDS = {
    "X": ("f", "float16, float32 or float64", 3),
    "Y": ("US", "text", 1),
    "T": ("Mfiu", "dates or seconds", 1),
    "pid": ("USiu", "text or whole numbers", 1),
}
"""The kinds of numbers that the files may hold, what to call them, and the number of their axes."""


def list_windows(folder: str | os.PathLike, label_column: str) -> pd.DataFrame:
    r"""List the windows of X.npy, with their labels, people and times.

    The folder holds X.npy, (windows, samples, channels) float16, float32 or float64; Y.npy, a text annotation
    a window; T.npy, the time a window begins, as a date or in seconds; pid.npy, whose window it is; and
    annotation-label-dictionary.csv with a column `annotation` and a column of simpler labels, or several.
    Nothing is unpickled, and nothing of X.npy is read but its shape.

    Args:
        folder: what holds the files.
        label_column: column of the dictionary that has the label of each annotation.

    Returns:
        Columns `label`, `group`, the person, and `time`, in seconds, since 1970 where T.npy has dates. Its
        index, called "window", is the window's place in X.npy.

    Raises:
        UserError: files are missing or damaged or don't match; all that is wrong is named at once.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, array in {"X": np.zeros([2, 600, 3]), "Y": ["a1", "a2"], "T": [0, 30]}.items():
        ...         np.save(f"{folder}/{name}.npy", array)
        ...     np.save(f"{folder}/pid.npy", ["P1", "P1"])
        ...     _ = Path(folder, DICTIONARY).write_text("annotation,label:simple\na1,sit\na2,walk\n")
        ...     list_windows(folder, "label:simple").values.tolist()
        [['sit', 'P1', 0.0], ['walk', 'P1', 30.0]]
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(
            f"No such folder: {shown(folder)}. Give one that holds X.npy, Y.npy, T.npy and pid.npy."
        )
    if not (folder / "X.npy").exists() and any(folder.glob("*.csv.gz")):
        raise UserError(
            f"{shown(folder)} holds recordings: `tfspec windows {shown(folder)} OUT` cuts them into windows."
        )
    problems: list[str] = []

    def tried(read: Callable, *arguments):
        try:
            return read(*arguments)
        except UserError as error:
            problems.append(str(error).rstrip("."))

    arrays = {name: tried(_open_array, folder / f"{name}.npy", name) for name in KINDS}
    there = {name: array for name, array in arrays.items() if array is not None}
    tried(_check_lengths, there)
    dictionary = tried(_read_dictionary, folder / DICTIONARY, label_column)
    columns = {}
    if "Y" in there and dictionary is not None:
        columns["label"] = tried(_labels, there["Y"], dictionary)
    if "pid" in there:
        columns["group"] = tried(_people, there["pid"])
    if "T" in there:
        columns["time"] = tried(seconds_of, there["T"])
    if problems:
        raise UserError(f"{shown(folder)} cannot be used: {'; '.join(problems)}.")
    return pd.DataFrame(columns, index=pd.RangeIndex(len(there["X"]), name="window"))


def inspect_windows(
    folder: str | os.PathLike,
    manifest: pd.DataFrame,
    progress: Tracker = untracked,
) -> pd.DataFrame:
    """Read all of X.npy to find the windows that are no numbers.

    Args:
        folder: as in `list_windows`.
        manifest: all that `list_windows` has found there.
        progress: wraps the iteration over so many chunks, to draw a bar.

    Returns:
        The manifest with the column `problem`: why a window cannot be used, None for a good one.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/X.npy", np.array([1, np.nan, 3])[:, None, None])
        ...     inspect_windows(folder, pd.DataFrame({"label": ["a", "b", "a"]}))["problem"].tolist()
        [None, 'holds NaN or infinity in float32', None]
    """
    finite = finite_windows(WindowReader(Path(folder, "X.npy")), progress)
    return with_problems(manifest, lambda rows: [None if finite[i] else NOT_FINITE for i in rows.index])


def finite_windows(reader: WindowReader, progress: Tracker = untracked) -> np.ndarray:
    """Read all windows to find those that are no numbers, or none that float32 has.

    Args:
        reader: reads them.
        progress: as in `inspect_windows`.

    Returns:
        (windows,) whether all numbers of a window are finite.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/X.npy", np.array([[1, np.nan], [3, 4]]))
        ...     finite_windows(WindowReader(Path(folder, "X.npy"))).tolist()
        [False, True]
    """
    finite = np.empty(len(mapped(reader.path, reader.begin)), bool)
    step = min(CHUNK, reader.windows_in(CHUNK_BYTES))
    for start in progress(range(0, len(finite), step), -(-len(finite) // step)):
        # Mapped anew, or all that was ever read would stay in memory
        chunk = mapped(reader.path, reader.begin)[start : start + step]
        with np.errstate(over="ignore"):
            read = chunk.astype(np.float32)
        finite[start : start + step] = np.isfinite(read).reshape(len(chunk), -1).all(1)
    return finite


def mapped(path: Path, begin: int = 0) -> np.memmap:
    """Map an array into memory.

    Args:
        path: a .npy file, or one that holds such a file as it is.
        begin: where in the file that one begins, in bytes.

    Returns:
        The array, of which nothing is read yet.

    Raises:
        UserError: it is missing or no array, or would have to be unpickled.

    Example:
        >>> mapped(Path("missing.npy"))
        Traceback (most recent call last):
        tfspec.base.errors.UserError: missing.npy is missing
    """
    if problem := file_problem(path):
        raise UserError(
            f"{path.name} " + ("is missing" if problem == "no such file" else f"is no array: {problem}")
        )
    try:
        with path.open("rb") as file:
            file.seek(begin)
            shape, is_fortran, dtype = read_header(file)
            order: Literal["C", "F"] = "F" if is_fortran else "C"
            return np.memmap(path, dtype, "r", file.tell(), shape, order)
    except Exception as error:  # the header is a Python literal, and numpy lets through whatever it breaks
        raise unreadable(path.name, error) from None


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read what a .npy file says of its array: shape, whether it is in Fortran's order, and type.

    Args:
        file: at the beginning of the .npy file; then where the numbers begin.

    Raises:
        ValueError: it is none, or holds Python objects.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> np.save(file, np.zeros([2, 3], np.float32))
        >>> _ = file.seek(0)
        >>> read_header(file)
        ((2, 3), False, dtype('float32'))
    """
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"version {version} of the format")
    shape, is_fortran, dtype = read[version](file)
    if dtype.hasobject:
        raise ValueError("Python objects")
    return shape, is_fortran, dtype


def unreadable(name: str, error: Exception) -> UserError:
    """Make the error for an array that cannot be read, and say what to do about Python objects.

    Args:
        name: of the array.
        error: what numpy has raised.
    """
    hint = ", save it as text or numbers" if "object" in str(error).lower() else ""
    return UserError(f"{shown(name)} cannot be read ({excerpt(error, 200)}){hint}")


def _check_lengths(arrays: Mapping[str, np.ndarray]) -> None:
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = ", ".join(f"{len(array)} in {name}.npy" for name, array in arrays.items())
        raise UserError(f"there must be one entry a window in all files, and there are {lengths}")


def _open_array(path: Path, kind: str) -> np.ndarray:
    """Map a file that holds one of `KINDS`, or say what is wrong with it."""
    kinds, what, dimensions = KINDS[kind]
    array = mapped(path)
    if array.dtype.kind not in kinds or array.ndim != dimensions or not array.size:
        shape = "(windows, samples, channels)" if dimensions == 3 else "(windows,)"
        received = f"{excerpt(array.dtype)} of shape {array.shape}"
        raise UserError(f"{path.name} must hold {what} of shape {shape}, and holds {received}")
    if array.dtype.itemsize > TEXT_BYTES:
        raise UserError(f"{path.name} has {array.dtype.itemsize} bytes a text, of which {TEXT_BYTES} may be")
    if not array.flags.c_contiguous:
        raise UserError(f"{path.name} is in Fortran's order, save it by np.ascontiguousarray")
    return array


def _read_dictionary(path: Path, label_column: str) -> dict[str, str]:
    """Read the label of each annotation that has one."""
    table, label_column = read_csv(path).rename(columns=normalized), normalized(label_column)
    check_has(table, ("annotation", label_column), path.name)
    labels: dict[str, str] = {}
    several = []
    for annotation, label in zip(table["annotation"].map(normalized), table[label_column], strict=True):
        if label and labels.setdefault(annotation, normalized(label)) != normalized(label):
            several.append(repr(excerpt(annotation)))
    if several:
        raise UserError(f"{path.name} gives several labels to {listed([*dict.fromkeys(several)])}")
    return labels


def decoded_texts(array: np.ndarray, name: str) -> Iterator[tuple[slice, list[str]]]:
    """Go through the texts of an array, a chunk at a time: long ones would fill the memory.

    Args:
        array: (windows,) text or numbers.
        name: of the array, for the error.

    Yields:
        Where in the array the chunk is, and its texts, normalised.

    Raises:
        UserError: it holds what is no text in UTF-8.

    Example:
        >>> list(decoded_texts(np.array([b"sit", b"walk"]), "Y.npy"))
        [(slice(0, 1024, None), ['sit', 'walk'])]
    """
    for start in range(0, len(array), CHUNK):
        place = slice(start, start + CHUNK)
        try:
            yield place, [normalized(text) for text in _decoded(array[place]).tolist()]
        except ValueError:
            raise UserError(f"{name} holds what is no text in UTF-8 behind entry {start}") from None


def _decoded(chunk: np.ndarray) -> np.ndarray:
    """Return the texts of an array; a ValueError refuses others, which numpy would let through."""
    if chunk.dtype.kind == "S":
        return np.char.decode(chunk, "utf-8")
    if chunk.dtype.kind == "U":
        characters = np.ascontiguousarray(chunk).view(np.dtype("u4").newbyteorder(chunk.dtype.byteorder))
        if characters.max(initial=0) > sys.maxunicode:
            raise ValueError("not Unicode")
    return chunk.astype(str)


def _people(array: np.ndarray) -> np.ndarray:
    people = np.empty(len(array), object)
    for place, names in decoded_texts(array, "pid.npy"):
        people[place] = names
    return people


def _labels(annotations: np.ndarray, dictionary: dict[str, str]) -> np.ndarray:
    """Look the annotations up."""
    labels = np.empty(len(annotations), object)
    unknown: set[str] = set()
    for place, texts in decoded_texts(annotations, "Y.npy"):
        labels[place] = [dictionary.get(annotation) for annotation in texts]
        unknown.update(annotation for annotation in texts if annotation not in dictionary)
    if unknown:
        names = [repr(excerpt(name)) for name in sorted(unknown)]
        raise UserError(f"{DICTIONARY} has no label for {listed(names)}")
    return labels


def seconds_of(times: np.ndarray, name: str = "T.npy") -> np.ndarray:
    """Read times as seconds, those of dates since 1970.

    Args:
        times: (windows,) dates or numbers.
        name: of the array, for the error.

    Raises:
        UserError: some are missing.

    Example:
        >>> seconds_of(np.array(["1970-01-02"], "datetime64[D]")).tolist()
        [86400.0]
    """
    if times.dtype.kind == "M":
        seconds = (times - np.datetime64(0, "s")) / np.timedelta64(1, "s")
    else:
        seconds = times.astype(np.float64)
    if missing := np.count_nonzero(~np.isfinite(seconds)):
        raise UserError(f"{name} has no time for {number_of(int(missing), 'window')}")
    return seconds


@dataclass(frozen=True)
class WindowReader:
    """Reads the windows of a manifest's rows from X.npy, by the rows' index.

    A file of any size takes no more memory than the batch. Windows are read in the order of the file, and
    neighbours by one call: a map of the file would read them page by page, several times as slowly.

    Args:
        path: X.npy.
        sample_rate: samples per second.
        begin: as in `mapped`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/X.npy", np.arange(6, dtype=np.float16).reshape(3, 2, 1))
        ...     WindowReader(Path(folder, "X.npy"))(pd.DataFrame(index=[2, 0])).tolist()
        [[[4.0], [5.0]], [[0.0], [1.0]]]
    """

    path: Path
    sample_rate: int | None = None
    begin: int = 0

    @functools.cached_property
    def _layout(self) -> tuple[int, np.dtype, tuple[int, ...]]:
        """Where the windows begin in the file, their type, and the shape of one."""
        windows = mapped(self.path, self.begin)
        return windows.offset, windows.dtype, windows.shape[1:]

    @property
    def signal_shape(self) -> tuple[int, ...]:
        """Shape of one window: (samples, channels), or (samples,)."""
        return self._layout[2]

    @property
    def window_bytes(self) -> int:
        """Size of one window in the file."""
        _, dtype, shape = self._layout
        return dtype.itemsize * math.prod(shape)

    def windows_in(self, num_bytes: int) -> int:
        """Say how many windows take so many bytes in the file at most; one, if that is larger."""
        return max(1, num_bytes // self.window_bytes)

    def identities(self, rows: pd.DataFrame) -> list[str]:
        """Return for each row its window's place in the file, and the file's size and time of change."""
        stat = self.path.stat()
        return [f"{index} {stat.st_size} {stat.st_mtime_ns}" for index in rows.index]

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the windows of some rows, as (rows, *signal_shape) float32."""
        offset, dtype, shape = self._layout
        index = rows.index.to_numpy()
        windows = np.empty((len(index), *shape), np.float32)
        order = np.argsort(index)
        breaks = np.flatnonzero(np.diff(index[order]) != 1) + 1
        with self.path.open("rb", buffering=0) as file:
            for neighbours in np.split(order, breaks):
                run = np.empty((len(neighbours), *shape), dtype)
                file.seek(offset + int(index[neighbours[0]]) * self.window_bytes)
                left = run.reshape(-1).view(np.uint8).data
                while left and (read := file.readinto(left[:CHUNK_BYTES])):  # 2 GiB are not read at once
                    left = left[read:]
                if left:
                    raise UserError(f"{self.path} ends before window {index[neighbours[-1]]}.")
                with np.errstate(over="ignore"):  # what is too large for float32 is infinite
                    windows[neighbours] = run
        return windows


def shuffled_runs(index: np.ndarray, run: int, seed: int | Sequence[int]) -> np.ndarray:
    """Shuffle so that a disk can follow: runs of neighbours are drawn, and then mixed, so many at a time.

    A full shuffle reads one window here and one there. Here, every `run * RUNS` rows of the order are made of
    so many runs of neighbours, in random order. Read together, they are a few long stretches of the file.

    Args:
        index: (rows,) places in the file.
        run: places of a run.
        seed: same seed, same order; (seed, epoch) gives each epoch its own.

    Returns:
        (rows,) int64, a permutation of the positions in `index`.

    Example:
        >>> order = shuffled_runs(np.arange(1000), run=3, seed=0)
        >>> len(order), len(set(order[: 3 * RUNS] // 3)) == RUNS
        (1000, True)
    """
    rng = np.random.default_rng(seed)
    _, number = np.unique(index // run, return_inverse=True)
    turn = rng.permutation(number.max() + 1)[number]
    return np.lexsort((rng.random(len(index)), turn // RUNS))
