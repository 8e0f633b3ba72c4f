"""Readers of the signals of a manifest's rows.

One convention holds for all: where signals are files, a row's signal is found by its columns `path` and, if
there is one, `start`, and multiplied by `clip_gain`; where they lie in an array, by the row's index. So a row
keeps its index from the manifest to split.csv.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from tfspec.audio.decoding import ClipPadding, fit_length, load_audio
from tfspec.base.errors import UserError
from tfspec.base.text import number_of
from tfspec.base.threads import threads


class Reader(Protocol):
    """Reads the signals of a manifest's rows."""

    @property
    def signal_shape(self) -> tuple[int, ...]:
        """Shape of one signal."""

    @property
    def sample_rate(self) -> int | None:
        """Samples per second, None where that means nothing."""

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the signals of some rows, as (rows, *signal_shape) float32."""


def read_checked(read: Reader, rows: pd.DataFrame) -> np.ndarray:
    """Read the signals of some rows, and hold them to what the reader says of itself.

    Args:
        read: reads them.
        rows: of a manifest.

    Returns:
        (rows, *signal_shape) float32.

    Raises:
        UserError: the reader returns something else, such as whole numbers that nobody has scaled.

    Example:
        >>> read_checked(ArrayReader(np.zeros([3, 5])), pd.DataFrame(index=[2, 0])).shape
        (2, 5)
    """
    if not isinstance(shape := read.signal_shape, tuple):
        raise UserError(f"{type(read).__name__}.signal_shape must be a tuple. Received: {shape}")
    signals, expected = np.asarray(read(rows)), (len(rows), *shape)
    if signals.shape != expected or signals.dtype.kind != "f":
        raise UserError(
            f"{type(read).__name__} must return the signals of {number_of(len(rows), 'row')} as float32 of "
            f"shape {expected}. Received: {signals.dtype} of shape {signals.shape}"
        )
    return signals.astype(np.float32, copy=False)


@dataclass(frozen=True)
class ArrayReader:
    """Reads the signals of a manifest's rows from an array, by the rows' index.

    Args:
        signals: (rows, *signal_shape), one row for every row of the manifest.
        sample_rate: samples per second, None where that means nothing.
        index: that of the manifest whose signals these are; from 0 on if None.
    """

    signals: np.ndarray
    sample_rate: int | None = None
    index: pd.Index | None = None

    def __post_init__(self):
        """Make an array of lists."""
        if isinstance(self.signals, (list, tuple)):
            object.__setattr__(self, "signals", np.array(self.signals))

    @property
    def signal_shape(self) -> tuple[int, ...]:
        """Shape of one signal."""
        return self.signals.shape[1:]

    def identities(self, rows: pd.DataFrame) -> list[str]:
        """Return a text for each row: the checksum of its signal."""
        return [hashlib.blake2b(self.signals[i].tobytes()).hexdigest() for i in self._places(rows)]

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the signals of some rows, as (rows, *signal_shape) float32."""
        return np.asarray(self.signals[self._places(rows)], np.float32)

    def _places(self, rows: pd.DataFrame) -> np.ndarray:
        places = places_of(rows, self.index)
        if len(places) and places.max() >= len(self.signals):
            raise UserError(
                f"The data hold {len(self.signals)} signals, and number {places.max()} of them, from 0 on, "
                "is asked for: they are a part of the data that the rows are of, or other data."
            )
        return places


def places_of(rows: pd.DataFrame, index: pd.Index | None) -> np.ndarray:
    """Find the rows of a manifest in what was made of all of it, by their index.

    Args:
        rows: some rows of the manifest.
        index: of the manifest; None where its rows are numbered from 0.

    Returns:
        (rows,) places.

    Raises:
        KeyError: a row is not in the manifest.

    Example:
        >>> places_of(pd.DataFrame(index=[7, 3]), pd.Index([3, 5, 7])).tolist()
        [2, 0]
    """
    if index is None:
        return rows.index.to_numpy()
    places = index.get_indexer(rows.index)
    if (places < 0).any():
        raise KeyError(f"Nothing is kept of the rows {rows.index[places < 0].tolist()}")
    return places


class RememberingReader:
    """Reads each signal once and keeps it in memory, where all fit there: what changes them draws again.

    Args:
        read: what reads them.
        index: of all rows that will be asked for.
        most_bytes: beyond which nothing is kept, and `read` is asked each time.

    Example:
        >>> remembered = RememberingReader(ArrayReader(np.eye(3)), pd.RangeIndex(3), most_bytes=2**20)
        >>> remembered(pd.DataFrame(index=[2, 0])).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    def __init__(self, read: Reader, index: pd.Index, most_bytes: int):
        self._read, self._index = read, index
        self._fits = 4 * len(index) * math.prod(read.signal_shape) <= most_bytes
        self._signals = np.empty((len(index) if self._fits else 0, *read.signal_shape), np.float32)
        self._is_known = np.zeros(len(index), bool)

    @property
    def signal_shape(self) -> tuple[int, ...]:
        """Shape of one signal."""
        return self._read.signal_shape

    @property
    def sample_rate(self) -> int | None:
        """Samples per second, None where that means nothing."""
        return self._read.sample_rate

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the signals of some rows, as (rows, *signal_shape) float32."""
        if not self._fits:
            return self._read(rows)
        places = places_of(rows, self._index)
        is_new = ~self._is_known[places]
        if is_new.any():  # several threads may read the same; they read the same numbers
            self._signals[places[is_new]] = self._read(rows[is_new])
            self._is_known[places[is_new]] = True
        return self._signals[places]


@dataclass(frozen=True)
class AudioReader:
    """Reads recordings, in as many threads as there are cores.

    Args:
        folder: what the manifest's paths are relative to.
        sample_rate: samples per second of the signals.
        num_samples: length of every signal.
        padding: what makes up for a recording that ends before, as in `fit_length`.
    """

    folder: Path
    sample_rate: int
    num_samples: int
    padding: ClipPadding = "edge"

    def __post_init__(self):
        """Take text for the folder, too."""
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def signal_shape(self) -> tuple[int]:
        """Shape of one signal."""
        return (self.num_samples,)

    def identities(self, rows: pd.DataFrame) -> list[str]:
        """Return for each row name, size, time of change and slice of its recording, and how it is decoded.

        Raises:
            UserError: a recording is missing.
        """
        files = {}
        for path in rows["path"].unique():
            try:
                stat = (self.folder / path).stat()
            except OSError as error:
                raise UserError(f"{self.folder / path} cannot be read: {error.strerror}") from None
            files[path] = f"{path} {stat.st_size} {stat.st_mtime_ns}"
        starts = rows["start"] if "start" in rows else [0.0] * len(rows)
        decoded = f"{self.sample_rate} {self.num_samples} {self.padding}"
        gains = rows["clip_gain"].map(" {}".format) if "clip_gain" in rows else [""] * len(rows)
        found = zip(rows["path"], starts, gains, self._lengths(rows), strict=True)
        return [
            f"{files[path]} {start} {decoded}{gain}" + (f" {length}" if length < self.num_samples else "")
            for path, start, gain, length in found
        ]

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Read the recordings that `rows["path"]` names, as (rows, num_samples) float32.

        A column `start`, in seconds, says where each signal begins in its recording; one below 0 begins with
        so much silence. A column `end` says where it ends, if that is before a signal is full; what is
        missing is made up for as where a recording ends. A column `clip_gain` says what it is multiplied by.
        """
        if "path" not in rows:
            raise UserError("Recordings are found by the manifest's column `path`, which is not there.")
        paths, lengths = list(rows["path"]), self._lengths(rows)
        starts = list(rows["start"]) if "start" in rows else [0.0] * len(rows)
        signals = np.empty((len(paths), self.num_samples), np.float32)

        def read(first: int):
            for i in range(first, len(paths), workers):
                silence = round(max(0.0, -starts[i]) * self.sample_rate)
                length, start = max(1, lengths[i] - silence), max(0.0, starts[i])
                heard = load_audio(self.folder / paths[i], self.sample_rate, length, start, self.padding)
                signals[i, :silence] = 0
                signals[i, silence:] = fit_length(heard, self.num_samples - silence, self.padding)

        workers = min(len(paths), os.cpu_count() or 1)
        list(threads().map(read, range(workers)))
        return signals * rows[["clip_gain"]].to_numpy(np.float32) if "clip_gain" in rows else signals

    def _lengths(self, rows: pd.DataFrame) -> list[int]:
        """Return how many samples of each signal are before its end."""
        if "end" not in rows:
            return [self.num_samples] * len(rows)
        seconds = (rows["end"] - rows.get("start", 0.0)).astype(float)
        samples = (seconds * self.sample_rate).round().fillna(self.num_samples)
        return samples.clip(1, self.num_samples).astype(int).tolist()
