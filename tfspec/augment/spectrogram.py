"""Augmentations of (batch, frames, bins, channels) features."""

from __future__ import annotations

from typing import ClassVar

import keras
import tensorflow as tf

from tfspec.augment.base import RandomLayer, integers, part_of, split, uniform
from tfspec.base import arguments


class SpectrogramLayer(RandomLayer):
    """Base: takes features, and has something to fill gaps with."""

    def __init__(self, fill: float | str = 0.0, probability: float = 1.0, seed: int | None = None, **kwargs):
        super().__init__(probability, seed, **kwargs)
        self.input_spec = keras.InputSpec(ndim=4)
        if isinstance(fill, str):
            self.fill: float | str = arguments.one_of("fill", fill, ("mean",))
        else:
            self.fill = arguments.between("fill", fill, -float("inf"))

    def filling(self, x: tf.Tensor) -> tf.Tensor:
        """Return what x's gaps are filled with: a number, or the mean of each example's channels."""
        return tf.reduce_mean(x, [1, 2], keepdims=True) if self.fill == "mean" else tf.constant(self.fill)


class _Mask(SpectrogramLayer):
    """Masks along one axis."""

    axis: ClassVar[int]

    def __init__(
        self,
        max_width: int,
        num_masks: int = 1,
        fill: float | str = 0.0,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(fill, probability, seed, **kwargs)
        self.max_width = arguments.integer("max_width", max_width, 0)
        self.num_masks = arguments.integer("num_masks", num_masks)

    def draw(self, batch, seed):
        """Draw each mask's `width`, and its `place`, 0…1 of the places where it fits; both (batch, masks)."""
        width, place = split(seed)
        shape = [batch, self.num_masks]
        return {"width": integers(shape, width, 0, self.max_width), "place": uniform(shape, place)}

    def transform(self, x, params):
        """Fill what is under a mask."""
        length = tf.shape(x)[self.axis]
        width = tf.minimum(params["width"], length)[..., tf.newaxis]
        start = part_of(length - width + 1, params["place"][..., tf.newaxis])
        after_start = tf.range(length) - start
        masked = tf.reduce_any((after_start >= 0) & (after_start < width), 1)
        return tf.where(_on_axis(masked, self.axis), self.filling(x), x)


@keras.saving.register_keras_serializable("tfspec")
class TimeMask(_Mask):
    """Masks stretches of time in all bins and channels (SpecAugment, D. S. Park et al., Interspeech 2019).

    Each mask of each example has a width of its own, uniform in 0…max_width, both included, and its place is
    uniform among the places where it fits. Masks may overlap. SpecAugment's own widths, and torchaudio's, are
    below the largest: there `max_width` is one more for the same widths.

    Args:
        max_width: largest width in frames, included; cut to the number of frames.
        num_masks: how many masks.
        fill: what is under a mask becomes this number, or "mean", the mean of the example's channel.
        probability: how likely each example is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, frames, bins, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the width or the number of masks is not an integer, or too small, or the filling neither a
            number nor "mean".

    Example:
        >>> masked = TimeMask(15, num_masks=4)(tf.ones([2, 128, 64, 1]), seed=[0, 1])
        >>> bool(tf.reduce_all(tf.reduce_any(masked == 0, 1)))
        True
    """

    axis = 1
    keeps_time = False  # what is covered sounds no more


@keras.saving.register_keras_serializable("tfspec")
class FrequencyMask(_Mask):
    """Masks bands of frequency in all frames and channels (SpecAugment, D. S. Park et al., Interspeech 2019).

    Each mask of each example has a width of its own, uniform in 0…max_width, both included, and its place is
    uniform among the places where it fits. Masks may overlap.

    Args:
        max_width: largest width in bins, included; cut to the number of bins.
        num_masks: how many masks.
        fill: what is under a mask becomes this number, or "mean", the mean of the example's channel.
        probability: how likely each example is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, frames, bins, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the width or the number of masks is not an integer, or too small, or the filling neither a
            number nor "mean".

    Example:
        >>> FrequencyMask(32, fill="mean")(tf.ones([2, 160, 160, 4]), seed=[0, 1]).shape
        TensorShape([2, 160, 160, 4])
    """

    axis = 2


@keras.saving.register_keras_serializable("tfspec")
class RandomCrop(SpectrogramLayer):
    """Pads the picture on all four sides and crops it back to its size at a random place.

    Args:
        padding: frames and bins put on each side. The crop begins at 0…2 · padding − 1, both included, in
            either direction, so the picture moves by −padding + 1…padding; at `padding` it stays.
        fill: what is padded with, a number, or "mean", the mean of the example's channel.
        probability: how likely each example is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, frames, bins, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the padding is not a positive integer, or the filling neither a number nor "mean".

    Example:
        >>> crop = RandomCrop(1)
        >>> offsets = {"frame_offset": tf.constant([0]), "bin_offset": tf.constant([1])}
        >>> crop.apply(tf.constant([[[[1.0], [2.0]], [[3.0], [4.0]]]]), offsets)[0, ..., 0].numpy()
        array([[0., 0.],
               [1., 2.]], dtype=float32)
    """

    keeps_time = False

    def __init__(
        self,
        padding: int = 32,
        fill: float | str = 0.0,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(fill, probability, seed, **kwargs)
        self.padding = arguments.integer("padding", padding)

    def draw(self, batch, seed):
        """Draw where each crop begins in the padded picture: `frame_offset` and `bin_offset`."""
        frame, bin_ = split(seed)
        last = 2 * self.padding - 1
        return {
            "frame_offset": integers([batch], frame, 0, last),
            "bin_offset": integers([batch], bin_, 0, last),
        }

    def transform(self, x, params):
        """Take each frame, then each bin, from where the crop has it, or fill it."""
        filling = self.filling(x)
        for axis, name in ((1, "frame_offset"), (2, "bin_offset")):
            length = tf.shape(x)[axis]
            source = params[name][:, tf.newaxis] - self.padding + tf.range(length)
            inside = _on_axis((source >= 0) & (source < length), axis)
            moved = tf.gather(x, tf.clip_by_value(source, 0, length - 1), axis=axis, batch_dims=1)
            x = tf.where(inside, moved, filling)
        return x


def _on_axis(values: tf.Tensor, axis: int) -> tf.Tensor:
    """Reshape (batch, length) values to four axes, the length on the one named."""
    return values[:, :, tf.newaxis, tf.newaxis] if axis == 1 else values[:, tf.newaxis, :, tf.newaxis]
