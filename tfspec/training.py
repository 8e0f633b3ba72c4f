"""Training a classifier's backbone, and going on where a killed run stopped."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec import replicas
from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.data.dataset import Epochs
from tfspec.models import Classifier

DROPOUTS = 3
"""Number of their stream of random numbers; `Epochs` draws from others."""
STATE = "state"
"""Folder of a member that is not finished: its backbone with the optimizer, and how far it came."""


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one learning-rate schedule.

    Args:
        epochs: largest number of epochs.
        learning_rate: at the start.
        learning_rate_end: part of it that a cosine over the epochs leaves at the end; 1 keeps it constant.
        prepare: what is done to the backbone first, such as `models.freeze`.
    """

    epochs: int
    learning_rate: float
    learning_rate_end: float = 1.0
    prepare: Callable[[keras.Model], None] | None = None


@dataclass
class Progress:
    """How far a training came.

    Args:
        phase: number of the phase that it is in.
        first_epoch: number of that phase's first epoch.
        history: losses, metrics and seconds of every epoch, of all phases.
    """

    phase: int
    first_epoch: int
    history: list[dict[str, float]]

    def lowest(self, first_epoch: int = 0) -> int | None:
        """Number the epoch with the lowest validation loss, from `first_epoch` on."""
        losses = {row["epoch"]: row["val_loss"] for row in self.history if row["epoch"] >= first_epoch}
        finite = {epoch: loss for epoch, loss in losses.items() if loss == loss}
        return int(min(finite, key=finite.__getitem__)) if finite else None

    def is_over(self, phase: Phase, patience: int) -> bool:
        """Say whether the phase has had its epochs, or none better for too long."""
        done = len(self.history)
        lowest = self.lowest(self.first_epoch)
        waited = done - 1 - (self.first_epoch if lowest is None else lowest)
        return done >= self.first_epoch + phase.epochs or (done > self.first_epoch and waited >= patience)


class Keep(keras.callbacks.Callback):
    """Keeps the classifier, which takes the raw signal, and the training's state while the backbone trains.

    After every epoch it writes `last.keras`, `best.keras` if the validation loss is the lowest so far,
    `history.csv`, and the state that `fit` goes on from. Each is whole at any time.

    Args:
        classifier: what is kept: around the backbone that trains, or around its twin in float32.
        backbone: what trains, maybe on several replicas.
        folder: where the files go.
        epochs: what numbers the epochs of the training data.
        phase: the phase that trains.
        progress: of the training; this callback adds the epochs.
        patience: epochs without a lower validation loss after which the phase stops.
    """

    def __init__(
        self,
        classifier: Classifier,
        backbone: keras.Model,
        folder: Path,
        epochs: Epochs,
        phase: Phase,
        progress: Progress,
        patience: int,
    ):
        super().__init__()
        self.epochs = epochs
        self.backbone = backbone
        self.classifier = classifier
        self.folder = folder
        self.phase = phase
        self.progress = progress
        self.patience = patience

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock, and what is random in this epoch: a function of the seed and the epoch alone."""
        self.epochs.number = epoch  # Keras may have looked at a batch before
        rng = np.random.default_rng([self.epochs.seed, epoch, DROPOUTS])
        num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # Of dropouts; Keras does not save them
        states = [each for each in self.backbone.variables if each.path.endswith("seed_generator_state")]
        seeds = rng.integers(2**32, size=(len(states), num_replicas, 2), dtype=np.uint32)
        replicas.assign_to_replicas(states, seeds)
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Write the files, and stop when it is time to."""
        seconds = time.perf_counter() - self.start
        scores = {name: float(value) for name, value in logs.items()}
        self.progress.history.append({"epoch": epoch, **scores, "seconds": seconds})
        if self.classifier.backbone is not self.backbone:
            self.classifier.backbone.set_weights(self.backbone.get_weights())
        last = self.folder / "last.keras"
        with written_beside(last) as part:
            self.classifier.save(part)
        if self.progress.lowest() == epoch:
            with written_beside(self.folder / "best.keras") as part:
                shutil.copyfile(last, part)
        with written_beside(self.folder / "history.csv") as part:
            pd.DataFrame(self.progress.history).to_csv(part, index=False)
        with written_beside(self.folder / STATE) as part:
            part.mkdir()
            self.backbone.save(part / "backbone.keras")
            (part / "progress.json").write_text(json.dumps(vars(self.progress)))
        self.model.stop_training = self.progress.is_over(self.phase, self.patience)


@keras.saving.register_keras_serializable("tfspec")
class CohenKappa(keras.metrics.Metric):
    """Cohen's kappa of an epoch, as `sklearn.metrics.cohen_kappa_score`; 0 where that is not defined.

    Agreement beyond what the same numbers of each class would give by chance.

    Args:
        num_classes: number of classes.
        name: column in the history.

    Example:
        >>> kappa = CohenKappa(2)
        >>> kappa.update_state([0, 0, 1, 1], [[5.0, 1.0], [5.0, 1.0], [5.0, 1.0], [1.0, 5.0]])
        >>> float(kappa.result())
        0.5
    """

    def __init__(self, num_classes: int, name: str = "kappa", **kwargs):
        super().__init__(name=name, **kwargs)
        self.num_classes = num_classes
        self.confusion = self.add_weight(
            shape=(num_classes, num_classes), initializer="zeros", dtype="float32", name="confusion"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count (batch,) classes against (batch, classes) logits."""
        true, predicted = tf.reshape(y_true, [-1]), tf.argmax(y_pred, axis=-1)
        self.confusion.assign_add(
            tf.math.confusion_matrix(true, predicted, self.num_classes, sample_weight, tf.float32)
        )

    def result(self):
        """Give kappa over all that was counted."""
        total = tf.reduce_sum(self.confusion)
        by_chance = tf.reduce_sum(tf.reduce_sum(self.confusion, 0) * tf.reduce_sum(self.confusion, 1)) / total
        return tf.math.divide_no_nan(tf.linalg.trace(self.confusion) - by_chance, total - by_chance)

    def get_config(self):
        """Give the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes}


def is_finished(folder: Path) -> bool:
    """Say whether a training in this folder came to its end."""
    return (folder / "best.keras").exists() and not (folder / STATE).exists()


def unfinished_backbone(folder: Path) -> keras.Model | None:
    """Load the backbone of a training that was interrupted, with its optimizer.

    Args:
        folder: where `fit` was at work.

    Returns:
        The compiled backbone after the last whole epoch; None if there was none.
    """
    path = folder / STATE / "backbone.keras"
    return keras.saving.load_model(path, safe_mode=True) if path.exists() else None


def _progress(folder: Path) -> Progress:
    path = folder / STATE / "progress.json"
    return Progress(**json.loads(path.read_text())) if path.exists() else Progress(0, 0, [])


Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


@contextlib.contextmanager
def in_precision(precision: Precision) -> Iterator[None]:
    """Make models in a precision, which is that of their activations: weights are always float32.

    Args:
        precision: "float32", or one of 16 bits for devices that are faster with these; Keras scales the loss
            of a model in "mixed_float16" so that small gradients don't vanish.

    Example:
        >>> with in_precision("mixed_bfloat16"):
        ...     keras.layers.Dense(2).compute_dtype
        'bfloat16'
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def in_float32(backbone: keras.Model) -> keras.Model:
    """Give a model that computes all in float32, with the same weights.

    Args:
        backbone: from `in_precision`.

    Returns:
        The backbone itself if it does already; otherwise its twin.

    Example:
        >>> with in_precision("mixed_float16"):
        ...     backbone = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> in_float32(backbone)(np.ones([1, 4])).dtype
        tf.float32
    """
    if backbone.dtype_policy.name == "float32":
        return backbone

    def twin(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    made = keras.models.clone_model(backbone, clone_function=twin, recursive=True)
    made.set_weights(backbone.get_weights())
    return made


def _length(data: tf.data.Dataset | tf.distribute.DistributedDataset) -> int:
    cardinality = data.cardinality  # a method, or a property where several replicas share the batches
    return int(cardinality() if callable(cardinality) else cardinality)


def fit(
    classifier: Classifier,
    backbone: keras.Model,
    train_data: tf.data.Dataset | tf.distribute.DistributedDataset,
    epochs: Epochs,
    validation_data: tf.data.Dataset | tf.distribute.DistributedDataset,
    folder: Path,
    phases: Sequence[Phase],
    patience: int,
    loss: Any,
    optimizer: Callable[[keras.optimizers.schedules.LearningRateSchedule], keras.optimizers.Optimizer],
    verbose: int | str = "auto",
    metrics: Sequence[str | keras.metrics.Metric] = ("accuracy",),
    keep: Literal["best", "last"] = "best",
    jit: replicas.Jit = "auto",
) -> None:
    """Train the backbone until the validation loss stops falling, phase after phase.

    Leaves `best.keras`, `last.keras`, `history.csv` and TensorBoard's `logs/`. In a folder with an unfinished
    training it goes on after the last whole epoch, and ends with the weights that it would have had
    undisturbed.

    Args:
        classifier: what is kept.
        backbone: what is trained, in place: that of the classifier, or, in another precision, of which the
            classifier has the twin; `unfinished_backbone` if there is one.
        train_data: batches ((batch, frames, bins, channels) features, (batch,) labels), as
            `replicas.distribute` gives them under the strategy in whose scope this is called.
        epochs: what numbers the epochs of `train_data`.
        validation_data: batches of the same.
        folder: of this training alone.
        phases: what to train and how, in order.
        patience: epochs without a lower validation loss after which a phase stops; not if the last counts.
        loss: Keras loss on logits.
        optimizer: makes the optimizer of a phase from its learning rates.
        verbose: Keras's progress bar: "auto", 0, 1 or 2.
        metrics: what is measured in every epoch besides the loss, on labels and logits.
        keep: the epoch whose model becomes `best.keras`: that of the lowest validation loss, or the last.
        jit: whether XLA compiles what trains; "auto" leaves it to Keras, which does so on one GPU.

    Raises:
        UserError: the loss was never finite.
    """
    progress = _progress(folder)
    if keep == "last":
        patience = sum(phase.epochs for phase in phases)
    for index in range(progress.phase, len(phases)):
        phase = phases[index]
        if index > progress.phase or not progress.history:
            progress.phase, progress.first_epoch = index, len(progress.history)
            if phase.prepare:
                phase.prepare(backbone)
            steps = phase.epochs * _length(train_data)
            rate = keras.optimizers.schedules.CosineDecay(
                phase.learning_rate, steps, alpha=phase.learning_rate_end
            )
            jit_compile: Any = {"on": True, "off": False}.get(jit, "auto")
            backbone.compile(optimizer(rate), loss, metrics=list(metrics), jit_compile=jit_compile)
        if progress.is_over(phase, patience):
            continue
        done = len(progress.history)
        replicas.replicated(backbone, loss, metrics, jit).fit(
            train_data,
            validation_data=validation_data,
            initial_epoch=done,
            epochs=progress.first_epoch + phase.epochs,
            shuffle=False,  # the dataset is
            verbose=verbose,
            callbacks=[
                keras.callbacks.TerminateOnNaN(),
                Keep(classifier, backbone, folder, epochs, phase, progress, patience),
                keras.callbacks.TensorBoard(folder / "logs", write_graph=False),
            ],
        )
    if progress.lowest() is None:
        rates = ", ".join(f"{phase.learning_rate:g}" for phase in phases)
        raise UserError(f"The loss was not finite in any epoch. Lower the learning rate. Received: {rates}")
    if keep == "last":
        with written_beside(folder / "best.keras") as part:
            shutil.copyfile(folder / "last.keras", part)
    shutil.rmtree(folder / STATE)
