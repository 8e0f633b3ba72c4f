"""Manifests of tables of recordings: a row an example."""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from tfspec.audio.inspection import Inspection, inspect_all
from tfspec.base.errors import UserError, listed
from tfspec.base.files import file_problem, walk_files
from tfspec.base.progress import Tracker, remark, untracked
from tfspec.base.text import excerpt, normalized, number_of, shown
from tfspec.data.check import sound_columns
from tfspec.data.problems import Faults, name_problems
from tfspec.data.sources.annotations import ROUNDING_SECONDS
from tfspec.data.sources.columns import PARTS, Columns, known_name, simplified, to_seconds
from tfspec.data.sources.labels import read_labels


def inspect_file_table(
    table: pd.DataFrame,
    columns: Columns,
    folder: str | os.PathLike,
    progress: Tracker = untracked,
) -> pd.DataFrame:
    """List a table of recordings, and decode each recording once, however many rows it has.

    A path that leads to no file is looked up by its last part, with or without suffix, among all files of the
    folder and those below it; where it names folders, among those whose own folders do not contradict it.

    Args:
        table: from `read_any_table` or `as_text`.
        columns: from `found_columns`.
        folder: what the paths are relative to.
        progress: wraps the iteration over so many recordings, to draw a bar.

    Returns:
        A row an example, in order: `path` in the folder, with forward slashes; `start` and `end` in seconds,
        if the table has one of them; `label`, or a column a class where several can hold at once or the table
        has shares: 1 holds, 0 does not, NaN nobody knows; `group`, "" where unknown; `part`, if the table has
        it; `problem`, None for a good row, else which row it is and why it cannot be used.

    Raises:
        UserError: there is no such folder, a class has a name that columns of manifests have, or parts are
            none.

    Example:
        >>> table = pd.DataFrame({"file": ["missing.wav"], "label": ["owl"]})
        >>> inspect_file_table(table, Columns("file", "label"), ".")[["path", "problem"]].values.tolist()
        [['missing.wav', 'row 1: no such file']]
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"No such folder: {shown(folder)}. Give the one that holds the recordings.")
    table, faults = table.reset_index(drop=True), Faults(len(table))
    manifest = _paths(table[columns.path], folder, faults)
    manifest = manifest.join(_times(table, columns, faults)).join(read_labels(table, columns, faults))
    manifest["group"] = table[columns.group].map(known_name) if columns.group else ""
    if columns.part:
        manifest["part"] = _parts(table[columns.part])
    faults.add_found(name_problems(manifest))
    is_again = manifest.duplicated()
    _check_repeated(manifest[~is_again], faults)
    found = _decoded(manifest, folder, faults, progress)
    if "end" in manifest:
        _check_ends(manifest, found["seconds"], faults)
        manifest["end"] = manifest["end"].fillna(found["seconds"])
    told = faults.told_in(manifest.join(found[["silent", "clipped", "digest"]]))
    if is_again.any():
        remark(f"{number_of(is_again.sum(), 'row says', 'rows say')} again what another one says.")
    return told[~is_again]


def _paths(cells: pd.Series, folder: Path, faults: Faults) -> pd.DataFrame:
    """Find the files that the cells name."""
    spelt = cells.str.strip().str.replace("\\", "/", regex=False)
    found = {path: (path, file_problem(folder / path)) for path in spelt.unique()}
    if lost := [path for path, (_, problem) in found.items() if path and problem == "no such file"]:
        found |= _found_by_name(lost, folder)
    faults.add(spelt == "", "no path")
    faults.add_found([found[path][1] for path in spelt])
    return pd.DataFrame({"path": [found[path][0] for path in spelt]}, dtype=object)


def _found_by_name(paths: list[str], folder: Path) -> dict[str, tuple[str, str | None]]:
    """Look files up by their names, with or without suffix: where they are, or why that is not known."""
    places = defaultdict(list)
    for file in walk_files(folder):
        for name in {normalized(file.name), normalized(file.stem)}:
            places[name].append(file.relative_to(folder).as_posix())
    found: dict[str, tuple[str, str | None]] = {}
    for path in paths:
        named = places[normalized(PurePosixPath(path).name)]
        files = [file for file in named if _may_be(path, file)]
        if len(files) == 1:
            found[path] = files[0], file_problem(folder / files[0])
            continue
        there = listed([excerpt(file) for file in files or named], 3)
        other = f"no such file; elsewhere there is {there}" if named else "no such file"
        found[path] = path, f"several files have this name: {there}" if files else other
    return found


def _may_be(path: str, file: str) -> bool:
    """Whether the folders of one are the last of the other's, as where data were moved as they are."""
    ends = [[*map(normalized, reversed(PurePosixPath(each).parent.parts))] for each in (path, file)]
    return all(one == other for one, other in zip(*ends, strict=False))


def _times(table: pd.DataFrame, columns: Columns, faults: Faults) -> pd.DataFrame:
    """Read where the examples begin and end; an end that is not given is NaN."""
    names = {"start": columns.start, "end": columns.end, "duration": columns.duration}
    if not any(names.values()):
        return pd.DataFrame(index=table.index)
    cells = {
        role: table[name].str.strip() if name else pd.Series("", table.index) for role, name in names.items()
    }
    times = pd.DataFrame({role: to_seconds(column) for role, column in cells.items()})
    for role, column in cells.items():
        is_bad = (column != "") & ~np.isfinite(times[role])
        faults.add(is_bad, functools.partial(_no_time, role, column))
    times["start"] = times["start"].fillna(0.0)
    times["end"] = times["end"].fillna(times["start"] + times.pop("duration"))
    faults.add(times["start"] < 0, lambda row: f"{_span(times, row)}: begins before the recording")
    faults.add(times["end"] <= times["start"], lambda row: f"{_span(times, row)}: ends before it begins")
    return times


def _no_time(role: str, cells: pd.Series, row: int) -> str:
    return f"the {role} {excerpt(cells[row])!r} is no time in seconds"


def _span(times: pd.DataFrame, row: int) -> str:
    return f"{times['start'][row]:g} to {times['end'][row]:g} s"


def _parts(cells: pd.Series) -> pd.Series:
    parts = cells.map(simplified).map(PARTS)
    if parts.isna().any():
        unknown = sorted({repr(excerpt(cell)) for cell in cells[parts.isna()]})
        raise UserError(f"Parts are {', '.join(PARTS)}. Received: {listed(unknown)}")
    return parts


def _check_repeated(manifest: pd.DataFrame, faults: Faults) -> None:
    """Refuse all rows of one stretch: of several, nobody knows which is right."""
    stretch = [name for name in ("path", "start", "end") if name in manifest]
    is_repeated = manifest.duplicated(stretch, keep=False).reindex(range(len(faults.told)), fill_value=False)
    faults.add(is_repeated, "several rows are of this stretch; keep one, with all its labels joined by ;")


def _decoded(manifest: pd.DataFrame, folder: Path, faults: Faults, progress: Tracker) -> pd.DataFrame:
    """Decode the recordings of rows without a fault, and return what each row's is like."""
    paths = manifest["path"]
    files = [*paths[faults.good].unique()]
    inspections = inspect_all([folder / file for file in files], progress)
    found = dict(zip(files, inspections, strict=True))
    faults.add_found(paths.map({file: each.problem for file, each in found.items()}))
    seconds = paths.map({file: each.seconds for file, each in found.items()}).astype(float)
    sound = sound_columns([found.get(path, Inspection("")) for path in paths])
    return pd.DataFrame({"seconds": seconds, **sound})


def _check_ends(manifest: pd.DataFrame, seconds: pd.Series, faults: Faults) -> None:
    """Refuse examples that lie behind the ends of their recordings."""
    behind = (manifest["start"] >= seconds) | (manifest["end"] > seconds + ROUNDING_SECONDS)
    faults.add(behind, lambda row: f"{_span(manifest, row)}: the recording ends at {seconds[row]:g} s")
