"""What is told while a network trains: a line an epoch, and in a terminal how far the epoch is."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator

import keras

from tfspec.base.progress import say, track
from tfspec.training.metrics import RECENT_LOSS
from tfspec.training.progress import Progress

NO_SCORES = {"epoch", "seconds", RECENT_LOSS}


class TellEpochs(keras.callbacks.Callback, contextlib.AbstractContextManager):
    """Prints a line after every epoch, which `Progress` has seen before, and draws a bar during it.

    Args:
        progress: of the training.
        epochs: number of the last epoch there may be.
        name: of what trains, where several do.
    """

    def __init__(self, progress: Progress, epochs: int, name: str = ""):
        super().__init__()
        self.progress = progress
        self.epochs = epochs
        self.name = f"{name}: " if name else ""
        self._bar: Generator = track((), "", 0)

    def __exit__(self, *_):
        """Take the bar away, whatever has happened."""
        self._bar.close()

    def on_epoch_begin(self, epoch, logs=None):
        """Start a new bar."""
        self._bar = track(itertools.count(), self._epoch(epoch), self.params["steps"])
        next(self._bar)

    def on_train_batch_end(self, batch, logs=None):
        """Go on by a batch."""
        next(self._bar)

    def on_epoch_end(self, epoch, logs=None):
        """Say what the epoch has brought."""
        self._bar.close()
        row = self.progress.history[-1]
        measured = [key for key in row if key.startswith("val_")] or [*row]
        told = sorted({"loss", *measured} - NO_SCORES, key=lambda key: (not key.endswith("loss"), key))
        scores = ", ".join(f"{key} {row[key]:.3f}" for key in told)
        say(f"{self._epoch(epoch)}: {scores}, {row['seconds']:.1f} s")

    def _epoch(self, epoch: int) -> str:
        return f"{self.name}epoch {epoch + 1:{len(str(self.epochs))}} of {self.epochs}"
