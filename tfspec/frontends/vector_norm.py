"""The length of a vector signal, such as an acceleration, whatever its direction."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfspec.base.float_layer import FloatLayer
from tfspec.base.reach import Reach
from tfspec.dsp import spectral


@keras.saving.register_keras_serializable("tfspec")
class VectorNorm(FloatLayer):
    """Euclidean norm over the channels, which for a signal does not mind how the sensor is turned.

    Args:
        keep_axes: put the norm behind the channels, and not in their place.

    Input shape:
        (batch, samples, channels), or features, (batch, frames, bins, channels).

    Output shape:
        The same with 1 channel, or with `keep_axes` one more, float32.

    Example:
        >>> VectorNorm()(tf.constant([[[3.0, 4.0]]])).numpy().tolist()
        [[[5.0]]]
    """

    reach = Reach()
    """One sample, or frame."""

    def __init__(self, keep_axes: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.InputSpec(min_ndim=3)
        self.keep_axes = keep_axes

    def call(self, signal):
        """Measure (batch, …, channels) vectors."""
        signal = tf.cast(signal, tf.float32)
        norm = spectral.raised(tf.reduce_sum(signal**2, axis=-1, keepdims=True), 1)
        return tf.concat([signal, norm], axis=-1) if self.keep_axes else norm

    def compute_output_shape(self, input_shape):
        """Return (batch, …, channels)."""
        return (*input_shape[:-1], input_shape[-1] + 1 if self.keep_axes else 1)
