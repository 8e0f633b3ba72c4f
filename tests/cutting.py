"""Windows of a recording, cut as `detect` does it: opened, then a block at a time."""

import os
from collections.abc import Iterator

import numpy as np

from tfspec.audio.decoding import ClipPadding, windows_of
from tfspec.audio.opening import opened


def cut_windows(
    path: str | os.PathLike, sample_rate: int, num_samples: int, hop: int, padding: ClipPadding = "edge"
) -> Iterator[tuple[int, np.ndarray]]:
    with opened(path) as recording:
        yield from windows_of(recording, sample_rate, num_samples, hop, padding)
