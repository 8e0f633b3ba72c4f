"""A small residual network for sounds of any kind."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from tfspec.base import arguments

MULTIPLES = (2, 3, 4)
"""Filters of the blocks, in multiples of the width."""


def residual(
    feature_shape: Sequence[int | None],
    num_classes: int,
    width: int = 16,
    dropout: float = 0.3,
    time_halvings: int = 4,
) -> keras.Model:
    """Small residual backbone that sees what there is in a picture, and neither where nor how often.

    A 5 × 5 convolution and three residual blocks each halve the picture (He et al., "Deep residual learning
    for image recognition", 2016). A block is two 3 × 3 convolutions; what goes past it is averaged over 2 × 2
    instead of skipped, so that all of the picture counts (He et al., "Bag of tricks for image classification
    with convolutional neural networks", 2019, ResNet-D). The mean of what is left says what goes on all the
    time, the maximum what happens once. 121,498 weights with one channel and ten classes, 896 of which are
    moving statistics.

    Args:
        feature_shape: (frames, bins, channels), any number of each; frames may be None for any number.
        num_classes: number of logits.
        width: filters of the first convolution; the blocks have two, three and four times as many.
        dropout: share of the means and maxima that is left out in training.
        time_halvings: how many of the first convolution and the blocks halve frames, too, and not bins alone:
            fewer leave more of when things happen, for an `event_head`.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Raises:
        ValueError: the width is not a positive integer, or the halvings are not from 0 to 4.

    Example:
        >>> residual((None, 64, 1), num_classes=10).count_params()
        121498
    """
    arguments.integer("width", width)
    arguments.integer("time_halvings", time_halvings, 0, 1 + len(MULTIPLES))
    steps = [(2, 2)] * time_halvings + [(1, 2)] * (1 + len(MULTIPLES) - time_halvings)
    features = keras.Input(feature_shape, name="features")
    x = layers.ReLU()(_convolution(features, width, 5, steps[0]))
    for multiple, step in zip(MULTIPLES, steps[1:], strict=True):
        x = _halved(x, multiple * width, step)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="residual")


def _halved(x, filters: int, step: tuple[int, int]):
    past = _convolution(layers.AveragePooling2D(step, padding="same")(x), filters, 1)
    x = layers.ReLU()(_convolution(x, filters, 3, step))
    return layers.ReLU()(layers.Add()([past, _convolution(x, filters, 3)]))


def _convolution(x, filters: int, kernel: int, strides: tuple[int, int] = (1, 1)):
    x = layers.Conv2D(filters, kernel, strides, "same", use_bias=False)(x)
    # The default momentum of 0.99 follows too slowly for some hundred steps of training
    return layers.BatchNormalization(momentum=0.9)(x)
