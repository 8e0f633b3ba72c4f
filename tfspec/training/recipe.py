"""What a training is to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import keras
import numpy as np

from tfspec.data.epochs import Epochs, Order
from tfspec.distributed.replicated import Data
from tfspec.training.distilling import Teacher


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one learning-rate schedule.

    Args:
        epochs: largest number of epochs.
        learning_rate: at the start.
        learning_rate_end: part of it that a cosine over the epochs leaves at the end; 1 keeps it constant.
        warm_up: part of the epochs in which the learning rate first rises from zero.
        prepare: what is done to the backbone first, such as `models.freeze`.
    """

    epochs: int
    learning_rate: float
    learning_rate_end: float = 1.0
    prepare: Callable[[keras.Model], None] | None = None
    warm_up: float = 0.0

    def rates(self, steps_per_epoch: int) -> keras.optimizers.schedules.LearningRateSchedule:
        """Make the learning rates of the phase's steps.

        Args:
            steps_per_epoch: batches an epoch.

        Example:
            >>> rates = Phase(epochs=2, learning_rate=0.5, learning_rate_end=0.1).rates(steps_per_epoch=10)
            >>> [round(float(rates(step)), 3) for step in (0, 10, 20)]
            [0.5, 0.275, 0.05]
        """
        steps = self.epochs * steps_per_epoch
        if not (rising := min(round(self.warm_up * steps), steps - 1)):
            return keras.optimizers.schedules.CosineDecay(
                self.learning_rate, steps, alpha=self.learning_rate_end
            )
        return keras.optimizers.schedules.CosineDecay(
            0.0, steps - rising, self.learning_rate_end, warmup_target=self.learning_rate, warmup_steps=rising
        )


def _cross_entropy() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@dataclass(frozen=True, eq=False)
class Training:
    """How a backbone is trained, and what a pipeline's step `training` returns.

    Args:
        phases: what to train and how fast, in order.
        loss: Keras loss on labels and logits, a mean over the examples; cross entropy by default.
        optimizer: makes the optimizer of a phase from its learning rates.
        metrics: what is measured in every epoch besides the loss, on labels and logits.
        patience: epochs without a lower validation loss after which a phase stops; None for no end before
            the last epoch.
        keep: the epoch whose model counts: that of the lowest validation loss, or the last.
        weights: (rows,) weights of the training examples in the loss; None for equal ones.
        order: of the training examples in each epoch, as in `Epochs`; None for permutations.
        batches_per_read: training batches that are read together, as in `make_dataset`.
        drop_remainder: leave out each epoch's last training batch if it is smaller than the others.
        teacher: a trained network to learn from, too; on one device alone.

    Example:
        >>> Training([Phase(epochs=20, learning_rate=1e-3)]).metrics
        ('accuracy',)
    """

    phases: Sequence[Phase]
    loss: keras.losses.Loss = field(default_factory=_cross_entropy)
    optimizer: Callable[[keras.optimizers.schedules.LearningRateSchedule], keras.optimizers.Optimizer] = (
        keras.optimizers.Adam
    )
    metrics: Sequence[str | keras.metrics.Metric] = ("accuracy",)
    patience: int | None = 2
    keep: Literal["best", "last"] = "best"
    weights: np.ndarray | None = None
    order: Order | None = None
    batches_per_read: int = 1
    drop_remainder: bool = False
    teacher: Teacher | None = None


class Batches(NamedTuple):
    """What a backbone trains and is validated on.

    Args:
        train: batches ((batch, frames, bins, channels) features, (batch,) labels), as
            `distributed.distribute` makes them under the strategy that trains.
        validation: batches of the same, or None where nothing validates.
        epochs: what numbers the epochs of `train`.
        steps_per_epoch: where `train` is without end; None where each iteration over it is an epoch.
    """

    train: Data
    validation: Data | None
    epochs: Epochs
    steps_per_epoch: int | None = None
