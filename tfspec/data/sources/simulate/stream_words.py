"""Words that are said in a stream: those that are listened for, and others; made up, or of real speakers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tfspec.audio.decoding import load_audio
from tfspec.base.errors import UserError, listed
from tfspec.base.text import excerpt, shown
from tfspec.data.sources.class_folders import list_class_folders
from tfspec.data.sources.simulate.folders import PARTS
from tfspec.data.sources.simulate.mixtures import NUM_VOICES
from tfspec.data.sources.simulate.repertoire import QUIETEST
from tfspec.data.sources.simulate.speech import SAMPLE_RATE, WORDS, make_voice, say
from tfspec.data.sources.speech_archive import UNKNOWN
from tfspec.data.tables import check_has, read_csv

HIDDEN = "_"
"""What the names of other class folders begin with that hold no words, such as `_silence_`."""

Draw = Callable[[bool, np.random.Generator], tuple[np.ndarray, str]]
"""Returns a word that is listened for, or another one: (samples,) at 16 kHz, and its label."""


def made_up_words(classes: Sequence[str], seed: int) -> Draw:
    """Draw words that the voices of the test part say.

    Args:
        classes: those of `speech.WORDS` that are listened for.
        seed: of the voices.

    Raises:
        UserError: a word is not one of these.

    Example:
        >>> sound, label = made_up_words(["yes"], seed=0)(True, np.random.default_rng(0))
        >>> len(sound) < SAMPLE_RATE, label
        (True, 'yes')
    """
    if unknown := [name for name in classes if name not in WORDS]:
        raise UserError(f"Nobody can say {listed(unknown)}. Words are {', '.join(WORDS)}.")
    others = [name for name in WORDS if name not in classes]

    def draw(is_listened_for: bool, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        word = _one_of(classes if is_listened_for else others, rng)
        voice = make_voice(seed, PARTS.index("test"), int(rng.integers(NUM_VOICES)))
        return say(word, voice, rng), word if is_listened_for else UNKNOWN

    return draw


def _one_of(words: Sequence[str], rng: np.random.Generator) -> str:
    if not words:
        raise UserError("There are no words but those that are listened for. Give a share of 1.")
    return str(rng.choice(list(words)))


def speakers_of(split: str | os.PathLike, part: str) -> set[str]:
    r"""Find who is in a part of a run and in no other.

    Args:
        split: the run's split.csv.
        part: "train", "validation" or "test".

    Returns:
        The groups.

    Raises:
        UserError: the table cannot be read or has no such group.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "split.csv").write_text("group,part\nann,train\nbob,test\nann,test\n")
        ...     speakers_of(f"{folder}/split.csv", "test")
        {'bob'}
    """
    table = read_csv(split)
    check_has(table, ("group", "part"), split, "Give a run's split.csv.")
    is_here = table["part"] == part
    if not (speakers := {*table["group"][is_here]} - {*table["group"][~is_here]} - {""}):
        there = listed([excerpt(each) for each in sorted({*table["part"]})])
        raise UserError(
            f"{shown(split)} has no speakers who are in its part {part} alone. Its parts: {there}."
        )
    return speakers


def recorded_words(
    folder: Path, classes: Sequence[str], group_pattern: str, speakers: set[str] | None
) -> Draw:
    """Draw words from class folders.

    Args:
        folder: as in `data.list_class_folders`.
        classes: those that are listened for; all others are not, but for those that hold no words.
        group_pattern: as in `data.list_class_folders`.
        speakers: whose words are drawn; everybody's if None.

    Raises:
        UserError: there are no such recordings; when drawing, one cannot be decoded, or all are silent.

    Example:
        >>> recorded_words(Path("missing"), ["yes"], "(.*)", None)
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No such folder: missing. Give one that holds a folder per class.
    """
    manifest = list_class_folders(folder, group_pattern=group_pattern).manifest
    if speakers is not None:
        manifest = manifest[manifest["group"].isin(speakers)]
    paths = {name: [*rows] for name, rows in manifest.groupby("label")["path"]}
    if missing := [name for name in classes if name not in paths]:
        there = "" if speakers is None else " of these speakers"
        raise UserError(f"{shown(folder)} has no recordings{there} of {shown(listed(missing))}.")
    said = [name for name in paths if name == UNKNOWN or not name.startswith(HIDDEN)]
    others = [name for name in said if name not in classes]

    def draw(is_listened_for: bool, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        word = _one_of(classes if is_listened_for else others, rng)
        for path in rng.permutation(paths[word]):
            sound = load_audio(folder / path, SAMPLE_RATE)
            if np.sqrt(np.mean(sound**2)) >= QUIETEST:
                return sound, word if is_listened_for else UNKNOWN
        raise UserError(f"All recordings of {shown(word)} in {shown(folder)} are silent.")

    return draw
