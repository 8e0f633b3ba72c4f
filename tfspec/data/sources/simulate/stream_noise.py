"""Noise of a stream: recordings joined at one level, or hiss, without end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfspec.audio.decoding import audio_blocks
from tfspec.audio.recordings import list_recordings
from tfspec.base.errors import UserError
from tfspec.base.streams import Simulation, simulation_generator
from tfspec.base.text import shown
from tfspec.data.sources.simulate.backgrounds import hiss
from tfspec.data.sources.simulate.repertoire import QUIETEST
from tfspec.data.sources.simulate.speech import SAMPLE_RATE

HISS_SECONDS = 10
EDGE = SAMPLE_RATE // 100
"""Samples in which a sound rises at its beginning and falls at its end."""
SHORTEST = SAMPLE_RATE // 10
"""Samples of a stretch of noise; the resampling filter may leave fewer, which are left out."""


def made_up_noise(seed: int) -> Iterator[np.ndarray]:
    """Make hiss without end, every ten seconds of another colour.

    Args:
        seed: same seed, same noise.

    Yields:
        (samples,) of RMS 1, but for its edges.

    Example:
        >>> len(next(made_up_noise(seed=0)))
        160000
    """
    for number in itertools.count():
        rng = simulation_generator(seed, Simulation.STREAM_NOISE, number)
        noise = hiss(HISS_SECONDS * SAMPLE_RATE, SAMPLE_RATE, rng)
        yield with_edges(noise / np.sqrt(np.mean(noise**2)))


def recorded_noise(folder: Path, seed: int) -> Iterator[np.ndarray]:
    """Read recordings again and again, each time in another order.

    Args:
        folder: with recordings somewhere in it.
        seed: same seed, same order.

    Yields:
        (samples,) of RMS 1, but for its edges, some seconds long: a whole recording, or a part of a long one.

    Raises:
        UserError: there are none, one cannot be decoded, or all are silent.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     next(recorded_noise(Path(folder), seed=0))
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No recordings of noise in ...
    """
    paths, _ = list_recordings(folder)
    if not paths:
        raise UserError(f"No recordings of noise in {shown(folder)}.")
    for turn in itertools.count():
        rng, is_silent = simulation_generator(seed, Simulation.STREAM_NOISE, turn), True
        for place in rng.permutation(len(paths)):
            for block in audio_blocks(paths[place], SAMPLE_RATE):
                level = np.sqrt(np.mean(block**2)) if len(block) >= SHORTEST else 0.0
                if level >= QUIETEST:
                    is_silent = False
                    yield with_edges(block / level)
        if is_silent:
            raise UserError(f"All recordings of noise in {shown(folder)} are silent.")


def with_edges(sound: np.ndarray) -> np.ndarray:
    """Let a sound rise and fall within 10 ms, so that it does not click.

    Args:
        sound: (samples,) at 16 kHz.

    Example:
        >>> with_edges(np.ones(1000))[[0, 79, 500, 999]].tolist()
        [0.00625, 0.5, 1.0, 0.00625]
    """
    rise = np.minimum(np.arange(1, len(sound) + 1) / EDGE, 1)
    return sound * np.minimum(rise, rise[::-1])
