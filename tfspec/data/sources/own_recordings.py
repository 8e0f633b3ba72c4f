"""Manifests of recordings of one's own, whichever way their labels are told."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from tfspec.audio.inspection import recording_formats
from tfspec.base.errors import UserError
from tfspec.base.progress import Tracker, untracked
from tfspec.base.text import shown
from tfspec.data.check import with_inspections
from tfspec.data.frame_targets import COLUMN
from tfspec.data.manifest import class_columns
from tfspec.data.sources.class_folders import list_class_folders
from tfspec.data.sources.columns import Columns, found_columns
from tfspec.data.sources.event_windows import (
    inspect_events,
    usual_event_window,
    usual_window,
    windows_of_events,
    with_statements,
)
from tfspec.data.sources.file_tables import inspect_file_table
from tfspec.data.sources.recognise import recognise
from tfspec.data.sources.reviews import windows_of_review
from tfspec.data.sources.selections import BOXES, list_absent, list_events
from tfspec.data.tables import read_any_table


def inspect_own_recordings(
    data: str | os.PathLike,
    columns: Columns,
    window_seconds: float | None = None,
    progress: Tracker = untracked,
    with_events: bool = False,
    review: str | os.PathLike | None = None,
) -> pd.DataFrame:
    """List recordings and what they are of, and decode each.

    Args:
        data: a folder of class folders, a table, or a folder of annotated recordings, as `recognise` tells.
        columns: of a table, as far as they are given.
        window_seconds: length of the windows that annotated recordings are cut into; what `usual_window`
            says if None, or `usual_event_window` with events.
        progress: wraps the iteration over so many recordings, to draw a bar.
        with_events: tell of annotated recordings' windows when what is heard, as in `with_statements`. Where
            train_fp.csv says what is absent, nothing is known of what is not annotated.
        review: of events in other recordings, as of `windows_of_review`; for annotated recordings.

    Returns:
        The manifest of `with_inspections`, `inspect_file_table` or `windows_of_events`, this one with the
        column `part` where the competition's tables of both parts are there; always with the columns
        `seconds` and `sample_rate`, NaN for what cannot be read.

    Raises:
        UserError: the data are of another kind, or cannot be used.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("yes", "no"):
        ...         Path(folder, name).mkdir()
        ...         _ = Path(folder, name, "1.wav").write_bytes(b"")
        ...     inspect_own_recordings(folder, Columns())["problem"].tolist()
        ['empty file', 'empty file']
    """
    found = recognise(data, columns)
    if review is not None and found.kind != "annotated recordings":
        raise UserError(f"A review goes with annotated recordings. Received: {found.said}")
    folder = found.path if found.path.is_dir() else found.path.parent
    if found.kind == "class folders":
        listing = list_class_folders(folder)
        listing.tell()
        return with_inspections(listing.manifest.drop(columns="group"), folder, progress)
    if found.kind == "table":
        table = read_any_table(found.path)
        manifest = inspect_file_table(table, found_columns(table, columns), folder, progress)
    elif found.kind == "annotated recordings":
        events, lengths = inspect_events(list_events(folder, columns.label), folder, progress)
        window = window_seconds or (usual_event_window if with_events else usual_window)(events)
        manifest = windows_of_events(events, lengths, window, window / 2)
        classes = class_columns(manifest)
        if with_events:
            manifest = with_statements(manifest, events, list_absent(folder))
        if all((folder / table).exists() for table in BOXES.values()):
            manifest["part"] = manifest["path"].str.partition("/")[0]
        if review is not None:
            judged = windows_of_review(review, folder, window, classes, [*lengths], progress)
            judged = judged if with_events else judged.drop(columns=COLUMN, errors="ignore")
            manifest = pd.concat([manifest.assign(only_trains=False), judged], ignore_index=True)
    else:
        raise UserError(f"{shown(data)} holds {found.kind}, and not recordings.")
    return _with_formats(manifest, folder)


def _with_formats(manifest: pd.DataFrame, folder: Path) -> pd.DataFrame:
    paths = manifest["path"][manifest["problem"].isna()].unique()
    formats = recording_formats(folder / path for path in paths)
    found = [(each.seconds, each.sample_rate) for each in formats]
    return manifest.join(pd.DataFrame(found, paths, ["seconds", "sample_rate"]), on="path")
