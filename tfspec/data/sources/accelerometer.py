"""Raw accelerometer recordings, as Capture-24 has them, and the windows that they are cut into."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tfspec.audio.opening import RecordingError
from tfspec.base.boundary import in_brief
from tfspec.base.files import file_problem

AXES = ["x", "y", "z"]
ROWS = 360_000
"""Rows of a recording that are read at a time, an hour at 100 Hz."""
MOST_ROWS = 100
"""Times the samples of a window that may fall into one: clocks that stand still would fill the memory."""
NANOSECONDS = 10**9
LEFT_OUT = ("without annotation", "incomplete", "not finite")
"""What windows may lack that are not kept; each counts by the first."""


class Cut(NamedTuple):
    """Windows of a recording, one after another.

    Args:
        signals: (windows, samples, 3) float32, in the recording's unit.
        times: (windows,) datetime64[ns], when each begins.
        annotations: (windows,) texts, what each is annotated with; "" where nobody asked.
        left_out: how many others there are, by what they lack.
    """

    signals: np.ndarray
    times: np.ndarray
    annotations: np.ndarray
    left_out: dict[str, int]


@dataclass(frozen=True)
class Cutter:
    r"""Cuts recordings into windows, by the rules of those who published Capture-24.

    From the first sample on, windows follow one another by the clock. One is kept that has exactly the
    samples that the sample rate asks for, all finite, and an annotation: the most frequent among its samples,
    of equally frequent ones the first in the alphabet; to have none counts as one more annotation, the last.

    Args:
        sample_rate: samples per second of the recordings.
        seconds: length of a window.
        annotated: whether a window must have an annotation; otherwise the column may be missing.
        new_rate: samples per second of the windows, each of which is resampled on its own; None leaves them.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> rows = [f"2020-01-01 00:00:0{second},0,0,{second},walking" for second in range(5)]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "P1.csv").write_text("\n".join(["time,x,y,z,annotation", *rows]))
        ...     cut, rest = Cutter(sample_rate=1, seconds=2)(f"{folder}/P1.csv")
        >>> cut.signals[:, :, 2].tolist(), cut.annotations.tolist(), rest.left_out["incomplete"]
        ([[0.0, 1.0], [2.0, 3.0]], ['walking', 'walking'], 1)
    """

    sample_rate: int = 100
    seconds: int = 30
    annotated: bool = True
    new_rate: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and channels of a window."""
        return (self.new_rate or self.sample_rate) * self.seconds, len(AXES)

    def __call__(self, path: str | os.PathLike) -> Iterator[Cut]:
        """Cut a recording, of which an hour or two are in memory at a time.

        Args:
            path: CSV file, maybe compressed (.gz, .bz2, .xz, .zip), with the columns time, as dates or
                seconds, x, y, z and annotation.

        Yields:
            Some windows, those after them, and so on.

        Raises:
            RecordingError: it is no such file, or its times go back.
        """
        rest, number, begin = pd.DataFrame(), np.empty(0, int), 0
        for table in self._tables(path):
            if table.empty:
                raise _error(path, "it has no rows")
            begin = begin if len(rest) else table["time"].iloc[0]
            table = pd.concat([rest, table], ignore_index=True)
            times = table["time"].to_numpy()
            _check_clock(path, times)
            number = (times - begin) // (self.seconds * NANOSECONDS)
            whole = np.searchsorted(number, number[-1])
            if len(table) - whole > MOST_ROWS * self.sample_rate * self.seconds:
                raise _error(path, f"{self.seconds} s have over {len(table) - whole} rows")
            if whole:
                yield self._cut(table[:whole], number[:whole], begin)
            rest, number = table[whole:], number[whole:]
        yield self._cut(rest, number, begin)

    def _tables(self, path: str | os.PathLike) -> Iterator[pd.DataFrame]:
        """Read some rows at a time; times become nanoseconds."""
        if problem := file_problem(path):
            raise _error(path, problem)
        columns = ["time", *AXES, *(["annotation"] if self.annotated else [])]
        there = _tried(path, lambda: pd.read_csv(path, nrows=0)).columns
        if missing := [name for name in columns if name not in there]:
            hint = "; give --no-annotated" if missing == ["annotation"] else ""
            raise _error(path, f"it has no column {' and no '.join(map(repr, missing))}{hint}")
        types: dict[str, Any] = {"time": str, "annotation": str, **dict.fromkeys(AXES, np.float32)}
        tables = _tried(path, lambda: pd.read_csv(path, usecols=columns, dtype=types, chunksize=ROWS))
        with tables:
            while (table := _tried(path, lambda: next(tables, None))) is not None:
                times = table["time"]
                if times.isna().any():
                    raise _error(path, f"row {times.index[times.isna()][0] + 1} has no time")
                yield table.assign(time=_tried(path, functools.partial(_nanoseconds, times)))

    def _cut(self, table: pd.DataFrame, number: np.ndarray, begin: int) -> Cut:
        """Keep the good windows of a table that holds whole ones, of which `number` counts them."""
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        sizes = np.diff(starts, append=len(table))
        samples = table[AXES].to_numpy(np.float32)
        names = self._annotations(table, starts, sizes)
        lacking = [
            self.annotated & (names == ""),
            sizes != self.sample_rate * self.seconds,
            ~np.logical_and.reduceat(np.isfinite(samples).all(axis=1), starts),
        ]
        reason = np.select(lacking, LEFT_OUT, "")
        good = reason == ""
        rows = starts[good, np.newaxis] + np.arange(self.sample_rate * self.seconds)
        times = begin + number[starts[good]] * (self.seconds * NANOSECONDS)
        left_out = {name: int((reason == name).sum()) for name in LEFT_OUT}
        return Cut(self._resampled(samples[rows]), times.astype("datetime64[ns]"), names[good], left_out)

    def _annotations(self, table: pd.DataFrame, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Find the most frequent annotation of each window, "" for none."""
        if not self.annotated:
            return np.full(len(starts), "")
        codes, names = pd.factorize(table["annotation"], sort=True)
        codes = np.where(codes < 0, len(names), codes)
        most = [
            np.bincount(codes[start : start + size]).argmax()
            for start, size in zip(starts, sizes, strict=True)
        ]
        return np.array([*names, ""], dtype=str)[most]

    def _resampled(self, signals: np.ndarray) -> np.ndarray:
        """Resample each window; beyond its ends it goes on as the line through them."""
        if self.new_rate in (None, self.sample_rate) or not len(signals):
            return signals.reshape(-1, *self.shape)
        from scipy.signal import resample_poly

        common = math.gcd(self.new_rate, self.sample_rate)
        up, down = self.new_rate // common, self.sample_rate // common
        return resample_poly(signals, up, down, axis=1, padtype="line").astype(np.float32)


def _nanoseconds(times: pd.Series) -> np.ndarray:
    """Read dates, or seconds, as nanoseconds."""
    if pd.to_numeric(times[:1], errors="coerce").notna().all():
        return np.rint(times.astype(np.float64).to_numpy() * NANOSECONDS).astype(np.int64)
    return pd.to_datetime(times, format="ISO8601").to_numpy("datetime64[ns]").astype(np.int64)


def _check_clock(path: str | os.PathLike, times: np.ndarray) -> None:
    """Refuse times that go back."""
    if len(back := np.flatnonzero(np.diff(times) < 0)):
        raise _error(path, f"its times go back after {times[back[0]].astype('datetime64[ns]')}")


def _tried(path: str | os.PathLike, read: Callable[[], Any]) -> Any:
    """Read, whatever pandas and the decompressors raise."""
    try:
        return read()
    except Exception as error:
        raise _error(path, in_brief(error)) from error


def _error(path: str | os.PathLike, problem: str) -> RecordingError:
    return RecordingError(path, problem, "cannot be cut into windows:")
