"""A pyramid of strided convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
from keras import layers

from tfspec.models.starting import pytorch_start

HALVING_KERNELS = (3, 3, 4, 4)
"""Kernels of the blocks that halve the picture."""
TOP = 4
"""Frames and bins that the last kernel spans."""


def pyramid(
    feature_shape: Sequence[int], num_classes: int, dropout: float = 0.0, num_filters_init: int = 32
) -> keras.Model:
    """Convolutional backbone: four blocks halve the picture, a fifth spans what is left.

    A block is a convolution without bias, batch norm and ReLU, and has twice the filters of the one before; a
    1 × 1 convolution, here a dense layer, makes the logits. Weights start as in PyTorch. Of 61 × 61 features
    with three channels it is the network of the Capture-24 accelerometer benchmark, number for number: 61 →
    31 → 16 → 8 → 4 → 1, with 32 first filters and five classes 2,776,357 weights that train.

    For other sizes, an axis is halved (rounded up) only while more than four frames or bins of it are left,
    the last kernel is as small as a map that was smaller from the start, and where the map is larger the mean
    is taken over the places of the last kernel. So the weights never grow with the picture.

    Args:
        feature_shape: (frames, bins, channels), any number of each.
        num_classes: number of logits.
        dropout: share of the last block's means that is left out in training; 0 in the benchmark's network.
        num_filters_init: filters of the first block; 32 in the benchmark's network.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Example:
        >>> model = pyramid((61, 61, 3), num_classes=5)
        >>> sum(np.size(weights) for weights in model.trainable_weights)
        2776357
    """
    features = keras.Input(feature_shape, name="features")
    x, filters = features, num_filters_init
    for kernel in HALVING_KERNELS:
        strides = tuple(2 if size > TOP else 1 for size in x.shape[1:3])
        x = _block(x, filters, (kernel, kernel), strides, "same")
        filters *= 2
    x = _block(x, filters, tuple(min(TOP, size) for size in x.shape[1:3]), 1, "valid")
    x = layers.GlobalAveragePooling2D()(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    start = pytorch_start(filters)
    logits = layers.Dense(
        num_classes, kernel_initializer=start, bias_initializer=start.clone(), dtype="float32", name="logits"
    )(x)
    return keras.Model(features, logits, name="pyramid")


def _block(x, filters: int, kernel: tuple[int, ...], strides, padding: str):
    start = pytorch_start(math.prod(kernel) * x.shape[-1])
    x = layers.Conv2D(filters, kernel, strides, padding, use_bias=False, kernel_initializer=start)(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)  # as in PyTorch
    return layers.ReLU()(x)
