"""Several backbones as one."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

SMALLEST = 1e-37
"""Probability next to zero, whose logarithm is finite."""


def ensemble(backbones: Sequence[keras.Model]) -> keras.Model:
    """Backbone whose probabilities are the mean of several backbones' probabilities.

    Args:
        backbones: models from the same features to logits of the same classes.

    Returns:
        A `keras.Model` from features to (batch, classes) float32 logits: the logarithms of the means.

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
    logits = MeanProbability(name="logits")([backbone(features) for backbone in backbones])
    return keras.Model(features, logits, name="ensemble")


@keras.saving.register_keras_serializable("tfspec")
class MeanProbability(keras.layers.Layer):
    """The logarithm of the mean of several softmax distributions.

    Input shape:
        A list of (batch, classes) logits.

    Output shape:
        (batch, classes) float32.

    Example:
        >>> certain, even = tf.math.log([[0.9, 0.1]]), tf.math.log([[0.5, 0.5]])
        >>> tf.exp(MeanProbability()([certain, even])).numpy().round(3)
        array([[0.7, 0.3]], dtype=float32)
    """

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def call(self, logits):
        """Average the distributions of a list of logits."""
        mean = tf.add_n([tf.nn.softmax(member) for member in logits]) / len(logits)
        return tf.math.log(tf.maximum(mean, SMALLEST))

    def compute_output_shape(self, input_shape):
        """Return (batch, classes)."""
        return input_shape[0]
