"""Manifests of long recordings: slices of one length, round every annotation or all the way through."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from tfspec.audio.inspection import recording_lengths
from tfspec.audio.recordings import recording_names
from tfspec.base.errors import UserError
from tfspec.base.text import normalized
from tfspec.data.problems import with_problems
from tfspec.data.tables import check_has, read_csv, to_numbers

TEXT_COLUMNS = ("recording_id", "species_id", "songtype_id")
NUMBER_COLUMNS = ("t_min", "f_min", "t_max", "f_max")
# An annotation may end this much behind its recording: times are often rounded.
ROUNDING_SECONDS = 0.01


def list_annotations(csv: str | os.PathLike, folder: str | os.PathLike, slice_seconds: float) -> pd.DataFrame:
    r"""List annotations as slices, and say which of them cannot be used and why.

    A slice has the annotation's box in its middle, or as near to it as the recording's ends allow. That of a
    recording which is shorter begins with it; the reader pads it. Lengths are read from the recordings'
    headers, once each.

    Args:
        csv: a row a box, with the columns recording_id, species_id, songtype_id, t_min and t_max in seconds,
            f_min and f_max in Hz, and any others.
        folder: holds `<recording_id>.flac` (or wav, ogg, mp3).
        slice_seconds: length of every slice.

    Returns:
        One row an annotation, in order: `path` in the folder, `start` and `end` of the slice in seconds,
        `label` (the species id, as text), `group` (the recording id), `problem` (None for a good row), and
        the annotation's own columns. A bad row's slice is NaN.

    Raises:
        UserError: the file is missing, unreadable or empty or lacks columns, there is no such folder, or the
            slice has no length.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/3a.flac", np.zeros(60 * 8000), 8000)
        ...     _ = Path(folder, "tp.csv").write_text(
        ...         "recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max\n"
        ...         "3a,14,1,44.5,2531,45.5,5531\n"
        ...         "3a,7,4,0.5,7235,2.5,11283\n"
        ...     )
        ...     manifest = list_annotations(f"{folder}/tp.csv", folder, slice_seconds=10)
        >>> manifest[["path", "start", "end", "label", "group"]].values.tolist()
        [['3a.flac', 40.0, 50.0, '14', '3a'], ['3a.flac', 0.0, 10.0, '7', '3a']]
    """
    if not 0 < slice_seconds < np.inf:
        raise UserError(f"The slice must be longer than 0 seconds, and finite. Received: {slice_seconds}")
    rows = _read_table(Path(csv))
    recordings = _recordings(Path(folder), rows["recording_id"].unique())
    found = recordings.loc[rows["recording_id"]].reset_index(drop=True)
    problem = _problems(rows, found)
    latest = np.maximum(found["seconds"] - slice_seconds, 0)
    start = np.clip((rows["t_min"] + rows["t_max"] - slice_seconds) / 2, 0, latest).where(problem.isna())
    slices = pd.DataFrame(
        {
            "path": found["path"],
            "start": start,
            "end": start + slice_seconds,
            "label": rows["species_id"],
            "group": rows["recording_id"],
        }
    )
    slices = with_problems(slices, lambda rows: problem[rows.index])
    return slices.join(rows.drop(columns=slices.columns, errors="ignore"))


def list_slices(folder: str | os.PathLike, slice_seconds: float) -> pd.DataFrame:
    """List slices that cover whole recordings, each beginning half a slice behind the one before.

    So what is no longer than half a slice is whole in one of them. The last one ends with its recording; a
    recording which is shorter has one slice, which the reader pads.

    Args:
        folder: holds the recordings.
        slice_seconds: length of every slice.

    Returns:
        One row a slice: `path` in the folder, `start` and `end` in seconds, `label` ("", as nobody knows it),
        `group` (the recording's name without its suffix) and `problem`. A bad recording has one row.

    Raises:
        UserError: there is no such folder.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/3a.flac", np.zeros(17 * 8000), 8000)
        ...     list_slices(folder, slice_seconds=10)[["group", "start", "end"]].values.tolist()
        [['3a', 0.0, 10.0], ['3a', 5.0, 15.0], ['3a', 7.0, 17.0]]
    """
    names = dict.fromkeys(normalized(PurePath(file).stem) for file in recording_names(Path(folder)))
    recordings = _recordings(Path(folder), names)
    lengths = recordings["seconds"].fillna(0)
    starts = [slice_starts(seconds, slice_seconds, slice_seconds / 2) for seconds in lengths]
    slices = recordings.assign(start=starts, label="").rename_axis("group").explode("start").reset_index()
    slices = slices.astype({"start": float})
    slices["end"] = slices["start"] + slice_seconds
    return with_problems(slices.drop(columns="seconds"), lambda rows: slices["problem"][rows.index])


def slice_starts(seconds: float, slice_seconds: float, hop_seconds: float) -> np.ndarray:
    """Say where slices begin that cover a recording; the last one ends with it.

    Args:
        seconds: length of the recording.
        slice_seconds: length of a slice.
        hop_seconds: from the beginning of a slice to that of the next.

    Returns:
        (slices,) seconds; one, 0, for a recording that is no longer than a slice.

    Example:
        >>> slice_starts(17, slice_seconds=10, hop_seconds=5).tolist()
        [0.0, 5.0, 7.0]
    """
    last = max(seconds - slice_seconds, 0)
    return np.append(np.arange(0.0, last, hop_seconds), last)


def _read_table(path: Path) -> pd.DataFrame:
    """Read the annotations, text as it stands and what is no number as NaN."""
    rows = read_csv(path).rename(columns=normalized)
    check_has(rows, (*TEXT_COLUMNS, *NUMBER_COLUMNS), path)
    for name in TEXT_COLUMNS:
        rows[name] = rows[name].map(normalized)
    for name in NUMBER_COLUMNS:
        rows[name] = to_numbers(rows[name])
    return rows


def _recordings(folder: Path, names: Iterable[str]) -> pd.DataFrame:
    """Find each recording's `path`, `seconds` and `problem`, by its name.

    Names are looked up among the files there are. No path is made of one, so none leads out of the folder.
    """
    files: dict[str, str] = {}
    for file in recording_names(folder):
        files.setdefault(normalized(PurePath(file).stem), file)
    there = [name for name in names if name in files]
    lengths = recording_lengths(folder / files[name] for name in there)
    rows: dict[str, tuple[str, float, str | None]]
    rows = {name: (name, np.nan, f"no such recording in {folder}") for name in names}
    rows |= {name: (files[name], *length) for name, length in zip(there, lengths, strict=True)}
    return pd.DataFrame.from_dict(rows, "index", columns=["path", "seconds", "problem"])


def _problems(rows: pd.DataFrame, found: pd.DataFrame) -> pd.Series:
    """Say why a row cannot be used: text a row, None for a good one."""
    begin, end = rows["t_min"], rows["t_max"]
    checks = {
        "not two numbers": begin.isna() | end.isna(),
        "begins before the recording": begin < 0,
        "ends before it begins": end < begin,
        "ends behind the recording": end > found["seconds"] + ROUNDING_SECONDS,
        "no species_id": rows["species_id"] == "",
    }
    times = enumerate(zip(begin, end, strict=True), 1)
    row = pd.Series([f"row {number}, {first} to {last} s: " for number, (first, last) in times], dtype=object)
    problem = found["problem"].astype(object)
    for reason, is_bad in checks.items():
        is_first = is_bad & problem.isna()
        problem[is_first] = row[is_first] + reason
    return problem.where(problem.notna(), None)
