"""Which columns of a table say what: found by their usual names, or given."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.text import excerpt, normalized, shown
from tfspec.data.label_targets import are_shares
from tfspec.data.manifest import RESERVED
from tfspec.data.tables import to_decimals, to_numbers

MOST = 0.9
"""Of a class's cells, that must be what they are to be for a column to be one; the others are told."""
SEVERAL = ("labels", "tags", "classes", "categories", "species_list", "annotations", "event_labels")
"""Columns whose cells hold several labels, also between commas."""
USUAL = {
    "path": (
        *("path", "file", "filename", "file_name", "filepath", "file_path", "fname", "audio", "audio_path"),
        *("audio_file", "audio_filename", "wav", "wav_file", "wav_path", "sound", "sound_file", "clip"),
        *("slice_file_name", "recording", "recording_path", "recording_file", "recording_id", "id"),
    ),
    "label": (
        *("label", "class", "class_name", "category", "species", "common_name", "scientific_name"),
        *("primary_label", "event_label", "word", "keyword", "command", "annotation", "tag", "target"),
        *("activity", "emotion", "genre", "y", *SEVERAL),
    ),
    "group": (
        *("group", "speaker", "speaker_id", "participant", "participant_id", "pid", "subject", "subject_id"),
        *("person", "person_id", "patient", "patient_id", "client_id", "user_id", "recordist", "author"),
        *("session", "recording_id", "source_recording", "src_file", "fsid", "site", "location", "fold"),
    ),
    "start": (
        *("start", "start_time", "start_seconds", "start_s", "begin", "begin_time", "onset", "t_min"),
        *("time_start", "offset"),
    ),
    "end": (
        *("end", "end_time", "end_seconds", "end_s", "stop", "stop_time", "offset", "t_max", "time_end"),
    ),
    "duration": ("duration", "duration_seconds", "duration_s", "length", "length_seconds", "length_s"),
    "part": ("part", "split", "set", "subset", "partition"),
}
"""Names of each kind of column, simplified as by `simplified`; the first that is there counts."""
PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
TIMES = ("start", "end", "duration")
CLOCK = r"(?:(\d+) days? )?(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)"
"""Minutes and seconds, maybe with hours, and with days, as pandas writes lengths of time."""
CUT_ALREADY = ("slice_file_name",)
"""Columns of files that are cut: start and end beside them are those in what they were cut from."""
MISSING = ("nan", "NaN", "NaT", "<NA>")
"""What pandas and NumPy write as text where there was nothing: no label, group or the like is called so."""
UNKNOWN = ("", "-1", "-1.0", "NA", *MISSING)
"""Cells of a class's column that say that nobody knows."""
WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
"""Cells that say whether a class holds, whatever their case."""
LISTED = 20
"""Columns that an error names."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a table say what.

    Args:
        path: where the recording is, or its name, also without suffix.
        label: the class; or several, between ";" or "|", or commas where the column's name is a plural.
        classes: instead of `label`, a column of numbers a class.
        group: what it comes from, such as the speaker.
        start: where the example begins in its recording, in seconds.
        end: where it ends.
        duration: how long it is, where the table says where it begins and not where it ends.
        part: "train", "validation" or "test", or what these are called elsewhere.
        passed_over: columns of times that cannot be used, and why.

    None leaves a column to be found by its usual names; "" says that there is none.
    """

    path: str | None = None
    label: str | None = None
    classes: tuple[str, ...] = ()
    group: str | None = None
    start: str | None = None
    end: str | None = None
    part: str | None = None
    duration: str | None = None
    passed_over: tuple[str, ...] = ()

    def described(self) -> str:
        """Say which columns count as what.

        Example:
            >>> Columns("file", "category", group="fold").described()
            'columns file → path, category → label, fold → group'
        """
        roles = {name: value for name, value in vars(self).items() if not isinstance(value, tuple)}
        said = [name if name == role else f"{name} → {role}" for role, name in roles.items() if name]
        said += [f"{len(self.classes)} → a class each"] if self.classes else []
        unused = f"; not used: {', '.join(self.passed_over)}" if self.passed_over else ""
        return f"columns {shown(', '.join(said) + unused)}"


def found_columns(table: pd.DataFrame, given: Columns | None = None) -> Columns:
    """Find the columns that a manifest needs by their usual names, whatever their case.

    Args:
        table: from `read_any_table` or `as_text`.
        given: names of columns that are known.

    Returns:
        The columns, each with a name of the table, or "" where there is none. There is always one for `path`,
        and one for `label` or several for `classes`. Without a label, classes are the columns that hold
        nothing but 0, 1, −1 and "" (or yes and no), or the shares of a whole.
        A column that does not hold what its name promises is passed over: times that are none, parts
        none of which is one, a group that is the same in all rows.

    Raises:
        UserError: a given column is not there, or none is found for the path or the label.

    Example:
        >>> table = pd.DataFrame({"Filename": ["a", "b"], "Species": ["owl", "cat"], "fold": ["1", "2"]})
        >>> found_columns(table).described()
        'columns Filename → path, Species → label, fold → group'
        >>> found_columns(pd.DataFrame({"file": ["a.wav"], "owl": ["1"], "cat": ["0"]})).classes
        ('owl', 'cat')
    """
    given = given or Columns()
    classes = tuple(_column(table, name, "classes") for name in given.classes)
    named: dict[str, str | None] = {role: getattr(given, role) for role in USUAL}
    found = {role: _column(table, name, role) if name else name for role, name in named.items()}
    if classes:
        found["label"] = ""
    for role in USUAL:
        if found[role] is None:
            is_elsewhere = role in TIMES and simplified(found["path"] or "") in CUT_ALREADY
            found[role] = "" if is_elsewhere else _usual(table, role, {*found.values(), *classes})
    alone = not found["end"] and not found["duration"]
    if alone and not given.start and found["start"] and table[found["start"]].str.contains(":").any():
        found["start"] = ""  # a time of the day
    passed_over = _passed_over(table, {role for role in TIMES if not found[role]})
    if not found["start"] and given.end is None:  # without a start, stop may well be a class
        found["end"] = ""
    if not found["start"] or found["end"]:  # that of the recording, or what the end says already
        found["duration"] = ""
    if not found["path"]:
        raise UserError(f"No column names the recordings: give --path-column. {_there(table)}")
    if not found["label"] and not classes:
        classes = _class_columns(table, {*found.values()})
    if not found["label"] and not classes:
        raise UserError(
            f"No column is named as one of labels, and there are no columns of 0 and 1, or yes and no, one a "
            f"class: give --label-column. {_there(table)}"
        )
    return Columns(**found, classes=classes, passed_over=passed_over)


def _column(table: pd.DataFrame, name: str, role: str) -> str:
    """Find a column that was given, as it is spelt in the table."""
    spelt = {normalized(column): column for column in table}
    if normalized(name) not in spelt:
        raise UserError(f"There is no column {excerpt(name)!r} for {role}. {_there(table)}")
    return spelt[normalized(name)]


def _there(table: pd.DataFrame) -> str:
    return f"The table's columns: {listed([excerpt(name) for name in table], LISTED)}."


def _usual(table: pd.DataFrame, role: str, taken: Collection[str | None]) -> str:
    """Find the column that is commonly called as one of this role, "" where there is none."""
    spelt = {simplified(name): name for name in reversed([*table]) if name not in taken}
    there = [spelt[key] for key in USUAL[role] if key in spelt]
    return next((name for name in there if _can_be(role, table[name])), "")


def _can_be(role: str, cells: pd.Series) -> bool:
    """Say whether a column holds what its name promises; a few cells may be wrong, and are told later."""
    if role == "part":
        return bool(cells.map(simplified).isin(PARTS).any())
    if role == "group":
        return cells.nunique() > 1
    if role in TIMES:
        return bool(to_seconds(cells[cells.str.strip() != ""]).notna().mean() >= 0.5)
    return True


def _passed_over(table: pd.DataFrame, roles: Collection[str]) -> tuple[str, ...]:
    """Say which columns are called as times of these roles, and are not used."""
    names = {name for role in roles for name in USUAL[role]}
    cells = {
        name: next(filter(None, table[name].str.strip()), "") for name in table if simplified(name) in names
    }
    return tuple(
        f"{name} ({excerpt(cell)!r} is no time in seconds)"
        for name, cell in cells.items()
        if cell and not to_numbers(table[name]).notna().any()
    )


def to_seconds(cells: pd.Series) -> pd.Series:
    """Read times: seconds, also with a decimal comma; minutes and seconds; hours, minutes and seconds.

    Args:
        cells: text.

    Returns:
        The seconds; NaN for what is no time.

    Example:
        >>> to_seconds(pd.Series(["0,25", "01:30", "1:00:00.5", "noon"])).tolist()
        [0.25, 90.0, 3600.5, nan]
    """
    spelt = cells.str.strip()
    seconds = to_decimals(spelt)
    others = spelt[seconds.isna() & (spelt != "")]
    parts = others.str.extract(f"^{CLOCK}$").astype(float).fillna({0: 0, 1: 0})
    return seconds.fillna(parts @ [86_400, 3600, 60, 1])


def simplified(name: str) -> str:
    """Simplify a column's name, for comparing.

    Args:
        name: as it stands in a header.

    Returns:
        Lower case, without what is in brackets, and underscores for all that is no letter or digit.

    Example:
        >>> simplified("Begin Time (s)")
        'begin_time'
    """
    return re.sub(r"\W+", "_", re.sub(r"\(.*?\)", "", normalized(name).casefold())).strip("_")


def _class_columns(table: pd.DataFrame, taken: Collection[str | None]) -> tuple[str, ...]:
    """Find the columns of numbers a class: shares that sum to one, or 0, 1 and unknown."""
    names = [name for name in table if name not in taken and simplified(name) not in RESERVED]
    numbers = {name: known_numbers(table[name]) for name in names if _is_class(table[name])}
    shares = np.column_stack([*numbers.values()]) if numbers else np.zeros((len(table), 0))
    if shares.shape[1] > 1 and are_shares(shares):
        return tuple(numbers)
    return tuple(name for name, column in numbers.items() if column.dropna().isin((0, 1)).mean() >= MOST)


def _is_class(cells: pd.Series) -> bool:
    """Whether what is known is a number from 0 to 1, but for a few cells, which are told later."""
    counts = cells.str.strip().value_counts()  # there are few different ones
    known = counts[~counts.index.isin(UNKNOWN)]
    is_good = known_numbers(pd.Series(known.index, dtype=object)).between(0, 1).to_numpy()
    return bool(known.sum() and known[is_good].sum() / known.sum() >= MOST)


def known_name(cell: str) -> str:
    """Read the name of a class, a group or the like.

    Args:
        cell: as it stands in a table or in an array.

    Returns:
        The name, normalised; "" where nobody knows it.

    Example:
        >>> known_name(" owl"), known_name("nan")
        ('owl', '')
    """
    name = normalized(cell.strip())
    return "" if name in MISSING else name


def known_numbers(cells: pd.Series) -> pd.Series:
    """Read a class's column, in which some cells may say that nobody knows.

    Args:
        cells: text.

    Returns:
        The numbers, 1 for yes and 0 for no; NaN for what is unknown, or none of these.

    Example:
        >>> known_numbers(pd.Series(["1", "no", "TRUE", "-1", ""])).tolist()
        [1.0, 0.0, 1.0, nan, nan]
    """
    different = pd.Series(cells.unique(), dtype=object)
    known = different.str.strip()
    numbers = to_numbers(known.mask(known.isin(UNKNOWN))).fillna(known.str.lower().map(WORDS))
    return cells.map(dict(zip(different, numbers, strict=True))).astype(float)
