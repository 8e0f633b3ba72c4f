"""What can be heard in a simulated recording: sounds of several classes, made up or recorded."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfspec.audio.decoding import load_audio
from tfspec.base.errors import UserError, listed
from tfspec.base.text import shown
from tfspec.data.sources.class_folders import list_class_folders
from tfspec.data.splits import split_by_group

TEST_SHARE = 0.2
"""Of the speakers, or whatever the groups of real recordings are."""
QUIETEST = 1e-4
"""RMS of a recording that counts as sound."""


@dataclass(frozen=True)
class Repertoire:
    """Sounds of several classes, any number of each.

    Args:
        names: (classes,) what they are called.
        draw: returns (samples,), a sound of a class, for the part that it is for ("train" or "test"), the
            number of the class and a generator. No speaker or source recording is in both parts.
    """

    names: list[str]
    draw: Callable[[str, int, np.random.Generator], np.ndarray]


def recorded(
    folder: str | os.PathLike, group_pattern: str, sample_rate: int, seconds: tuple[float, float], seed: int
) -> Repertoire:
    """Draw sounds from a folder of class folders.

    Args:
        folder: as in `data.list_class_folders`; a fifth of its groups is kept for the test part.
        group_pattern: as in `data.list_class_folders`.
        sample_rate: samples per second of the sounds.
        seconds: range of their lengths; where a recording is longer, its loudest stretch is taken.
        seed: another seed, other groups for the test part.

    Raises:
        UserError: there are no recordings, fewer than two classes, or classes that have none for one of the
            parts; when drawing, a recording cannot be decoded or is silent.

    Example:
        >>> recorded("missing", "(.*)", 16000, (1.0, 1.0), seed=0)
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No such folder: missing. Give one that holds a folder per class.
    """
    manifest = list_class_folders(folder, group_pattern=group_pattern).manifest
    names = sorted(manifest["label"].unique())
    if len(names) < 2:
        raise UserError(f"{shown(folder)} must hold at least two classes. Received: {shown(names[0])}")
    tested = split_by_group(manifest, TEST_SHARE, seed)["part"] == "validation"
    parted = manifest["path"].groupby([np.where(tested, "test", "train"), manifest["label"]]).agg(list)
    if missing := [shown(name) for name in names if ("test", name) not in parted]:
        raise UserError(
            f"Every group of {listed(missing)} in {shown(folder)} is in the training part: none is left to "
            "test on. Give more groups, another group pattern, or leave out the class."
        )

    def draw(part: str, number: int, rng: np.random.Generator) -> np.ndarray:
        path = Path(folder, rng.choice(parted[part, names[number]]))
        sound = loudest(load_audio(path, sample_rate), round(rng.uniform(*seconds) * sample_rate))
        if np.sqrt(np.mean(sound**2)) < QUIETEST:
            raise UserError(f"{shown(path)} is silent. Leave it out.")
        return sound

    return Repertoire(names, draw)


def loudest(sound: np.ndarray, num_samples: int) -> np.ndarray:
    """Return the stretch of most energy, all where there is no more.

    Args:
        sound: (samples,).
        num_samples: length of the stretch.

    Example:
        >>> loudest(np.array([0, 1, 5, 4, 0]), 2).tolist()
        [5, 4]
    """
    if len(sound) <= num_samples:
        return sound
    energy = np.cumsum(np.append(0.0, np.square(sound, dtype=np.float64)))
    start = np.argmax(energy[num_samples:] - energy[:-num_samples])
    return sound[start : start + num_samples]
