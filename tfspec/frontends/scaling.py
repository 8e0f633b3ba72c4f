"""Scaling, tilting and resizing of features, each example by itself."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np
import tensorflow as tf

from tfspec.base import arguments
from tfspec.base.float_layer import FloatLayer
from tfspec.base.reach import Reach, check_streams
from tfspec.dsp import finite, resampling, spectral

GREATEST_TO_SQUARE = 2.0**50
"""Magnitude whose square can be summed 100 million times; powers of loud signals are greater."""


class Scaling(FloatLayer):
    """Base: the shape stays, and the axes that share one scale are an argument.

    Args:
        axis: (1, 2, 3) for the whole picture, (1, 2) for each channel, (1,) for each bin over time.
    """

    def __init__(self, axis: tuple[int, ...] = (1, 2, 3), **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.InputSpec(ndim=4)
        self.axis = arguments.axes("axis", axis)

    @property
    def reach(self) -> Reach:
        """One frame, where the axes do not include time."""
        remedy = (
            "Train with fixed statistics: keras.layers.Rescaling, or a BatchNormalization in the network."
        )
        check_streams(1 not in self.axis, f"{type(self).__name__} over time", remedy)
        return Reach()

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("tfspec")
class Standardize(Scaling):
    """Zero mean, and unit variance or a fixed scale, over each example by itself.

    Args:
        axis: the axes that share one mean and one variance: (1, 2, 3) for the whole picture, (1, 2) for each
            channel, (1,) for each bin over time (in speech, cepstral mean and variance normalisation).
        deviation: divide by this instead of the example's own standard deviation; with axis (1,) and 1,
            cepstral mean normalisation.
        epsilon: added to the standard deviation, so that a constant picture becomes zeros.

    Input shape:
        (batch, frames, bins, channels).

    Output shape:
        The same, float32.

    Raises:
        ValueError: `axis` names the batch axis or one that is not there, or `deviation`
            or `epsilon` is not positive.

    Example:
        >>> Standardize()(tf.constant([[[[1.0], [3.0]]]])).numpy().round(3).ravel().tolist()
        [-1.0, 1.0]
    """

    def __init__(
        self,
        axis: tuple[int, ...] = (1, 2, 3),
        deviation: float | None = None,
        epsilon: float = 1e-5,
        **kwargs,
    ):
        super().__init__(axis, **kwargs)
        self.deviation = arguments.positive_or_none("deviation", deviation)
        self.epsilon = arguments.positive("epsilon", epsilon)

    def call(self, features):
        """Standardise (batch, frames, bins, channels) features."""
        features = tf.cast(features, tf.float32)
        centred = features - tf.reduce_mean(features, self.axis, keepdims=True)
        centred -= tf.reduce_mean(centred, self.axis, keepdims=True)  # what the first mean lost by rounding
        if self.deviation is not None:
            return centred / self.deviation
        gain = finite.turned_down(centred, GREATEST_TO_SQUARE, self.axis)
        centred *= gain
        variance = tf.reduce_mean(tf.square(centred), self.axis, keepdims=True)
        return centred / (spectral.raised(variance, 1) + self.epsilon * gain)


@keras.saving.register_keras_serializable("tfspec")
class MinMax(Scaling):
    """Each example's smallest value to one number, its largest to another.

    Where all values are equal, as in silence, they become the lower one.

    Args:
        lower: what the smallest value becomes.
        upper: what the largest value becomes.
        axis: the axes that share one range: (1, 2, 3) for the whole picture, (1, 2) for each channel.

    Input shape:
        (batch, frames, bins, channels).

    Output shape:
        The same, float32.

    Raises:
        ValueError: `upper` is not over `lower`, or `axis` names the batch axis or one that is not there.

    Example:
        >>> MinMax()(tf.constant([[[[-80.0], [0.0], [-40.0]]]])).numpy().ravel().tolist()
        [0.0, 1.0, 0.5]
    """

    def __init__(self, lower: float = 0.0, upper: float = 1.0, axis: tuple[int, ...] = (1, 2, 3), **kwargs):
        super().__init__(axis, **kwargs)
        if not lower < upper:
            raise ValueError(f"`upper` must be over `lower`. Received: lower={lower}, upper={upper}")
        self.lower = lower
        self.upper = upper

    def call(self, features):
        """Scale (batch, frames, bins, channels) features."""
        features = tf.cast(features, tf.float32)
        smallest = tf.reduce_min(features, self.axis, keepdims=True)
        extent = tf.reduce_max(features, self.axis, keepdims=True) - smallest
        extent = tf.where(extent > 0, extent, 1.0)
        return self.lower + (features - smallest) / extent * (self.upper - self.lower)


@keras.saving.register_keras_serializable("tfspec")
class FrequencyRamp(FloatLayer):
    """Adds a straight line over the bins, the same to every frame, channel and example.

    Pictures that a convolution shifts along frequency look alike to it; the ramp tells it how high it is
    (X. Liu et al., "An Intriguing Failing of Convolutional Neural Networks and the CoordConv Solution", 2018,
    whose coordinate this adds instead of appending).

    Args:
        lower: what is added to the first bin.
        upper: what is added to the last bin.

    Input shape:
        (batch, frames, bins, channels); bins known.

    Output shape:
        The same, float32.

    Raises:
        ValueError: `lower` is above `upper`, or one is not finite.

    Example:
        >>> FrequencyRamp(-0.5, 0.5)(tf.zeros([1, 1, 3, 1])).numpy().ravel().tolist()
        [-0.5, 0.0, 0.5]
    """

    reach = Reach()
    """One frame."""

    def __init__(self, lower: float = -0.5, upper: float = 0.5, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.InputSpec(ndim=4)
        self.lower, self.upper = arguments.ends("lower", lower, "upper", upper)

    def call(self, features):
        """Add the line to (batch, frames, bins, channels) features."""
        ramp = np.linspace(self.lower, self.upper, features.shape[2], dtype=np.float32)
        return tf.cast(features, tf.float32) + ramp[:, np.newaxis]

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("tfspec")
class Equalize(FloatLayer):
    """Each example's values to those of a normal distribution of the same rank (histogram equalisation).

    What comes out is the same for a picture of power, magnitude or decibels, in any range, gamma or colour
    scale: for whatever keeps the order of the values. As scikit-learn's `QuantileTransformer` with a normal
    distribution, linear between quantiles at every half standard deviation, and with the mean of both
    ends where values are equal, as in a picture of few grey levels. Equal values alone become zeros.

    Input shape:
        (batch, …), at least one value.

    Output shape:
        That of the input, float32, from −3.5 to 3.5.

    Example:
        >>> Equalize()(tf.constant([[[[1.0], [10.0], [100.0]]]])).numpy().ravel().tolist()
        [-3.5, 0.0, 3.5]
    """

    LIMIT, STEP = 3.5, 0.5

    def call(self, features):
        """Equalise each example."""
        features = tf.cast(features, tf.float32)
        shape = tf.shape(features)
        values = tf.reshape(features, [shape[0], tf.reduce_prod(shape[1:])])
        quantiles = self._quantiles(values)
        equalized = self.STEP * tf.add_n(
            [
                _passed(values, *ends)
                for ends in itertools.pairwise(tf.split(quantiles, quantiles.shape[1], 1))
            ]
        )
        return tf.ensure_shape(tf.reshape(equalized - self.LIMIT, shape), features.shape)

    def _quantiles(self, values):
        """Return (batch, 15) of (batch, values), the smallest and the largest included."""
        last = tf.shape(values)[1] - 1
        ends = np.arange(-self.LIMIT, self.LIMIT + self.STEP / 2, self.STEP)
        levels = np.array([0.0, *(0.5 + 0.5 * math.erf(end / math.sqrt(2)) for end in ends[1:-1]), 1.0])
        places = levels.astype(np.float32) * tf.cast(last, tf.float32)
        below = tf.cast(places, tf.int32)
        part = places - tf.cast(below, tf.float32)
        ordered = tf.sort(values, axis=-1)
        lower = tf.gather(ordered, below, axis=-1)
        return lower + part * (tf.gather(ordered, tf.minimum(below + 1, last), axis=-1) - lower)

    def compute_output_shape(self, input_shape):
        return input_shape


def _passed(values, lower, upper):
    """Return how much of the way from one quantile to the next each value has behind it, (batch, values).

    Where both are the same, all of it above, nothing below, and half of it right there. One stretch at a time
    stays in the cache, where all at once took several times as long.
    """
    extent = upper - lower
    inside = tf.clip_by_value((values - lower) / tf.where(extent > 0, extent, 1.0), 0.0, 1.0)
    return tf.where(extent > 0, inside, 0.5 + 0.5 * tf.sign(values - lower))


@keras.saving.register_keras_serializable("tfspec")
class Resize(FloatLayer):
    """Frames and bins to a fixed number, by linear interpolation.

    Equal to `tf.image.resize(x, (frames, bins), antialias=antialias)`, but as two products with matrices,
    which TFLite has as builtins even where the picture shrinks. Without antialiasing also to
    `skimage.transform.resize(x, …, order=1, mode="edge", anti_aliasing=False)`.

    Args:
        frames: number of frames that come out.
        bins: number of bins that come out.
        antialias: where an axis shrinks, average over all that becomes one pixel, not just the nearest two.

    Input shape:
        (batch, frames, bins, channels); bins known.

    Output shape:
        (batch, frames, bins, channels) float32.

    Raises:
        ValueError: a number is not a positive integer.

    Example:
        >>> Resize(563, 128)(tf.zeros([2, 938, 128, 1])).shape
        TensorShape([2, 563, 128, 1])
    """

    def __init__(self, frames: int, bins: int, antialias: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.InputSpec(ndim=4)
        self.frames = arguments.integer("frames", frames)
        self.bins = arguments.integer("bins", bins)
        self.antialias = antialias

    def call(self, features):
        """Resize (batch, frames, bins, channels) features."""
        features = tf.cast(features, tf.float32)
        for axis, length in ((1, self.frames), (2, self.bins)):
            if features.shape[axis] != length:
                present = features.shape[axis] or tf.shape(features)[axis]
                weights = resampling.linear_weights(present, length, self.antialias)
                features = tf.einsum("bfkc,fF->bFkc" if axis == 1 else "bfkc,kF->bfFc", features, weights)
        return features

    def compute_output_shape(self, input_shape):
        """Return (batch, frames, bins, channels)."""
        return (input_shape[0], self.frames, self.bins, input_shape[3])
