"""A frozen network in the place of a spectrogram: embeddings of the windows of a signal."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from tfspec.base import arguments
from tfspec.base.float_layer import FloatLayer
from tfspec.borrowed import all_layers


def window_starts(num_samples: int, window_samples: int) -> list[int]:
    """Say where the windows of a signal begin: one after another, the last one ends with the signal.

    Args:
        num_samples: of the signal.
        window_samples: of a window.

    Example:
        >>> window_starts(25, 10), window_starts(20, 10), window_starts(5, 10)
        ([0, 10, 15], [0, 10], [0])
    """
    last = max(0, num_samples - window_samples)
    return [*range(0, last, window_samples), last]


@keras.saving.register_keras_serializable("tfspec")
class Embedding(FloatLayer):
    """Embeds the windows of a signal by a network that does not train.

    A signal that is shorter than a window is filled up by its last sample. The network is saved and exported
    with the layer.

    Args:
        network: Keras model from (batch, window_samples) to (batch, size), or (batch, frames, size);
            several axes of frames count as one.
        window_samples: of a window.

    Input shape:
        (batch, samples); how many must be known.

    Output shape:
        (batch, windows, size, 1) float32; with a network of frames, all those of one window after another.

    Raises:
        ValueError: the window is no number above 0.

    Example:
        >>> network = keras.Sequential([keras.Input((100,)), keras.layers.Dense(8)])
        >>> Embedding(network, 100)(tf.zeros([2, 250])).shape
        TensorShape([2, 3, 8, 1])
    """

    def __init__(self, network: keras.Model, window_samples: int, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.InputSpec(ndim=2)
        self.window_samples = arguments.integer("window_samples", window_samples)
        self.network = network
        for layer in all_layers(network):  # each: a model that was loaded as frozen does not hand it down
            layer.trainable = False

    def call(self, signal):
        """Embed (batch, samples) signals."""
        signal = tf.cast(signal, tf.float32)
        if (missing := self.window_samples - signal.shape[1]) > 0:
            signal = tf.concat([signal, tf.repeat(signal[:, -1:], missing, axis=1)], axis=1)
        starts = window_starts(signal.shape[1], self.window_samples)
        windows = tf.stack([signal[:, start : start + self.window_samples] for start in starts], axis=1)
        embeddings = self.network(tf.reshape(windows, [-1, self.window_samples]), training=False)
        shape = self.compute_output_shape(signal.shape)
        return tf.cast(tf.reshape(embeddings, [-1, *shape[1:]]), tf.float32)

    def compute_output_shape(self, input_shape):
        """Return (batch, windows, size, 1); all axes between the windows and the last one are frames."""
        _, *frames, size = self.network.compute_output_shape((None, self.window_samples))
        windows = len(window_starts(input_shape[1], self.window_samples))
        return (input_shape[0], windows * math.prod(frames), size, 1)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network}

    @classmethod
    def from_config(cls, config):
        """Rebuild the network, then the layer."""
        return cls(**{**config, "network": keras.saving.deserialize_keras_object(config["network"])})
