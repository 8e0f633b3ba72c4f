"""Features computed once and kept in memory, for all epochs of a run."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.base.errors import UserError
from tfspec.base.progress import Tracker, untracked
from tfspec.data.batches import read_batches
from tfspec.data.graphs import as_it_is
from tfspec.data.readers import ArrayReader, Reader

BATCH = 64


def precompute(
    manifest: pd.DataFrame,
    read: Reader,
    layer: keras.Layer,
    dtype: str = "float32",
    progress: Tracker = untracked,
) -> ArrayReader:
    """Read all signals of a manifest and keep what a layer makes of them in memory.

    What does not fit there, or shall serve other runs too, goes into a `tfspec.data.store.FeatureStore`.

    Args:
        manifest: whatever `read` needs.
        read: such as an `AudioReader`.
        layer: from (batch, *signal_shape) signals to features of fixed shape.
        dtype: number format in memory, "float32" or "float16".
        progress: wraps the iteration over so many batches, to draw a bar.

    Returns:
        A reader of (rows, *feature_shape) float32, for rows of this manifest.

    Raises:
        UserError: features are not finite in this number format.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> signals = ArrayReader(np.zeros([3, 1000], np.float32))
        >>> precompute(pd.DataFrame({"label": ["a", "b", "a"]}), signals, Spectrogram(256, 128)).signal_shape
        (6, 129, 1)
    """
    shape = layer.compute_output_shape((len(manifest), *read.signal_shape))
    features = np.empty(shape, dtype)
    start = 0
    for batch in progress(feature_batches(manifest, read, layer, dtype), -(-len(manifest) // BATCH)):
        features[start : start + len(batch)] = batch
        start += len(batch)
    return ArrayReader(features, index=manifest.index)


def feature_batches(
    manifest: pd.DataFrame, read: Reader, layer: keras.Layer, dtype: str | np.dtype
) -> Iterator[np.ndarray]:
    """Compute the features of a manifest, BATCH rows at a time.

    Args:
        manifest: as of `precompute`, and so the rest.
        read: reads the signals.
        layer: from signals to features.
        dtype: number format.

    Yields:
        (rows, *feature_shape) of this format.

    Raises:
        UserError: features are not finite in this format.
    """

    def features(signals):
        made = tf.cast(layer(signals), dtype)
        return made, tf.reduce_all(tf.math.is_finite(made), axis=range(1, len(made.shape)))

    batches = read_batches(manifest, read, BATCH).map(as_it_is(features)).prefetch(2)
    for number, (batch, finite) in enumerate(batches.as_numpy_iterator()):
        if not finite.all():
            row = manifest.iloc[number * BATCH + int(np.argmin(finite))]
            raise UserError(
                f"The features of {row.to_dict()} are no finite numbers in {dtype}, "
                f"which reaches to {np.finfo(dtype).max:.6g}."
            )
        yield batch
