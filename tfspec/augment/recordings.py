"""Recordings of a folder that augmentations keep in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfspec.audio.recordings import list_recordings
from tfspec.base.errors import UserError


def recordings_in(folder: str) -> list[Path]:
    """List a folder's recordings, those below it too, in an order that is the same everywhere.

    Raises:
        UserError: there is no such folder, or no recording in it.
    """
    if not Path(folder).is_dir():
        raise UserError(
            f"`folder` must be a folder of recordings. Received: folder={folder!r}, which is no folder"
        )
    paths, _ = list_recordings(folder)
    if not paths:
        raise UserError(
            f"`folder` must hold recordings. Received: folder={folder!r}, which holds no recordings"
        )
    return sorted(paths)


def kept(array: np.ndarray, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Make a tensor that outlives the graph that is being traced, if there is one."""
    with tf.init_scope():
        return tf.constant(array, dtype)
