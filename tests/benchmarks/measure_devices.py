"""Print what a training step costs: by model, input, place of the front end, number of devices; and growth.

    python tests/benchmarks/measure_devices.py [REPLICAS [STEPS [MODEL …]]]
    python tests/benchmarks/measure_devices.py growth [CLIPS]

The first takes all GPUs, or REPLICAS parts of the CPU where there are none. "Input" is the part of a step's
time that is left when the same batch is trained on again and again. "growth" trains on CLIPS, 10 and 100
times as many, and prints the time a clip and the memory of a fresh process.
"""

import functools
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.data import make_dataset
from tfspec.data.epochs import Epochs
from tfspec.data.readers import ArrayReader
from tfspec.distributed import devices
from tfspec.distributed import replicated as replicas
from tfspec.frontends import Decibel, Equalize, MelSpectrogram, MultiResolutionMel, Spectrogram, VectorNorm
from tfspec.models import bin_statistics, conv2d, lstm, mac, pyramid, trace_conv2d, transfer

BATCH, CLASSES, ROUNDS, CLIPS = 32, 8, 5, 64
NAMES = [f"class {i}" for i in range(CLASSES)]


def mel():
    return keras.Sequential([MelSpectrogram(sample_rate=16000, num_mel_bins=64), Decibel()])


def wrist():
    return keras.Sequential([VectorNorm(), Spectrogram(96, 24)])


def picture():
    return keras.Sequential([keras.layers.Reshape((64, 128, 1)), Equalize()])


def mixture():
    return keras.Sequential([MultiResolutionMel(), Decibel()])


MODELS = {
    "lstm": ((16000,), mel, lstm),
    "conv2d": ((16000,), mel, conv2d),
    "pyramid": ((3000, 3), wrist, pyramid),
    "bin_statistics": ((3000, 3), wrist, bin_statistics),
    "trace_conv2d": ((64, 128), picture, trace_conv2d),
    "mac": ((16000,), mixture, mac),
    **{
        name: ((16000,), mel, functools.partial(transfer, name, weights=None))
        for name in ("mobilenet_v2", "efficientnet_b0", "resnet50")
    },
}


def batches(signal_shape, front_end, clips=CLIPS):
    """Batches of noise; what is read is made, clip after clip, as a decoder would."""
    manifest = pd.DataFrame({"label": np.resize(NAMES, clips)})
    signals = np.broadcast_to(np.float32(0), (clips, *signal_shape))
    read = Noise(signals)
    return functools.partial(make_dataset, manifest, read, NAMES, BATCH, front_end, Epochs(0))


class Noise(ArrayReader):
    """Makes the signals when they are asked for, so that no number of clips fills the memory."""

    def __call__(self, rows):
        rng = np.random.default_rng(int(rows.index[0]))
        return rng.standard_normal((len(rows), *self.signal_shape), np.float32)


def compiled(signal_shape, make_front_end, make_backbone, in_model: bool):
    front_end = make_front_end()
    shape = front_end.compute_output_shape((None, *signal_shape))[1:]
    backbone = make_backbone(shape, CLASSES)
    if in_model:
        signal = keras.Input(signal_shape)
        backbone = keras.Model(signal, backbone(front_end(signal)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    backbone.compile("adam", loss)
    return replicas.replicated(backbone, loss, []), None if in_model else front_end


def step_seconds(strategy, signal_shape, make_front_end, make_backbone, in_model, steps):
    """Seconds of a step on fresh batches, and on one batch again and again."""
    with strategy.scope():
        model, layer = compiled(signal_shape, make_front_end, make_backbone, in_model)
        fresh = batches(signal_shape, layer)

        def repeated(**share):
            return fresh(**share).take(1).cache().repeat(CLIPS // BATCH)

        timed = {}
        for name, make in (("fresh", fresh), ("again", repeated)):
            data = replicas.distribute(strategy, make)
            times = []
            for _ in range(ROUNDS + 1):
                start = time.perf_counter()
                model.fit(data, epochs=max(1, steps * BATCH // CLIPS), verbose=0, shuffle=False)
                times.append(
                    (time.perf_counter() - start) / (max(1, steps * BATCH // CLIPS) * (CLIPS // BATCH))
                )
            timed[name] = median(times[1:])  # the first compiles
    return timed["fresh"], timed["again"]


def main(num_replicas: int = 2, steps: int = 4, names: Sequence[str] = tuple(MODELS)) -> None:
    if not tf.config.list_physical_devices("GPU"):
        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * num_replicas
        tf.config.set_logical_device_configuration(cpu, parts)
    print("| model | front end in | replicas | ms a step | samples/s | input |\n|---|---|---|---|---|---|")
    for name in names:
        for in_model in (True, False):
            for kind in ("none", "mirrored"):
                strategy = devices.open_strategy(kind)
                fresh, again = step_seconds(strategy, *MODELS[name], in_model, steps)
                place = "model" if in_model else "dataset"
                print(
                    f"| {name} | {place} | {strategy.num_replicas_in_sync} | {1e3 * fresh:.0f} "
                    f"| {BATCH / fresh:.0f} | {max(0, 1 - again / fresh):.0%} |",
                    flush=True,
                )


def grow(clips: int) -> None:
    """Train an epoch on so many clips, in this process."""
    model, layer = compiled(*MODELS["conv2d"], in_model=False)
    make = batches((16000,), layer, clips)
    model.fit(make().take(2), verbose=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    model.fit(make(), verbose=0, shuffle=False)
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"| {clips} | {seconds:.1f} | {1e3 * seconds / clips:.2f} | {before >> 10} | {peak >> 10} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["clips"]:
        grow(int(sys.argv[2]))
    elif sys.argv[1:2] == ["growth"]:
        base = int(sys.argv[2]) if len(sys.argv) > 2 else 128
        print("| clips | s | ms a clip | MB before | MB at most |\n|---|---|---|---|---|", flush=True)
        for times in (1, 10, 100):
            subprocess.run([sys.executable, __file__, "clips", str(times * base)], check=True)
    else:
        main(*map(int, sys.argv[1:3]), *([sys.argv[3:]] if sys.argv[3:] else []))
