"""One training, phase after phase."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.data.epochs import Epochs
from tfspec.distributed import replicated as replicas
from tfspec.models import Classifier
from tfspec.training.keeping import Keep
from tfspec.training.progress import Phase, Progress


def _length(data: tf.data.Dataset | tf.distribute.DistributedDataset) -> int:
    cardinality = data.cardinality  # a method, or a property where several replicas share the batches
    return int(cardinality() if callable(cardinality) else cardinality)


def fit(
    classifier: Classifier,
    backbone: keras.Model,
    train_data: tf.data.Dataset | tf.distribute.DistributedDataset,
    epochs: Epochs,
    validation_data: tf.data.Dataset | tf.distribute.DistributedDataset,
    progress: Progress,
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

    Leaves `best.keras`, `last.keras`, `history.csv`, `progress.json` and TensorBoard's `logs/`. An unfinished
    training goes on after the last whole epoch, and ends with the weights that it would have had undisturbed.

    Args:
        classifier: what is kept.
        backbone: what is trained, in place: that of the classifier, or, in another precision, of which the
            classifier has the twin; `progress.backbone()` if there is one.
        train_data: batches ((batch, frames, bins, channels) features, (batch,) labels), as
            `replicas.distribute` gives them under the strategy in whose scope this is called.
        epochs: what numbers the epochs of `train_data`.
        validation_data: batches of the same.
        progress: of this training, with a folder of its own.
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
    if not progress.history:
        progress.save()  # so that nobody takes the first epoch's `best.keras` for the end
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
                Keep(classifier, backbone, epochs, phase, progress, patience),
                keras.callbacks.TensorBoard(progress.folder / "logs", write_graph=False),
            ],
        )
    if progress.lowest() is None:
        rates = ", ".join(f"{phase.learning_rate:g}" for phase in phases)
        raise UserError(f"The loss was not finite in any epoch. Lower the learning rate. Received: {rates}")
    if keep == "last":
        with written_beside(progress.folder / "best.keras") as temporary:
            shutil.copyfile(progress.folder / "last.keras", temporary)
    progress.save(finished=True)
