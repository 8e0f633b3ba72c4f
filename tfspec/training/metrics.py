"""What is measured in every epoch."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfspec.base.kappa import cohen_kappa
from tfspec.training.losses import possible_classes


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
        return cohen_kappa(self.confusion, keras.ops)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


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
