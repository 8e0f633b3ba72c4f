"""Print which share of an epoch each pipeline's default waits for its input.

    python tests/benchmarks/measure_input.py [NAME …]

The batches that a training gets, against as many of them that are in memory already, for the same network:
medians of seconds a step. At most 5% are asked for, on a machine that has nothing else to do.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import keras
import tensorflow as tf
from defaults import give_measured

from tfspec import Pipeline
from tfspec.data import Epochs
from tfspec.experiment.features import kept_features
from tfspec.experiment.fitting import _training_batches
from tfspec.experiment.members import members_of
from tfspec.experiment.splitting import checked_split

STEPS, ROUNDS = 10, 7


class StepSeconds(keras.callbacks.Callback):
    """Times each round of an endless training."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append((time.perf_counter() - self.start) / STEPS)


def measure(pipeline: Pipeline) -> dict[str, str]:
    """Time a step with the pipeline's own input, and with batches in memory."""
    steps, split, _ = checked_split(pipeline)
    member = next(iter(members_of(steps, split).values()))
    with tempfile.TemporaryDirectory() as folder:
        features = kept_features(steps, split, Path(folder))
        names, rows = steps.class_names(split), member.part("train")
        recipe = steps.training(rows, names)
        own = _training_batches(member, None, features, recipe, Epochs(0, order=recipe.order), None)()
        batches = [batch for batch in own.take(2 * STEPS) if len(batch[0]) == steps.batch_size][:STEPS]
        in_memory = tf.data.Dataset.from_tensor_slices(tuple(map(tf.stack, zip(*batches, strict=True))))
        phase = recipe.phases[-1]
        network = member.steps.backbone(batches[0][0].shape[1:], len(names))
        network.compile(recipe.optimizer(phase.rates(STEPS)), recipe.loss, metrics=list(recipe.metrics))
        times = {"own": [], "in_memory": []}
        sources = {"own": own if own.cardinality() < 0 else own.repeat(), "in_memory": in_memory.repeat()}
        for name, source in sources.items():
            kept = StepSeconds()
            network.fit(
                source, steps_per_epoch=STEPS, epochs=1 + ROUNDS, verbose=0, shuffle=False, callbacks=[kept]
            )
            times[name] = kept.seconds[1:]
    seconds = {name: median(each) for name, each in times.items()}
    return {
        "network": network.name,
        "batch": str(steps.batch_size),
        "ms a step": f"{1e3 * seconds['own']:.0f}",
        "with batches in memory": f"{1e3 * seconds['in_memory']:.0f}",
        "waits for input": f"{max(0.0, 1 - seconds['in_memory'] / seconds['own']):.0%}",
    }


def main(names: list[str]) -> None:
    """Print the table."""
    give_measured("scale_2", measure, names)


if __name__ == "__main__":
    main(sys.argv[1:])
