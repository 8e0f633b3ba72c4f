"""Pitch shift of ten seconds at 48 kHz on one core, against librosa's and audiomentations'.

Every library gets one thread, in a new process, as TensorFlow's number of threads is fixed at its start.
audiomentations (its default method, signalsmith_stretch) takes part where it is installed.
"""

import json
import os
import subprocess
import sys

import pytest

TIMES = """
import importlib.util, json, statistics, time
import librosa
import numpy as np
import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
from tfspec.dsp.timing import pitch_shift

RATE = 48000
clip = (0.1 * np.random.default_rng(0).standard_normal(10 * RATE)).astype(np.float32)
batch = tf.constant(clip[np.newaxis])
calls = {
    "ours": lambda semitones: pitch_shift(batch, tf.constant([semitones], tf.float32)),
    "librosa": lambda semitones: librosa.effects.pitch_shift(clip, sr=RATE, n_steps=semitones),
}
if importlib.util.find_spec("audiomentations"):
    from audiomentations import PitchShift

    calls["audiomentations"] = lambda semitones: PitchShift(semitones, semitones, p=1.0)(clip, RATE)
times = {name: [] for name in calls}
for turn in range(8):
    for semitones in (-5, -4, -3, -2, -1, 1, 2, 3, 4):
        for name, call in calls.items():
            start = time.perf_counter()
            call(semitones)
            if turn:
                times[name].append(time.perf_counter() - start)
print(json.dumps({name: statistics.median(seconds) for name, seconds in times.items()}))
"""
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


def test_ten_seconds(benchmark, capsys):
    """4 times as fast as librosa and faster than audiomentations, over −5…4 semitones."""
    run = benchmark.pedantic(
        subprocess.run,
        [[sys.executable, "-c", TIMES]],
        {"capture_output": True, "text": True, "check": True, "env": os.environ | ONE_THREAD},
        rounds=1,
    )
    seconds = json.loads(run.stdout)
    benchmark.extra_info.update(seconds)
    with capsys.disabled():
        line = (f"{name} {s * 1e3:.1f} ms ({s / seconds['ours']:.2f})" for name, s in seconds.items())
        print(f"\n{benchmark.name}: " + ", ".join(line))
    assert seconds["librosa"] > 4 * seconds["ours"]
    if "audiomentations" not in seconds:
        pytest.skip("audiomentations is not installed; librosa was compared")
    assert seconds["audiomentations"] > seconds["ours"]
