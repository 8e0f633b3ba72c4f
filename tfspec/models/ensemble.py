"""Several backbones as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import keras
import tensorflow as tf

from tfspec.base import arguments
from tfspec.base.model import SMALLEST, Labels


def ensemble(backbones: Sequence[keras.Model], labels: Labels = "one") -> keras.Model:
    """Backbone whose probabilities are the mean of several backbones' probabilities.

    Args:
        backbones: models from the same features to logits of the same classes.
        labels: "one" class an example, or "several" at once.

    Returns:
        A `keras.Model` from features to (batch, classes) float32 logits: the logarithms of the means; of
        several labels, the means' log odds.

    Raises:
        ValueError: there is no backbone, or they differ in their inputs or classes.

    Example:
        >>> from tfspec.models import conv2d
        >>> ensemble([conv2d((None, 64, 1), num_classes=3) for _ in range(2)]).output_shape
        (None, 3)
    """
    shapes = {f"{backbone.input_shape} to {backbone.output_shape}" for backbone in backbones}
    if len(shapes) != 1:
        raise ValueError(f"`backbones` must all be from and to the same shapes. Received: {sorted(shapes)}")
    for i, backbone in enumerate(backbones):
        backbone.name = f"member_{i}"
    features = keras.Input(backbones[0].input_shape[1:], name="features")
    logits = MeanProbability(labels, name="logits")([backbone(features) for backbone in backbones])
    return keras.Model(features, logits, name="ensemble")


@keras.saving.register_keras_serializable("tfspec")
class MeanProbability(keras.layers.Layer):
    """The logarithm of the mean of several softmax distributions; of sigmoids, the log odds of theirs.

    Args:
        labels: "one" class an example, or "several" at once.

    Input shape:
        A list of (batch, classes) logits.

    Output shape:
        (batch, classes) float32.

    Example:
        >>> certain, even = tf.math.log([[0.9, 0.1]]), tf.math.log([[0.5, 0.5]])
        >>> tf.exp(MeanProbability()([certain, even])).numpy().round(3)
        array([[0.7, 0.3]], dtype=float32)
    """

    def __init__(self, labels: Labels = "one", **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.labels: Labels = arguments.one_of("labels", labels, get_args(Labels))

    def call(self, logits):
        """Average the distributions of a list of logits."""
        if self.labels == "one":
            return _log_mean([tf.nn.softmax(member) for member in logits])
        holds, holds_not = ([tf.nn.sigmoid(sign * member) for member in logits] for sign in (1.0, -1.0))
        return _log_mean(holds) - _log_mean(holds_not)  # 1 − p would lose the digits of small ones

    def compute_output_shape(self, input_shape):
        """Return (batch, classes)."""
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "labels": self.labels}


def _log_mean(probabilities: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.math.log(tf.maximum(tf.add_n(probabilities) / len(probabilities), SMALLEST))
