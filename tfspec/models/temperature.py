"""Logits divided by a number, so that probabilities are worth what they say."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfspec.base import arguments


def at_temperature(backbone: keras.Model, temperature: float) -> keras.Model:
    """Backbone whose logits are divided by a temperature; what is likeliest stays so.

    Args:
        backbone: from features to logits.
        temperature: above 1 the probabilities get nearer to one another, below 1 further apart; such as that
            of `scores.calibration.fit_temperature`.

    Returns:
        A `keras.Model` from the same features to (batch, classes) float32 logits.

    Raises:
        ValueError: the temperature is not positive.

    Example:
        >>> from tfspec.models import conv2d
        >>> at_temperature(conv2d((None, 64, 1), num_classes=3), 2.0).output_shape
        (None, 3)
    """
    features = keras.Input(backbone.input_shape[1:], name="features")
    logits = Temperature(temperature, name="logits")(backbone(features))
    return keras.Model(features, logits, name="at_temperature")


@keras.saving.register_keras_serializable("tfspec")
class Temperature(keras.layers.Layer):
    """Divides logits by a number.

    Args:
        temperature: the number, above 0.

    Input shape:
        (batch, classes).

    Output shape:
        The same, float32.

    Raises:
        ValueError: the temperature is not positive.

    Example:
        >>> Temperature(2.0)(tf.constant([[1.0, 3.0]])).numpy().tolist()
        [[0.5, 1.5]]
    """

    def __init__(self, temperature: float, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.temperature = arguments.positive("temperature", temperature)

    def call(self, logits):
        """Divide (batch, classes) logits."""
        return tf.cast(logits, tf.float32) / self.temperature

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}
