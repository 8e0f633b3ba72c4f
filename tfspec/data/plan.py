"""Which rows each batch of an epoch holds, what these are mixed with, and what else is drawn for it.

An epoch is drawn as a whole, once, with NumPy; what a batch needs is then cut out of it in the graph.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfspec.augment import MixUp
from tfspec.data.epochs import Epochs
from tfspec.data.graphs import as_it_is
from tfspec.data.slices import WHOLE, BatchSlice


class Epoch(NamedTuple):
    """What is drawn for an epoch.

    Args:
        rows: (examples,) int64 positions in the manifest, in the epoch's order.
        seeds: (batches, 2, 2) int64, as `Epochs.seeds` draws them.
        mixing_seed: (2,) int64, as `Epochs.mixing_seed` draws it.
    """

    rows: np.ndarray | tf.Tensor
    seeds: np.ndarray | tf.Tensor
    mixing_seed: np.ndarray | tf.Tensor


class Draws(NamedTuple):
    """What the layers draw a batch's random numbers from.

    Args:
        seeds: (2, 2) two integers for its signals and two for its features.
        place: (2,) where in the batch the examples at hand begin, and how many all are.
    """

    seeds: np.ndarray | tf.Tensor
    place: np.ndarray | tf.Tensor


class Plan:
    """Says for every epoch which rows its batches hold, what these are mixed with, and what else is drawn.

    Args:
        num_rows: of the manifest.
        batch_size: as in `make_dataset`.
        epochs: as in `make_dataset`.
        mix_up: of the augmentation.
        batches_per_read: as in `make_dataset`.
        batch_slice: as in `make_dataset`.
    """

    def __init__(
        self,
        num_rows: int,
        batch_size: int,
        epochs: Epochs | None = None,
        mix_up: MixUp | None = None,
        batches_per_read: int = 1,
        batch_slice: BatchSlice = WHOLE,
    ):
        self.num_rows, self.epochs, self.mix_up = num_rows, epochs, mix_up
        self.length = num_rows if epochs is None else len(epochs.rows(num_rows))
        self.num_batches = -(-self.length // batch_size)
        self.batches_per_read = batches_per_read
        self.rows_per_batch = batch_slice.size(batch_size)
        # All batches are full but the last one
        totals = np.minimum(batch_size, self.length - batch_size * np.arange(self.num_batches))
        starts, sizes = batch_slice.start(totals), batch_slice.size(totals)
        self.places = np.stack([starts, totals], axis=1)
        # Of all places in the epoch, those that are in the slice of their batch
        batch, place = np.divmod(np.arange(self.length), batch_size)
        self.own = np.flatnonzero((place >= starts[batch]) & (place < (starts + sizes)[batch]))

    def like(self) -> Epoch:
        """Make an epoch of the shapes and types that all have, in the manifest's order."""
        return Epoch(
            np.arange(self.length), np.zeros([self.num_batches, 2, 2], np.int64), np.zeros(2, np.int64)
        )

    def start(self) -> int:
        """Return the number of the epoch that comes next, and count it."""
        if self.epochs is None:
            return 0
        self.epochs.number += 1
        return self.epochs.number - 1

    def draw(self, number: int) -> Epoch:
        """Draw the epoch of this number."""
        if self.epochs is None:
            return self.like()
        epochs = replace(self.epochs, number=int(number))
        return Epoch(epochs.rows(self.num_rows), epochs.seeds(self.num_batches), epochs.mixing_seed())

    def draw_in_graph(self, number: tf.Tensor) -> Epoch:
        """Draw the epoch of this number when the graph runs."""
        drawn = tf.numpy_function(self.draw, [number], (tf.int64, tf.int64, tf.int64))
        return Epoch(*map(tf.ensure_shape, drawn, (like.shape for like in self.like())))

    def numbers(self, repeated: bool) -> tf.data.Dataset:
        """Number the epochs of an iteration: the next one, or without end those from it on."""
        number = tf.data.Dataset.range(1).map(
            as_it_is(lambda _: tf.ensure_shape(tf.numpy_function(self.start, [], tf.int64), []))
        )
        return number.flat_map(as_it_is(tf.data.Dataset.counter)) if repeated else number

    def reads(self, epoch: Epoch, repeated: bool = False) -> tf.data.Dataset:
        """Cut an epoch into what is read together.

        Args:
            epoch: from `draw` or `draw_in_graph`.
            repeated: without end.

        Returns:
            Elements (rows, mixing, draws, number): positions in the manifest, (rows,); the parameters of
            `draw_partners`, (rows,) each; and of each of the batches that these rows fill its `Draws` and its
            number.
        """
        rows = tf.gather(epoch.rows, self.own)
        partners = draw_partners(self.mix_up, epoch.rows, epoch.mixing_seed)
        mixing = {name: tf.gather(values, self.own) for name, values in partners.items()}
        draws = Draws(epoch.seeds, self.places)
        of_read = functools.partial(self._read, (rows, mixing), (draws, np.arange(self.num_batches)))
        reads = tf.data.Dataset.range(-(-self.num_batches // self.batches_per_read))
        return (reads.repeat() if repeated else reads).map(of_read)

    @as_it_is
    def _read(self, examples: tuple, batches: tuple, number: tf.Tensor) -> tuple:
        """Cut what one read needs out of what an epoch has for each example, and for each batch."""
        return (
            *cut(examples, number, self.batches_per_read * self.rows_per_batch),
            *cut(batches, number, self.batches_per_read),
        )


def cut(values: Any, number: tf.Tensor, size: int) -> Any:
    """Cut the stretch of this number out of all arrays in a structure, each stretch of one size."""
    stretch = slice(number * size, (number + 1) * size)
    return tf.nest.map_structure(lambda array: tf.convert_to_tensor(array)[stretch], values)


def draw_partners(
    mix_up: MixUp | None, rows: tf.Tensor | np.ndarray, seed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Draw what each row of an epoch is mixed with: another one of the epoch.

    Args:
        mix_up: as in `make_dataset`.
        rows: (rows,) int64 positions in the manifest, in the epoch's order.
        seed: (2,) integers, such as `Epochs.mixing_seed`.

    Returns:
        (rows,) of each of `MixUp`'s parameters; `partner` is a position in the manifest, −1 for rows that are
        not mixed. Empty without a `mix_up`.

    Example:
        >>> drawn = draw_partners(MixUp(probability=1.0), np.array([7, 3]), [0, 1])
        >>> drawn["partner"].numpy().tolist()
        [3, 7]
    """
    if mix_up is None:
        return {}
    params = mix_up.sample(rows.shape[0], seed)
    partner = tf.gather(rows, params["partner"])
    return {**params, "partner": tf.where(params["applied"], partner, -1)}
