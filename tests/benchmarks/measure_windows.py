"""Print how fast training batches come off the disk, in a full shuffle and in shuffled runs.

    python tests/benchmarks/measure_windows.py FOLDER [GIGABYTES]

Writes X.npy into FOLDER, and before each pass asks the system to forget what it has read of it. Windows are
as in Capture-24: 3000 samples of three float32. "Mapped" is NumPy's memory map, read window by window.
"""

import functools
import math
import os
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from tfspec.data import make_dataset
from tfspec.data.epochs import Epochs
from tfspec.data.readers import ArrayReader
from tfspec.data.sources.windows import RUN_BYTES, RUNS, WindowReader, shuffled_runs

WINDOW = (3000, 3)
BATCH, BATCHES, ROUNDS = 32, 200, 5


def forget(path: Path) -> None:
    with path.open() as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def windows_per_second(path: Path, num_windows: int, reader, order, batches_per_read: int) -> float:
    forget(path)  # which it does not where the file is still mapped
    manifest = pd.DataFrame({"label": "a"}, index=range(num_windows))
    epochs = Epochs(int(time.time()), order=order)
    data = make_dataset(manifest, reader(), ["a"], BATCH, None, epochs, batches_per_read=batches_per_read)
    start = time.perf_counter()
    seen = sum(len(signals) for signals, _ in data.take(BATCHES))
    return seen / (time.perf_counter() - start)


def main(folder: str, gigabytes: str = "3") -> None:
    path = Path(folder, "X.npy")
    reader = WindowReader(path)
    num_windows = int(float(gigabytes) * 1e9) // (4 * math.prod(WINDOW))
    windows = np.lib.format.open_memmap(path, "w+", np.float32, (num_windows, *WINDOW))
    for i in range(num_windows):
        windows[i] = i
    windows.flush()
    del windows
    index, run = np.arange(num_windows), RUN_BYTES // reader.window_bytes
    in_runs = functools.partial(shuffled_runs, index, run)
    together = run * RUNS // BATCH
    ways = {
        "full shuffle, mapped": (lambda: ArrayReader(np.load(path, mmap_mode="r")), None, 1),
        "full shuffle": (lambda: reader, None, 1),
        f"runs of {run}, batch by batch": (lambda: reader, in_runs, 1),
        f"runs of {run}, {together} batches together": (lambda: reader, in_runs, together),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            rates[name].append(windows_per_second(path, num_windows, *way))
    for name, values in rates.items():
        megabytes = median(values) * reader.window_bytes / 1e6
        print(f"| {name} | {median(values):.0f} windows/s | {megabytes:.0f} MB/s |")


if __name__ == "__main__":
    main(*sys.argv[1:])
