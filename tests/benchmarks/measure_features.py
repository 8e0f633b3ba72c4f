"""Print what it takes to compute features once and to read them in every epoch.

    python tests/benchmarks/measure_features.py FOLDER [CLIPS]

Features are those of overlapped speech: one-second clips at 16 kHz become (160, 160, 4) float16. They are
prepared from wav files into a store; and by librosa, clip by clip, which stores nothing, on one core, as its
BLAS gains nothing from more and waits busily. The store is read in a full shuffle with mixing, CLIPS rows of
it and ten times as many, after the system was asked to forget what it has read. Memory is what a step needs
at its peak beyond what there was before it. Linux only.
"""

import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import keras
import librosa
import numpy as np
import pandas as pd
import soundfile
from threadpoolctl import threadpool_limits

from tfspec.augment import Augmentation, MixUp
from tfspec.data import make_dataset
from tfspec.data.epochs import Epochs
from tfspec.data.readers import AudioReader
from tfspec.data.store import FeatureStore
from tfspec.frontends import Decibel, FrequencyRamp, MultiResolutionMel, Standardize

RATE, SHAPE = 16000, (160, 160, 4)
LIBROSAS_CLIPS, ROUNDS, BATCH, BATCHES = 40, 3, 128, 60


def front_end() -> keras.Layer:
    layers = [MultiResolutionMel(), Decibel(1e-10, None), Standardize((1, 2), 20.0), FrequencyRamp()]
    return keras.Sequential(layers)


def librosas(path: Path) -> np.ndarray:
    padded = np.pad(np.pad(soundfile.read(path, dtype="float32")[0], 50), 1024, "reflect")
    options = {"sr": RATE, "n_fft": 2048, "hop_length": 100, "center": False, "n_mels": 160, "norm": None}
    mels = [
        librosa.feature.melspectrogram(y=padded, win_length=length, fmin=25, fmax=7500, htk=True, **options)
        for length in (250, 500, 750, 1000)
    ]
    decibels = librosa.power_to_db(np.stack(mels, -1)[:, 1:-1], amin=1e-10, top_db=None).transpose(1, 0, 2)
    scaled = (decibels - decibels.mean((0, 1))) / 20 + np.linspace(-0.5, 0.5, 160)[:, np.newaxis]
    return scaled.astype(np.float16)


class MadeUp:
    """Reads features that cost nothing to make."""

    signal_shape, sample_rate = SHAPE, None

    def identities(self, rows: pd.DataFrame) -> list[str]:
        return [str(i) for i in rows.index]

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        return np.broadcast_to(np.float32(rows.index)[:, None, None, None] % 1000, (len(rows), *SHAPE))


def cost(call: Callable) -> tuple[float, float, float]:
    """Return seconds, CPU seconds and the peak of memory in MB."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what there is
    before, wall, cpu = resident("VmRSS"), time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu, resident("VmHWM") - before


def resident(name: str) -> float:
    return int(re.findall(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1e3


def forget(store: FeatureStore) -> None:
    for path in store.shards:
        with path.open() as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def prepare(folder: Path, clips: int) -> None:
    rng, names = np.random.default_rng(0), [f"{i}.wav" for i in range(clips)]
    for name in names:
        soundfile.write(folder / name, 0.1 * rng.standard_normal(RATE), RATE)
    read, root = AudioReader(folder, RATE, RATE), folder / "features"

    def ours(count: int):
        shutil.rmtree(root, ignore_errors=True)
        manifest = pd.DataFrame({"path": names[:count]})
        return cost(FeatureStore(root, manifest, read, front_end(), "float16").fill)

    def theirs():
        with threadpool_limits(1):
            return cost(lambda: [librosas(folder / name) for name in names[:LIBROSAS_CLIPS]])

    ours(128), theirs()
    rounds = [(ours(clips), theirs()) for _ in range(ROUNDS)]
    print("| prepare 1,000 clips | s | CPU s | peak MB |\n|---|---|---|---|")
    scales = {"tfspec, kept on disk": (0, 1000 / clips), "librosa": (1, 1000 / LIBROSAS_CLIPS)}
    for name, (place, scale) in scales.items():
        wall, cpu, peak = (median(made[place][i] for made in rounds) for i in range(3))
        print(f"| {name} | {wall * scale:.1f} | {cpu * scale:.1f} | {peak:.0f} |")
    faster = [median(t[i] / LIBROSAS_CLIPS / (o[i] / clips) for o, t in rounds) for i in (0, 1)]
    print(f"\n{faster[0]:.1f} times as fast as librosa, {faster[1]:.1f} times in CPU time\n")


def read(folder: Path, clips: int) -> None:
    print("| read in a full shuffle, mixed | clips/s | CPU s per 1,000 clips | peak MB |\n|---|---|---|---|")
    for count in (clips, 10 * clips):
        manifest = pd.DataFrame(np.eye(2)[np.arange(count) % 2], columns=["a", "b"])
        store = FeatureStore(folder / "made_up", manifest, MadeUp(), keras.layers.Rescaling(1.0), "float16")
        store.fill()
        mixed = Augmentation(mix_up=MixUp())
        data = make_dataset(manifest, store, ["a", "b"], BATCH, epochs=Epochs(0), augmentation=mixed)
        batches = data.repeat().take(BATCHES)

        def one_pass(store=store, batches=batches):
            forget(store)
            return cost(lambda: [None for _ in batches])

        one_pass()
        passes = [one_pass() for _ in range(ROUNDS)]
        wall, cpu, peak = (median(made[i] for made in passes) for i in range(3))
        seen = BATCH * BATCHES
        print(f"| of {count} clips | {seen / wall:.0f} | {cpu / seen * 1000:.2f} | {peak:.0f} |")


def main(folder: str, clips: str = "1000") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    prepare(Path(folder), int(clips))
    read(Path(folder), int(clips))


if __name__ == "__main__":
    main(*sys.argv[1:])
