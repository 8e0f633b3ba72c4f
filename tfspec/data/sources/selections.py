"""Events in recordings, from the files in which Raven, Audacity and the competition keep them."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path, PurePath
from typing import Literal

import numpy as np
import pandas as pd

from tfspec.audio.recordings import list_recordings
from tfspec.base.errors import UserError
from tfspec.base.text import normalized, shown
from tfspec.data.problems import NO_LABEL, Faults, name_problems
from tfspec.data.sources.annotations import list_annotations
from tfspec.data.sources.label_files import is_audacity, is_raven, read_audacity, read_raven

Program = Literal["Raven", "Audacity", "competition"]
BOXES = {"train": "train_tp.csv", "test": "test_tp.csv"}
"""The competition's tables, and the folder that each is of."""
ABSENT = "train_fp.csv"
"""Its table of what is not heard in train/."""
TEXTS = (".txt", ".tsv")
SELECTIONS = (*TEXTS, ".csv")
"""Suffixes of selection tables."""
LOST = "no recording is called so, or several are"
EVENT_COLUMNS = ["path", "start", "end", "low_hz", "high_hz", "label", "problem"]


def list_events(folder: str | os.PathLike, label_column: str | None = None) -> pd.DataFrame:
    r"""List the events that are annotated in the recordings of a folder.

    Read are Raven's selection tables and Audacity's labels, called as their recordings, or with more behind
    the name: `dawn.Table.1.selections.txt` and `dawn.txt` belong to `dawn.wav`, wherever below the folder.
    Raven's tables of several recordings say in Begin File and File Offset (s) where a selection is. Or, if
    train_tp.csv or test_tp.csv is there, boxes as in `list_annotations`, in train/ and test/.

    Args:
        folder: holds recordings and annotations, somewhere inside.
        label_column: column of Raven's tables that says what is heard; found by its usual names if None.

    Returns:
        One row an event: `path` of its recording in the folder; `start` and `end` in seconds; `low_hz` and
        `high_hz`, NaN where unknown; `label`; and `problem`, None for a good row, else the annotations' file,
        the row, and why it cannot be used. A recording in whose table there is nothing has one row, without
        times and label.

    Raises:
        UserError: there is no such folder, nothing is annotated, a file cannot be read, or a table has no
            column of labels.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "dawn.wav").write_bytes(b"")
        ...     _ = Path(folder, "dawn.txt").write_text("1.5\t2.5\trobin\n")
        ...     list_events(folder)[["path", "start", "end", "label"]].values.tolist()
        [['dawn.wav', 1.5, 2.5, 'robin']]
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"No such folder: {shown(folder)}. Give one that holds recordings and annotations.")
    if there := [part for part, table in BOXES.items() if (folder / table).exists()]:
        return pd.concat([_boxes(folder, BOXES[part], part) for part in there], ignore_index=True)
    recordings = _Recordings(folder)
    files, _ = recordings.sort_texts()
    tables = {file: read_raven(file, label_column) for file in files["Raven"]}
    tables |= {file: read_audacity(file) for file in files["Audacity"]}
    if not tables:
        raise UserError(
            f"{shown(folder)} holds no annotations of its {len(recordings.paths)} recordings. Looked for "
            "Raven's selection tables and Audacity's labels, called as the recordings, and for train_tp.csv."
        )
    return pd.concat([_events(*each, recordings) for each in tables.items()], ignore_index=True)


def annotation_files(folder: str | os.PathLike) -> tuple[dict[Program, list[Path]], list[Path]]:
    """Find the files that `list_events` would read, for all but their first lines unread.

    Args:
        folder: as there.

    Returns:
        The files of each program, the competition among them; none of those that have none. And texts that
        might be expected among them and are not, as they are called as a recording, or hold labels.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "train_tp.csv").write_text("")
        ...     [*annotation_files(folder)[0]]
        ['competition']
    """
    folder = Path(folder)
    if boxes := [folder / table for table in BOXES.values() if (folder / table).exists()]:
        return {"competition": boxes}, []
    found, unread = _Recordings(folder).sort_texts()
    return {program: files for program, files in found.items() if files}, unread


def list_absent(folder: str | os.PathLike) -> pd.DataFrame | None:
    """List where a species was looked for and is not heard, as the competition tells in train_fp.csv.

    Args:
        folder: as of `list_events`.

    Returns:
        Rows like those of `list_events`; None where there is no such table.

    Raises:
        UserError: it cannot be read.

    Example:
        >>> list_absent("missing") is None
        True
    """
    folder = Path(folder)
    return _boxes(folder, ABSENT, "train") if (folder / ABSENT).exists() else None


def _boxes(folder: Path, table: str, part: str) -> pd.DataFrame:
    boxes = list_annotations(folder / table, folder / part, 1)
    boxes["path"] = [f"{part}/{path}" for path in boxes["path"]]
    boxes["problem"] = _prefixed(boxes["problem"], f"{table}, ")
    names = {"t_min": "start", "t_max": "end", "f_min": "low_hz", "f_max": "high_hz"}
    return boxes.drop(columns=["start", "end"]).rename(columns=names)[EVENT_COLUMNS]


class _Recordings:
    """The recordings of a folder, found by name, and the files beside them."""

    def __init__(self, folder: Path):
        recordings, self._others = list_recordings(folder)
        self.folder = folder
        self.paths = [path.relative_to(folder).as_posix() for path in recordings]
        self._places: dict[str, list[PurePath]] = defaultdict(list)
        for path in map(PurePath, self.paths):
            for name in {name.casefold() for name in _names(path)}:
                self._places[name].append(path)

    def sort_texts(self) -> tuple[dict[Program, list[Path]], list[Path]]:
        """Find the files that each program has written, Audacity's called as recordings.

        Returns:
            These; and texts that are called as a recording, or hold labels, and are no annotations of one.
        """
        texts = [path for path in self._others if path.suffix.lower() in TEXTS and path.is_file()]
        named, labels = ({path for path in texts if holds(path)} for holds in (self.of, is_audacity))
        tables = [path for path in self._others if path.suffix.lower() in SELECTIONS and path.is_file()]
        raven, audacity = [path for path in tables if is_raven(path)], named & labels
        if audacity:  # a track without a label is an empty file
            audacity |= {path for path in named if not path.stat().st_size}
        unread = (named | labels) - audacity - {*raven}
        in_order = [[path for path in texts if path in some] for some in (audacity, unread)]
        return {"Raven": raven, "Audacity": in_order[0]}, in_order[1]

    def find(self, name: str, beside: Path) -> str:
        """Find a recording by its name, with or without suffix; "" if there is none, or several.

        Small letters and capitals are the same where no recording has the name as it is.
        """
        name = normalized(name)
        called = self._places.get(name.casefold(), [])
        found = [path for path in called if name in _names(path)] or called
        inside = beside.parent.relative_to(self.folder)
        near = [path for path in found if path.parent == inside] or found
        return near[0].as_posix() if len(near) == 1 else ""

    def of(self, table: Path) -> str:
        """Find the recording whose name a table's name begins with."""
        parts = table.name.split(".")
        names = (".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
        return next((path for path in (self.find(name, table) for name in names) if path), "")


def _names(path: PurePath) -> set[str]:
    return {normalized(path.name), normalized(path.stem)}


def _events(table: Path, rows: pd.DataFrame, recordings: _Recordings) -> pd.DataFrame:
    """Find the recordings of a table's rows, and say what cannot be used."""
    inside = table.relative_to(recordings.folder).as_posix()
    own = recordings.of(table)
    if rows.empty:
        nothing = {"path": own or inside, "label": "", "problem": None if own else f"{shown(inside)}: {LOST}"}
        return pd.DataFrame([nothing], columns=EVENT_COLUMNS)
    faults = Faults(len(rows))
    found = {name: recordings.find(name, table) if name else own for name in rows["name"].unique()}
    paths = rows["name"].map(found)
    faults.add(paths == "", LOST)
    span = [f"{start:g} to {end:g} s: " for start, end in zip(rows["start"], rows["end"], strict=True)]
    is_finite = np.isfinite(rows[["start", "end"]]).all(axis=1)
    faults.add(~is_finite, lambda row: span[row] + "not two numbers")
    faults.add(rows["start"] < 0, lambda row: span[row] + "begins before the recording")
    faults.add(rows["end"] < rows["start"], lambda row: span[row] + "ends before it begins")
    events = rows.assign(
        path=paths.where(paths != "", rows["name"].where(rows["name"] != "", inside)),
        label=rows["label"].str.strip().map(normalized),
    )
    faults.add(events["label"] == "", NO_LABEL)
    faults.add_found(name_problems(events))
    events["problem"] = _prefixed(faults.told_in(events)["problem"], f"{shown(inside)}, ")
    return events.loc[~events["is_view"], EVENT_COLUMNS]


def _prefixed(problems: pd.Series, table: str) -> pd.Series:
    """Name the table in what is wrong with its rows."""
    return pd.Series([why and table + why for why in problems], problems.index, dtype=object)
