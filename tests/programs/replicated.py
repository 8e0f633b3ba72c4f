"""Trains small runs on one device or several; test_replicated.py starts it, with a launcher or without.

python replicated.py STRATEGY DATA OUT NAME…
"""

import os
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[1]))
from overlaps import small_network

from tfspec.models import conv2d
from tfspec.pipelines import Capture24, OverlappedSpeech, RadioSignals, Rainforest, SpeechCommands
from tfspec.training import fitting

SMALL = {
    "speech_commands": (
        SpeechCommands,
        {**SpeechCommands.presets["recurrent"], "validation_fraction": 1 / 3, "clip_seconds": 0.3}
        | {"batch_size": 7, "model": "conv2d"}
        | {"augment": ("shift",)},
    ),
    "radio_signals": (RadioSignals, {"num_train": 22, "num_validation": 9, "batch_size": 5}),
    "capture24": (
        Capture24,
        {"test": 1, "validation": 0.3, "sample_rate": 20, "frame_length": 24, "frame_step": 10}
        | {"label_column": "label:simple", "batch_size": 10, "cross_validation": 0},
    ),
    "rainforest": (
        Rainforest,
        {"sample_rate": 32000, "slice_seconds": 0.5, "weights": "none", "num_folds": 2, "batch_size": 3},
    ),
    "overlapped_speech": (OverlappedSpeech, {"batch_size": 5, "validation_fraction": 0.25}),
}


def small(name: str, data: Path, **options):
    """A pipeline on little data, without dropout, which differs from replica to replica."""
    base, its_options = SMALL[name]

    @dataclass(kw_only=True)
    class Dry(base):
        def backbone(self, feature_shape, num_classes):
            if name == "rainforest":  # the real network takes minutes to compile
                made = conv2d(feature_shape, num_classes)
            elif name == "overlapped_speech":
                made = small_network(feature_shape, num_classes, 1, *self.poolings)
            else:
                made = super().backbone(feature_shape, num_classes)
            for layer in made._flatten_layers():
                if isinstance(layer, keras.layers.Dropout):
                    layer.rate = 0.0
            return made

        def training(self, examples, class_names):
            """Adam makes steps of rounding errors where a gradient is nothing."""
            training = super().training(examples, class_names)
            return replace(training, optimizer=lambda rate: keras.optimizers.SGD(rate, 0.9, clipnorm=0.1))

    where = {} if name == "radio_signals" else {"data": data / name}
    return Dry(
        **{"epochs": 2, "learning_rate": 0.02, "validation_batch_size": 3, **its_options, **where, **options}
    )


class Kill(fitting.Keep):
    """Kills the last worker in the third epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if len(self.progress.history) == 2 and tf.distribute.get_strategy().cluster_resolver.task_id == 1:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    strategy, data, out, *names = sys.argv[1:]
    if strategy == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    options = {"strategy": strategy}
    if "killed" in out:
        fitting.Keep, options["epochs"] = Kill, 4
    for name in names:
        run = small(name, Path(data), out=Path(out) / name, **options).train(verbose=2)
        print(f"{run.folder} has {run.metrics()['examples']} examples")
