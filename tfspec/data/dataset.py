"""From a manifest to batches, through tf.data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.augment import RandomLayer
from tfspec.errors import UserError


class Reader(Protocol):
    """Reads the signals of a manifest's rows."""

    @property
    def signal_shape(self) -> tuple[int, ...]:
        """Shape of one signal."""

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Give the signals of some rows, as (rows, *signal_shape) float32."""


@dataclass(frozen=True)
class ArrayReader:
    """Reads the signals of a manifest's rows from an array, by the rows' index.

    Args:
        signals: (rows, *signal_shape), one row for every row of the manifest.
    """

    signals: np.ndarray

    @property
    def signal_shape(self) -> tuple[int, ...]:
        """Shape of one signal."""
        return self.signals.shape[1:]

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Give the signals of some rows, as (rows, *signal_shape) float32."""
        return self.signals[rows.index].astype(np.float32, copy=False)


@dataclass
class Epochs:
    """The order of each epoch's examples, which depends on nothing but the seed and the epoch's number.

    So a run that was killed goes on with the batches that it would have had.

    Args:
        seed: same seed, same orders, and same draws of the augmentations.
        number: that of the epoch that comes next. Every iteration over the dataset is one.

    Example:
        >>> epochs = Epochs(seed=0)
        >>> [order.tolist() for order in (epochs.next(4)[0], epochs.next(4)[0])]
        [[2, 0, 1, 3], [3, 0, 2, 1]]
    """

    seed: int
    number: int = 0

    def next(self, num_examples: int) -> tuple[np.ndarray, np.random.Generator]:
        """Give the next epoch's order, (num_examples,) row numbers, and what its other draws come from."""
        rng = np.random.default_rng([self.seed, self.number])
        self.number += 1
        return rng.permutation(num_examples), rng


def make_dataset(
    manifest: pd.DataFrame,
    read: Reader,
    class_names: Sequence[str],
    batch_size: int,
    epochs: Epochs | None = None,
    augmentation: RandomLayer | None = None,
    front_end: keras.Layer | None = None,
    feature_augmentation: RandomLayer | None = None,
) -> tf.data.Dataset:
    """Make batches of (signal, label), or of (features, label) where a front end is given.

    The stages are read, augmentation, front end, augmentation of the features, prefetch, each on whole
    batches. No epoch is cached: what shall be computed only once comes from `precompute`.

    Args:
        manifest: column `label` and whatever `read` needs.
        read: such as an `AudioReader` or an `ArrayReader`.
        class_names: labels in the order of the model's logits.
        batch_size: examples a batch; the last one may be smaller.
        epochs: shuffle, each epoch in another order; None keeps the manifest's order.
        augmentation: changes the signals at random; needs `epochs`.
        front_end: layer from signals to features.
        feature_augmentation: changes the features at random; needs `epochs`.

    Returns:
        Batches ((batch, *shape) float32, (batch,) int32).

    Raises:
        UserError: a label is not among the class names.

    Example:
        >>> frame = pd.DataFrame({"label": ["a", "b", "a"]})
        >>> read = ArrayReader(np.zeros([3, 100]))
        >>> [x.shape[0] for x, y in make_dataset(frame, read, ["a", "b"], batch_size=2)]
        [2, 1]
    """
    labels = label_indices(manifest["label"], class_names)
    data = _batches_of_rows(len(manifest), batch_size, epochs)

    def step(function):
        return data.map(function, num_parallel_calls=tf.data.AUTOTUNE)

    data = step(lambda rows, seeds: (_read(manifest, read, rows), tf.gather(labels, rows), seeds))
    if augmentation is not None:
        data = step(lambda x, y, seeds: (augmentation(x, seed=seeds[0]), y, seeds))
    if front_end is not None:
        data = step(lambda x, y, seeds: (front_end(x), y, seeds))
    if feature_augmentation is not None:
        data = step(lambda x, y, seeds: (feature_augmentation(x, seed=seeds[1]), y, seeds))
    return step(lambda x, y, seeds: (x, y)).prefetch(tf.data.AUTOTUNE)


def read_batches(manifest: pd.DataFrame, read: Reader, batch_size: int) -> tf.data.Dataset:
    """Make batches of signals, in the manifest's order.

    Args:
        manifest: whatever `read` needs.
        read: such as an `AudioReader` or an `ArrayReader`.
        batch_size: examples a batch; the last one may be smaller.

    Returns:
        Batches (batch, *signal_shape) float32.

    Example:
        >>> frame = pd.DataFrame({"label": ["a", "b", "a"]})
        >>> [x.shape[0] for x in read_batches(frame, ArrayReader(np.zeros([3, 100])), 2)]
        [2, 1]
    """
    data = _batches_of_rows(len(manifest), batch_size, None)
    data = data.map(lambda rows, _: _read(manifest, read, rows), num_parallel_calls=tf.data.AUTOTUNE)
    return data.prefetch(tf.data.AUTOTUNE)


def _batches_of_rows(num_rows: int, batch_size: int, epochs: Epochs | None) -> tf.data.Dataset:
    """Make batches (row numbers, two seeds), an epoch at each iteration."""

    def batches():
        order, rng = epochs.next(num_rows) if epochs else (np.arange(num_rows), np.random.default_rng(0))
        for start in range(0, num_rows, batch_size):
            yield order[start : start + batch_size], rng.integers(2**31, size=(2, 2), dtype=np.int32)

    signature = (tf.TensorSpec([None], tf.int64), tf.TensorSpec([2, 2], tf.int32))
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    # a generator does not tell its length, which the progress bar and the steps of an epoch need
    return data.apply(tf.data.experimental.assert_cardinality(-(-num_rows // batch_size)))


def _read(manifest: pd.DataFrame, read: Reader, rows: tf.Tensor) -> tf.Tensor:
    signal = tf.numpy_function(lambda i: read(manifest.iloc[i]), [rows], tf.float32)
    return tf.ensure_shape(signal, (None, *read.signal_shape))


def label_indices(labels: pd.Series, class_names: Sequence[str]) -> np.ndarray:
    """Give each label's place among the class names.

    Args:
        labels: (examples,) text.
        class_names: labels in the order of the model's logits.

    Returns:
        (examples,) int32.

    Raises:
        UserError: a label is not among the class names.

    Example:
        >>> label_indices(pd.Series(["b", "a"]), ["a", "b"]).tolist()
        [1, 0]
    """
    index = pd.Index(class_names).get_indexer(labels)
    if (index < 0).any():
        unknown = sorted(set(labels[index < 0]))
        raise UserError(
            f"Unknown labels: {', '.join(unknown)}. The model's classes are: {', '.join(class_names)}."
        )
    return index.astype(np.int32)
