"""What a stream holds besides whole words: half words, noise alone, and what a detector took for a word."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.audio.decoding import load_audio
from tfspec.audio.inspection import recording_lengths
from tfspec.audio.recordings import list_recordings
from tfspec.audio.sounding import sounding
from tfspec.base.errors import UserError
from tfspec.base.progress import say
from tfspec.base.text import excerpt, normalized, shown
from tfspec.base.threads import threads
from tfspec.data.sources.speech_archive import OTHERS, SILENCE, STRETCHES, UNKNOWN
from tfspec.data.tables import check_has, read_cells, to_decimals

LEAST_HEARD, MOST_HEARD = 0.1, 0.6
"""Parts of a word that are in the clip; of one of which more is there, it can be told which it is."""
RATE = 16000
"""Samples per second of what is looked at to find where words sound."""
PER_WORD = 2
"""Of the words that are cut off, and of the clips of noise, there are as many as of so many words."""
MINED = "hard negatives of "
"""How the groups of clips begin in which a detector heard what is not there."""


def with_cut_off_words(
    manifest: pd.DataFrame, folder: str | os.PathLike, clip_seconds: float, seed: int
) -> pd.DataFrame:
    """Add words of which a clip holds the end or the beginning alone: they are `_unknown_`.

    A classifier slides over a stream, and sees more clips in which a word is half there than whole ones. It
    must not know a word before it is all there, nor a second time when it is nearly over.

    Args:
        manifest: columns `path`, `label` and `group`, maybe `start` and `part`.
        folder: what the paths are relative to.
        clip_seconds: length of a clip.
        seed: another seed, other words cut otherwise.

    Returns:
        The manifest, and below it rows of label `_unknown_`, whose `start`, in seconds, is below 0 for words
        that begin late in the clip.

    Example:
        >>> words = pd.DataFrame({"path": ["go/a.wav"], "label": ["go"], "group": ["a"]})
        >>> with_cut_off_words(words, "archive", 1.0, seed=0)["label"].tolist()
        ['go', '_unknown_']
    """
    words = manifest[~manifest["label"].isin(OTHERS)]
    generator = np.random.default_rng(seed)
    wanted = min(len(words), -(-PER_WORD * len(words) // words["label"].nunique()))
    cut = words.iloc[np.sort(generator.permutation(len(words))[:wanted])]
    paths = [Path(folder, path) for path in cut["path"]]
    first, last = np.array(list(threads().map(_sounding_seconds, paths))).reshape(-1, 2).T
    heard = generator.uniform(LEAST_HEARD, MOST_HEARD, len(cut)) * (last - first)
    start = np.where(generator.random(len(cut)) < 0.5, last - heard, first + heard - clip_seconds)
    return _joined(manifest, cut.assign(label=UNKNOWN, start=start.round(3)))


def _sounding_seconds(path: Path) -> tuple[float, float]:
    """Find where a word begins and ends in its recording; one that cannot be read is found out later."""
    try:
        sound = load_audio(path, RATE)
    except UserError:
        return 0.0, 1.0
    first, last = sounding(sound, RATE)
    return first / RATE, min(last, len(sound)) / RATE


def with_noise(
    manifest: pd.DataFrame, noises: str | os.PathLike, clip_seconds: float, seed: int
) -> pd.DataFrame:
    """Add clips of noise alone, which are `_silence_`.

    Args:
        manifest: columns `path`, `label` and `group`, maybe `start` and `part`.
        noises: folder of recordings; those that are shorter than a clip are left out.
        clip_seconds: length of a clip.
        seed: another seed, other clips.

    Returns:
        The manifest, and below it rows of label `_silence_` with absolute paths, each group a recording.
        Where the manifest has parts, of ten recordings one validates and one tests.

    Raises:
        UserError: the folder holds no recording as long as a clip.
    """
    paths = sorted(path.resolve() for path in list_recordings(noises)[0])
    lengths = dict(zip(paths, (seconds for seconds, _ in recording_lengths(paths)), strict=True))
    if not (long := [path for path in paths if lengths[path] >= clip_seconds]):
        raise UserError(f"{shown(noises)} holds no recording of {clip_seconds:g} s or more.")
    words = manifest[~manifest["label"].isin(OTHERS)]
    wanted = -(-PER_WORD * len(words) // words["label"].nunique())
    generator = np.random.default_rng(seed)
    drawn = generator.permutation(np.resize(np.arange(len(long)), wanted))
    places = generator.random(wanted)
    rows = pd.DataFrame(
        {
            "path": [str(long[each]) for each in drawn],
            "label": SILENCE,
            "group": [f"noise {long[each].name}" for each in drawn],
            "start": [
                round(place * (lengths[long[each]] - clip_seconds), 3)
                for place, each in zip(places, drawn, strict=True)
            ],
        }
    )
    if "part" in manifest:
        rows["part"] = np.array(STRETCHES)[::-1][drawn % len(STRETCHES)]  # the first ones train
    return _joined(manifest, rows)


def with_hard_negatives(manifest: pd.DataFrame, table: str | os.PathLike) -> pd.DataFrame:
    r"""Add clips in which a detector heard what is not there: they are `_unknown_`.

    Args:
        manifest: columns `path`, `label` and `group`, maybe `start` and `part`.
        table: hard_negatives.csv, as `tfspec evaluate-stream` writes it: `path` and `start` in seconds.

    Returns:
        The manifest, and below it rows of label `_unknown_`, each group a stream. Where the manifest has
        parts, they train.

    Raises:
        UserError: the table cannot be read, lacks a column, or a start is no number or below 0.

    Example:
        >>> import tempfile
        >>> words = pd.DataFrame({"path": ["go/a.wav"], "label": ["go"], "group": ["a"]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "clips.csv").write_text("path,start\n/s.wav,7.5\n")
        ...     with_hard_negatives(words, f"{folder}/clips.csv").values.tolist()[1][:3]
        ['/s.wav', '_unknown_', 'hard negatives of s.wav']
    """
    clips = read_cells(table)
    check_has(clips, ("path", "start"), table)
    if clips.empty:
        say(f"{shown(table)} has no clips, so no hard negatives train.")
        return manifest
    start = to_decimals(clips["start"])
    if (bad := ~(np.isfinite(start) & (start >= 0))).any():
        received = excerpt(clips["start"][bad].iloc[0])
        raise UserError(f"{shown(table)}, clip {bad.argmax() + 1}: no time from 0 on. Received: {received}")
    groups = [MINED + normalized(Path(path).name) for path in clips["path"]]
    rows = clips[["path"]].assign(label=UNKNOWN, group=groups, start=start)
    return _joined(manifest, rows.assign(part="train") if "part" in manifest else rows)


def _joined(manifest: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Put rows below a manifest; what has no place so far begins at 0, and is as loud as it is."""
    joined = pd.concat([manifest, rows], ignore_index=True)
    return joined.fillna({"start": 0.0, "clip_gain": 1.0})
