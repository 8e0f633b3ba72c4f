"""The length of a vector signal, such as an acceleration, whatever its direction."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfspec.frontends.base import FloatLayer


@keras.saving.register_keras_serializable("tfspec")
class VectorNorm(FloatLayer):
    """Euclidean norm over the channels of each sample, which does not mind how the sensor is turned.

    Args:
        keep_axes: put the norm behind the channels, and not in their place.

    Input shape:
        (batch, samples, channels).

    Output shape:
        (batch, samples, 1), or with `keep_axes` (batch, samples, channels + 1), float32.

    Example:
        >>> VectorNorm()(tf.constant([[[3.0, 4.0]]])).numpy().tolist()
        [[[5.0]]]
    """

    def __init__(self, keep_axes: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.InputSpec(ndim=3)
        self.keep_axes = keep_axes

    def call(self, signal):
        """Measure (batch, samples, channels) signals."""
        signal = tf.cast(signal, tf.float32)
        norm = tf.sqrt(tf.reduce_sum(signal**2, axis=2, keepdims=True))
        return tf.concat([signal, norm], axis=2) if self.keep_axes else norm

    def compute_output_shape(self, input_shape):
        """Give (batch, samples, channels)."""
        return (*input_shape[:2], input_shape[2] + 1 if self.keep_axes else 1)

    def get_config(self):
        """Give the constructor's arguments."""
        return {**super().get_config(), "keep_axes": self.keep_axes}
