"""Print how fast augmented mel pictures are made by this process alone and by a data service.

    python tests/benchmarks/measure_data_service.py [WORKERS] [GPU_CLIPS_A_SECOND]

The clips are noise of 10 s at 48 kHz, augmented as in the rainforest pipeline: noise, pitch, time, volume,
then mel pictures. "Alone", and every worker, have one core each of this machine, which the trainer shares
with them. From the seconds of processor time a clip, it gives the cores of workers that keep a GPU busy which
trains on so many clips a second.
"""

import os
import subprocess
import sys
import threading
import time

if __name__ == "__main__" and sys.argv[1:2] in (["alone"], ["worker"]):
    cores = sorted(os.sched_getaffinity(0))  # TensorFlow makes as many threads when it is imported
    os.sched_setaffinity(0, {cores[int(sys.argv[2]) % len(cores)]})

import numpy as np
import pandas as pd

from tfspec.data import make_dataset
from tfspec.data.epochs import Epochs
from tfspec.data.examples import Examples
from tfspec.data.readers import ArrayReader
from tfspec.distributed.service import Service, start_dispatcher, start_worker
from tfspec.pipelines import Rainforest

CLIPS, BATCH, ROUNDS = 192, 8, 2
NAMES = ["a", "b"]


def examples(_: str = "") -> Examples:
    """Clips, made once and read from memory: what is measured is what comes after."""
    noise = np.random.default_rng(0).standard_normal((8, 480000), np.float32)
    return Examples(pd.DataFrame({"label": np.resize(NAMES, CLIPS)}), Reader(noise), NAMES)


class Reader(ArrayReader):
    """Reads few signals again and again."""

    def __call__(self, rows):
        return self.signals[rows.index % len(self.signals)]


def epoch_costs(service: Service | None = None) -> tuple[float, float, float]:
    """Clips a second after an epoch's first batch, the seconds until that, and those of this process a clip.

    The best of some epochs.
    """
    pipeline, rows = Rainforest(), examples()
    data = make_dataset(
        rows.manifest,
        rows.read,
        NAMES,
        BATCH,
        pipeline.front_end(),
        Epochs(0),
        augmentation=pipeline.augmentation(),
        service=service,
    )
    times = []
    for _ in range(ROUNDS + 1):
        start, processor, batches = time.perf_counter(), time.process_time(), iter(data)
        count = len(next(batches)[0])
        first = time.perf_counter() - start
        count += sum(len(signals) for signals, _ in batches)
        assert count == CLIPS
        rest = time.perf_counter() - start - first
        times.append((rest / (CLIPS - BATCH), first, (time.process_time() - processor) / CLIPS))
    seconds, first, processor = np.min(times[1:], axis=0)  # the first compiles
    return 1 / seconds, first, processor


def main(workers: int = 2, gpu: float = 300.0) -> None:
    """Print the table and the cores that a GPU takes."""
    alone = subprocess.run(
        [sys.executable, __file__, "alone", "0"], capture_output=True, text=True, check=True
    )
    rate, first, processor = map(float, alone.stdout.split())
    print(f"{os.cpu_count()} cores\n\n| made by | clips/s | times | s to an epoch's first batch |")
    print(f"|---|---|---|---|\n| alone | {rate:.1f} | 1 | {first:.1f} |", flush=True)
    for count in range(1, workers + 1):
        dispatcher = start_dispatcher(0)
        started = [
            subprocess.Popen(
                [sys.executable, __file__, "worker", str(number), dispatcher.target],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            for number in range(count)
        ]
        try:
            for worker in started:
                worker.stdout.readline()
            served, first, _ = epoch_costs(Service(dispatcher.target, ""))
        finally:
            for worker in started:
                worker.kill()
        workers_are = f"{count} worker" + "s" * (count > 1)
        print(f"| {workers_are} | {served:.1f} | {served / rate:.2f} | {first:.1f} |", flush=True)
    print(
        f"\n{processor:.3f} s of one core a clip: a GPU of {gpu:g} clips/s takes {gpu * processor:.0f} cores"
    )


if __name__ == "__main__":
    role, *arguments = sys.argv[1:] or ["2"]
    if role == "alone":
        print(*epoch_costs())
    elif role == "worker":
        server = start_worker(arguments[1], "localhost", 0, examples)
        print("ready", flush=True)
        threading.Event().wait()
    else:
        main(int(role), *map(float, arguments))
