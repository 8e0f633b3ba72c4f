"""Batch normalisation of each band of bins by itself."""

from __future__ import annotations

import keras
from keras import layers, ops

from tfspec.base import arguments
from tfspec.base.reach import Reach


@keras.saving.register_keras_serializable("tfspec")
class SubSpectralNormalization(layers.Layer):
    """Normalises each channel of each band of bins by the batch, as batch norm does with all bins together.

    "Subspectral normalization for neural audio data processing" (Chang et al., 2021), each band with a scale
    and an offset of its own. In inference that is one product and one sum.

    Args:
        bands: number of bands, all of the same number of bins.
        momentum: what is kept of the moving statistics at each step of training.
        epsilon: added to the variance.

    Input shape:
        (batch, frames, bins, channels).

    Output shape:
        The same.

    Raises:
        ValueError: an argument is no positive number, or the bins are no multiple of the bands.

    Example:
        >>> layer = SubSpectralNormalization(bands=2)
        >>> normalised = layer(tf.reshape([1.0, 3.0, 10.0, 30.0], [1, 1, 4, 1]), training=True)
        >>> normalised.numpy().ravel().round(2).tolist()
        [-1.0, 1.0, -1.0, 1.0]
    """

    reach = Reach()
    """One frame."""

    def __init__(self, bands: int = 5, momentum: float = 0.99, epsilon: float = 1e-3, **kwargs):
        super().__init__(**kwargs)
        self.bands = arguments.integer("bands", bands)
        self.momentum = arguments.between("momentum", momentum, 0, 1)
        self.epsilon = arguments.positive("epsilon", epsilon)
        # An inner batch norm is found, synchronised and frozen as the others are
        self.norm = layers.BatchNormalization(momentum=momentum, epsilon=epsilon, dtype=self.dtype_policy)

    def build(self, input_shape):
        """Make four numbers a band and channel."""
        bins, channels = input_shape[2:]
        if bins % self.bands:
            raise ValueError(
                f"The bins must be a multiple of `bands`. Received: {bins} bins, {self.bands} bands"
            )
        self.norm.build((None, None, bins // self.bands, self.bands * channels))

    def call(self, inputs, training=None):
        """Normalise (batch, frames, bins, channels) values."""
        if training and self.norm.trainable:
            return self._by_the_batch(inputs)
        scale = self.norm.gamma * ops.rsqrt(self.norm.moving_variance + self.epsilon)
        offset = self.norm.beta - self.norm.moving_mean * scale
        bins, channels = inputs.shape[2:]
        scale, offset = (
            ops.repeat(ops.reshape(values, (self.bands, channels)), bins // self.bands, axis=0)
            for values in (scale, offset)
        )
        return ops.cast(ops.cast(inputs, "float32") * scale + offset, self.compute_dtype)

    def _by_the_batch(self, inputs):
        frames, (bins, channels) = ops.shape(inputs)[1], inputs.shape[2:]
        x = ops.reshape(inputs, (-1, frames, self.bands, bins // self.bands, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4))
        x = ops.reshape(x, (-1, frames, bins // self.bands, self.bands * channels))
        x = self.norm(x, training=True)
        x = ops.reshape(x, (-1, frames, bins // self.bands, self.bands, channels))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4)), (-1, frames, bins, channels))

    def compute_output_shape(self, input_shape):
        """Return the same shape."""
        return input_shape

    def get_config(self):
        """Return the arguments."""
        return {
            **super().get_config(),
            "bands": self.bands,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
