"""A network of what each bin does over time, and not of when."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import layers

from tfspec.base.float_layer import FloatLayer
from tfspec.dsp import spectral

HIDDEN = (512, 256)
"""Units of the two hidden layers."""
INPUT_DROPOUT = 0.2


def bin_statistics(
    feature_shape: Sequence[int | None], num_classes: int, dropout: float = 0.5
) -> keras.Model:
    """Dense backbone on the mean, deviation, least and greatest value over time of each bin and channel.

    For activities that go on as long as the signal, such as walking or typing: where in the signal something
    happens says nothing, and at which frequency says much. That is what hand-made features for random
    forests build on (Ellis et al., "A random forest classifier for the prediction of energy expenditure and
    type of physical activity from wrist and hip accelerometers", Physiological Measurement, 2014). Few
    examples suffice where a convolutional network learns them by heart.

    Args:
        feature_shape: (frames, bins, channels); frames may be None, for signals of any length.
        num_classes: number of logits.
        dropout: part of the hidden layers' units that is left out in training.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Example:
        >>> bin_statistics((None, 65, 3), num_classes=6).output_shape
        (None, 6)
    """
    features = keras.Input(feature_shape, name="features")
    x = layers.Flatten()(FrameStatistics()(features))
    x = layers.BatchNormalization(center=False, scale=False, name="standardize")(x)
    x = layers.Dropout(INPUT_DROPOUT)(x) if dropout else x
    for units in HIDDEN:
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.Dropout(dropout)(x) if dropout else x
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="bin_statistics")


@keras.saving.register_keras_serializable("tfspec")
class FrameStatistics(FloatLayer):
    """Mean, standard deviation, least and greatest value over all frames.

    Input shape:
        (batch, frames, bins, channels).

    Output shape:
        (batch, 4, bins, channels) float32.

    Example:
        >>> FrameStatistics()(tf.reshape([1.0, 3.0], [1, 2, 1, 1])).numpy().ravel().tolist()
        [2.0, 1.0, 1.0, 3.0]
    """

    def call(self, features):
        """Summarise (batch, frames, bins, channels) features."""
        features = tf.cast(features, tf.float32)
        mean = tf.reduce_mean(features, axis=1)
        variance = tf.reduce_mean(tf.square(features - mean[:, tf.newaxis]), axis=1)
        ends = [tf.reduce_min(features, axis=1), tf.reduce_max(features, axis=1)]
        return tf.stack([mean, spectral.raised(variance, 1), *ends], axis=1)

    def compute_output_shape(self, input_shape):
        """Return (batch, 4, bins, channels)."""
        return (input_shape[0], 4, *input_shape[2:])
