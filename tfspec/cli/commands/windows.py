"""The command that cuts recordings of sensors into windows. It needs no TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from tfspec.base.options import Hertz, Range
from tfspec.base.progress import bar


def windows(
    raw: Positional[Path],
    out: Positional[Path],
    sample_rate: Hertz = 100,
    window_seconds: Annotated[int, Range(1, 86_400)] = 30,
    annotated: bool = True,
    new_rate: Hertz | None = None,
    processes: Annotated[int, Range(1, 256)] | None = None,
) -> None:
    """Cut accelerometer recordings into windows for `train capture24`, or for `predict`.

    Writes X.npy, Y.npy, T.npy and pid.npy, by the rules of those who published Capture-24, and in
    recordings.csv what was kept of each recording. Interrupted, it goes on where it was. Recordings that
    cannot be used are named on standard error, and the others are done: exit code 1.

    Args:
        raw: folder of P001.csv.gz and such, with the columns time, x, y, z and annotation; or one file.
        out: folder to write, which is not there yet.
        sample_rate: samples per second of the recordings.
        window_seconds: length of a window.
        annotated: leave out what has no annotation; --no-annotated keeps it, reads none and writes no Y.npy.
        new_rate: samples per second of the windows, if not those of the recordings.
        processes: recordings that are cut at the same time; as many as there are cores if not given.
    """
    from tfspec.cli.printing import console, fail_for_bad
    from tfspec.data.sources.accelerometer import LEFT_OUT, Cutter
    from tfspec.data.sources.window_files import make_windows

    cutter = Cutter(sample_rate, window_seconds, annotated, new_rate)
    table = make_windows(raw, out, cutter, processes or os.cpu_count() or 1, bar("Cutting recordings"))
    bad = table[table["problem"].notna()]
    left_out = ", ".join(f"{table[name].sum():,} {name}" for name in LEFT_OUT)
    console.print(
        f"{len(table) - len(bad)} recordings: {table['windows'].sum():,} windows; left out: {left_out}"
    )
    console.print(f"Windows: {out}")
    fail_for_bad(zip(bad["file"], bad["problem"], strict=True))
