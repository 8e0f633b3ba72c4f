"""Names of the streams of random numbers that an epoch draws from, each a function of its seed and number."""

from __future__ import annotations

import enum

import numpy as np


class Stream(enum.IntEnum):
    """What is drawn. The values are part of the seeds: to change one is to change what every run draws."""

    AUGMENTATION = 1
    MIXING = 2
    DROPOUT = 3


def epoch_generator(seed: int, epoch: int, stream: Stream) -> np.random.Generator:
    """Make the generator of one stream in one epoch.

    Args:
        seed: of the run.
        epoch: its number.
        stream: what is drawn.

    Example:
        >>> epoch_generator(0, 1, Stream.MIXING).integers(100, size=3).tolist()
        [55, 88, 29]
    """
    return np.random.default_rng([seed, epoch, int(stream)])
