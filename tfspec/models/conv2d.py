"""A small convolutional network."""

import keras


def conv2d(num_bins: int, num_channels: int, num_classes: int, dropout: float = 0.1):
    """Small convolutional backbone: three 3 × 3 convolutions, two poolings, a global mean, a hidden layer.

    58,088 weights with one channel and eight classes.

    Args:
        num_bins: length of the features' frequency axis, at least 18.
        num_channels: number of feature channels.
        num_classes: number of logits.
        dropout: part of each convolution's outputs that is dropped in training.

    Returns:
        A `keras.Model` from (batch, frames, num_bins, num_channels) features, any number of frames from 18,
        to (batch, num_classes) logits, float32 whatever the precision policy.

    Example:
        >>> conv2d(num_bins=257, num_channels=1, num_classes=8).count_params()
        58088
    """
    features = keras.Input((None, num_bins, num_channels), name="features")
    x = features
    for filters, pool in ((32, True), (64, True), (64, False)):
        x = keras.layers.Conv2D(filters, 3, activation="relu")(x)
        x = keras.layers.Dropout(dropout)(x)
        if pool:
            x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(32, activation="relu")(x)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="conv2d")
