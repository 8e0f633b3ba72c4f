"""What is measured in every epoch."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfspec.base.kappa import cohen_kappa


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
