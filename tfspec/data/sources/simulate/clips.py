"""Simulated clips: a folder of short recordings per species, as people have them of sounds of their own."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfspec.base.options import ClipSpecies, Count, Seed, check_options
from tfspec.base.progress import Tracker, untracked
from tfspec.base.streams import Simulation, simulation_generator
from tfspec.base.threads import ahead
from tfspec.data.sources.simulate.backgrounds import background
from tfspec.data.sources.simulate.calls import Species, call, from_afar, make_species
from tfspec.data.sources.simulate.folders import new_folder, write_sound

SAMPLE_RATE = 32000
SECONDS = 2.0
NUM_SPECIES = 6
PLACE_SECONDS = 30.0
"""How much of each place's background is made; a clip has a part of it."""
BACKGROUND_DB = (-38.0, -22.0)
"""Level of a place's background, RMS."""


def write_clips(
    out: str | os.PathLike,
    num_clips: Count = 300,
    num_species: ClipSpecies = NUM_SPECIES,
    num_places: Count = 15,
    seed: Seed = 0,
    progress: Tracker = untracked,
) -> None:
    """Simulate clips of two seconds in each of which a species calls, before the background of some place.

    The folder gets one of `<place>_<number>.flac` per species. Species and places take turns: a place has its
    own mixture of hiss, wind, rain and insects, which a split must not have on both sides.

    Args:
        out: folder to write; nothing is there yet, or an empty folder.
        num_clips: clips of all species together.
        num_species: number of species, each of another kind of call.
        num_places: number of places.
        seed: same seed, same bytes; the first clips whatever their number.
        progress: wraps the iteration over so many clips, to draw a bar.

    Raises:
        UserError: an option is out of its range, or something is there already.
        OSError: the files cannot be written.

    Example:
        >>> write_clips("calls", num_clips=4, num_species=2)
        >>> sorted(path.name for path in Path("calls").glob("*/*"))
        ['place01_0000.flac', 'place02_0001.flac', 'place02_0002.flac', 'place03_0003.flac']
    """
    counts = {"num_clips": num_clips, "num_species": num_species, "num_places": num_places, "seed": seed}
    check_options(write_clips, counts)
    species = make_species(num_species, seed)
    with new_folder(out) as folder:
        for each in species:
            (folder / each.kind).mkdir()
        writer = _Writer(folder, species, num_places, seed)
        for _ in progress(ahead(writer.write, range(num_clips)), num_clips):
            pass


def clip(species: Species, place: int, seed: int, number: int) -> np.ndarray:
    """Simulate one clip.

    Args:
        species: who calls.
        place: number of the place.
        seed: of the data.
        number: of the clip; another number, another clip.

    Returns:
        (samples,) in −1…1, two seconds at 32 kHz.

    Example:
        >>> clip(make_species(1, seed=0)[0], place=1, seed=0, number=0).shape
        (64000,)
    """
    rng = simulation_generator(seed, Simulation.CLIP, number)
    samples = round(SECONDS * SAMPLE_RATE)
    around = _place(place, seed)
    start = rng.integers(len(around) - samples)
    sound = around[start : start + samples].copy()
    heard = from_afar(call(species, SAMPLE_RATE, rng)[:samples], SAMPLE_RATE, rng)
    start = rng.integers(samples - len(heard) + 1)
    sound[start : start + len(heard)] += heard
    return np.clip(sound, -1, 1)


@dataclass(frozen=True)
class _Writer:
    """Writes one clip after another."""

    folder: Path
    species: list[Species]
    num_places: int
    seed: int

    def write(self, number: int) -> None:
        """Write a clip; each time that all species have called, they move on to the next place."""
        turn, which = divmod(number, len(self.species))
        place = 1 + (turn + which) % self.num_places
        species = self.species[which]
        name = f"place{place:02}_{number:04}.flac"
        write_sound(self.folder / species.kind / name, clip(species, place, self.seed, number), SAMPLE_RATE)


@functools.lru_cache(maxsize=64)
def _place(place: int, seed: int) -> np.ndarray:
    rng = simulation_generator(seed, Simulation.PLACE, place)
    level = 10 ** (rng.uniform(*BACKGROUND_DB) / 20)
    return level * background(round(PLACE_SECONDS * SAMPLE_RATE), SAMPLE_RATE, rng)
