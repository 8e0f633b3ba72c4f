"""Augmentations that mix examples with one another."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfspec.augment.base import RandomLayer, along, split, uniform
from tfspec.base import arguments


@keras.saving.register_keras_serializable("tfspec")
class MixUp(RandomLayer):
    """Mixes each example and its label with another one (H. Zhang et al., "mixup", ICLR 2018).

    x becomes (1 − λ) · x + λ · x₂, and the label the same of the labels, with a λ for each example. A label
    that nobody knows, NaN, makes one that nobody knows. Labels of frames are mixed frame by frame.

    With `join_labels` what is heard in either example is heard in the mixture, however quiet, as where known
    events are mixed into another background: each label is the greater of the two. It is 1 where one is 1,
    and else unknown where one is unknown. This is for several labels at once, of signals or of frames, and
    for λ with which both can be heard.

    Features in decibels are mixed as if the sounds were added, which are not alike in phase: with
    `decibels_per_unit`, powers are mixed in place of the levels, (1 − λ) of one and λ of the other.

    Args:
        min_weight: least λ, the part of the other example.
        max_weight: greatest λ, drawn uniformly between.
        alpha: draw λ from the distribution Beta(alpha, alpha) instead, as the paper does.
        probability: how likely each example is mixed with another one.
        seed: as in `RandomLayer`.
        join_labels: what either example holds, the mixture holds too; False mixes labels as signals.
        decibels_per_unit: decibels of power that a step of 1 in x stands for, such as 20 where levels are
            divided by 20. None mixes x as it is.

    Call arguments:
        x: (x, labels), x (batch, …) signals or features and labels (batch, classes) or
            (batch, frames, classes) float32, one-hot or soft.
        seed: (2,) integers that all draws of this call come from.
        training: as in `RandomLayer`.
        partners: (x₂, labels₂) of the same shapes, to be mixed in, such as a batch that has not been
            augmented. None: each example gets another one of its batch, and no example serves twice.

    Output shape:
        (x, labels), float32, as they came. The only example of a batch is mixed with itself.

    Raises:
        ValueError: the weights are not in 0…1, or the least above the greatest; alpha or decibels_per_unit
            are not positive; the call is not with a batch of both, or with labels that are whole numbers.

    Example:
        >>> x, labels = tf.constant([[0.0], [1.0]]), tf.one_hot([0, 1], 2)
        >>> x, labels = MixUp(0.25, 0.25, probability=1)((x, labels))
        >>> x.numpy().tolist(), labels.numpy().tolist()
        ([[0.25], [0.75]], [[0.75, 0.25], [0.25, 0.75]])

        A dog and a cat at once, and a third class that nobody knows of the first example:

        >>> x, labels = tf.constant([[0.0], [1.0]]), tf.constant([[1.0, 0.0, np.nan], [0.0, 1.0, 0.0]])
        >>> _, labels = MixUp(0.5, 0.5, probability=1, join_labels=True)((x, labels))
        >>> labels.numpy().tolist()
        [[1.0, 1.0, nan], [1.0, 1.0, nan]]

        Half of the power of 0 dB and half of that of −10 dB, in decibels:

        >>> levels = tf.constant([[0.0], [-10.0]])
        >>> levels, _ = MixUp(0.5, 0.5, probability=1, decibels_per_unit=1)((levels, tf.one_hot([0, 1], 2)))
        >>> [round(float(level), 3) for level in levels[:, 0]]
        [-2.596, -2.596]
    """

    can_be_chained = False

    def __init__(
        self,
        min_weight: float = 0.05,
        max_weight: float = 0.25,
        alpha: float | None = None,
        probability: float = 0.75,
        seed: int | None = None,
        join_labels: bool = False,
        decibels_per_unit: float | None = None,
        **kwargs,
    ):
        super().__init__(probability, seed, **kwargs)
        self.join_labels = bool(join_labels)
        self.decibels_per_unit = arguments.positive_or_none("decibels_per_unit", decibels_per_unit)
        self.min_weight = arguments.between("min_weight", min_weight, 0, 1)
        self.max_weight = arguments.between("max_weight", max_weight, 0, 1)
        arguments.ends("min_weight", min_weight, "max_weight", max_weight)
        self.alpha = arguments.positive_or_none("alpha", alpha)

    def draw(self, batch, seed):
        """Draw each example's `weight` λ, and its `partner` in the batch.

        The partners are the next ones in a random cycle through the whole batch: nobody meets himself.
        """
        weight, order = split(seed)
        if self.alpha is None:
            weights = uniform([batch], weight, self.min_weight, self.max_weight)
        else:
            weights = _symmetric_beta([batch], weight, self.alpha)
        cycle = tf.argsort(uniform([batch], order))
        partner = tf.scatter_nd(cycle[:, tf.newaxis], tf.roll(cycle, -1, 0), [batch])
        return {"weight": weights, "partner": partner}

    def apply(self, x: Any, params, partners=None):
        """Mix a batch as `sample` drew it.

        Args:
            x: (x, labels), as in a call.
            params: what `sample` gave.
            partners: (x₂, labels₂); None for the partners in `params`.

        Returns:
            (x, labels).
        """
        x, labels = _float_pair("x", x)
        weight = tf.where(params["applied"], params["weight"], 0.0)
        if partners is None:
            partners = [tf.gather(part, params["partner"]) for part in (x, labels)]
        x2, labels2 = _float_pair("partners", partners)
        join = _joined if self.join_labels else _weighted
        return self._mixed(x, x2, along(weight, x)), join(labels, labels2, along(weight, labels))

    def _mixed(self, own: tf.Tensor, other: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        """Mix examples, or the powers that they are the levels of."""
        if self.decibels_per_unit is None:
            return _weighted(own, other, weight)
        log_per_unit = self.decibels_per_unit * np.log(10) / 10
        log_powers = log_per_unit * own + tf.math.log1p(-weight), log_per_unit * other + tf.math.log(weight)
        return tf.where(weight > 0, tf.reduce_logsumexp(log_powers, axis=0) / log_per_unit, own)

    def call(self, x, seed=None, training=None, partners=None):
        """Draw parameters and mix; the identity for `training=False`."""
        x = _float_pair("x", x)
        if not self._augments(training):
            return x
        return self.apply(x, self.sample(tf.shape(x[1])[0], self._own_seed(seed)), partners)


def _weighted(own: tf.Tensor, other: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Mix in so much of the other; where that is nothing, also no NaN."""
    return tf.where(weight > 0, (1 - weight) * own + weight * other, own)


def _joined(own: tf.Tensor, other: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Take the greater label where anything of the other is mixed in."""
    greater = tf.where(tf.math.is_nan(own + other), np.nan, tf.maximum(own, other))
    return tf.where(weight > 0, tf.where((own == 1) | (other == 1), 1.0, greater), own)


def _float_pair(name: str, data: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (x, labels) in float32, or say what is wrong with them."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(f"MixUp's `{name}` must be a pair (x, labels). Received: {type(data).__name__}")
    x, labels = (tf.convert_to_tensor(part) for part in data)
    if not labels.dtype.is_floating:
        raise ValueError(
            "MixUp needs labels that can be mixed: (batch, classes) float32, such as "
            f"tf.one_hot(labels, num_classes) returns. Received: {name} with {labels.dtype.name} labels"
        )
    if len(x.shape) < 2 or len(labels.shape) < 2:
        raise ValueError(
            "MixUp needs batches, x (batch, …) and labels (batch, classes): call it after .batch(). "
            f"Received: {name} of shapes {x.shape} and {labels.shape}"
        )
    return tf.cast(x, tf.float32), tf.cast(labels, tf.float32)


def _symmetric_beta(shape: list, seed: tf.Tensor, alpha: float) -> tf.Tensor:
    """Draw from Beta(alpha, alpha).

    L. Devroye, "Non-Uniform Random Variate Generation", 1986, IX.3: from Student's t by the polar method. No
    rejection, so XLA can compile it, which it cannot do with tf.random.stateless_gamma.
    """
    first, second = split(seed)
    power = (1 - uniform(shape, first)) ** (1 / alpha)
    cosine = tf.cos(2 * np.pi * uniform(shape, second))
    ratio = tf.math.divide_no_nan(power, power + (1 - power) * cosine**2)
    below_half = ratio / (2 + 2 * tf.sqrt(1 - ratio))  # ½ − ½ √(1 − ratio) without its loss of digits
    return tf.where(cosine < 0, below_half, 1 - below_half)
