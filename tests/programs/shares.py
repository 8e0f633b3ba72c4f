"""What replicas make of their shares of a batch; started by test_shares.py, by tfspec's launcher or without.

python shares.py STRATEGY
"""

import json
import sys

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.data import SignalSequence, make_dataset
from tfspec.data.epochs import Epochs
from tfspec.data.readers import ArrayReader
from tfspec.distributed import devices
from tfspec.distributed import replicated as replicas
from tfspec.frontends import Spectrogram
from tfspec.training.keeping import Keep

NAMES = ["a", "b", "c"]
SIZES = (1, 4, 9, 11)
"""Of data sets: with batches of 4 the last ones have one, four, one and three examples."""


def compiled():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((7, 9, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"], jit_compile=False)
    return model, replicas.replicated(model, loss, ["accuracy"])


def examples(size: int):
    rng = np.random.default_rng(size)
    manifest = pd.DataFrame({"label": rng.choice(NAMES, size)})
    return manifest, ArrayReader(rng.standard_normal((size, 64), np.float32)), NAMES, 4, Spectrogram(16, 8)


def measured(strategy) -> list:
    """Evaluate and predict data sets of every size."""
    _, model = compiled()
    found = []
    for size in SIZES:
        weights = np.linspace(0.5, 2, size)
        data = replicas.distribute(
            strategy,
            lambda size=size, weights=weights, **which: make_dataset(
                *examples(size), sample_weight=weights, **which
            ),
        )
        scores = model.evaluate(data, verbose=0, return_dict=True)
        found.append([scores, np.asarray(model.predict(data)).tolist()])
    return found


def fitted() -> list:
    """Train on a `keras.utils.Sequence`."""
    inner, model = compiled()
    batches = SignalSequence(*examples(11), Epochs(0), sample_weight=np.linspace(0.5, 2, 11))
    history = model.fit(batches, epochs=3, shuffle=False, verbose=0).history
    return [history["loss"], [weight.numpy().tolist() for weight in inner.weights]]


def dropped(strategy) -> list:
    """What dropout leaves of ones: twice in epoch 0, then in epoch 1, on each replica."""
    model = keras.Sequential([keras.Input((256,)), keras.layers.Dropout(0.5)])
    left = []
    for epoch in (0, 0, 1):
        keep = Keep(None, model, Epochs(5), None, "last", None)
        keep.on_epoch_begin(epoch)
        run = tf.function(lambda: strategy.run(lambda: model(tf.ones([1, 256]), training=True)))
        left.append([part.numpy()[0].tolist() for part in strategy.experimental_local_results(run())])
    return left


if __name__ == "__main__":
    kind = sys.argv[1]
    if kind == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = devices.open_strategy(kind)
    with strategy.scope():
        found = {"measured": measured(strategy)}
        if kind != "multi_worker":
            found |= {"fitted": fitted(), "dropped": dropped(strategy)}
    print("FOUND " + json.dumps(found), flush=True)
