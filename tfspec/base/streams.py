"""Names of the streams of random numbers: what an epoch draws, and what a simulation does."""

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


class Simulation(enum.IntEnum):
    """What is drawn for data of one's own making. To change a value is to change what a seed makes."""

    ORDER = 1
    SPECIES = 2
    SOUNDSCAPE = 3
    VOICE = 4
    MIXTURE = 5
    PERSON = 6
    DAY = 7
    PLACE = 8
    CLIP = 9
    STREAM = 10
    STREAM_NOISE = 11


def simulation_generator(seed: int, stream: Simulation, *numbers: int) -> np.random.Generator:
    """Make the generator of one thing that is simulated, whatever else is.

    Args:
        seed: of the data.
        stream: what is drawn.
        numbers: which of these; as many numbers for all.

    Example:
        >>> simulation_generator(0, Simulation.SPECIES, 3).integers(100, size=3).tolist()
        [24, 52, 59]
    """
    return np.random.default_rng([seed, int(stream), *numbers])
