"""Manifests of mixtures: how much of each class is in each recording, and the table of predictions."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.audio.inspection import format_problems
from tfspec.audio.recordings import recording_names
from tfspec.base.errors import UserError, listed
from tfspec.base.files import written_beside
from tfspec.base.text import excerpt, normalized, number_of, shown
from tfspec.data.label_targets import ROUNDING
from tfspec.data.manifest import RESERVED, class_columns
from tfspec.data.problems import Faults, with_problems
from tfspec.data.splits import UNANSWERED
from tfspec.data.tables import read_csv, to_numbers

SUBMISSION = "submission.csv"
TABLES = {"train": "train_answer.csv", "test": "test_answer.csv", UNANSWERED: SUBMISSION}
"""The answers of each part, and what is to be filled in."""


def list_mixtures(
    csv: str | os.PathLike,
    folder: str | os.PathLike,
    sample_rate: int,
    num_samples: int,
    answered: bool = True,
) -> pd.DataFrame:
    r"""List recordings and how much of each class they hold, and say which cannot be used and why.

    Every row of the table and every recording of the folder gets a row. Recordings are looked at in their
    headers alone.

    Args:
        csv: a row a recording: first its file name, with or without suffix, then a column of numbers a
            class, not negative, that sum to 1.
        folder: holds the recordings (wav, flac, ogg, mp3).
        sample_rate: samples per second that all must have.
        num_samples: length in samples that all must have.
        answered: False for a table whose numbers are still to be filled in, and mean nothing.

    Returns:
        The rows of the table in order, then the recordings that it lacks: `path` in the folder, `group` (the
        path: each is its own), a column a class in the table's order, and `problem` (None for a good row).

    Raises:
        UserError: the table is missing, unreadable or empty, its header does not name classes, or there is no
            such folder.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros(16000), 16000)
        ...     _ = Path(folder, "answer.csv").write_text("file_name,yes,no\na.wav,0.25,0.75\nb,1,0\n")
        ...     manifest = list_mixtures(f"{folder}/answer.csv", folder, 16000, 16000)
        >>> manifest[["path", "yes", "no"]].values.tolist()
        [['a.wav', 0.25, 0.75], ['b', 1.0, 0.0]]
        >>> manifest["problem"].tolist()
        [None, 'row 2: no such recording']
    """
    csv, folder = Path(csv), Path(folder)
    ids, shares = _read_table(csv)
    files = recording_names(folder)
    places = _places(ids, files)
    numbers = shares.apply(to_numbers).rename(columns=normalized)
    faults = Faults(len(ids))
    _check_ids(ids, places, faults)
    if answered:
        _check_shares(shares, numbers.to_numpy(), faults)
    good, found = faults.good, np.full(len(ids), None, object)
    paths = (folder / files[place] for place in places[good])
    found[good] = format_problems(paths, sample_rate, num_samples)
    faults.add_found(found)
    named = [files[place] if place >= 0 else name for place, name in zip(places, ids, strict=True)]
    unlisted = [files[place] for place in np.setdiff1d(np.arange(len(files)), places)]
    told = [*faults.told, *[f"no row in {csv.name}"] * len(unlisted)]
    names = pd.Series([*named, *unlisted], dtype=object)
    manifest = pd.DataFrame({"path": names, "group": names}).join(numbers)
    return with_problems(manifest, lambda rows: [told[row] for row in rows.index])


def list_mixture_folder(folder: str | os.PathLike, sample_rate: int, num_samples: int) -> pd.DataFrame:
    """List the recordings of a folder of mixtures, in the layout of the overlapped-speech competition.

    Args:
        folder: holds train/ and train_answer.csv, and maybe test/ with test_answer.csv or, where nobody knows
            the answers, submission.csv; one of these tables at least.
        sample_rate: as in `list_mixtures`.
        num_samples: as in `list_mixtures`.

    Returns:
        The rows of `list_mixtures`, paths beginning with train/ or test/, and `part`: "train", "test" or
        "unanswered".

    Raises:
        UserError: as in `list_mixtures`, or the tables have not the same classes.

    Example:
        >>> list_mixture_folder("missing", 16000, 16000)
        Traceback (most recent call last):
        tfspec.base.errors.UserError: missing/train_answer.csv cannot be read: no such file.
    """
    folder = Path(folder)
    there = [part for part, table in TABLES.items() if (folder / table).exists()] or ["train"]
    if "test" in there and UNANSWERED in there:
        there.remove(UNANSWERED)
    parts = [_list_part(folder, part, sample_rate, num_samples) for part in there]
    for part, table in zip(there, parts, strict=True):
        if set(class_columns(parts[0])) != set(class_columns(table)):
            raise UserError(f"{TABLES[part]} has not the classes of {TABLES[there[0]]} in {shown(folder)}.")
    return pd.concat(parts, ignore_index=True)


def _list_part(folder: Path, part: str, sample_rate: int, num_samples: int) -> pd.DataFrame:
    inside = "train" if part == "train" else "test"
    csv, answered = folder / TABLES[part], part != UNANSWERED
    table = list_mixtures(csv, folder / inside, sample_rate, num_samples, answered)
    path = [f"{inside}/{path}" for path in table["path"]]
    return table.assign(part=part, path=path, group=path)


def check_all_there(submission: str | os.PathLike, files: Sequence[str]) -> None:
    r"""Refuse a table to fill in that asks for recordings which will have no prediction.

    Args:
        submission: as in `write_predictions`.
        files: as in `write_predictions`.

    Raises:
        UserError: it cannot be read, or names others.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "submission.csv").write_text("file_name,yes,no\nb,0,0\na,0,0\n")
        ...     check_all_there(Path(folder, "submission.csv"), ["a.wav", "b.wav", "c.wav"])
    """
    _places_asked(Path(submission), _read_table(Path(submission))[0], files)


def _places_asked(submission: Path, ids: pd.Series, files: Sequence[str]) -> np.ndarray:
    places = _places(ids, [name.replace("\\", "/").rsplit("/", 1)[-1] for name in files])
    if missing := [repr(excerpt(name)) for name in ids[places < 0]]:
        raise UserError(
            f"{shown(submission)} asks for {number_of(len(missing), 'recording')} that cannot be used: "
            f"{listed(missing)}. Mend them, or take their rows out of it."
        )
    return places


def write_predictions(
    path: str | os.PathLike,
    submission: str | os.PathLike,
    files: Sequence[str],
    class_names: Sequence[str],
    probabilities: np.ndarray,
) -> None:
    r"""Fill in a table: its header, its order and its file names stay as they are.

    Args:
        path: table to write; it is whole or not there.
        submission: table to fill in, as `list_mixtures` reads it.
        files: (examples,) the recordings' file names, with or without folders.
        class_names: (classes,) of the columns of `probabilities`.
        probabilities: (examples, classes).

    Raises:
        UserError: the table cannot be read, has other classes, or names a recording without prediction.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table, filled = Path(folder, "submission.csv"), Path(folder, "PredictionFinal.csv")
        ...     _ = table.write_text("file_name,yes,no\nb,0,0\na,0,0\n")
        ...     write_predictions(filled, table, ["a.wav", "b.wav"], ["no", "yes"], np.eye(2))
        ...     filled.read_text()
        'file_name,yes,no\nb,1.0,0.0\na,0.0,1.0\n'
    """
    ids, shares = _read_table(Path(submission))
    spelt, names = [*map(normalized, shares)], [*map(normalized, class_names)]
    if differing := [repr(excerpt(name)) for name in sorted(set(spelt) ^ set(names))]:
        raise UserError(
            f"{shown(submission)} has not the model's classes. They differ in: {listed(differing)}."
        )
    places = _places_asked(Path(submission), ids, files)
    filled = pd.DataFrame(np.asarray(probabilities)[places], columns=names)[spelt].set_axis(
        list(shares), axis=1
    )
    filled.insert(0, ids.name, ids.to_numpy())
    with written_beside(path) as temporary:
        filled.to_csv(temporary, index=False, lineterminator="\n")


def _read_table(path: Path) -> tuple[pd.Series, pd.DataFrame]:
    """Read the file names and the classes' columns, all as they stand."""
    rows = read_csv(path)
    name, *classes = rows.columns
    _check_header(path, [*map(normalized, classes)])
    return rows[name], rows[classes]


def _check_header(path: Path, classes: list[str]) -> None:
    if len(classes) < 2:
        raise UserError(
            f"The header of {shown(path)} must name the file and then at least two classes. "
            f"Received: {len(classes)} classes"
        )
    if wrong := [name for name in classes if not name.strip() or name in RESERVED]:
        raise UserError(
            f"The classes in the header of {shown(path)} must have names, and none of "
            f"{', '.join(RESERVED)}. Received: {listed([repr(excerpt(name)) for name in wrong])}"
        )


def _places(ids: pd.Series, files: Sequence[str]) -> np.ndarray:
    """Find each id among the file names, with or without suffix: its place, −1 where it is not there.

    No path is made of an id, so none leads out of the folder. Of files whose names are one text, the first.
    """
    names = [normalized(name) for name in files]
    places: dict[str, int] = {}
    for known in (names, [name.rpartition(".")[0] or name for name in names]):
        for place, name in enumerate(known):
            places.setdefault(name, place)
    return np.array([places.get(normalized(name), -1) for name in ids], np.int64)


def _check_ids(ids: pd.Series, places: np.ndarray, faults: Faults) -> None:
    """Tell of file names that name no recording of the folder, or one that another row names too."""
    # Of several rows nobody knows which is right
    faults.add(pd.Series(places).duplicated(keep=False) & (places >= 0), "not the file's only row")
    faults.add(ids.str.contains(r"[/\\]"), "a path, not the name of a file in the folder")
    faults.add(places < 0, "no such recording")


def _check_shares(shares: pd.DataFrame, numbers: np.ndarray, faults: Faults) -> None:
    """Tell of numbers that are no shares, as they are spelt."""
    for what, is_bad in (("is no finite number", ~np.isfinite(numbers)), ("is negative", numbers < 0)):
        faults.add(is_bad.any(1), functools.partial(_wrong_cell, shares, is_bad, what))
    sums = np.where(np.isfinite(numbers), numbers, 0).sum(1)
    faults.add(np.abs(sums - 1) > ROUNDING, lambda row: f"sums to {sums[row]:.6g}, not to 1")


def _wrong_cell(shares: pd.DataFrame, is_bad: np.ndarray, what: str, row: int) -> str:
    column = is_bad[row].argmax()
    return f"{excerpt(shares.iat[row, column])!r} in column {shares.columns[column]} {what}"
