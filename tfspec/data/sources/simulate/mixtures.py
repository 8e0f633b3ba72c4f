"""Simulated mixtures: two words at once in a second, and the share of each, as Overlapped Speech has them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.options import SPEAKER_PATTERN, AnyCount, Count, Expression, Seed, WordCount, check_options
from tfspec.base.progress import Tracker, untracked
from tfspec.base.streams import Simulation, simulation_generator
from tfspec.base.threads import ahead
from tfspec.data.sources.simulate.folders import PARTS, new_folder, numbered, write_sound
from tfspec.data.sources.simulate.repertoire import Repertoire, recorded
from tfspec.data.sources.simulate.speech import SAMPLE_RATE, WORDS, make_voice, say

NUM_SAMPLES = 16000
NUM_VOICES = 40
"""Made-up speakers of a part."""
DEFAULT_WORDS = 10
LEAST_SHARE = 0.25
NOISE_DB = (-45.0, -25.0)
"""Level of the noise, from the words' own."""
PEAKS = (0.2, 0.9)


def write_mixtures(
    out: str | os.PathLike,
    num_train: Count = 2000,
    num_test: AnyCount = 400,
    num_words: WordCount | None = None,
    words: str | os.PathLike | None = None,
    group_pattern: Expression = SPEAKER_PATTERN,
    seed: Seed = 0,
    progress: Tracker = untracked,
) -> None:
    """Simulate clips in which two people say different words at once.

    The folder gets train/ and test/ with wav files of one second at 16 kHz; train_answer.csv and
    test_answer.csv, the name of a clip and the share of each word, which sum to 1; and submission.csv, the
    table of the test clips that is to be filled in. A share is that of the amplitude, a quarter at least.

    Args:
        out: folder to write; nothing is there yet, or an empty folder.
        num_train: clips to train on.
        num_test: clips to test on.
        num_words: number of words, 30 were published; 10 if None.
        words: folder of class folders of real words; without it, speech is made up.
        group_pattern: as in `data.list_class_folders`, whose groups are the speakers of real words.
        seed: same seed, same bytes; the first clips whatever their number.
        progress: wraps the iteration over so many clips, to draw a bar.

    Raises:
        UserError: an option is out of its range, something is there already, or there are too few words.
        OSError: the files cannot be written.

    Example:
        >>> write_mixtures("mixtures", num_train=2, num_test=1, num_words=3)
        >>> pd.read_csv("mixtures/submission.csv").to_dict("list")
        {'file_name': ['test_00000.wav'], 'bed': [0.0], 'bird': [0.0], 'cat': [0.0]}
    """
    given = {"num_train": num_train, "num_test": num_test, "num_words": num_words, "seed": seed}
    check_options(write_mixtures, {**given, "group_pattern": group_pattern})
    if words is None:
        repertoire = _made_up(num_words or DEFAULT_WORDS, seed)
    elif num_words is None:
        repertoire = recorded(words, group_pattern, SAMPLE_RATE, (1.0, 1.0), seed)
    else:
        raise UserError("num_words is for made-up speech; real words are as many as there are folders.")
    with new_folder(out) as folder:
        clips = numbered(folder, num_train, num_test)
        shares = list(progress(ahead(_Mixer(folder, repertoire, seed).write_clip, clips), len(clips)))
        _write_tables(folder, clips, pd.DataFrame(shares, columns=repertoire.names))


def _made_up(count: int, seed: int) -> Repertoire:
    names = list(WORDS)[:count]

    def draw(part: str, number: int, rng: np.random.Generator) -> np.ndarray:
        return say(names[number], make_voice(seed, PARTS.index(part), int(rng.integers(NUM_VOICES))), rng)

    return Repertoire(names, draw)


def _write_tables(folder: Path, clips: list[tuple[str, int]], shares: pd.DataFrame) -> None:
    shares.insert(0, "file_name", [_file_name(*clip) for clip in clips])
    for part, rows in shares.groupby([part for part, _ in clips]):
        rows.to_csv(folder / f"{part}_answer.csv", index=False)
        if part == "test":
            rows.assign(**dict.fromkeys(rows.columns[1:], 0.0)).to_csv(folder / "submission.csv", index=False)


def _file_name(part: str, number: int) -> str:
    return f"{part}_{number:05}.wav"


@dataclass(frozen=True)
class _Mixer:
    """Writes one clip after another."""

    folder: Path
    repertoire: Repertoire
    seed: int

    def write_clip(self, clip: tuple[str, int]) -> np.ndarray:
        """Write a clip and return (words,), the share of each word."""
        part, number = clip
        rng = simulation_generator(self.seed, Simulation.MIXTURE, PARTS.index(part), number)
        said = rng.choice(len(self.repertoire.names), 2, replace=False)
        share = round(rng.uniform(LEAST_SHARE, 1 - LEAST_SHARE), 4)
        shares = np.zeros(len(self.repertoire.names))
        shares[said] = share, round(1 - share, 4)
        mixture = sum(shares[word] * self._spoken(part, word, rng) for word in said)
        mixture += 10 ** (rng.uniform(*NOISE_DB) / 20) * rng.standard_normal(NUM_SAMPLES)
        mixture *= rng.uniform(*PEAKS) / np.abs(mixture).max()
        write_sound(self.folder / part / _file_name(part, number), mixture, SAMPLE_RATE)
        return shares

    def _spoken(self, part: str, word: int, rng: np.random.Generator) -> np.ndarray:
        """Have a word said some time in the clip: (NUM_SAMPLES,), of RMS 1 while it lasts."""
        sound = self.repertoire.draw(part, word, rng)
        before = rng.integers(NUM_SAMPLES - len(sound) + 1)
        level = np.sqrt(np.mean(sound**2))
        return np.pad(sound / level, (before, NUM_SAMPLES - len(sound) - before))
