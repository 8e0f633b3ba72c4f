"""Training a classifier's backbone on features, keeping the whole classifier after every epoch."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import keras
import tensorflow as tf

from tfspec.errors import UserError
from tfspec.files import written_beside
from tfspec.models import Classifier


class SaveClassifier(keras.callbacks.Callback):
    """Keeps `last.keras` and `best.keras`, which take the raw signal, while only the backbone trains.

    Args:
        classifier: the model around the one that trains.
        folder: where the two files go. Each is whole at any time, so a killed run loses one epoch at most.
    """

    def __init__(self, classifier: Classifier, folder: Path):
        super().__init__()
        self.classifier = classifier
        self.folder = folder
        self.lowest = float("inf")

    def on_epoch_end(self, epoch, logs=None):
        """Save the model, and again as the best if its validation loss is the lowest so far."""
        last = self.folder / "last.keras"
        with written_beside(last) as part:
            self.classifier.save(part)
        if logs["val_loss"] < self.lowest:
            self.lowest = logs["val_loss"]
            with written_beside(self.folder / "best.keras") as part:
                shutil.copyfile(last, part)


class EpochSeconds(keras.callbacks.Callback):
    """Adds `seconds` to each epoch's logs; put it before whatever writes them."""

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Stop the clock."""
        logs["seconds"] = time.perf_counter() - self.start


def fit(
    classifier: Classifier,
    train_data: tf.data.Dataset,
    validation_data: tf.data.Dataset,
    folder: str | os.PathLike,
    epochs: int,
    patience: int,
    learning_rate: float,
    learning_rate_end: float = 1.0,
    clip_norm: float | None = None,
    verbose: int | str = "auto",
) -> None:
    """Train the backbone with Adam on cross-entropy until the validation loss stops falling.

    Leaves `best.keras` (lowest validation loss), `last.keras`, `history.csv` and TensorBoard's `logs/`.

    Args:
        classifier: its backbone is trained in place.
        train_data: batches ((batch, frames, bins, channels) features, (batch,) labels).
        validation_data: the same.
        folder: the run folder.
        epochs: largest number of epochs.
        patience: epochs without a lower validation loss after which training stops.
        learning_rate: Adam's at the start.
        learning_rate_end: part of it that a cosine over all epochs leaves at the end; 1 keeps it constant.
        clip_norm: each weight's gradient is scaled down to this norm; None leaves it.
        verbose: Keras's progress bar: "auto", 0, 1 or 2.

    Raises:
        UserError: the loss was never finite.
    """
    folder = Path(folder)
    steps = epochs * int(train_data.cardinality())
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=learning_rate_end)
    classifier.backbone.compile(
        keras.optimizers.Adam(schedule, clipnorm=clip_norm),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    classifier.backbone.fit(
        train_data,
        validation_data=validation_data,
        epochs=epochs,
        shuffle=False,  # the dataset is
        verbose=verbose,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.EarlyStopping("val_loss", patience=patience),
            EpochSeconds(),
            SaveClassifier(classifier, folder),
            keras.callbacks.CSVLogger(folder / "history.csv"),
            keras.callbacks.TensorBoard(folder / "logs", write_graph=False),
        ],
    )
    if not (folder / "best.keras").exists():
        raise UserError(
            f"The loss was not finite in any epoch. Lower the learning rate. Received: {learning_rate}"
        )
