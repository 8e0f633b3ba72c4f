"""How networks learn that are to know more than their examples: warmed up, smoothed, decayed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import keras

from tfspec.base.model import Labels
from tfspec.base.options import Dropout
from tfspec.training import Training
from tfspec.training.losses import SmoothedCrossEntropy
from tfspec.training.optimizers import SelectiveAdamW

NOT_DECAYED = ["bias", "gamma", "beta"]
"""Weights that are left as large as they are."""


@dataclass(kw_only=True)
class Regularised:
    """Options of a training by AdamW (I. Loshchilov, F. Hutter, "Decoupled weight decay", 2019).

    They are no `Steps`, whose defaults would go before those of the bases behind them.
    """

    warm_up: Dropout = 0.1
    """Part of the epochs in which the learning rate rises."""
    label_smoothing: Dropout = 0.05
    """Share of each label that is spread over all classes."""
    weight_decay: Dropout = 0.01
    """Part of each kernel that a step takes away, in units of the learning rate."""

    def regularised(self, training: Training, clip_norm: float | None, labels: Labels) -> Training:
        """Have a network learn slowly at first; where asked for, with decayed weights and smoothed labels.

        Args:
            training: of one phase.
            clip_norm: norm that each weight's gradient is clipped to.
            labels: of which those of several classes at once are not smoothed.
        """
        (phase,) = training.phases
        training = replace(training, phases=[replace(phase, warm_up=self.warm_up)])
        if self.weight_decay:
            training = replace(training, optimizer=lambda rate: self._optimizer(rate, clip_norm))
        if self.label_smoothing and labels == "one":
            training = replace(training, loss=SmoothedCrossEntropy(self.label_smoothing))
        return training

    def _optimizer(
        self, rate: keras.optimizers.schedules.LearningRateSchedule, clip_norm: float | None
    ) -> keras.optimizers.Optimizer:
        return SelectiveAdamW(rate, NOT_DECAYED, weight_decay=self.weight_decay, clipnorm=clip_norm)
