"""Manifests of the Speech Commands archive: words, its lists of parts, other words, and noise for silence.

After P. Warden, "Speech Commands: a dataset for limited-vocabulary speech recognition", 2018, and the test
set of twelve classes that goes with it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.audio.inspection import recording_lengths
from tfspec.base.errors import UserError, listed
from tfspec.base.options import SPEAKER_PATTERN
from tfspec.base.progress import remark
from tfspec.base.text import excerpt, shown
from tfspec.data.sources.class_folders import list_class_folders
from tfspec.data.splits import shared_groups
from tfspec.data.tables import open_table

UNKNOWN, SILENCE, BACKGROUND = "_unknown_", "_silence_", "_background_noise_"
OTHERS = (UNKNOWN, SILENCE)
MADE_OF = {UNKNOWN: "recordings of other words", SILENCE: "clips of noise"}
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
"""File of the archive that says what is in a part; what neither names trains."""
REMEDY = "give --split-by speaker"
STRETCHES = ("test", "validation", *["train"] * 8)
"""Parts of the tenths of a recording of noise, in random order."""
GRID = 100
"""Places in a second at which a clip of silence may begin."""


def list_words(
    folder: str | os.PathLike, classes: Sequence[str] | None = None, group_pattern: str = SPEAKER_PATTERN
) -> pd.DataFrame:
    """List the words that are wanted, and tell what is passed over; the folder of noise is none of them.

    Args:
        folder: as in `list_class_folders`.
        classes: as in `list_class_folders`.
        group_pattern: as in `list_class_folders`.

    Returns:
        The manifest of `list_class_folders`.

    Raises:
        UserError: as in `list_class_folders`, or the noise is wanted as a class.

    Example:
        >>> list_words("archive", ["yes", "_background_noise_"])
        Traceback (most recent call last):
        tfspec.base.errors.UserError: _background_noise_ is no class: --others makes _silence_ of it.
    """
    if BACKGROUND in (classes or ()):
        raise UserError(f"{BACKGROUND} is no class: --others makes {SILENCE} of it.")
    listing = list_class_folders(folder, classes, group_pattern)
    listing.tell()
    is_noise = listing.manifest["label"] == BACKGROUND
    return listing.manifest[~is_noise].reset_index(drop=True)


def with_listed_parts(manifest: pd.DataFrame, folder: str | os.PathLike) -> pd.DataFrame:
    """Add the column `part` as the archive's two lists have it, where both are there.

    Args:
        manifest: columns `path` and `group`.
        folder: holds validation_list.txt and testing_list.txt, which have a path a line.

    Returns:
        The manifest with the column `part`, "train", "validation" or "test"; as it is without the lists.

    Raises:
        UserError: a list cannot be read or names no recording of the manifest, or a speaker is in two parts.

    Example:
        >>> import tempfile
        >>> manifest = pd.DataFrame({"path": ["no/a.wav", "no/b.wav", "no/c.wav"], "group": ["a", "b", "c"]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "validation_list.txt").write_text("no/b.wav")
        ...     _ = Path(folder, "testing_list.txt").write_text("no/c.wav")
        ...     with_listed_parts(manifest, folder)["part"].tolist()
        ['train', 'validation', 'test']
    """
    if (parts := _listed_parts(Path(folder))) is None:
        return manifest
    manifest = _with_part(manifest, parts)
    if missing := [name for part, name in LISTS.items() if part not in set(manifest["part"])]:
        names = " and ".join(missing)
        raise UserError(f"No recording of the classes is in {names}. Mend them, or {REMEDY}.")
    if shared := shared_groups(manifest):
        raise UserError(
            f"The lists in {shown(folder)} have {len(shared)} speakers in two parts, such as "
            f"{excerpt(shared[0])}. Mend them, or {REMEDY}."
        )
    remark(f"Parts are those of {' and '.join(LISTS.values())}.")
    return manifest


def _listed_parts(folder: Path) -> dict[str, str] | None:
    """Read which part each path is in, where both lists are there."""
    lists = {part: folder / name for part, name in LISTS.items()}
    if not all(path.is_file() for path in lists.values()):
        return None
    validation, test = map(_lines, lists.values())
    if both := sorted(validation & test):
        raise UserError(f"Both lists in {shown(folder)} name {excerpt(both[0])}. Mend them, or {REMEDY}.")
    return dict.fromkeys(validation, "validation") | dict.fromkeys(test, "test")


def _lines(path: Path) -> set[str]:
    with open_table(path) as file:
        try:
            return {line.strip() for line in file} - {""}
        except UnicodeDecodeError:
            raise UserError(f"{shown(path)} is no text in UTF-8.") from None


def _with_part(manifest: pd.DataFrame, parts: dict[str, str]) -> pd.DataFrame:
    return manifest.assign(part=[parts.get(path, "train") for path in manifest["path"]])


def with_others(
    words: pd.DataFrame,
    folder: str | os.PathLike,
    group_pattern: str,
    clip_seconds: float,
    seed: int,
    unknown_per_word: int = 1,
) -> pd.DataFrame:
    """Add the classes `_unknown_` and `_silence_`, each with as many examples as a word has on average.

    Class folders of these names, as the test set of twelve classes has them, are taken as they are. What they
    lack is drawn: of `_unknown_` from the folders of all other words, and of `_silence_` from the clips that
    can be cut out of the recordings in `_background_noise_`, as loud as there or less: those of the test set
    have a gain from 0 to 1. Each recording is parted into ten stretches, which are groups of their own, and
    where the words have parts, one of them tests and one validates.

    Args:
        words: of `list_words`, maybe `with_listed_parts`.
        folder: as in `list_words`.
        group_pattern: as in `list_words`.
        clip_seconds: length of a clip of silence.
        seed: another seed, others drawn.
        unknown_per_word: so many times as many examples `_unknown_` has.

    Returns:
        The words, and below them the further rows; where clips are cut, with the columns `start`, in seconds,
        and `clip_gain`.

    Raises:
        UserError: the folder has nothing to make either class of, or only noise that is too short.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("bed", "cat", "go"):
        ...         Path(folder, name).mkdir()
        ...         _ = Path(folder, name, "a_nohash_0.wav").write_bytes(b"")
        ...     words = list_words(folder, ["go"])
        ...     with_others(words, folder, SPEAKER_PATTERN, 1.0, seed=0)["label"].tolist()
        ['go', '_unknown_']
    """
    rest = list_class_folders(folder, None, group_pattern).manifest
    rest = rest[~rest["label"].isin(words["label"])]
    if "part" in words:
        rest = _with_part(rest, _listed_parts(Path(folder)) or {})
    is_whole = rest["label"].isin(OTHERS)
    manifest = pd.concat([words, rest[is_whole]], ignore_index=True)
    made = rest[~is_whole]
    made = made.assign(label=made["label"].map({BACKGROUND: SILENCE}).fillna(UNKNOWN))
    if not {*manifest["label"], *made["label"]} & {*OTHERS}:
        raise UserError(f"{shown(folder)} has neither other words nor {BACKGROUND} to make classes of.")
    is_noise = made["label"] == SILENCE
    clips = _clips(made[is_noise], Path(folder), clip_seconds, seed)
    numbers = _missing(manifest, {UNKNOWN: unknown_per_word, SILENCE: 1})
    drawn = _drawn(pd.concat([made[~is_noise], *clips], ignore_index=True), numbers, seed)
    return pd.concat([manifest, drawn], ignore_index=True).fillna({"start": 0.0, "clip_gain": 1.0})


def _missing(manifest: pd.DataFrame, per_word: Mapping[str, int]) -> pd.Series:
    """Count what each class and part lacks of so many times a word's usual number: 408 in the test set's.

    A word has as many as all have on average, rounded up.
    """
    words = manifest[~manifest["label"].isin(OTHERS)]
    usual = np.ceil(words.groupby(_parts(words)).size() / words["label"].nunique())
    there = manifest.groupby(["label", _parts(manifest)]).size()
    wanted = pd.concat({name: times * usual for name, times in per_word.items()})
    return wanted.sub(there.reindex(wanted.index, fill_value=0))


def _parts(manifest: pd.DataFrame) -> pd.Series:
    return manifest.get("part", pd.Series("all", manifest.index))


def _drawn(rows: pd.DataFrame, numbers: pd.Series, seed: int) -> pd.DataFrame:
    """Draw so many rows of each class and part, or all where there are fewer, and tell of how many."""
    shuffled = rows.iloc[np.random.default_rng(seed).permutation(len(rows))]
    label, part = shuffled["label"], _parts(shuffled)
    wanted = numbers.reindex(pd.MultiIndex.from_arrays([label, part]), fill_value=0)
    is_drawn = shuffled.groupby([label, part]).cumcount() < wanted.to_numpy()
    for name, own in is_drawn.groupby(label):
        counts = own.groupby(part).agg(["sum", "size"])
        said = (f"{row.sum:,} of {row.size:,} in {row.Index}" for row in counts.itertuples())
        remark(f"{name} is drawn from {MADE_OF[name]}: {', '.join(said)}")
    return shuffled[is_drawn].sort_index()


def _clips(recordings: pd.DataFrame, folder: Path, clip_seconds: float, seed: int) -> list[pd.DataFrame]:
    """List all clips that can be cut out of each recording, those of a stretch in one part and group."""
    lengths = recording_lengths(folder / path for path in recordings["path"])
    generator = np.random.default_rng(seed)
    found, short = [], []
    for row, (seconds, _) in zip(recordings.itertuples(), lengths, strict=True):
        start, stretch = _places(seconds, clip_seconds)
        groups = [f"{row.path} {number + 1}/{len(STRETCHES)}" for number in stretch]
        clips = pd.DataFrame({"path": row.path, "label": SILENCE, "group": groups, "start": start})
        gain = generator.uniform(size=len(clips)).round(4)
        found.append(clips.assign(clip_gain=gain, part=generator.permutation(STRETCHES)[stretch]))
        short += [shown(row.path)] * clips.empty
    if short:
        remark(f"Passed over, as ten clips do not fit in or it cannot be read: {listed(short)}")
    if found and len(short) == len(found):
        raise UserError(f"No recording in {shown(folder / BACKGROUND)} has room for ten clips of silence.")
    return found if "part" in recordings else [clips.drop(columns="part") for clips in found]


def _places(seconds: float, clip_seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return where clips may begin in a recording, in seconds, and in which stretch they are."""
    stretch = int(np.nan_to_num(seconds) * GRID) // len(STRETCHES)
    place = np.arange(len(STRETCHES) * stretch)
    place = place[place % max(stretch, 1) <= stretch - math.ceil(clip_seconds * GRID)]
    return place / GRID, place // max(stretch, 1)
