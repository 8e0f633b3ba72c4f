"""From a manifest to batches, through tf.data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

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


def make_dataset(
    manifest: pd.DataFrame,
    read: Reader,
    class_names: Sequence[str],
    batch_size: int,
    front_end: keras.Layer | None = None,
    cache: str | os.PathLike | None = None,
    shuffle_buffer: int = 0,
    seed: int = 0,
) -> tf.data.Dataset:
    """Make batches of (signal, label), or of (features, label) where a front end is given.

    The stages are decode, front end, cache, shuffle, batch, prefetch. Waveform augmentation belongs before
    the front end, which then cannot be cached, and spectrogram augmentation after the last batching: what is
    random is never cached. Decoding and front end work on whole batches.

    Args:
        manifest: column `label` and whatever `read` needs.
        read: such as an `AudioReader` or an `ArrayReader`.
        class_names: labels in the order of the model's logits.
        batch_size: examples a batch; the last one may be smaller.
        front_end: layer from signals to features.
        cache: where what the front end gives is kept from the second epoch on: "" for memory, or a file.
            None computes it anew.
        shuffle_buffer: how many examples the shuffle chooses from; 0 keeps the manifest's order. The
            rows are put in random order first, so a buffer smaller than the data does for sorted classes too.
        seed: same seed, same order, given the same global seed of TensorFlow; every epoch has another.

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
    if shuffle_buffer:
        manifest = manifest.sample(frac=1, random_state=seed)
    labels = label_indices(manifest["label"], class_names)

    def decode(rows, label):
        signal = tf.numpy_function(lambda i: read(manifest.iloc[i]), [rows], tf.float32)
        return tf.ensure_shape(signal, (None, *read.signal_shape)), label

    data = tf.data.Dataset.from_tensor_slices((np.arange(len(manifest)), labels)).batch(batch_size)
    data = data.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    if front_end is not None:
        data = data.map(lambda x, y: (front_end(x), y), num_parallel_calls=tf.data.AUTOTUNE)
    if cache is not None or shuffle_buffer:
        data = data.unbatch()
        if cache is not None:
            data = data.cache(os.fspath(cache))
        if shuffle_buffer:
            data = data.shuffle(min(shuffle_buffer, len(manifest)), seed=seed)
        data = data.batch(batch_size)
    # unbatch() forgets the length, which the progress bar and the steps of an epoch need
    data = data.apply(tf.data.experimental.assert_cardinality(-(-len(manifest) // batch_size)))
    return data.prefetch(tf.data.AUTOTUNE)


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
