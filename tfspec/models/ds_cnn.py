"""DS-CNN, separable convolutions over small pictures of sounds."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from tfspec.base import arguments
from tfspec.models.along_time import Padding, Step, check_time, normalized, padded_in_time

FIRST_KERNEL = (10, 4)
"""Frames and bins that the first convolution spans."""
FIRST, FOLLOWING = Step(FIRST_KERNEL[0], stride=2), Step(3)


def ds_cnn(
    feature_shape: Sequence[int | None],
    num_classes: int,
    filters: int = 64,
    blocks: int = 4,
    padding: Padding = "same",
    dropout: float = 0.2,
) -> keras.Model:
    """Small backbone of separable convolutions over time and frequency, of MLPerf Tiny.

    A convolution over 10 frames and 4 bins halves the picture, then come blocks of a 3 × 3 depthwise and a
    1 × 1 convolution, and the mean over what is left ("Hello edge: keyword spotting on microcontrollers",
    Zhang et al., 2017). With one channel and twelve classes it has the 24,908 weights of the network that
    MLPerf Tiny measures, moving statistics among them. There the features have 49 frames and 10 bins, and
    the mean leaves out the last one of 25 frames; here it is over all of them.

    Args:
        feature_shape: (frames, bins, channels), any number of each; frames may be None for any number.
        num_classes: number of logits.
        filters: of each convolution.
        blocks: number of blocks.
        padding: of time: "same", zeros at both ends; "valid", none; "causal", zeros before the beginning.
            The last two are for streams. Bins have zeros at both ends in any case.
        dropout: share of the first convolution's values that is left out in training, and half the share of
            the means.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Raises:
        ValueError: there is no such padding, a size is not a positive integer, or the dropout is not from 0
            to below 0.5.
        UserError: the frames are too few for "valid".

    Example:
        >>> ds_cnn((49, 10, 1), num_classes=12).count_params()
        24908
    """
    arguments.integer("filters", filters)
    arguments.integer("blocks", blocks)
    arguments.between("dropout", dropout, 0, 0.49)
    check_time("ds_cnn", feature_shape[0], [FIRST] + [FOLLOWING] * blocks, padding)
    features = keras.Input(feature_shape, name="features")
    x, option = padded_in_time(features, FIRST, FIRST_KERNEL[1], padding)
    x = _activated(layers.Conv2D(filters, FIRST_KERNEL, FIRST.stride, option)(x))
    x = layers.Dropout(dropout)(x)
    for _ in range(blocks):
        x, option = padded_in_time(x, FOLLOWING, FOLLOWING.kernel, padding)
        x = _activated(layers.DepthwiseConv2D(FOLLOWING.kernel, padding=option)(x))
        x = _activated(layers.Conv2D(filters, 1)(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(2 * dropout)(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="ds_cnn")


def _activated(x):
    return layers.ReLU()(normalized(x))
