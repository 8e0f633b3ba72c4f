"""A last layer alone, for features that another network has made."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

PENALTY = 0.003
"""On the squares of the weights, as logistic regression has it: embeddings have more numbers than there are
examples."""


def linear(feature_shape: Sequence[int | None], num_classes: int, dropout: float = 0.3) -> keras.Model:
    """Linear backbone on the mean over time of features, each standardised over the training examples.

    Logistic regression, learnt in batches: what embeddings of large networks are best used by where there are
    few examples.

    Args:
        feature_shape: (frames, bins, channels); frames may be None for any number.
        num_classes: number of logits.
        dropout: share of the features that is left out in training.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Example:
        >>> linear((None, 576, 1), num_classes=10).output_shape
        (None, 10)
    """
    features = keras.Input(feature_shape, name="features")
    x = layers.Flatten()(keras.ops.mean(features, axis=1))
    x = layers.BatchNormalization(momentum=0.9, center=False, scale=False, name="standardize")(x)
    x = layers.Dropout(dropout)(x)
    penalty = keras.regularizers.L2(PENALTY)
    logits = layers.Dense(num_classes, kernel_regularizer=penalty, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="linear")
