"""Simulated soundscapes: annotated calls of species in long recordings, as Rainforest has them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.fft

from tfspec.base.errors import UserError
from tfspec.base.options import (
    SPEAKER_PATTERN,
    AnyCount,
    Count,
    Expression,
    Seed,
    SoundscapeSeconds,
    SoundscapeSpecies,
    check_options,
)
from tfspec.base.progress import Tracker, untracked
from tfspec.base.streams import Simulation, simulation_generator
from tfspec.base.threads import ahead
from tfspec.data.sources.annotations import NUMBER_COLUMNS, TEXT_COLUMNS
from tfspec.data.sources.simulate.backgrounds import background
from tfspec.data.sources.simulate.calls import call, from_afar, make_species
from tfspec.data.sources.simulate.folders import PARTS, new_folder, numbered, write_sound
from tfspec.data.sources.simulate.repertoire import Repertoire, recorded

SAMPLE_RATE = 48000
COLUMNS = [*TEXT_COLUMNS, *NUMBER_COLUMNS]
SECONDS_PER_CALL = 10
LONGEST_CALL = 4
"""In seconds."""
DEFAULT_SPECIES = 6

BACKGROUND_DB = (-48.0, -32.0)
"""Level of the background, RMS."""


def write_soundscapes(
    out: str | os.PathLike,
    num_train: Count = 80,
    num_test: AnyCount = 20,
    seconds: SoundscapeSeconds = 30.0,
    num_species: SoundscapeSpecies | None = None,
    sounds: str | os.PathLike | None = None,
    group_pattern: Expression = SPEAKER_PATTERN,
    seed: Seed = 0,
    progress: Tracker = untracked,
) -> None:
    """Simulate recordings in which species call before a varied background.

    The folder gets train/ and test/ with `<recording_id>.flac`; train_tp.csv and test_tp.csv, a row a call
    with its species and box in time and frequency; train_fp.csv, the same boxes under the name of a species
    that does not call there, nor just before or after; and species.csv, what the species are. Every ten
    seconds there is a call, somewhere; all species call equally often.

    Args:
        out: folder to write; nothing is there yet, or an empty folder.
        num_train: recordings to train on.
        num_test: recordings to test on.
        seconds: length of a recording; 60 were published.
        num_species: number of made-up species, 24 were published; 6 if None.
        sounds: folder of class folders of real sounds, which become the species; none is in both parts.
        group_pattern: as in `data.list_class_folders`, for real sounds.
        seed: same seed, same bytes; the first recordings whatever their number.
        progress: wraps the iteration over so many recordings, to draw a bar.

    Raises:
        UserError: an option is out of its range, something is there already, or there are too few sounds.
        OSError: the files cannot be written.

    Example:
        >>> write_soundscapes("forest", num_train=2, num_test=0, seconds=10)
        >>> sorted(path.name for path in Path("forest").iterdir())
        ['species.csv', 'train', 'train_fp.csv', 'train_tp.csv']
    """
    given = {"num_train": num_train, "num_test": num_test, "seconds": seconds, "seed": seed}
    check_options(write_soundscapes, {**given, "num_species": num_species, "group_pattern": group_pattern})
    if sounds is None:
        repertoire = _made_up(num_species or DEFAULT_SPECIES, seed)
    elif num_species is None:
        repertoire = recorded(sounds, group_pattern, SAMPLE_RATE, (0.8, LONGEST_CALL), seed)
    else:
        raise UserError("num_species is for made-up species; real ones are as many as there are folders.")
    with new_folder(out) as folder:
        forest = _Forest(folder, repertoire, seconds, seed)
        pd.DataFrame({"name": repertoire.names}).to_csv(folder / "species.csv", index_label="species_id")
        scenes = numbered(folder, num_train, num_test)
        tables = progress(ahead(forest.write_recording, scenes), len(scenes))
        _write_tables(folder, pd.concat(tables, ignore_index=True))


def _made_up(count: int, seed: int) -> Repertoire:
    species = make_species(count, seed)
    names = [f"{each.kind} at {each.hertz:.0f} Hz" for each in species]
    return Repertoire(names, lambda part, number, rng: call(species[number], SAMPLE_RATE, rng))


def _write_tables(folder: Path, calls: pd.DataFrame) -> None:
    for part, rows in calls.groupby("part"):
        rows[COLUMNS].to_csv(folder / f"{part}_tp.csv", index=False)
    absent = calls[(calls["part"] == "train") & (calls["absent"] >= 0)]
    absent.assign(species_id=absent["absent"])[COLUMNS].to_csv(folder / "train_fp.csv", index=False)


@dataclass(frozen=True)
class _Forest:
    """Writes one recording after another."""

    folder: Path
    repertoire: Repertoire
    seconds: float
    seed: int

    def write_recording(self, scene: tuple[str, int]) -> pd.DataFrame:
        """Write a recording and return a row a call, with a species that is `absent` there."""
        part, number = scene
        name = f"{part}_{number:04}"
        rng = simulation_generator(self.seed, Simulation.SOUNDSCAPE, PARTS.index(part), number)
        level = 10 ** (rng.uniform(*BACKGROUND_DB) / 20)
        sound = level * background(round(self.seconds * SAMPLE_RATE), SAMPLE_RATE, rng)
        species = self._species(part, number)
        boxes = self._add_calls(sound, part, species, rng)
        write_sound(self.folder / part / f"{name}.flac", np.clip(sound, -1, 1), SAMPLE_RATE)
        absent = [self._absent(species[max(0, each - 1) : each + 2], rng) for each in range(len(species))]
        return boxes.assign(recording_id=name, species_id=species, songtype_id=1, part=part, absent=absent)

    def _species(self, part: str, number: int) -> list[int]:
        """Return who calls in a recording: all species take turns, in an order that is always another one."""
        calls, count = max(1, round(self.seconds / SECONDS_PER_CALL)), len(self.repertoire.names)
        rounds, places = np.divmod(np.arange(number * calls, (number + 1) * calls), count)
        stream = (self.seed, Simulation.ORDER, PARTS.index(part))
        return [
            int(simulation_generator(*stream, each).permutation(count)[place])
            for each, place in zip(rounds, places, strict=True)
        ]

    def _absent(self, heard: list[int], rng: np.random.Generator) -> int:
        """Draw a species that is not among those heard; −1 where there is none."""
        others = np.setdiff1d(np.arange(len(self.repertoire.names)), heard)
        return int(rng.choice(others)) if len(others) else -1

    def _add_calls(
        self, sound: np.ndarray, part: str, species: list[int], rng: np.random.Generator
    ) -> pd.DataFrame:
        """Add a call to each stretch of a recording, and return their boxes."""
        boxes = []
        for place, each in enumerate(species):
            sound_of_it = self.repertoire.draw(part, each, rng)[: LONGEST_CALL * SAMPLE_RATE]
            heard = from_afar(sound_of_it, SAMPLE_RATE, rng)
            first, last = place * len(sound) // len(species), (place + 1) * len(sound) // len(species)
            start = rng.integers(first, last - len(heard))
            sound[start : start + len(heard)] += heard
            low, high = _band(heard)
            boxes.append((start / SAMPLE_RATE, low, (start + len(heard)) / SAMPLE_RATE, high))
        return pd.DataFrame(boxes, columns=[*NUMBER_COLUMNS]).round(4)


def _band(sound: np.ndarray) -> tuple[float, float]:
    """Return the frequencies between which a sound has nine tenths of its power."""
    power = np.cumsum(np.abs(scipy.fft.rfft(sound)) ** 2)
    low, high = np.searchsorted(power, [0.05 * power[-1], 0.95 * power[-1]])
    return low * SAMPLE_RATE / len(sound), high * SAMPLE_RATE / len(sound)
