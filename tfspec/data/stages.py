"""The stages from a plan to batches: read, cut into batches, augment, front end, augment, mix."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfspec.augment import RandomLayer
from tfspec.augment.augmentation import Augmentation
from tfspec.base.boundary import in_brief
from tfspec.base.errors import UserError
from tfspec.data.examples import Examples, Take
from tfspec.data.graphs import as_it_is
from tfspec.data.plan import Draws, Plan, cut
from tfspec.frontends.base import check_learns_nothing


class Stages:
    """Makes batches of what a plan reads, each stage on whole batches.

    Args:
        examples: what is read.
        front_end: as in `make_dataset`.
        augmentation: as in `make_dataset`.
        take: reads somewhere else, as in `Examples.decode`.
    """

    def __init__(
        self,
        examples: Examples,
        front_end: keras.Layer | None,
        augmentation: Augmentation,
        take: Take | None = None,
    ):
        self._examples, self._take = examples, take
        layers = functools.partial(apply_layers, front_end=front_end, augmentation=augmentation)
        # Where batches are made somewhere else, a dataset is made for every epoch, and its layers traced once
        self._layers = layers if take is None else tf.function(layers, autograph=False)

    def batches(self, reads: tf.data.Dataset, plan: Plan) -> tf.data.Dataset:
        """Make the batches of some reads, each behind its number in the epoch.

        Args:
            reads: from `plan.reads`.
            plan: what they are of.
        """
        if plan.batches_per_read == 1:
            data = reads.map(self._read_one, num_parallel_calls=tf.data.AUTOTUNE)
        else:
            data = reads.map(self._read).prefetch(1)
            data = data.flat_map(functools.partial(_in_batches, plan.rows_per_batch))
        return data.map(self._apply, num_parallel_calls=tf.data.AUTOTUNE)

    @as_it_is
    def _read(self, rows, mixing, draws, number):
        return self._examples.decode(rows, mixing.get("partner"), self._take), mixing, draws, number

    @as_it_is
    def _read_one(self, rows, mixing, draws, number):
        """Read a batch alone, which is the first of its read."""
        batch, mixing, *drawn = self._read(rows, mixing, draws, number)
        return batch, mixing, *_at(0, tuple(drawn))

    @as_it_is
    def _apply(self, batch, mixing, draws, number):
        return number, self._layers(batch, mixing, draws)


@as_it_is
def _in_batches(rows_per_batch: int, batch, mixing, draws, number) -> tf.data.Dataset:
    """Part what was read together into batches."""
    of_number = functools.partial(_one_batch, rows_per_batch, (batch, mixing), (draws, number))
    return tf.data.Dataset.range(tf.shape(number, tf.int64)[0]).map(of_number)


@as_it_is
def _one_batch(rows_per_batch: int, examples: tuple, batches: tuple, place: tf.Tensor) -> tuple:
    return *cut(examples, place, rows_per_batch), *_at(place, batches)


def _at(place, batches: tuple) -> tuple:
    return tf.nest.map_structure(lambda values: values[place], batches)


def apply_layers(
    batch: Sequence[tf.Tensor],
    mixing: dict[str, tf.Tensor],
    draws: Draws,
    front_end: keras.Layer | None,
    augmentation: Augmentation,
) -> tuple[tf.Tensor, ...]:
    """Augment a batch's signals, turn them into features, augment these and mix others in.

    Args:
        batch: what `Examples.take` returns, signals of shape (batch, *signal_shape).
        mixing: (batch,) of each parameter, from `draw_partners`.
        draws: of the batch.
        front_end: as in `make_dataset`.
        augmentation: as in `make_dataset`.

    Returns:
        (batch, *shape) float32 features, or signals without a front end; labels; weights if there are any.

    Raises:
        UserError: the front end has something to learn, or what a layer returns is not of the shape that it
            must be.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> batch = tf.ones([2, 64]), tf.constant([0, 1])
        >>> apply_layers(batch, {}, Draws([[0, 0]] * 2, [0, 2]), Spectrogram(16, 8), Augmentation())[0].shape
        TensorShape([2, 7, 9, 1])
    """
    x, *rest = batch
    if augmentation.signals is not None:
        x = _augmented(augmentation.signals, x, draws.seeds[0], draws.place)
    if front_end is not None:
        check_learns_nothing(front_end)
        x = _features(front_end, x)
    if augmentation.features is not None:
        x = _augmented(augmentation.features, x, draws.seeds[1], draws.place)
    if augmentation.mix_up is not None:
        *rest, others, their_labels = rest
        others = others if front_end is None else front_end(others)
        x, rest[0] = augmentation.mix_up.apply((x, rest[0]), mixing, (others, their_labels))
    return x, *rest


def _augmented(layer: RandomLayer, x: tf.Tensor, seed: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Augment a slice of a batch, as if it were done to the whole batch."""
    start, total = place[0], place[1]
    drawn = layer.sample(total, seed)
    own = tf.nest.map_structure(lambda values: values[start : start + tf.shape(x, tf.int64)[0]], drawn)
    changed = layer.apply(x, own)
    if (shape := getattr(changed, "shape", None)) is None or not x.shape.is_compatible_with(shape):
        raise UserError(f"{type(layer).__name__} must keep the shape {x.shape}. Received: {shape}")
    return changed


def _features(front_end: keras.Layer, signals: tf.Tensor) -> tf.Tensor:
    """Compute the features of a batch, and hold the front end to the shape that it says they have."""
    features = front_end(signals)
    shape = getattr(features, "shape", None)
    try:
        said = front_end.compute_output_shape(tuple(signals.shape))
    except NotImplementedError as error:  # of a layer of the user's own
        raise UserError(in_brief(error)) from error
    if shape is None or not tf.TensorShape(shape).is_compatible_with(said):
        raise UserError(
            "The front end must return features of the shape that its compute_output_shape says. "
            f"Received: features of shape {shape}, said to be {said}"
        )
    return features
