"""Augmentations of (batch, samples[, channels]) signals."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfspec.augment.base import RandomLayer, along


@keras.saving.register_keras_serializable("tfspec")
class Gain(RandomLayer):
    """Makes each signal louder or quieter.

    Args:
        min_gain_db: least gain in dB.
        max_gain_db: greatest gain in dB.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the least gain is above the greatest.

    Example:
        >>> Gain(6.0206, 6.0206)(tf.ones([1, 3])).numpy().round(3)
        array([[2., 2., 2.]], dtype=float32)
    """

    def __init__(self, min_gain_db: float = -10.0, max_gain_db: float = 10.0, probability=1.0, **kwargs):
        super().__init__(probability, **kwargs)
        if not min_gain_db <= max_gain_db:
            raise ValueError(
                "`min_gain_db` must not be above `max_gain_db`. "
                f"Received: min_gain_db={min_gain_db}, max_gain_db={max_gain_db}"
            )
        self.min_gain_db = float(min_gain_db)
        self.max_gain_db = float(max_gain_db)

    def draw(self, batch, seed):
        """Draw each signal's `gain_db`, uniformly."""
        return {"gain_db": tf.random.stateless_uniform([batch], seed, self.min_gain_db, self.max_gain_db)}

    def transform(self, x, params):
        """Multiply each signal."""
        return x * along(10 ** (params["gain_db"] / 20), x)

    def get_config(self):
        """Give the constructor's arguments."""
        return {**super().get_config(), "min_gain_db": self.min_gain_db, "max_gain_db": self.max_gain_db}
