"""BC-ResNet, a network whose residuals know time alone and are broadcast over frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import layers

from tfspec.base import arguments
from tfspec.base.errors import UserError
from tfspec.models.along_time import Padding, Step, check_time, seen_by
from tfspec.models.sub_spectral_normalization import SubSpectralNormalization

WIDTH = 8
"""Filters of the first blocks where tau is 1."""
BANDS = 5
ENDS = Step(5)
"""Of the first and of the last convolution."""


class Stage(NamedTuple):
    """Blocks with the same filters; the first of them takes every so many bins, the stride."""

    filters: int
    blocks: int
    dilation: int
    stride: int


def stages(width: int) -> tuple[Stage, ...]:
    """Return the paper's four stages."""
    return (
        Stage(width, 2, dilation=1, stride=1),
        Stage(int(1.5 * width), 2, dilation=2, stride=2),
        Stage(2 * width, 4, dilation=4, stride=2),
        Stage(int(2.5 * width), 4, dilation=8, stride=1),
    )


def bc_resnet(
    feature_shape: Sequence[int | None],
    num_classes: int,
    tau: float = 1.0,
    bands: int = BANDS,
    padding: Padding = "same",
    dropout: float = 0.1,
) -> keras.Model:
    """Backbone that convolves means over frequency along time, and adds that to each bin.

    Each block convolves over three bins, normalises bands of bins one by one, and adds what dilated
    convolutions make of the mean over bins. It is the network of "Broadcasted residual learning for efficient
    keyword spotting" (Kim et al., 2021), number for number: of 40 bins and twelve classes, tau 1 has 9,232
    weights that train ("9.2k" there), tau 8 has 321,068 ("321k").

    Args:
        feature_shape: (frames, bins, channels), any number of frames, also None; bins such that half, a
            quarter and an eighth of them, rounded up, are multiples of the bands.
        num_classes: number of logits.
        tau: width of all layers; 1, 1.5, 2, 3, 6 and 8 in the paper.
        bands: bands of bins that are normalised by themselves.
        padding: of time: "same", zeros at both ends; "valid", none; "causal", zeros before the beginning.
            The last two are for streams; "valid" loses 116 frames.
        dropout: share of the channels of a block's means that is left out in training.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Raises:
        ValueError: tau is below 0.25, bands is not a positive integer, or there is no such padding.
        UserError: there is no dividing the bins into bands, or the frames are too few for "valid".

    Example:
        >>> model = bc_resnet((None, 40, 1), num_classes=12)
        >>> sum(np.size(weights) for weights in model.trainable_weights)
        9232
    """
    width = int(arguments.between("tau", tau, 0.25) * WIDTH)
    features = keras.Input(feature_shape, name="features")
    check_bins(features.shape[2], arguments.integer("bands", bands))
    steps = [Step(3, dilation=stage.dilation) for stage in stages(width) for _ in range(stage.blocks)]
    check_time("bc_resnet", feature_shape[0], [ENDS, *steps, ENDS], padding)
    # As PyTorch pads; "same" has one less before the first bin
    x = layers.ZeroPadding2D((_zeros(ENDS, padding), 2))(features)
    x = _activated(layers.Conv2D(2 * width, 5, (1, 2), use_bias=False)(x))
    for stage in stages(width):
        for _ in range(stage.blocks):
            x = _block(x, stage, bands, padding, dropout)
    x = layers.ZeroPadding2D((_zeros(ENDS, padding), 0))(x)
    x = layers.DepthwiseConv2D((5, min(5, x.shape[2])), use_bias=False)(x)
    x = _activated(layers.Conv2D(4 * width, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="bc_resnet")


def check_bins(bins: int, bands: int = BANDS) -> None:
    """Check that the bins after each of the three halvings can be divided into bands.

    Args:
        bins: bins of the features.
        bands: as in `bc_resnet`.

    Raises:
        UserError: they cannot.

    Example:
        >>> check_bins(40)
    """
    halved = [-(-bins // divisor) for divisor in (2, 4, 8)]
    if any(size % bands for size in halved):
        raise UserError(
            f"bc_resnet halves the bins three times; each time they must be a multiple of its {bands} bands. "
            f"Received: {bins} bins, then {halved}. Give it {8 * bands} bins, or other bands."
        )


def _zeros(step: Step, padding: str) -> tuple[int, int]:
    """Say how many zero frames stand before and after what a convolution takes."""
    zeros = {"same": (step.others // 2, step.others // 2), "valid": (0, 0), "causal": (step.others, 0)}
    return zeros[padding]


def _block(x, stage: Stage, bands: int, padding: str, dropout: float):
    entered, is_first = x, x.shape[-1] != stage.filters
    if is_first:
        x = _activated(layers.Conv2D(stage.filters, 1, use_bias=False)(x))
    x = layers.DepthwiseConv2D((1, 3), padding="same", use_bias=False)(x)
    if is_first and stage.stride > 1:  # TensorFlow strides depthwise in both directions alike
        x = layers.MaxPooling2D(1, (1, stage.stride))(x)
    all_bins = SubSpectralNormalization(bands, momentum=0.9, epsilon=1e-5)(x)
    x = layers.AveragePooling2D((1, x.shape[2]))(all_bins)
    step = Step(3, dilation=stage.dilation)
    x = layers.ZeroPadding2D((_zeros(step, padding), 0))(x)
    x = layers.DepthwiseConv2D((3, 1), dilation_rate=(stage.dilation, 1), use_bias=False)(x)
    x = layers.Conv2D(stage.filters, 1, use_bias=False)(layers.Activation("silu")(_normalized(x)))
    entering = [all_bins] if is_first else [all_bins, entered]
    seen = [seen_by(each, [step], padding) for each in entering]
    return layers.ReLU()(layers.Add()([layers.SpatialDropout2D(dropout)(x), *seen]))


def _activated(x):
    return layers.ReLU()(_normalized(x))


def _normalized(x):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)  # as in PyTorch
