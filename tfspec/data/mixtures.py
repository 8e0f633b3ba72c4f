"""Manifests of mixtures: how much of each class is in each recording, and the table of predictions."""

from __future__ import annotations

import csv as csv_module
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.audio.inspection import format_problems
from tfspec.base.errors import UserError, listed
from tfspec.base.files import written_beside
from tfspec.data.manifest import AUDIO_SUFFIXES, HIDDEN_PREFIXES

# Columns of a manifest that are no classes, and that no class may be called.
RESERVED = ("path", "start", "end", "index", "label", "group", "time", "part", "fold", "problem", "predicted")
# Shares in a CSV file are rounded: thirty of three digits may be off by this much together.
ROUNDING = 1e-3


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
    files = _recordings(folder)
    places = _places(ids, files)
    numbers = shares.apply(pd.to_numeric, errors="coerce").astype(float)
    problem = _id_problems(ids, places)
    if answered:
        problem = _first(problem, _share_problems(shares, numbers.to_numpy()))
    problem = _first(problem, _format_problems(folder, files, places, sample_rate, num_samples))
    told = [why and f"row {row}: {why}" for row, why in enumerate(problem, 1)]
    paths = np.where(places >= 0, np.append(files, "")[places], ids)
    unlisted = np.setdiff1d(np.arange(len(files)), places)
    names = pd.Series([*paths, *files[unlisted]], dtype=object)
    told += [f"no row in {csv.name}"] * len(unlisted)
    manifest = pd.DataFrame({"path": names, "group": names}).join(numbers)
    return manifest.assign(problem=pd.Series(told, dtype=object))


def class_columns(manifest: pd.DataFrame) -> list[str]:
    """Name the classes of a manifest of mixtures: the columns that are none of a manifest's own.

    Args:
        manifest: as `list_mixtures` gives it, or with columns that splitting adds.

    Returns:
        Their names, in the manifest's order.

    Example:
        >>> class_columns(pd.DataFrame(columns=["path", "group", "yes", "no", "problem", "part"]))
        ['yes', 'no']
    """
    return [name for name in manifest if name not in RESERVED]


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
    if differing := [repr(name) for name in sorted(set(shares) ^ set(class_names))]:
        raise UserError(f"{submission} has not the model's classes. They differ in: {listed(differing)}.")
    places = _places(ids, np.array([name.replace("\\", "/").rsplit("/", 1)[-1] for name in files], object))
    if missing := [repr(name) for name in ids[places < 0]]:
        raise UserError(f"There is no prediction for {len(missing)} rows of {submission}: {listed(missing)}.")
    filled = pd.DataFrame(np.asarray(probabilities)[places], columns=list(class_names))[list(shares)]
    filled.insert(0, ids.name, ids.to_numpy())
    with written_beside(path) as part:
        filled.to_csv(part, index=False, lineterminator="\n")


def _read_table(path: Path) -> tuple[pd.Series, pd.DataFrame]:
    """Read the file names, as they stand, and the classes' columns, numbers or not."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            name, *classes = next(csv_module.reader(file), [""])
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            rows = pd.read_csv(
                path,
                names=range(1 + len(classes)),
                header=0,
                dtype={0: str},
                keep_default_na=False,
                index_col=False,
                encoding="utf-8-sig",
                low_memory=False,
            )
    except OSError as error:
        raise UserError(f"The table {path} cannot be read: {error.strerror}.") from None
    except (ValueError, pd.errors.ParserWarning, csv_module.Error) as error:
        raise UserError(f"The table {path} is not a CSV file in UTF-8: {error}.") from None
    _check_header(path, classes)
    if rows.empty:
        raise UserError(f"The table {path} has no rows.")
    return rows[0].rename(name), rows.drop(columns=0).set_axis(classes, axis=1)


def _check_header(path: Path, classes: list[str]) -> None:
    if len(classes) < 2:
        raise UserError(
            f"The header of {path} must name the file and then at least two classes. "
            f"Received: {len(classes)} classes"
        )
    if wrong := [name for name in classes if not name.strip() or name in RESERVED or classes.count(name) > 1]:
        raise UserError(
            f"The classes in the header of {path} must have names, each its own, and none of "
            f"{', '.join(RESERVED)}. Received: {listed([*map(repr, dict.fromkeys(wrong))])}"
        )


def _recordings(folder: Path) -> np.ndarray:
    """List the file names of the recordings in a folder, sorted."""
    if not folder.is_dir():
        raise UserError(f"No such folder: {folder}. Give the one that holds the recordings.")
    names = sorted(entry.name for entry in os.scandir(folder))
    chosen = [n for n in names if n.lower().endswith(AUDIO_SUFFIXES) and not n.startswith(HIDDEN_PREFIXES)]
    return np.array([*chosen, None], object)[:-1]


def _places(ids: pd.Series, files: np.ndarray) -> np.ndarray:
    """Find each id among the file names, with or without suffix: its place, −1 where it is not there.

    No path is made of an id, so none leads out of the folder.
    """
    stems = pd.Index([name.rpartition(".")[0] or name for name in files], dtype=object)
    firsts = np.flatnonzero(~stems.duplicated())
    by_name = pd.Index(files, dtype=object).get_indexer(pd.Index(ids, dtype=object))
    by_stem = stems[firsts].get_indexer(pd.Index(ids, dtype=object))
    return np.where(by_name >= 0, by_name, np.append(firsts, -1)[by_stem])


def _id_problems(ids: pd.Series, places: np.ndarray) -> np.ndarray:
    """Say what is wrong with a row's file name: text a row, None for a good one."""
    problem = np.full(len(ids), None, object)
    problem[places < 0] = "no such recording"
    problem[ids.str.contains(r"[/\\]").to_numpy(bool)] = "a path, not the name of a file in the folder"
    # Of several rows nobody knows which is right
    problem[pd.Series(places).duplicated(keep=False).to_numpy() & (places >= 0)] = "not the file's only row"
    return problem


def _format_problems(
    folder: Path, files: np.ndarray, places: np.ndarray, sample_rate: int, num_samples: int
) -> np.ndarray:
    """Say what is wrong with a row's recording: text a row, None for a good one."""
    problem = np.full(len(places), None, object)
    there = places >= 0
    problem[there] = format_problems(
        (folder / name for name in files[places[there]]), sample_rate, num_samples
    )
    return problem


def _share_problems(shares: pd.DataFrame, numbers: np.ndarray) -> np.ndarray:
    """Say what is wrong with a row's numbers: text a row, None for good ones."""
    problem = np.full(len(shares), None, object)
    sums = np.where(np.isfinite(numbers), numbers, 0).sum(1)
    for row in np.flatnonzero(np.abs(sums - 1) > ROUNDING):
        problem[row] = f"sums to {sums[row]:.6g}, not to 1"
    for what, is_bad in ((" is negative", numbers < 0), (" is no finite number", ~np.isfinite(numbers))):
        for row in np.flatnonzero(is_bad.any(1)):
            column = is_bad[row].argmax()
            problem[row] = f"{str(shares.iat[row, column])!r} in column {shares.columns[column]}{what}"
    return problem


def _first(problem: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Keep a row's first problem."""
    return np.where(pd.isna(problem), other, problem)
