"""Readers of the signals of a manifest's rows."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.audio.decoding import Padding, load_audio
from tfspec.base.errors import UserError
from tfspec.base.threads import threads


@dataclass(frozen=True)
class AudioReader:
    """Reads the signals of a manifest's rows, in as many threads as there are cores.

    Args:
        folder: what the manifest's paths are relative to.
        sample_rate: samples per second of the signals.
        num_samples: length of every signal.
        padding: what makes up for a recording that ends before, as in `fit_length`.
    """

    folder: Path
    sample_rate: int
    num_samples: int
    padding: Padding = "edge"

    @property
    def signal_shape(self) -> tuple[int]:
        """Shape of one signal."""
        return (self.num_samples,)

    def identities(self, rows: pd.DataFrame) -> list[str]:
        """Give a text a row: name, size, time of change and slice of its recording, and how it is decoded.

        Raises:
            UserError: a recording is missing.
        """
        files = {}
        for path in rows["path"].unique():
            try:
                stat = (self.folder / path).stat()
            except OSError as error:
                raise UserError(f"{self.folder / path} cannot be read: {error.strerror}") from None
            files[path] = f"{path} {stat.st_size} {stat.st_mtime_ns}"
        starts = rows["start"] if "start" in rows else itertools.repeat(0.0, len(rows))
        decoded = f"{self.sample_rate} {self.num_samples} {self.padding}"
        return [f"{files[path]} {start} {decoded}" for path, start in zip(rows["path"], starts, strict=True)]

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Read the recordings that `rows["path"]` names, as (rows, num_samples) float32.

        A column `start`, in seconds, says where each signal begins in its recording.
        """
        paths = list(rows["path"])
        starts = list(rows["start"]) if "start" in rows else [0.0] * len(rows)
        signals = np.empty((len(paths), self.num_samples), np.float32)

        def read(first: int):
            for i in range(first, len(paths), workers):
                signals[i] = load_audio(
                    self.folder / paths[i], self.sample_rate, self.num_samples, starts[i], self.padding
                )

        workers = min(len(paths), os.cpu_count() or 1)
        list(threads().map(read, range(workers)))
        return signals
