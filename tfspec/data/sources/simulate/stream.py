"""A long stream in which words are said now and then before noise, and a table of where they are."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.audio.decoding import hops_of
from tfspec.audio.sounding import sounding
from tfspec.base.errors import UserError
from tfspec.base.options import (
    SPEAKER_PATTERN,
    Decibels,
    Expression,
    Name,
    Seed,
    Share,
    SlotSeconds,
    SplitPart,
    StreamMinutes,
    check_options,
)
from tfspec.base.progress import Tracker, untracked
from tfspec.base.streams import Simulation, simulation_generator
from tfspec.data.sources.simulate.folders import new_folder
from tfspec.data.sources.simulate.repertoire import loudest
from tfspec.data.sources.simulate.speech import SAMPLE_RATE
from tfspec.data.sources.simulate.stream_noise import made_up_noise, recorded_noise, with_edges
from tfspec.data.sources.simulate.stream_words import (
    Draw,
    made_up_words,
    recorded_words,
    speakers_of,
)

FILE = "stream.wav"
WORD_DB = -26.0
"""Level of a word where it sounds, RMS: that at which telephony measures speech."""


def write_stream(
    out: str | os.PathLike,
    minutes: StreamMinutes = 10.0,
    classes: tuple[Name, ...] = ("yes", "no"),
    words: str | os.PathLike | None = None,
    background: str | os.PathLike | None = None,
    snr_db: Decibels = 10.0,
    word_seconds: SlotSeconds = 5.0,
    share: Share = 0.5,
    split: str | os.PathLike | None = None,
    part: SplitPart = "test",
    group_pattern: Expression = SPEAKER_PATTERN,
    seed: Seed = 0,
    progress: Tracker = untracked,
) -> None:
    """Simulate a stream to score a detector on.

    The folder gets stream.wav, 16 kHz and 16 bits, and events.csv with the columns file, start, end and
    label. There is one word in every `word_seconds`, somewhere, as a whole clip. It is louder than the noise
    by `snr_db` where it sounds: from the first to the last stretch of 20 ms that is not more than 25 dB
    softer than its loudest one. That is from start to end in events.csv. Words that are not listened for are
    labelled `_unknown_`.

    Args:
        out: folder to write; nothing is there yet, or an empty folder.
        minutes: length of the stream; what is left at its end and shorter than `word_seconds` has no word.
        classes: the words that are listened for.
        words: folder of class folders of real words; what is in the others is not listened for, and what is
            called `_silence_` or the like is left out. Without it, speech is made up.
        background: folder of noise, whose recordings are joined in a random order, every few seconds at the
            same level; without it, noise is made up.
        snr_db: by how much words are louder than the noise.
        word_seconds: from one word to the next, on the average.
        share: of the words that are listened for.
        split: split.csv of a run, of whose part the speakers are and of no other; all speakers if None.
        part: "train", "validation" or "test", of `split`.
        group_pattern: as in `data.list_class_folders`, whose groups are the speakers.
        seed: same seed, same bytes; the same words in the same noise at the beginning, whatever the length.
        progress: wraps the iteration over so many words, to draw a bar.

    Raises:
        UserError: an option is out of its range, the stream is shorter than `word_seconds`, something is
            there already, or there are no words of one kind, no noise or none that sounds.
        OSError: the files cannot be written.

    Example:
        >>> write_stream("stream", minutes=0.5, classes=("go",))
        >>> pd.read_csv("stream/events.csv")["label"].tolist()
        ['go', '_unknown_', '_unknown_', '_unknown_', '_unknown_', '_unknown_']
    """
    given = {"minutes": minutes, "classes": classes, "snr_db": snr_db, "word_seconds": word_seconds}
    given |= {"share": share, "part": part, "group_pattern": group_pattern, "seed": seed}
    check_options(write_stream, given)
    draw = _words(words, classes, group_pattern, split, part, seed)
    noise = made_up_noise(seed) if background is None else recorded_noise(Path(background), seed)
    slot = round(word_seconds * SAMPLE_RATE)
    length = round(minutes * 60 * SAMPLE_RATE)
    count = length // slot
    if not count:
        raise UserError(
            "A stream has room for a word: give more minutes, or fewer seconds from one word to the next. "
            f"Received: {minutes:g} minutes and {word_seconds:g} seconds"
        )
    stretches = hops_of(noise, slot)
    volume = 10 ** ((WORD_DB - snr_db) / 20)
    with new_folder(out) as folder, wave.open(str(folder / FILE), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        rows = []
        for number in progress(range(count), count):
            rng = simulation_generator(seed, Simulation.STREAM, number)
            sound, label = draw(rng.random() < share, rng)
            samples = volume * next(stretches)
            start, end = (number * slot + place for place in _add_word(samples, sound, rng))
            rows.append((FILE, start / SAMPLE_RATE, end / SAMPLE_RATE, label))
            file.writeframesraw(_as_bytes(samples))
        file.writeframesraw(_as_bytes(volume * next(stretches)[: length - count * slot]))
        table = pd.DataFrame(rows, columns=["file", "start", "end", "label"])
        table.round(4).to_csv(folder / "events.csv", index=False)


def _words(
    folder: str | os.PathLike | None,
    classes: tuple[str, ...],
    group_pattern: str,
    split: str | os.PathLike | None,
    part: SplitPart,
    seed: int,
) -> Draw:
    if not classes:
        raise UserError("Give the words that are listened for: classes has none.")
    if folder is not None:
        speakers = None if split is None else speakers_of(split, part)
        return recorded_words(Path(folder), classes, group_pattern, speakers)
    if split is not None:
        raise UserError("split is for real words: give their folder, too.")
    return made_up_words(classes, seed)


def _as_bytes(samples: np.ndarray) -> bytes:
    return np.round(np.clip(samples, -1, 1) * (2**15 - 1)).astype("<i2").tobytes()


def _add_word(samples: np.ndarray, sound: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """Add a word somewhere; return from where to where it sounds."""
    sound = loudest(sound, len(samples))
    first, last = sounding(sound, SAMPLE_RATE)
    level = np.sqrt(np.mean(sound[first:last] ** 2))
    place = int(rng.integers(len(samples) - len(sound) + 1))
    samples[place : place + len(sound)] += 10 ** (WORD_DB / 20) / level * with_edges(sound)
    return place + first, place + last
