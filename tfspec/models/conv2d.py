"""A small convolutional network for whatever a picture shows."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def conv2d(
    feature_shape: Sequence[int | None],
    num_classes: int,
    dropout: float = 0.1,
    hidden_activation: str = "relu",
) -> keras.Model:
    """Small convolutional backbone: three 3 × 3 convolutions, two poolings, a global mean, a hidden layer.

    58,088 weights with one channel and eight classes. It sees what there is in a picture, at a scale of 18
    frames and 18 bins, and not where.

    Args:
        feature_shape: (frames, bins, channels), at least 18 frames and bins; frames may be None for any
            number.
        num_classes: number of logits.
        dropout: share of each convolution's outputs that is dropped in training.
        hidden_activation: of the layer of 32 before the logits; the published one is "linear".

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Example:
        >>> conv2d((None, 257, 1), num_classes=8).count_params()
        58088
    """
    features = keras.Input(feature_shape, name="features")
    x = features
    for filters, pool in ((32, True), (64, True), (64, False)):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.Dropout(dropout)(x)
        if pool:
            x = layers.MaxPooling2D(2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(32, activation=hidden_activation)(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="conv2d")
