"""TC-ResNet, a residual network of convolutions along time."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from tfspec.base import arguments
from tfspec.models.along_time import Padding, Step, bins_as_channels, check_time, convolved, seen_by

FILTERS = {8: (16, 24, 32, 48), 14: (16, 24, 24, 32, 32, 48, 48)}
"""Filters of the first convolution and of each block, by the number of convolutions."""
FIRST = Step(3)


def tc_resnet(
    feature_shape: Sequence[int | None],
    num_classes: int,
    depth: int = 8,
    width: float = 1.0,
    kernel: int = 9,
    padding: Padding = "same",
    dropout: float = 0.5,
) -> keras.Model:
    """Residual backbone of convolutions along time, for short sounds such as words.

    The bins of a frame are its channels. A block is two convolutions; one with other filters than the block
    before it takes every second frame. It is the network of "Temporal convolution for real-time keyword
    spotting on mobile devices" (Choi et al., 2019), number for number: with 40 bins, twelve classes and the
    moving statistics, TC-ResNet8 has the 66K weights of that paper, TC-ResNet14 with a width of 1.5 its 305K.
    The last layer has no bias, as there. `padding="valid"` and "causal" are for streams. The former takes
    at least 171 frames with a depth of 8 and kernels of nine, and 87 with kernels of five.

    Args:
        feature_shape: (frames, bins, channels), any number of each; frames may be None for any number.
        num_classes: number of logits.
        depth: 8 or 14 layers with weights, without those of shortcuts.
        width: multiplies the filters of all layers.
        kernel: frames that a convolution of a block spans.
        padding: "same", zeros at both ends of time; "valid", none; "causal", zeros before the beginning.
        dropout: share of the means over time that is left out in training.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Raises:
        ValueError: there is no such depth or padding, or a size is not positive.
        UserError: the frames are too few for "valid".

    Example:
        >>> tc_resnet((98, 40, 1), num_classes=12).count_params()
        65824
    """
    arguments.one_of("depth", depth, tuple(FILTERS))
    arguments.positive("width", width)
    first, *filters = (max(1, int(width * size)) for size in FILTERS[depth])
    blocks = [
        _steps(kernel, size != before) for before, size in zip([first, *filters], filters, strict=False)
    ]
    check_time("tc_resnet", feature_shape[0], [FIRST, *(step for steps in blocks for step in steps)], padding)
    features = keras.Input(feature_shape, name="features")
    x = layers.ReLU()(convolved(bins_as_channels(features), first, FIRST, padding))
    for size, steps in zip(filters, blocks, strict=True):
        x = _block(x, size, steps, padding)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    logits = layers.Dense(num_classes, use_bias=False, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="tc_resnet")


def _steps(kernel: int, halves: bool) -> tuple[Step, Step]:
    return Step(arguments.integer("kernel", kernel), 2 if halves else 1), Step(kernel)


def _block(x, filters: int, steps: tuple[Step, Step], padding: str):
    past = seen_by(x, steps, padding)
    if x.shape[-1] != filters:
        past = layers.ReLU()(convolved(past, filters, Step(1, steps[0].stride), padding))
    x = layers.ReLU()(convolved(x, filters, steps[0], padding))
    return layers.ReLU()(layers.Add()([past, convolved(x, filters, steps[1], padding)]))
