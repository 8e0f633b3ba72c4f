"""MAC, a convolutional network that normalises before it convolves."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from tfspec.base import arguments
from tfspec.base.errors import UserError
from tfspec.models.starting import pytorch_start

GROUPS = (1, 2, 4, 6, 8)
"""Filters of the convolutions of each group, in multiples of the width."""
KERNELS = (1, 3, 1, 3)
"""Kernels of the convolutions of a group."""
POOLINGS = {
    "average": (layers.AveragePooling2D, layers.GlobalAveragePooling2D),
    "max": (layers.MaxPooling2D, layers.GlobalMaxPooling2D),
}
SMALLEST_SIDE = 31  # five halvings, the first of them rounded up


def mac(
    feature_shape: Sequence[int | None],
    num_classes: int,
    width: int = 24,
    pooling: str = "average",
    dropout: float = 0.25,
) -> keras.Model:
    """Convolutional backbone of the overlapped-speech ensemble, number for number.

    A 6 × 6 convolution halves the picture; then come five groups of four blocks (batch norm, leaky ReLU 0.1,
    convolution) with 2 × 2 pooling after the first four groups, one more such block, global pooling, and a
    dense layer, dropout, batch norm and leaky ReLU 0.25 before the last dense layer. Of 160 × 160 features
    the maps are 80 → 40 → 20 → 10 → 5 → 5; with four channels, 30 classes and the default width it has
    1,539,918 weights that train and 4,512 moving statistics.

    Weights and biases start as PyTorch's do, uniform in ±1/√(inputs of a filter). The batch norms remember
    the batch's own variance, as Keras does; PyTorch remembers n / (n − 1) times that.

    Args:
        feature_shape: (frames, bins, channels), at least 31 frames and bins; frames may be None for any
            number.
        num_classes: number of logits.
        width: filters of the first group; all other widths are multiples of it.
        pooling: "average" or "max", in all places.
        dropout: share of the values before the last batch norm that is dropped in training.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Raises:
        ValueError: there is no such pooling, or the width is not a positive integer.
        UserError: the features are too small.

    Example:
        >>> model = mac((160, 160, 4), num_classes=30)
        >>> sum(weight.shape.num_elements() for weight in model.trainable_weights)
        1539918
    """
    arguments.one_of("pooling", pooling, tuple(POOLINGS))
    arguments.integer("width", width)
    if any(side is not None and side < SMALLEST_SIDE for side in feature_shape[:2]):
        raise UserError(
            f"mac takes features of at least {SMALLEST_SIDE} frames and {SMALLEST_SIDE} bins. "
            f"Received: {feature_shape[0]} frames and {feature_shape[1]} bins"
        )
    pool, pool_all = POOLINGS[pooling]
    features = keras.Input(feature_shape, name="features")
    x = _convolution(features, 2 * width, 6, strides=2)
    for number, multiple in enumerate(GROUPS):
        if number > 0:
            x = pool(2)(x)
        for kernel in KERNELS:
            x = _convolution(_normalized(x, 0.1), multiple * width, kernel)
    x = _convolution(_normalized(x, 0.1), 16 * width, 1)
    x = pool_all()(x)
    x = layers.Dropout(dropout)(_dense(x, 8 * width))
    logits = _dense(_normalized(x, 0.25), num_classes, dtype="float32", name="logits")
    return keras.Model(features, logits, name="mac")


def _normalized(x, negative_slope: float):
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)  # as in PyTorch
    return layers.LeakyReLU(negative_slope)(x)


def _convolution(x, filters: int, kernel: int, strides: int = 1):
    start = pytorch_start(kernel * kernel * x.shape[-1])
    return layers.Conv2D(
        filters, kernel, strides, "same", kernel_initializer=start, bias_initializer=start.clone()
    )(x)


def _dense(x, units: int, name: str | None = None, dtype: str | None = None):
    start = pytorch_start(x.shape[-1])
    return layers.Dense(
        units, kernel_initializer=start, bias_initializer=start.clone(), name=name, dtype=dtype
    )(x)
