"""What all augmentations share: parameters drawn for each example, applied, chained and chosen from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfspec import borrowed
from tfspec.base import arguments
from tfspec.base.float_layer import FloatLayer
from tfspec.dsp import noise

Parameters = dict[str, Any]


class RandomLayer(FloatLayer):
    """Base of the augmentations: draws parameters for each example, then applies them.

    A subclass says how parameters are drawn (`draw`) and what they do (`transform`). Calling it in eager
    mode, in `Dataset.map`, under XLA or in a model is the same, and the same seed draws the same. Under a
    distribution strategy every replica draws its own. Whatever the precision policy, the arithmetic is
    float32.

    Called by itself it augments; `training=False` makes it the identity, and then exactly. In a model it
    does what the model does: `fit` augments; `evaluate`, `predict`, `model(x)` and what is exported do not.
    (Keras's own random layers augment in the last two.) So chain augmentations with `Compose`, as a
    `keras.Sequential` is a model.

    Args:
        probability: how likely each example is changed, 0…1.
        seed: for calls without a seed of their own: same seed, same sequence of draws. None: other draws
            each time.

    Call arguments:
        x: (batch, …), float32.
        seed: (2,) integers that all draws of this call come from.
        training: False for the identity; None: True, or in a model what the model does.

    Input shape:
        (batch, …), float32.

    Output shape:
        That of the input.

    Example:
        A seed of its own for every batch, the same ones when the program runs again, new ones in every epoch:

        >>> from tfspec.augment import Gain
        >>> gain = Gain(min_gain_db=-6.0, max_gain_db=6.0)
        >>> signals = tf.data.Dataset.from_tensor_slices(tf.ones([4, 8000])).batch(2)
        >>> seeds = tf.data.Dataset.random(seed=0, rerandomize_each_iteration=True).batch(2)
        >>> data = tf.data.Dataset.zip(signals, seeds).map(lambda x, seed: gain(x, seed=seed))
        >>> [x.shape[0] for x in data]
        [2, 2]
    """

    can_be_chained: ClassVar[bool] = True
    """Whether it takes one tensor, as the layers in `Compose` and `OneOf` must."""
    keeps_time: bool = True
    """Whether what sounds in an example then still sounds when it did."""

    def __init__(self, probability: float = 1.0, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.probability = arguments.between("probability", probability, 0, 1)
        self.seed = seed
        self._seeds = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        """Nothing to build."""

    def draw(self, batch: int | tf.Tensor, seed: tf.Tensor) -> Parameters:
        """Draw what `transform` needs: a tensor a name, the examples on its first axis."""
        raise NotImplementedError

    def transform(self, x: tf.Tensor, params: Parameters) -> tf.Tensor:
        """Change each example as its parameters say; nothing is random here."""
        raise NotImplementedError

    def sample(self, batch: int | tf.Tensor, seed: tf.Tensor | Sequence[int]) -> Parameters:
        """Draw the parameters of a batch.

        Args:
            batch: number of examples.
            seed: (2,) integers.

        Returns:
            `applied`, (batch,) bool, and what the layer draws, each with the examples on its first axis.
        """
        seed = tf.cast(seed, tf.int32)
        if not seed.shape.is_compatible_with([2]):
            raise ValueError(f"`seed` must be two integers. Received: seed of shape {seed.shape}")
        chance, own = split(tf.ensure_shape(seed, [2]))
        applied = uniform([batch], chance) < self.probability
        return {"applied": applied, **self.draw(batch, own)}

    def apply(self, x: tf.Tensor, params: Parameters) -> tf.Tensor:
        """Change a batch as `sample` drew it; the same parameters, the same result.

        Args:
            x: (batch, …) float32.
            params: what `sample` gave.

        Returns:
            As x.
        """
        changed = self.transform(x, params)
        changed.set_shape(x.shape)
        return changed if self.probability == 1 else tf.where(along(params["applied"], x), changed, x)

    def call(self, x, seed=None, training=None):
        """Draw parameters and apply them; the identity for `training=False`."""
        x = tf.cast(x, tf.float32)
        if not self._augments(training):
            return x
        return self.apply(x, self.sample(tf.shape(x)[0], self._own_seed(seed)))

    def _augments(self, training):
        """Tell whether to augment. Were True the default, Keras would take it for the layers that follow."""
        return borrowed.is_called_by_itself(self) if training is None else training

    def _own_seed(self, seed):
        """Return (2,) that differ from replica to replica."""
        seed = tf.cast(self._seeds.next() if seed is None else seed, tf.int32)
        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1:
            return seed
        return tf.random.fold_in(seed, replica.replica_id_in_sync_group, alg="philox")

    def compute_output_shape(self, input_shape):
        return input_shape


class _Several(RandomLayer):
    """Layers that draw and apply together."""

    def __init__(
        self, layers: Sequence[RandomLayer], probability: float = 1.0, seed: int | None = None, **kwargs
    ):
        super().__init__(probability, seed, **kwargs)
        if wrong := [layer for layer in layers if not getattr(layer, "can_be_chained", False)]:
            raise ValueError(f"`layers` must be tfspec.augment layers, and not MixUp. Received: {wrong}")
        self.layers = list(layers)
        self.keeps_time = all(layer.keeps_time for layer in self.layers)
        self.input_spec = _common_spec(self.layers)

    def draw(self, batch, seed):
        """Draw every layer's parameters, under its number."""
        seeds = split(seed, max(1, len(self.layers)))
        return {str(i): layer.sample(batch, seeds[i]) for i, layer in enumerate(self.layers)}

    def get_config(self):
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return {**super().get_config(), "layers": layers}

    @classmethod
    def from_config(cls, config):
        """Rebuild the layers, then the whole."""
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config["layers"]]
        return cls(**{**config, "layers": layers})


def _common_spec(layers: Sequence[RandomLayer]) -> keras.InputSpec:
    """Say what all layers take, some of them signals and others features, or refuse them."""
    specs = [layer.input_spec for layer in layers if layer.input_spec]
    lowest = max((spec.ndim or spec.min_ndim or 0 for spec in specs), default=0)
    highest = min((spec.ndim or spec.max_ndim or math.inf for spec in specs), default=math.inf)
    if lowest > highest:
        names = ", ".join(type(layer).__name__ for layer in layers)
        raise ValueError(f"`layers` must all take signals, or all features. Received: {names}")
    axes = {axis: size for spec in specs for axis, size in (spec.axes or {}).items()}
    return keras.InputSpec(min_ndim=lowest, max_ndim=highest if highest < math.inf else None, axes=axes)


@keras.saving.register_keras_serializable("tfspec")
class Compose(_Several):
    """Applies one augmentation after another.

    Args:
        layers: the augmentations, in order; each keeps its own probability.
        probability: how likely each example goes through them at all.
        seed: as in `RandomLayer`.

    Example:
        >>> from tfspec.augment import Gain
        >>> augment = Compose([Gain(-6.0, 6.0, probability=0.5), Gain(0.0, 3.0)])
        >>> augment(tf.ones([2, 16000]), seed=[0, 1]).shape
        TensorShape([2, 16000])
    """

    def transform(self, x, params):
        """Apply the layers in order."""
        for i, layer in enumerate(self.layers):
            x = layer.apply(x, params[str(i)])
        return x


@keras.saving.register_keras_serializable("tfspec")
class OneOf(_Several):
    """Applies one augmentation of several to each example; no other one is computed.

    Args:
        layers: the augmentations to choose from, at least one.
        weights: how likely each is chosen, relative to the others; all alike if None.
        probability: how likely an example is changed at all.
        seed: as in `RandomLayer`.

    Example:
        >>> from tfspec.augment import Gain
        >>> augment = OneOf([Gain(-6.0, -6.0), Gain(6.0, 6.0)])
        >>> augment(tf.ones([2, 16000]), seed=[0, 1]).shape
        TensorShape([2, 16000])
    """

    def __init__(
        self,
        layers: Sequence[RandomLayer],
        weights: Sequence[float] | None = None,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(layers, probability, seed, **kwargs)
        self.choice_weights = [1.0] * len(self.layers) if weights is None else [float(w) for w in weights]
        if (
            len(self.choice_weights) != len(self.layers)
            or not min(self.choice_weights, default=-1) >= 0
            or not 0 < sum(self.choice_weights) < float("inf")
        ):
            raise ValueError(
                "`layers` must not be empty, and `weights` one number a layer, 0 or more, not all 0. "
                f"Received: {len(self.layers)} layers, weights={weights}"
            )

    def draw(self, batch, seed):
        """Draw every layer's parameters, and each example's `choice` among them."""
        chosen, rest = split(seed)
        limits = np.cumsum(self.choice_weights)[:-1] / np.sum(self.choice_weights)
        beyond = uniform([batch, 1], chosen) >= limits.astype(np.float32)
        return {"choice": tf.reduce_sum(tf.cast(beyond, tf.int32), 1), **super().draw(batch, rest)}

    def transform(self, x, params):
        """Apply to each example the layer that was chosen for it."""

        def one(example):
            x, params = tf.nest.map_structure(lambda part: part[tf.newaxis], example)
            branches = [
                lambda layer=layer, own=params[str(i)]: layer.apply(x, own)[0]
                for i, layer in enumerate(self.layers)
            ]
            return tf.switch_case(params["choice"][0], branches)

        return for_each(one, (x, params), x, params["applied"])

    def get_config(self):
        return {**super().get_config(), "weights": self.choice_weights}


# Philox by name: by default XLA takes another algorithm, and so draws other numbers.


def split(seed: tf.Tensor, count: int = 2) -> list[tf.Tensor]:
    """Derive several seeds from one."""
    return tf.unstack(tf.random.split(seed, count, alg="philox"))


def uniform(shape: Sequence, seed: tf.Tensor, lower: float = 0.0, upper: float = 1.0) -> tf.Tensor:
    """Draw numbers from lower…upper."""
    return lower + (upper - lower) * noise.uniform(shape, seed)


def integers(shape: Sequence, seed: tf.Tensor, lowest: int, highest: int) -> tf.Tensor:
    """Draw int32 from lowest…highest, both included."""
    return tf.random.stateless_uniform(shape, seed, lowest, highest + 1, tf.int32, alg="philox")


def part_of(whole: int | tf.Tensor, fraction: tf.Tensor) -> tf.Tensor:
    """Return int32 below `whole`, as far from 0 as the fraction, 0…1, says."""
    part = tf.cast(fraction * tf.cast(whole, tf.float32), tf.int32)
    return tf.minimum(part, whole - 1)  # the product may have been rounded up


def for_each(function: Callable[[Any], tf.Tensor], parts: Any, x: tf.Tensor, applied: tf.Tensor) -> tf.Tensor:
    """Apply a function to the parameters of one example after another; what comes out has the shape of x.

    Examples to which nothing is applied cost nothing, and get zeros.
    """

    def one(example):
        parts, applied = example
        return tf.cond(applied, lambda: function(parts), lambda: tf.zeros(tf.shape(x)[1:], x.dtype))

    signature = tf.TensorSpec(x.shape[1:], x.dtype)
    return tf.cond(
        tf.equal(tf.size(x), 0),  # what an empty loop returns has no shape
        lambda: x,
        lambda: tf.map_fn(one, (parts, applied), fn_output_signature=signature),
    )


def along(values: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Raise (batch,) values to the rank of x, so that each example has its own."""
    return tf.reshape(values, [-1, *[1] * (len(x.shape) - 1)])
