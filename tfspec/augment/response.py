"""Features as another microphone in another room would have them."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfspec.augment.base import RandomLayer, uniform
from tfspec.base import arguments

NUM_CURVES = 4
"""A level, a tilt, and two finer curves."""


@keras.saving.register_keras_serializable("tfspec")
class FrequencyResponse(RandomLayer):
    """Adds a smooth random curve over the bins, the same to each frame and channel.

    On features that grow with the logarithm of the power that is a filter, such as a microphone or a room
    has. With f from 0 at the first bin to 1 at the last it is Σ gₖ cos(π k f) for k from 0 to 3, and each gₖ
    is uniform in ±max_gain.

    Args:
        max_gain: greatest gₖ, in the unit of the features.
        probability: how likely each example is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, frames, bins, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the gain is negative.

    Example:
        >>> response = FrequencyResponse(max_gain=4.0)
        >>> gains = {"gains": tf.constant([[1.0, 3.0, 0.0, 0.0]])}
        >>> response.apply(tf.zeros([1, 1, 3, 1]), gains).numpy().round(3).ravel().tolist()
        [4.0, 1.0, -2.0]
    """

    def __init__(self, max_gain: float = 0.2, probability: float = 1.0, seed: int | None = None, **kwargs):
        super().__init__(probability, seed, **kwargs)
        self.input_spec = keras.InputSpec(ndim=4)
        self.max_gain = arguments.between("max_gain", max_gain, 0)

    def draw(self, batch, seed):
        """Draw each example's `gains`, (batch, 4)."""
        return {"gains": uniform([batch, NUM_CURVES], seed, -self.max_gain, self.max_gain)}

    def transform(self, x, params):
        """Add the curves."""
        f = tf.linspace(0.0, 1.0, tf.shape(x)[2])
        curves = tf.cos(np.pi * tf.range(NUM_CURVES, dtype=tf.float32)[:, tf.newaxis] * f)
        return x + tf.matmul(params["gains"], curves)[:, tf.newaxis, :, tf.newaxis]
