"""One step in every precision, compiled by XLA or not, on one device and on two; started by test_steps.py."""

import itertools
import json
import typing

import keras
import numpy as np
import tensorflow as tf

from tfspec import training
from tfspec.data.epochs import WHOLE
from tfspec.distributed import devices
from tfspec.distributed import replicated as replicas
from tfspec.frontends import Spectrogram

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def one_step(precision: str, jit: str, kind: str) -> dict:
    strategy = devices.open_strategy(kind)
    keras.utils.set_random_seed(0)
    with strategy.scope(), training.in_precision(precision):
        front_end = Spectrogram(32, 16)
        signal = keras.Input((400,))
        features = front_end(signal)
        x = keras.layers.Conv2D(4, 3, activation="relu")(features)
        x = keras.layers.GlobalAveragePooling2D()(x)
        model = keras.Model(signal, keras.layers.Dense(3, dtype="float32")(x))
        before = [weight.numpy() for weight in model.weights]
        model.compile(keras.optimizers.SGD(0.1), LOSS, jit_compile=jit == "on")
        rng = np.random.default_rng(0)
        signals, labels = rng.standard_normal((5, 400)).astype("float32"), rng.integers(0, 3, 5)

        def batch(batch_slice=WHOLE):
            return tf.data.Dataset.from_tensors((signals, labels))

        trained = replicas.replicated(model, LOSS, [], jit)
        history = trained.fit(replicas.distribute(strategy, batch), verbose=0).history
        moved = [weight.numpy() - old for weight, old in zip(model.weights, before, strict=True)]
    return {
        "loss": history["loss"][0],
        "step": float(np.sqrt(sum(np.square(each).sum() for each in moved))),
        "front_end": front_end.compute_dtype + " " + features.dtype,
        "network": model.layers[2].compute_dtype,
    }


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    for each in itertools.product(typing.get_args(training.Precision), ("off", "on"), ("none", "mirrored")):
        print("STEP " + json.dumps([each, one_step(*each)]), flush=True)
