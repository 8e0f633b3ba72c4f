"""A small convolutional network for traces that run through all frames."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def trace_conv2d(feature_shape: Sequence[int], num_classes: int) -> keras.Model:
    """Small convolutional backbone for traces that run through all frames at any frequency.

    The first kernel is long in time, as a trace is, and its outputs are averaged over time, which finds
    traces that no single frame shows. The last kernel spans all that is left of the frames, so that a
    straight trace is told from a bent one, and a maximum over frequency makes its place indifferent.

    Args:
        feature_shape: (frames, bins, channels), frames at least 8 and bins at least 36.
        num_classes: number of logits.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Example:
        >>> trace_conv2d((64, 128, 1), num_classes=4).output_shape
        (None, 4)
    """
    features = keras.Input(feature_shape, name="features")
    x = features
    x = _normed_conv(x, 16, (9, 5), padding="same")
    x = layers.AveragePooling2D((4, 2))(x)
    x = _normed_conv(x, 32, 5, padding="same")
    x = layers.MaxPooling2D(2)(x)
    x = _normed_conv(x, 48, (3, 5), padding="same")
    x = _normed_conv(x, 64, (x.shape[1], 9))
    x = layers.GlobalMaxPooling2D()(x)
    x = layers.Dropout(0.2)(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="trace_conv2d")


def _normed_conv(x, filters: int, kernel, padding: str = "valid"):
    x = layers.Conv2D(filters, kernel, padding=padding, use_bias=False)(x)
    # The default momentum of 0.99 follows too slowly for some hundred steps of training
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x)
