"""MatchboxNet, a residual network of separable convolutions along time with kernels that grow."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from tfspec.base import arguments
from tfspec.models.along_time import Padding, Step, convolved
from tfspec.models.ds_tc_resnet import SeparableBlock, check_blocks, separable_blocks

FIRST, LAST = SeparableBlock(128, 11), SeparableBlock(128, 29, dilation=2)
"""What stands before and after the residual blocks."""
SMALLEST_KERNEL, LARGER = 13, 2
"""Frames that the first residual block's kernels span, and by how many more each following one's."""


def matchboxnet(
    feature_shape: Sequence[int | None],
    num_classes: int,
    blocks: int = 3,
    repeats: int = 1,
    channels: int = 64,
    padding: Padding = "same",
    dropout: float = 0.0,
) -> keras.Model:
    """Residual backbone of separable convolutions along time, MatchboxNet-B×R×C.

    The bins of a frame are its channels. It is the network of "MatchboxNet: 1D time-channel separable
    convolutional neural network architecture for speech commands recognition" (Majumdar & Ginsburg, 2020),
    number for number: of 64 bins and 30 classes, 3×1×64 has 77,214 weights that train ("77K" there), 3×2×64
    has 92,766 ("93K"). `padding="valid"` and "causal" are for streams; the former loses 108 frames.

    Args:
        feature_shape: (frames, bins, channels), any number of each; frames may be None for any number.
        num_classes: number of logits.
        blocks: number of residual blocks, B.
        repeats: convolutions of each of them, R.
        channels: filters of these, C.
        padding: "same", zeros at both ends of time; "valid", none; "causal", zeros before the beginning.
        dropout: share of each block's values that is left out in training.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Raises:
        ValueError: there is no such padding, or a size is not a positive integer.
        UserError: the frames are too few for "valid".

    Example:
        >>> model = matchboxnet((128, 64, 1), num_classes=30)
        >>> sum(np.size(weights) for weights in model.trainable_weights)
        77214
    """
    kernels = [SMALLEST_KERNEL + LARGER * block for block in range(arguments.integer("blocks", blocks))]
    residual = [SeparableBlock(channels, kernel, repeats=repeats, residual=True) for kernel in kernels]
    all_blocks = [FIRST, *residual, LAST]
    check_blocks("matchboxnet", feature_shape[0], all_blocks, padding)
    features = keras.Input(feature_shape, name="features")
    x = separable_blocks(features, all_blocks, padding, dropout)
    x = layers.ReLU()(convolved(x, LAST.filters, Step(1), padding))
    x = layers.Dropout(dropout)(x) if dropout else x
    x = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="matchboxnet")
