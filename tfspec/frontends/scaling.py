"""Compression and scaling of features, each example by itself."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfspec.dsp import spectral


class _Scaling(keras.layers.Layer):
    """Base: float32 whatever the precision policy, shape unchanged."""

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)

    def compute_output_shape(self, input_shape):
        """Give the input's shape."""
        return input_shape


@keras.saving.register_keras_serializable("tfspec")
class Decibel(_Scaling):
    """Power to decibels, with a floor below each example's own peak.

    Equal to `librosa.power_to_db(x, amin=floor, top_db=dynamic_range_db)` of each example by itself.

    Args:
        floor: smallest power told apart from zero.
        dynamic_range_db: values further below the example's largest are raised to that; None leaves them.

    Input shape:
        (batch, frames, bins, channels), power.

    Output shape:
        The same, float32.

    Raises:
        ValueError: floor or range are not positive.

    Example:
        >>> Decibel()(tf.constant([[[[1.0], [0.01]]]])).numpy().round(3).ravel().tolist()
        [0.0, -20.0]
    """

    def __init__(self, floor: float = 1e-10, dynamic_range_db: float | None = 80.0, **kwargs):
        super().__init__(**kwargs)
        if not np.finfo(np.float32).tiny <= floor < np.inf:
            raise ValueError(f"`floor` must be positive in float32, and finite. Received: floor={floor}")
        if dynamic_range_db is not None and not dynamic_range_db > 0:
            raise ValueError(
                f"`dynamic_range_db` must be positive or None. Received: dynamic_range_db={dynamic_range_db}"
            )
        self.floor = floor
        self.dynamic_range_db = dynamic_range_db

    def call(self, power):
        """Convert (batch, frames, bins, channels) power."""
        return spectral.power_to_decibels(tf.cast(power, tf.float32), self.floor, self.dynamic_range_db)

    def get_config(self):
        """Give the constructor's arguments."""
        return {**super().get_config(), "floor": self.floor, "dynamic_range_db": self.dynamic_range_db}


@keras.saving.register_keras_serializable("tfspec")
class Standardize(_Scaling):
    """Zero mean, and unit variance or a fixed scale, over each example by itself.

    Args:
        axis: the axes that share one mean and one variance: (1, 2, 3) for the whole picture, (1,) for each
            bin over time (in speech, cepstral mean and variance normalisation).
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
        super().__init__(**kwargs)
        if not isinstance(axis, (tuple, list)) or not axis or not set(axis) <= {1, 2, 3}:
            raise ValueError(f"`axis` must be a tuple of some of 1, 2 and 3. Received: axis={axis}")
        if not epsilon > 0:
            raise ValueError(f"`epsilon` must be positive. Received: epsilon={epsilon}")
        if deviation is not None and not deviation > 0:
            raise ValueError(f"`deviation` must be positive or None. Received: deviation={deviation}")
        self.axis = tuple(axis)
        self.deviation = deviation
        self.epsilon = epsilon

    def call(self, features):
        """Standardise (batch, frames, bins, channels) features."""
        features = tf.cast(features, tf.float32)
        centred = features - tf.reduce_mean(features, self.axis, keepdims=True)
        centred -= tf.reduce_mean(centred, self.axis, keepdims=True)  # what the first mean lost by rounding
        if self.deviation is not None:
            return centred / self.deviation
        variance = tf.reduce_mean(tf.square(centred), self.axis, keepdims=True)
        return centred / (spectral.safe_sqrt(variance) + self.epsilon)

    def get_config(self):
        """Give the constructor's arguments."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "deviation": self.deviation,
            "epsilon": self.epsilon,
        }
