"""Windows of recordings in which events are annotated: what is heard in each, from nothing to all classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.audio.inspection import inspect_all
from tfspec.base.errors import UserError, listed
from tfspec.base.progress import Tracker, untracked
from tfspec.base.ranges import joined_ranges
from tfspec.data.frame_targets import COLUMN, statement_text
from tfspec.data.manifest import class_columns
from tfspec.data.sources.annotations import ROUNDING_SECONDS, slice_starts
from tfspec.data.sources.labels import check_class_names

USUAL_SHARE = 0.9
"""Of the events, that are no longer than the usual window."""
STEP_SECONDS, SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 0.5, 10.0
"""What usual windows are rounded up to, and between which lengths."""
EVENTS_A_WINDOW, SHORTEST_HEARD_IN, LONGEST_HEARD_IN = 2.0, 4.0, 10.0
"""Of windows in which events are to be found: how many of the usual length fit, and between which lengths."""
LEAST_SHARED = 0.5
"""Of the shorter of a window and an event, for the event to be heard in the window."""
NAMED_FAULTS = 5
"""Of annotations none of which can be used."""
MOST_WINDOWS = 2**24
EXACT = 1e-9
"""Seconds by which sums of times may be off."""


def usual_window(events: pd.DataFrame) -> float:
    """Choose a window that nine of ten events fit into.

    Args:
        events: from `list_events`.

    Returns:
        Seconds, in steps of a half from 0.5 to 10.

    Raises:
        UserError: no event can be used.

    Example:
        >>> usual_window(pd.DataFrame({"start": [0.0, 5.0], "end": [1.0, 6.2], "problem": [None, None]}))
        1.5
    """
    good = events[events["problem"].isna()]
    seconds = (good["end"] - good["start"]).dropna()
    if seconds.empty:
        faults = listed([*events["problem"].dropna()], NAMED_FAULTS, "; ")
        why = f": {faults}" if faults else ""
        raise UserError(f"None of the {len(events)} annotations is an event that can be used{why}.")
    steps = np.ceil(seconds.quantile(USUAL_SHARE) / STEP_SECONDS - EXACT)
    return float(np.clip(steps * STEP_SECONDS, SHORTEST_SECONDS, LONGEST_SECONDS))


def usual_event_window(events: pd.DataFrame) -> float:
    """Choose a window to find events in, with time before and behind them.

    Args:
        events: from `list_events`.

    Returns:
        Seconds: twice what nine of ten events fit into, from 4 to 10.

    Raises:
        UserError: as of `usual_window`.

    Example:
        >>> events = pd.DataFrame({"start": [0.0, 5.0], "end": [1.0, 8.0], "problem": [None, None]})
        >>> usual_event_window(events)
        6.0
    """
    return float(np.clip(EVENTS_A_WINDOW * usual_window(events), SHORTEST_HEARD_IN, LONGEST_HEARD_IN))


def inspect_events(
    events: pd.DataFrame, folder: str | os.PathLike, progress: Tracker = untracked
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Decode each recording that is annotated, once.

    Args:
        events: from `list_events`.
        folder: as there.
        progress: wraps the iteration over so many recordings, to draw a bar.

    Returns:
        The events, with what is wrong with their recordings, or behind the ends of these, in `problem` too;
        and how many seconds each good recording has.

    Example:
        >>> events = pd.DataFrame({"path": ["missing.wav"], "start": [0.0], "end": [1.0], "problem": [None]})
        >>> events, lengths = inspect_events(events, ".")
        >>> events["problem"].tolist(), lengths
        (['missing.wav: no such file'], {})
    """
    paths = [*events["path"][events["problem"].isna()].unique()]
    found = inspect_all([Path(folder, path) for path in paths], progress)
    inspections = dict(zip(paths, found, strict=True))
    lengths = {path: each.seconds for path, each in inspections.items() if each.problem is None}

    def problem(event) -> str | None:
        if event.problem is not None or event.path not in inspections:
            return event.problem
        if why := inspections[event.path].problem:
            return f"{event.path}: {why}"
        if event.end > lengths[event.path] + ROUNDING_SECONDS:
            end = lengths[event.path]
            return f"{event.path}: {event.start:g} to {event.end:g} s: the recording ends at {end:g} s"
        return None

    problems = [problem(event) for event in events.itertuples()]
    return events.assign(problem=pd.Series(problems, events.index, dtype=object)), lengths


def windows_of_events(
    events: pd.DataFrame,
    lengths: Mapping[str, float],
    window_seconds: float,
    hop_seconds: float,
) -> pd.DataFrame:
    """List windows over whole recordings, and which classes are heard in each.

    A class is heard in a window where the window and an event of the class share at least half of the
    shorter of the two. What is in none of the classes is a window all the same: what the others must be told
    from. So all events of the recordings must be annotated.

    Args:
        events: from `inspect_events`.
        lengths: seconds of each recording, from there.
        window_seconds: length of a window. A recording that is shorter has one, which the reader pads.
        hop_seconds: from the beginning of a window to that of the next; the last one ends with its recording.

    Returns:
        A row a window, by recording and time: `path`, `start` and `end` in seconds, `group` (the recording),
        a column a class, and `problem`, None. 1 is heard, 0 is not; NaN, where an event cannot be used,
        nobody knows: of its class, or of all where its label is none of them; at the time that it may have,
        in all of its recording where its times lie outside or are no numbers. Then a row for each event that
        cannot be used, NaN for classes, and why in `problem`.

    Raises:
        UserError: a number is out of its range, no recording can be used, or a class has a name that columns
            of manifests have.

    Example:
        >>> events = pd.DataFrame(
        ...     {"path": ["a.wav"], "start": [4.0], "end": [7.0], "label": ["owl"], "problem": [None]}
        ... )
        >>> windows_of_events(events, {"a.wav": 10}, window_seconds=5, hop_seconds=5)["owl"].tolist()
        [0.0, 1.0]
    """
    _check(window_seconds, hop_seconds)
    events = _at_any_time(events, lengths)
    is_good, is_there = events["problem"].isna(), events["path"].isin([*lengths])
    good, unknown = events[is_there & is_good], events[is_there & ~is_good]
    windows = _windows(sorted(good["path"].unique()), lengths, window_seconds, hop_seconds)
    classes = sorted(set(good["label"]) - {""})
    check_class_names(classes, len(windows))
    heard = np.zeros((len(windows), len(classes)), np.float32)
    is_named = unknown["label"].isin(classes)
    heard[_overlapping(windows, unknown[~is_named], EXACT)[0]] = np.nan
    heard[_cells(windows, unknown[is_named], EXACT, classes)] = np.nan
    heard[_cells(windows, good, LEAST_SHARED, classes)] = 1
    windows[classes] = heard
    bad = events.loc[~is_good, ["path", "start", "end", "problem"]]
    bad["group"] = bad["path"]
    return pd.concat([windows.assign(problem=None), bad], ignore_index=True)


def with_statements(
    windows: pd.DataFrame,
    events: pd.DataFrame,
    absent: pd.DataFrame | None = None,
    open_questions: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Tell of each window when what is heard in it, for `FrameTargets`.

    Args:
        windows: from `windows_of_events`.
        events: from `inspect_events`, all that sound in their recordings; or, with `absent`, only those that
            somebody looked for: then nothing is known of all other time, nor of other classes.
        absent: rows like those of events, where a class was looked for and is not heard.
        open_questions: with `absent`, rows like those of events, where a class may be heard or not.

    Returns:
        The windows with a column `events`. With `absent`, of the classes of a window only those are known
        that are heard in it; or that are absent from a stretch that shares half of the shorter of the two,
        and are in no open question. Windows of which nothing is known are left out.

    Example:
        >>> events = pd.DataFrame(
        ...     {"path": ["a.wav"], "start": [4.0], "end": [7.0], "label": ["owl"], "problem": [None]}
        ... )
        >>> windows = windows_of_events(events, {"a.wav": 10}, window_seconds=5, hop_seconds=5)
        >>> with_statements(windows, events)["events"].tolist()
        ['[[0, 5.0, null, 0], [4.0, 7.0, "owl", 1]]', '[[0, 5.0, null, 0], [-1.0, 2.0, "owl", 1]]']
    """
    events = _at_any_time(events, windows[windows["problem"].isna()].groupby("path")["end"].max())
    is_good = events["problem"].isna()
    heard, unknown = events[is_good & (events["label"] != "")], events[~is_good]
    classes = {*class_columns(windows)}
    of_class = [label if label in classes else None for label in unknown["label"]]
    unknown = unknown.assign(label=pd.Series(of_class, unknown.index, dtype=object))
    begins, ends = windows["start"].to_numpy(float), windows["end"].to_numpy(float)
    good = np.flatnonzero(windows["problem"].isna())
    statements: list[list] = [[] for _ in range(len(windows))]
    if absent is None:
        told = [(unknown, None), (heard, 1)]
        for row in good:
            statements[row].append([0, round(float(ends[row] - begins[row]), 6), None, 0])
    else:
        absent = absent[absent["problem"].isna()]
        told = [(unknown, None), (absent, 0), (heard, 1)]
    for rows, value in told:
        labels, times = rows["label"].to_numpy(object), rows[["start", "end"]].to_numpy(float)
        for place, event in zip(*_pairs(windows.iloc[good], rows), strict=True):
            row = good[place]
            start, end = (round(float(each), 6) for each in times[event] - begins[row])
            statements[row].append([start, end, labels[event], value])
    windows = windows.assign(**{COLUMN: [statement_text(each) if each else "" for each in statements]})
    return windows if absent is None else _known_windows(windows, absent, open_questions)


def _known_windows(
    windows: pd.DataFrame, absent: pd.DataFrame, open_questions: pd.DataFrame | None
) -> pd.DataFrame:
    """Let only those classes of windows be known that are heard in them, or absent from enough of them."""
    classes = class_columns(windows)
    is_heard = windows[classes].to_numpy(np.float32) == 1
    values = np.full(is_heard.shape, np.nan, np.float32)
    values[_cells(windows, absent, LEAST_SHARED, classes)] = 0
    if open_questions is not None:
        values[_cells(windows, open_questions, EXACT, classes)] = np.nan
    values[is_heard] = 1
    windows[classes] = values
    return windows[~np.isnan(values).all(axis=1) | windows["problem"].notna()].reset_index(drop=True)


def _at_any_time(events: pd.DataFrame, lengths: Mapping[str, float]) -> pd.DataFrame:
    """Let what nobody knows the time of last for all of its recording, and nothing end before it begins."""
    start, end = np.sort(events[["start", "end"]].to_numpy(float), axis=1).T
    length = events["path"].map(lengths).to_numpy(float)
    has_times = np.isfinite(start) & np.isfinite(end) & (end >= 0) & ~(start > length + ROUNDING_SECONDS)
    return events.assign(start=np.where(has_times, start, 0.0), end=np.where(has_times, end, length))


def _check(window_seconds: float, hop_seconds: float) -> None:
    if not 0 < hop_seconds <= window_seconds < np.inf:
        raise UserError(
            "The hop must be longer than 0 seconds and at most a window, and the window finite. "
            f"Received: a hop of {hop_seconds:g} s and windows of {window_seconds:g} s"
        )


def _windows(
    paths: list[str], lengths: Mapping[str, float], window_seconds: float, hop_seconds: float
) -> pd.DataFrame:
    """List the windows that cover the recordings."""
    if not paths:
        raise UserError("None of the recordings that are annotated can be used.")
    expected = sum(lengths[path] for path in paths) / hop_seconds
    if expected > MOST_WINDOWS:
        raise UserError(
            f"A hop of {hop_seconds:g} s makes {expected:.3g} windows, of which {MOST_WINDOWS} may be."
        )
    starts = [slice_starts(lengths[path], window_seconds, hop_seconds) for path in paths]
    path = np.repeat(np.array(paths, object), [*map(len, starts)])
    start = np.concatenate(starts)
    return pd.DataFrame({"path": path, "start": start, "end": start + window_seconds, "group": path})


def _cells(
    windows: pd.DataFrame, events: pd.DataFrame, min_overlap: float, classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Find rows of windows, and places of classes, that share enough with an event of the class."""
    rows, labels = _overlapping(windows, events, min_overlap)
    places = pd.Index(classes, dtype=object).get_indexer(labels)
    return rows[places >= 0], places[places >= 0]


def _overlapping(
    windows: pd.DataFrame, events: pd.DataFrame, min_overlap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find which windows share enough with which events: rows of windows, and the events' labels."""
    window_times, event_times = (table[["start", "end"]].to_numpy(float) for table in (windows, events))
    window, event = _pairs(windows, events)
    is_enough = _share_enough(window_times[window], event_times[event], min_overlap)
    return window[is_enough], events["label"].to_numpy(object)[event[is_enough]]


def _pairs(windows: pd.DataFrame, events: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Pair events with the windows of their recordings that they may touch: rows of both."""
    places = windows.groupby("path").indices
    pairs = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    window_times, event_times = (table[["start", "end"]].to_numpy(float) for table in (windows, events))
    for path, own in events.groupby("path").indices.items():
        if path in places:
            window, event = _touching(window_times[places[path]], event_times[own])
            pairs.append((places[path][window], own[event]))
    windows_of_pairs, events_of_pairs = zip(*pairs, strict=True)
    return np.concatenate(windows_of_pairs), np.concatenate(events_of_pairs)


def _share_enough(one: np.ndarray, other: np.ndarray, min_overlap: float) -> np.ndarray:
    """Say of pairs of stretches, both (pairs, 2), whether they share enough of the shorter one."""
    shared = np.minimum(one[:, 1], other[:, 1]) - np.maximum(one[:, 0], other[:, 0])
    shorter = np.minimum(one[:, 1] - one[:, 0], other[:, 1] - other[:, 0])
    return shared >= min_overlap * shorter - EXACT


def _touching(windows: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair each event with the windows that it may touch; both are (rows, 2), and the windows in order."""
    first = np.searchsorted(windows[:, 1], events[:, 0] - EXACT)
    last = np.searchsorted(windows[:, 0], events[:, 1] + EXACT, "right")
    counts = np.maximum(last - first, 0)  # of what ends before it begins, none
    event = np.repeat(np.arange(len(events)), counts)
    return joined_ranges(first, counts), event
