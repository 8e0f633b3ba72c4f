"""What a training leaves after every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.base.files import written_beside
from tfspec.base.streams import Stream, epoch_generator
from tfspec.data.epochs import Epochs
from tfspec.distributed.replicated import assign_to_replicas
from tfspec.models import Classifier
from tfspec.training.metrics import RECENT_LOSS
from tfspec.training.progress import Progress


class StopOnNaN(keras.callbacks.Callback):
    """Ends an epoch whose loss is not finite. With `mixed_float16` the next one may be finite again."""

    def on_train_batch_end(self, batch, logs=None):
        """Look at the loss."""
        if not np.isfinite(logs["loss"]):
            self.model.stop_training = True


class ForgetRecent(keras.callbacks.Callback):
    """Leaves out the validation's `recent_loss`: where nothing is learnt, no batch says more than another."""

    def on_epoch_end(self, epoch, logs=None):
        """Take it away before others see it."""
        logs.pop(f"val_{RECENT_LOSS}", None)


class Keep(keras.callbacks.Callback):
    """Keeps the classifier, which takes the raw signal, and the training's state while the backbone trains.

    After every epoch it writes `history.csv` and the state that `fit` goes on from; `best.keras` after those
    alone whose validation loss is the lowest so far, if that counts; `last.keras` after a phase's last one.
    Each is whole at any time.

    Args:
        classifier: what is kept: around the backbone that trains, or around its twin in float32.
        backbone: what trains, maybe on several replicas.
        epochs: what numbers the epochs of the training data.
        progress: of the training; this callback adds the epochs, and writes into its folder.
        keep: "best" or "last", as of `Training`.
        is_over: whether to stop, asked after every epoch.
    """

    def __init__(
        self,
        classifier: Classifier,
        backbone: keras.Model,
        epochs: Epochs,
        progress: Progress,
        keep: str,
        is_over: Callable[[], bool],
    ):
        super().__init__()
        self.classifier = classifier
        self.backbone = backbone
        self.epochs = epochs
        self.progress = progress
        self.keep = keep
        self.is_over = is_over

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock, and what is random in this epoch: a function of the seed and the epoch alone."""
        self.epochs.number = epoch  # Keras may have looked at a batch before
        rng = epoch_generator(self.epochs.seed, epoch, Stream.DROPOUT)
        num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # Of dropouts; Keras does not save them
        states = [each for each in self.backbone.variables if each.path.endswith("seed_generator_state")]
        seeds = rng.integers(2**32, size=(len(states), num_replicas, 2), dtype=np.uint32)
        assign_to_replicas(states, seeds)
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Write the files, and stop when it is time to."""
        seconds = time.perf_counter() - self.start
        scores = {name: float(value) for name, value in logs.items()}
        self.progress.history.append({"epoch": epoch, **scores, "seconds": seconds})
        if self.keep == "best" and self.progress.lowest() == epoch:
            self._write("best.keras")
        if is_over := self.is_over():
            self._write("last.keras")
        with written_beside(self.progress.folder / "history.csv") as temporary:
            pd.DataFrame(self.progress.history).to_csv(temporary, index=False)
        self.progress.save(self.backbone)  # last: once it says that all is over, `fit` wants the files above
        self.model.stop_training = is_over

    def _write(self, name: str) -> None:
        if self.classifier.backbone is not self.backbone:
            self.classifier.backbone.set_weights(self.backbone.get_weights())
        with written_beside(self.progress.folder / name) as temporary:
            self.classifier.save(temporary)
