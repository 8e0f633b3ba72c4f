"""EfficientNet-B0 under one linear layer, for pictures of one channel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import keras
from keras import applications, layers

from tfspec.base.errors import UserError
from tfspec.models.transfer import MOMENTUM, SMALLEST_SIDE, load_weights, weights_file

WHITE = 255.0
"""Keras's network begins by dividing by it."""


def efficientnet(
    feature_shape: Sequence[int],
    num_classes: int,
    weights: str | os.PathLike | None = "imagenet",
) -> keras.Model:
    """EfficientNet-B0 as timm makes it for one channel: nothing in the head but one linear layer.

    Everything trains, and nothing is dropped (timm leaves no blocks out unless asked, Keras does). The first
    kernel is ImageNet's, summed over red, green and blue, so pixels go in as they are, less no mean. With
    four classes it has 4,012,096 weights, and 42,016 moving statistics of batch norms. Unlike timm's,
    strided convolutions of even sides pad one pixel less at the top and left, and batch norms add 1e-3 to
    the variance, not 1e-5: the weights of keras.applications were trained so.

    Args:
        feature_shape: (frames, bins, 1), at least 32 frames and bins.
        num_classes: number of logits.
        weights: as in `transfer`.

    Returns:
        A `keras.Model` from (batch, frames, bins, 1) features to (batch, num_classes) float32 logits.

    Raises:
        UserError: the features are too small or of several channels, or the weights cannot be had or are not
            this network's.

    Example:
        >>> model = efficientnet((64, 128, 1), num_classes=4, weights=None)
        >>> sum(weight.shape.num_elements() for weight in model.trainable_weights)
        4012096
    """
    frames, bins, channels = feature_shape
    if min(frames, bins) < SMALLEST_SIDE or channels != 1:
        raise UserError(
            f"EfficientNet takes features of at least {SMALLEST_SIDE} frames and {SMALLEST_SIDE} bins, and "
            f"one channel. Received: {frames} frames, {bins} bins and {channels} channels"
        )
    path = None if weights is None else weights_file("efficientnet_b0", weights)
    base = applications.EfficientNetB0(include_top=False, weights=None, input_shape=(frames, bins, 1))
    if path is not None:
        _take_weights(base, path)
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = MOMENTUM
        elif isinstance(layer, layers.Dropout):
            layer.rate = 0.0
    features = keras.Input(feature_shape, name="features")
    x = base(layers.Rescaling(WHITE)(features))
    x = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="efficientnet_b0")


def _take_weights(base: keras.Model, path: Path) -> None:
    """Take the weights of the network for three channels; what scales its input stays as it is."""
    coloured = applications.EfficientNetB0(include_top=False, weights=None, input_shape=(None, None, 3))
    load_weights(coloured, "efficientnet_b0", path)
    for mine, other in zip(base.layers, coloured.layers, strict=True):
        if mine.name == "stem_conv":
            mine.set_weights([other.get_weights()[0].sum(axis=2, keepdims=True)])
        elif not isinstance(mine, layers.Normalization):
            mine.set_weights(other.get_weights())
