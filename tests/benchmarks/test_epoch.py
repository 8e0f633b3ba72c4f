"""An epoch on cached features against the same model on batches in memory."""

import statistics
import time

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tfspec.data import make_dataset
from tfspec.data.epochs import Epochs
from tfspec.data.precomputed import precompute
from tfspec.data.readers import ArrayReader
from tfspec.frontends import MFCC, Decibel, Spectrogram, Standardize
from tfspec.models import conv2d, lstm

CLIPS, BATCH, CLASSES = 640, 32, ["a", "b", "c", "d"]
FRONT_ENDS = {
    "stft": [Spectrogram(512, 128, power=2), Decibel(), Standardize()],
    "mfcc": [MFCC(39), Standardize()],
}


class Seconds(keras.callbacks.Callback):
    """Times every epoch."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


@pytest.mark.parametrize(("features", "model"), [("stft", lstm), ("mfcc", lstm), ("mfcc", conv2d)])
def test_an_epoch_after_the_first(benchmark, capsys, features, model):
    """At most 1.1 times the epoch on an already batched array, from the second epoch on."""
    rng = np.random.default_rng(0)
    manifest = pd.DataFrame({"label": np.resize(CLASSES, CLIPS)})
    read = ArrayReader(rng.standard_normal((CLIPS, 17640), np.float32))
    front_end = keras.Sequential(FRONT_ENDS[features])
    ours = make_dataset(manifest, precompute(manifest, read, front_end), CLASSES, BATCH, epochs=Epochs(0))
    batches = [(x.numpy(), y.numpy()) for x, y in ours]
    peer = tf.data.Dataset.from_tensor_slices(tuple(map(np.stack, zip(*batches, strict=True))))
    network = model((None, *batches[0][0].shape[2:]), len(CLASSES))
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    times = {"ours": [], "peer": []}

    def one_round():
        for name, data in (("ours", ours), ("peer", peer)):
            kept = Seconds()
            network.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=[kept])
            times[name].append(kept.seconds[1])

    one_round()
    times = {"ours": [], "peer": []}
    benchmark.pedantic(one_round, rounds=5)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["ours"] / medians["peer"]
    benchmark.extra_info.update(medians, ratio=ratio)
    with capsys.disabled():
        print(f"\n{features} + {model.__name__}: epoch {medians['ours']:.2f} s, {ratio:.3f} of the peer's")
    assert ratio < 1.1
