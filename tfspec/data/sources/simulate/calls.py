"""Made-up species: each has its own call, which is never twice the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.ndimage
import scipy.signal

from tfspec.base.streams import Simulation, simulation_generator
from tfspec.data.sources.simulate.backgrounds import filtered

HIGHEST_HERTZ = 16_000
"""Overtones above it are left out."""
EDGE_SECONDS = 0.03
"""In which a note rises and falls, if it is that long."""
METRES = (4.0, 60.0)
"""How far away a species calls: at 4 m its peak is half of full scale."""
ABSORPTION = 1.5e-9
"""Decibels that a metre of air takes from a tone, by the square of its frequency: 0.15 at 10 kHz."""


@dataclass(frozen=True)
class Species:
    """A call: notes one after another, each a tone that moves.

    Args:
        kind: what people would call it.
        hertz: of a note's middle.
        num_notes: of a call.
        note_seconds: length of a note.
        gap_seconds: from a note's end to the next one's beginning.
        sweep: octaves that a note rises, or falls if negative.
        arch: octaves that its middle stands above its ends.
        vibrato: octaves that its pitch swings to either side.
        vibrato_hertz: how often it does.
        overtones: how many there are, each half as loud as the one before.
        roughness: deviation in Hz of a tone that trembles so fast that it sounds like noise.
    """

    kind: str
    hertz: float
    num_notes: int
    note_seconds: float
    gap_seconds: float
    sweep: float = 0.0
    arch: float = 0.0
    vibrato: float = 0.0
    vibrato_hertz: float = 0.0
    overtones: int = 0
    roughness: float = 0.0


KINDS: dict[str, dict[str, tuple[float, float]]] = {
    "whistle": {
        "hertz": (1500, 7000),
        "num_notes": (2, 4),
        "note_seconds": (0.25, 0.5),
        "gap_seconds": (0.1, 0.3),
        "sweep": (-0.8, 0.8),
    },
    "trill": {
        "hertz": (2500, 9000),
        "num_notes": (12, 25),
        "note_seconds": (0.03, 0.06),
        "gap_seconds": (0.02, 0.05),
        "sweep": (-0.5, 0.5),
    },
    "cry": {
        "hertz": (350, 1600),
        "num_notes": (1, 3),
        "note_seconds": (0.4, 0.8),
        "gap_seconds": (0.1, 0.4),
        "arch": (0.2, 0.6),
        "overtones": (4, 8),
    },
    "pulses": {
        "hertz": (800, 5000),
        "num_notes": (8, 20),
        "note_seconds": (0.015, 0.03),
        "gap_seconds": (0.05, 0.12),
        "roughness": (100, 300),
    },
    "warble": {
        "hertz": (1200, 5000),
        "num_notes": (1, 2),
        "note_seconds": (0.7, 1.4),
        "gap_seconds": (0.2, 0.4),
        "vibrato": (0.1, 0.3),
        "vibrato_hertz": (7, 18),
    },
    "buzz": {
        "hertz": (3000, 11000),
        "num_notes": (1, 3),
        "note_seconds": (0.4, 1.0),
        "gap_seconds": (0.1, 0.3),
        "roughness": (300, 900),
    },
}
"""What the calls of a kind may be like."""
WHOLE = {"num_notes", "overtones"}
"""Parameters that are counted."""


def make_species(count: int, seed: int) -> list[Species]:
    """Make up species: the kinds take turns, and those of one kind share its range of pitches evenly.

    Args:
        count: number of species.
        seed: another seed, other species.

    Returns:
        (count,) species.

    Example:
        >>> [species.kind for species in make_species(7, seed=0)]
        ['whistle', 'trill', 'cry', 'pulses', 'warble', 'buzz', 'whistle']
    """
    return [_species(number, -(-count // len(KINDS)), seed) for number in range(count)]


def _species(number: int, of_a_kind: int, seed: int) -> Species:
    rng = simulation_generator(seed, Simulation.SPECIES, number)
    turn, kind = divmod(number, len(KINDS))
    name, ranges = list(KINDS.items())[kind]
    drawn: dict[str, Any] = {parameter: rng.uniform(*limits) for parameter, limits in ranges.items()}
    drawn |= {parameter: round(drawn[parameter]) for parameter in WHOLE & drawn.keys()}
    low, high = ranges["hertz"]
    drawn["hertz"] = low * (high / low) ** ((turn + rng.uniform(0.3, 0.7)) / of_a_kind)
    return Species(name, **drawn)


def call(species: Species, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Synthesise a call; pitch, tempo and the number of notes vary from call to call.

    Args:
        species: whose call it is.
        sample_rate: samples per second.
        rng: what varies.

    Returns:
        (samples,) float64, its largest sample 1.

    Example:
        >>> species = Species("whistle", hertz=2000, num_notes=2, note_seconds=0.3, gap_seconds=0.1)
        >>> len(call(species, 48000, np.random.default_rng(0)))
        33180
    """
    tempo = np.exp(rng.normal(0, 0.1))
    this = replace(
        species,
        hertz=species.hertz * 2 ** rng.normal(0, 0.04),
        num_notes=max(1, round(species.num_notes * rng.uniform(0.8, 1.25))),
        note_seconds=species.note_seconds / tempo,
        gap_seconds=species.gap_seconds / tempo,
    )
    notes = _notes(this, sample_rate, rng)
    gap = round(this.gap_seconds * sample_rate)
    sound = np.pad(notes, ((0, 0), (0, gap))).ravel()[:-gap]
    return sound / np.abs(sound).max()


def from_afar(sound: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Put a caller somewhere: with the distance a sound gets softer, and its high tones more so.

    Args:
        sound: (samples,) close by.
        sample_rate: samples per second.
        rng: what varies.

    Returns:
        (samples,), its peak at most half of full scale.

    Example:
        >>> bool(np.abs(from_afar(np.sin(np.arange(480)), 48000, np.random.default_rng(0))).max() < 0.5)
        True
    """
    near, far = METRES
    metres = near * (far / near) ** rng.uniform()
    heard = filtered(sound, sample_rate, lambda hertz: 10 ** (-ABSORPTION * hertz**2 * metres / 20))
    return heard * (0.5 * near / metres / np.abs(sound).max())


def _notes(species: Species, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Synthesise (notes, samples)."""
    samples = round(species.note_seconds * sample_rate)
    along, seconds = np.linspace(0, 1, samples), np.arange(samples) / sample_rate
    octaves = species.sweep * (along - 0.5) + species.arch * 4 * along * (1 - along)
    octaves += species.vibrato * np.sin(2 * np.pi * species.vibrato_hertz * seconds)
    hertz = species.hertz * 2 ** (octaves + rng.normal(0, 0.02, (species.num_notes, 1)))
    if species.roughness:
        hertz += species.roughness * _jitter(hertz.shape, sample_rate / (np.pi * species.roughness), rng)
    phase = 2 * np.pi * np.cumsum(hertz, axis=1) / sample_rate
    notes = np.sin(phase)
    for overtone in range(2, species.overtones + 2):
        notes += np.where(overtone * hertz < HIGHEST_HERTZ, np.sin(overtone * phase) / 2 ** (overtone - 1), 0)
    edges = min(1.0, 2 * EDGE_SECONDS / species.note_seconds)
    loudness = rng.uniform(0.7, 1, (species.num_notes, 1))
    return notes * loudness * scipy.signal.windows.tukey(samples, edges)


def _jitter(shape: tuple[int, ...], samples: float, rng: np.random.Generator) -> np.ndarray:
    """Make noise without what is faster than so many samples: of unit variance on the average."""
    smooth = scipy.ndimage.gaussian_filter1d(rng.standard_normal(shape), samples, axis=1, truncate=3)
    return smooth * np.sqrt(2 * np.sqrt(np.pi) * samples)
