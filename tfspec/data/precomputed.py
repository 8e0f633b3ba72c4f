"""Features computed once and kept in memory, for all epochs of a run."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd

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

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> signals = ArrayReader(np.zeros([3, 1000], np.float32))
        >>> precompute(pd.DataFrame({"label": ["a", "b", "a"]}), signals, Spectrogram(256, 128)).signal_shape
        (6, 129, 1)
    """
    shape = layer.compute_output_shape((len(manifest), *read.signal_shape))
    features = np.empty(shape, dtype)
    batches = read_batches(manifest, read, BATCH).map(as_it_is(layer.__call__)).prefetch(1)
    start = 0
    for batch in progress(batches.as_numpy_iterator(), -(-len(manifest) // BATCH)):
        features[start : start + len(batch)] = batch
        start += len(batch)
    return ArrayReader(features, index=manifest.index)
