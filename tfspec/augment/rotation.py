"""Augmentation of vector signals, such as accelerations."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfspec.augment.base import RandomLayer, split, uniform
from tfspec.base import arguments


@keras.saving.register_keras_serializable("tfspec")
class Rotation(RandomLayer):
    """Turns each signal's vectors as a whole, as if the sensor had been put on a little askew.

    About an axis of its own, drawn uniformly on the sphere, by an angle of its own (O. Rodrigues, 1840). The
    length of the vectors stays.

    Args:
        max_degrees: largest angle; drawn uniformly from 0 on. 180 turns any way into any other.
        probability: how likely each signal is turned.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples, 3).

    Output shape:
        That of the input.

    Raises:
        ValueError: the angle is not in 0…180, or the signals do not have three channels.

    Example:
        >>> quarter = {"axis": tf.constant([[0.0, 0.0, 1.0]]), "degrees": tf.constant([90.0])}
        >>> Rotation(90.0).apply(tf.constant([[[1.0, 0.0, 0.0]]]), quarter).numpy().round(3).tolist()
        [[[0.0, 1.0, 0.0]]]
    """

    def __init__(
        self, max_degrees: float = 15.0, probability: float = 1.0, seed: int | None = None, **kwargs
    ):
        super().__init__(probability, seed, **kwargs)
        self.input_spec = keras.InputSpec(ndim=3, axes={2: 3})
        self.max_degrees = arguments.between("max_degrees", max_degrees, 0, 180)

    def draw(self, batch, seed):
        """Draw each signal's `axis`, (batch, 3) of length 1, and the `degrees` it is turned about it."""
        place, angle = split(seed)
        height, turn = tf.unstack(uniform([batch, 2], place, -1.0, 1.0), axis=1)
        radius = tf.sqrt(1 - height**2)
        axis = tf.stack([radius * tf.cos(np.pi * turn), radius * tf.sin(np.pi * turn), height], axis=1)
        return {"axis": axis, "degrees": uniform([batch], angle, 0.0, self.max_degrees)}

    def transform(self, x, params):
        """Turn each signal."""
        a, b, c = tf.unstack(params["axis"], axis=1)
        angle = (params["degrees"] * (np.pi / 180))[:, tf.newaxis, tf.newaxis]
        zero = tf.zeros_like(a)
        # Row vectors times it: the cross product of the axis and the vector
        cross = tf.stack(
            [tf.stack([zero, c, -b], 1), tf.stack([-c, zero, a], 1), tf.stack([b, -a, zero], 1)], axis=1
        )
        turned = tf.sin(angle) * cross + (1 - tf.cos(angle)) * tf.matmul(cross, cross)
        return x + tf.matmul(x, turned)
