"""What is measured in every epoch."""

from __future__ import annotations

import math

import keras
import numpy as np
import tensorflow as tf

from tfspec.base.kappa import cohen_kappa
from tfspec.base.model import HALF
from tfspec.models.events import of_signal
from tfspec.training.losses import possible_classes

RECENT_LOSS = "recent_loss"
DECAY = 0.95
"""What a batch's loss weighs in the recent loss, in units of the next batch's."""
LEAST_WEIGHT = 1e-3
"""Batches that would weigh less do not count."""


@keras.saving.register_keras_serializable("tfspec")
class CohenKappa(keras.metrics.Metric):
    """Cohen's kappa of an epoch, by the formula of `tfspec.base.kappa`.

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
        """Compute kappa over all that was counted."""
        true, predicted = (keras.ops.sum(self.confusion, axis=axis) for axis in (1, 0))
        return cohen_kappa(keras.ops.diagonal(self.confusion), true, predicted, keras.ops)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


@keras.saving.register_keras_serializable("tfspec")
class MeanAveragePrecision(keras.metrics.AUC):
    """Area under the curve of precision against recall, the mean over the classes that hold somewhere.

    Keras's with 200 thresholds, of several labels at once, on logits; labels that are NaN do not count. Of
    logits of an `event_head` those of whole signals count.

    Args:
        num_classes: number of classes.
        name: column in the history.

    Example:
        >>> precision = MeanAveragePrecision(2)
        >>> precision.update_state([[1, 0], [0, float("nan")]], [[2.0, 1.0], [-2.0, 1.0]])
        >>> round(float(precision.result()), 3)
        1.0
    """

    def __init__(self, num_classes: int, name: str = "mean_average_precision", **kwargs):
        super().__init__(
            curve="PR", multi_label=True, num_labels=num_classes, from_logits=True, name=name, **kwargs
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count (batch, classes) labels against logits; weights of examples do not count."""
        y_true, y_pred = of_signal(tf.convert_to_tensor(y_true)), of_signal(tf.convert_to_tensor(y_pred))
        is_known = ~tf.math.is_nan(tf.cast(y_true, tf.float32))
        holds = tf.where(is_known, tf.cast(y_true, tf.float32) >= HALF, False)
        super().update_state(holds, y_pred, tf.cast(is_known, tf.float32))

    def result(self):
        """Compute the mean; Keras counts a class that never holds as 0."""
        holds = keras.ops.any(self.true_positives + self.false_negatives > 0, axis=0)
        there = tf.reduce_sum(tf.cast(holds, tf.float32))
        return tf.math.divide_no_nan(super().result() * self.num_labels, there)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype, "num_classes": self.num_labels}


@keras.saving.register_keras_serializable("tfspec")
class RecentLoss(keras.metrics.Metric):
    """Mean of an epoch's batch losses, of which each weighs 0.95 times as much as the next.

    So it tells where training has come to, where Keras's `loss` is the mean since the epoch began. Only the
    last 135 batches count, which weigh 0.001 or more, as in the Capture-24 tutorials. Weights of examples do
    not count.

    Args:
        loss: Keras loss on labels and predictions, a mean over the examples.
        name: column in the history.

    Example:
        >>> recent = RecentLoss(keras.losses.MeanSquaredError())
        >>> for value in (1.0, 0.0):
        ...     recent.update_state([[0.0]], [[value]])
        >>> round(float(recent.result()), 4)  # 0.95 / (0.95 + 1)
        0.4872
    """

    def __init__(self, loss: keras.losses.Loss | dict, name: str = RECENT_LOSS, **kwargs):
        super().__init__(name=name, **kwargs)
        self.loss = keras.losses.get(loss)
        batches = 1 + int(math.log(LEAST_WEIGHT, DECAY))
        self._weights = (DECAY ** np.arange(batches)[::-1]).astype(np.float32)
        # Sums and numbers, which add up over replicas
        self.sums = self.add_weight(shape=(batches,), initializer="zeros", dtype="float32", name="sums")
        self.sizes = self.add_weight(shape=(batches,), initializer="zeros", dtype="float32", name="sizes")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Remember the loss of a batch, and forget that of the oldest one."""
        y_true, y_pred = (keras.ops.convert_to_tensor(each) for each in (y_true, y_pred))
        # Called as usual, a loss is divided by the number of replicas
        losses = tf.cast(self.loss.call(y_true, y_pred), tf.float32)
        size = tf.cast(tf.shape(losses)[0], tf.float32)
        for kept, new in ((self.sums, tf.reduce_sum(losses)), (self.sizes, size)):
            kept.assign(tf.concat([kept[1:], new[tf.newaxis]], axis=0))

    def result(self):
        """Compute the mean over what is remembered."""
        sums, sizes = (keras.ops.convert_to_tensor(kept) for kept in (self.sums, self.sizes))
        losses = tf.math.divide_no_nan(sums, sizes)
        weights = tf.where(sizes > 0, self._weights, 0.0)
        return tf.math.divide_no_nan(tf.reduce_sum(weights * losses), tf.reduce_sum(weights))

    def get_config(self):
        return {**super().get_config(), "loss": keras.losses.serialize(self.loss)}


@keras.saving.register_keras_serializable("tfspec")
class PossibleAccuracy(keras.metrics.MeanMetricWrapper):
    """Share of the examples for which a class is predicted that they can be of, by `possible_classes`.

    Args:
        name: column in the history.

    Example:
        >>> accuracy = PossibleAccuracy()
        >>> accuracy.update_state([0, ~0, ~1], [[5.0, 1.0], [5.0, 1.0], [5.0, 1.0]])
        >>> round(float(accuracy.result()), 3)
        0.667
    """

    def __init__(self, name: str = "accuracy", **kwargs):
        super().__init__(_is_possible, name=name, **kwargs)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


def _is_possible(y_true, y_pred):
    """Return (batch,) ones and zeros."""
    logits = tf.convert_to_tensor(y_pred)
    possible = possible_classes(tf.reshape(y_true, [-1]), logits.shape[-1])
    return tf.cast(tf.gather(possible, tf.argmax(logits, axis=-1), batch_dims=1), tf.float32)
