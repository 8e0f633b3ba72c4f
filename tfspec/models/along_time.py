"""Convolutions along time, of which networks for words are made: the bins of a frame are its channels.

They are two-dimensional with a second axis of one: TFLite makes these of one-dimensional convolutions, with a
reshape before and after each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from keras import layers

from tfspec.base import arguments
from tfspec.base.errors import UserError

Padding = Literal["same", "valid", "causal"]
"""Zeros at both ends of time; none, so that frames are lost; or zeros before the beginning alone."""


class Step(NamedTuple):
    """A convolution along time: its kernel, stride and dilation in frames."""

    kernel: int
    stride: int = 1
    dilation: int = 1

    @property
    def others(self) -> int:
        """Frames that it looks at besides one."""
        return (self.kernel - 1) * self.dilation


def check_time(name: str, frames: int | None, steps: Iterable[Step], padding: str) -> None:
    """Check the padding, and that without any, one frame at least is left after all steps."""
    arguments.one_of("padding", padding, get_args(Padding))
    least = 1
    for step in reversed(list(steps)):
        least = (least - 1) * step.stride + step.others + 1
    if padding == "valid" and frames is not None and frames < least:
        raise UserError(
            f'{name} with these kernels and strides and padding="valid" takes at least {least} frames. '
            f'Received: {frames}. Give it more frames, smaller kernels, or padding="causal".'
        )


def padded_in_time(x, step: Step, kernel_bins: int, padding: str):
    """Pad what a convolution over frames and bins takes; along bins always as "same" does.

    Args:
        x: (batch, frames, bins, channels).
        step: of the convolution along time; the stride is that of bins, too.
        kernel_bins: bins that it spans.
        padding: along time.

    Returns:
        What the convolution takes, and its own padding.
    """
    if padding == "same":
        return x, "same"
    bins = x.shape[2]
    missing = max(0, (-(-bins // step.stride) - 1) * step.stride + kernel_bins - bins)
    before = step.others if padding == "causal" else 0
    return layers.ZeroPadding2D(((before, 0), (missing // 2, missing - missing // 2)))(x), "valid"


def bins_as_channels(features):
    """Return (batch, frames, 1, bins · channels)."""
    frames, bins, channels = features.shape[1:]
    return layers.Reshape((frames or -1, 1, bins * channels))(features)


def convolved(x, filters: int, step: Step, padding: str):
    """Convolve along time, all channels together, and normalise."""
    x, options = _padded(x, step, padding)
    return normalized(layers.Conv2D(filters, (step.kernel, 1), (step.stride, 1), **options)(x))


def separably_convolved(x, filters: int, step: Step, padding: str):
    """Convolve each channel along time, mix the channels of each frame, and normalise."""
    x, options = _padded(x, step, padding)
    # TensorFlow strides depthwise in both directions alike; there is but one place in the other one
    x = layers.DepthwiseConv2D((step.kernel, 1), step.stride, **options)(x)
    return convolved(x, filters, Step(1), padding)


def seen_by(x, steps: Iterable[Step], padding: str):
    """Return the frames that stand in the middle of what the steps, one after the other, look at."""
    if padding != "valid":
        return x
    lost, stride = 0, 1
    for step in steps:
        lost += step.others * stride
        stride *= step.stride
    return layers.Cropping2D(((lost // 2, lost - lost // 2), (0, 0)))(x) if lost else x


def normalized(x):
    """Normalise each channel by the batch; Keras's momentum of 0.99 is too slow for some hundred steps."""
    return layers.BatchNormalization(momentum=0.9)(x)


def _padded(x, step: Step, padding: str):
    """Return what a convolution takes, and its options."""
    if padding == "causal" and step.others:
        x = layers.ZeroPadding2D(((step.others, 0), (0, 0)))(x)
    return x, {
        "padding": "same" if padding == "same" else "valid",
        "dilation_rate": (step.dilation, 1),
        "use_bias": False,
    }
