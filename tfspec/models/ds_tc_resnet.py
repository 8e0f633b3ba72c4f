"""DS-TC-ResNet, a residual network of separable convolutions along time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import layers

from tfspec.base import arguments
from tfspec.models.along_time import (
    Padding,
    Step,
    bins_as_channels,
    check_time,
    convolved,
    seen_by,
    separably_convolved,
)


class SeparableBlock(NamedTuple):
    """Separable convolutions along time, one after the other, each with batch norm and ReLU.

    Args:
        filters: channels that it makes.
        kernel: frames that a convolution spans.
        stride: frames from one that it makes to the next one, by the first convolution.
        repeats: number of convolutions.
        dilation: frames from one that a convolution looks at to the next one.
        residual: whether the block's input, mixed and normalised, is added before the last ReLU.

    Example:
        >>> SeparableBlock(64, kernel=13, residual=True).steps
        (Step(kernel=13, stride=1, dilation=1),)
    """

    filters: int
    kernel: int
    stride: int = 1
    repeats: int = 1
    dilation: int = 1
    residual: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """The convolutions; the first of them has the stride."""
        strides = (self.stride,) + (1,) * (self.repeats - 1)
        return tuple(Step(self.kernel, stride, self.dilation) for stride in strides)


PUBLISHED = (
    SeparableBlock(128, 11),
    SeparableBlock(64, 13, residual=True),
    SeparableBlock(64, 15, residual=True),
    SeparableBlock(64, 17, residual=True),
    SeparableBlock(128, 29, dilation=2),
    SeparableBlock(128, 1),
)

HALF_RATE = (
    SeparableBlock(80, 5, stride=2),
    SeparableBlock(80, 9, residual=True),
    SeparableBlock(80, 11, residual=True),
    SeparableBlock(80, 13, residual=True),
    SeparableBlock(128, 15, residual=True),
    SeparableBlock(160, 1),
)
"""A network of half as many steps a second: 89,968 weights that train with 40 bins and eight classes."""

SHORT_KERNELS = (
    SeparableBlock(60, 5, stride=2),
    SeparableBlock(60, 7, residual=True),
    SeparableBlock(60, 9, residual=True),
    SeparableBlock(60, 11, residual=True),
    SeparableBlock(96, 1),
)
"""One for streams and microcontrollers: without padding it leaves 23 of 97 frames, 33,448 weights train."""


def ds_tc_resnet(
    feature_shape: Sequence[int | None],
    num_classes: int,
    blocks: Sequence[SeparableBlock] = PUBLISHED,
    padding: Padding = "same",
    dropout: float = 0.0,
) -> keras.Model:
    """Residual backbone of separable convolutions along time, for short sounds such as words.

    The bins of a frame are its channels. The default is the network of "Streaming keyword spotting on mobile
    devices" (Rybakov et al., 2020), which has "75K" weights there: 74,651 that train with 40 bins and the 35
    words of Speech Commands, 71,684 with twelve classes; and 1,536 moving statistics. `padding="valid"` and
    "causal" are for streams. The former loses frames, 108 with the default blocks: give it smaller ones.

    Args:
        feature_shape: (frames, bins, channels), any number of each; frames may be None for any number.
        num_classes: number of logits.
        blocks: what follows one another, before the mean over time.
        padding: "same", zeros at both ends of time; "valid", none; "causal", zeros before the beginning.
        dropout: share of each block's values that is left out in training.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Raises:
        ValueError: there is no such padding, or a size is not a positive integer.
        UserError: the frames are too few for "valid".

    Example:
        >>> ds_tc_resnet((98, 40, 1), num_classes=12).count_params()
        73220
        >>> blocks = [SeparableBlock(64, 5, stride=2), SeparableBlock(64, 7, residual=True)]
        >>> ds_tc_resnet((None, 40, 1), 12, blocks, padding="valid").count_params()
        12948
    """
    check_blocks("ds_tc_resnet", feature_shape[0], blocks, padding)
    features = keras.Input(feature_shape, name="features")
    x = separable_blocks(features, blocks, padding, dropout)
    x = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="ds_tc_resnet")


def check_blocks(name: str, frames: int | None, blocks: Sequence[SeparableBlock], padding: Padding) -> None:
    """Check the sizes of blocks, the padding, and that enough frames are there for "valid"."""
    for block in blocks:
        for field, size in zip(SeparableBlock.__annotations__, block, strict=True):
            if field != "residual":
                arguments.integer(field, size)
    check_time(name, frames, [step for block in blocks for step in block.steps], padding)


def separable_blocks(features, blocks: Sequence[SeparableBlock], padding: Padding, dropout: float):
    """Put blocks one after the other on (batch, frames, bins, channels) features."""
    x = bins_as_channels(features)
    for block in blocks:
        x = _block(x, block, padding)
        x = layers.Dropout(dropout)(x) if dropout else x
    return x


def _block(x, block: SeparableBlock, padding: str):
    entered = x
    *before, last = block.steps
    for step in before:
        x = layers.ReLU()(separably_convolved(x, block.filters, step, padding))
    x = separably_convolved(x, block.filters, last, padding)
    if block.residual:
        past = convolved(
            seen_by(entered, block.steps, padding), block.filters, Step(1, block.stride), padding
        )
        x = layers.Add()([x, past])
    return layers.ReLU()(x)
