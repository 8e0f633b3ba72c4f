"""What a batch is made of: signals, labels and weights of the rows of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.base.frames import Frames
from tfspec.base.model import Labels
from tfspec.data.frame_targets import FrameTargets
from tfspec.data.label_targets import targets
from tfspec.data.readers import Reader, read_checked

Take = Callable[[Sequence[tf.Tensor], Sequence[tf.DType]], Sequence[tf.Tensor]]
"""Does in a graph what `Examples.take` does: from positions and the types of what is wanted to these."""


class Examples:
    """The rows of a manifest, and what a batch of them is made of.

    Args:
        manifest: as in `make_dataset`.
        read: as in `make_dataset`.
        class_names: as in `make_dataset`; None for signals without labels.
        sample_weight: as in `make_dataset`.
        labels: as in `make_dataset`.
        frames: as in `make_dataset`.

    Raises:
        UserError: as in `make_dataset`.
        ValueError: as in `make_dataset`.
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        read: Reader,
        class_names: Sequence[str] | None = None,
        sample_weight: np.ndarray | None = None,
        labels: Labels = "one",
        frames: Frames | None = None,
    ):
        self.manifest = manifest
        self.read = read
        self.per_row: list[np.ndarray | FrameTargets] = []
        if class_names is not None and frames is not None:
            self.per_row.append(FrameTargets(manifest, class_names, frames))
        elif class_names is not None:
            self.per_row.append(targets(manifest, class_names, labels))
        if sample_weight is not None:
            weights = np.asarray(sample_weight, np.float32)
            if weights.shape != (len(manifest),) or not (np.isfinite(weights) & (weights >= 0)).all():
                raise ValueError(
                    "`sample_weight` must be one number a row, not negative. "
                    f"Received: shape {weights.shape} for {len(manifest)} rows, "
                    f"from {weights.min(initial=np.inf)} to {weights.max(initial=-np.inf)}"
                )
            self.per_row.append(weights)

    def take(self, rows: np.ndarray, partners: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        """Read the signals, labels and, if there are any, weights of the rows at these positions.

        With the partners' positions, −1 for none, also their signals, zeros for none, and labels. All are
        read together.
        """
        per_row = [values[rows] for values in self.per_row]
        if partners is None:
            return self._read(rows), *per_row
        mixed = partners >= 0
        signals = self._read(np.append(rows, partners[mixed]))
        others = np.zeros((len(rows), *signals.shape[1:]), signals.dtype)
        others[mixed] = signals[len(rows) :]
        return signals[: len(rows)], *per_row, others, self.per_row[0][partners]

    def _read(self, rows: np.ndarray) -> np.ndarray:
        if not len(rows):  # the slice of a small batch
            return np.zeros((0, *self.read.signal_shape), np.float32)
        return read_checked(self.read, self.manifest.iloc[rows])

    def decode(
        self, rows: tf.Tensor, partners: tf.Tensor | None = None, take: Take | None = None
    ) -> tuple[tf.Tensor, ...]:
        """Do in a graph what `take` does; or have it done by another `take`, such as that of a service."""
        read = [(tf.float32, self.read.signal_shape)]
        read += [(values.dtype, values.shape[1:]) for values in self.per_row]
        read += [] if partners is None else read[:2]
        positions = [rows] if partners is None else [rows, partners]
        batch = (take or self._take_here)(positions, [tf.as_dtype(dtype) for dtype, _ in read])
        return tuple(
            tf.ensure_shape(part, (None, *shape)) for part, (_, shape) in zip(batch, read, strict=True)
        )

    def _take_here(self, positions: Sequence[tf.Tensor], dtypes: Sequence[tf.DType]) -> Sequence[tf.Tensor]:
        return tf.numpy_function(self.take, positions, dtypes)
