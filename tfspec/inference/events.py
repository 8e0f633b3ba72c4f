"""Events: stretches in which a class is heard, and the files in which other programs read them."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.base.model import HALF, Model, check_model, hears_frames

# Windows that touch may be apart by the rounding of their times.
TOUCHING_SECONDS = 1e-6
RAVEN_COLUMNS = (
    "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
    "Species", "Score",
)  # fmt: skip


def find_events(scores: pd.DataFrame, threshold: float | Mapping[str, float] = 0.5) -> pd.DataFrame:
    """Join the stretches in which a class reaches a threshold.

    Args:
        scores: from `detect`; or of windows: `start`, `end`, which may overlap, and `p_<class>`, by `start`.
        threshold: lowest score of an event; one for all classes, or one for each class that is looked for.

    Returns:
        One row an event, by `start`: `start` and `end` in seconds, `label`, and `score`, the highest in it.

    Raises:
        UserError: a class with a threshold has no scores.

    Example:
        >>> scores = pd.DataFrame({"start": [0, 1, 2], "end": [1, 2, 3], "p_frog": [0.1, 0.7, 0.9]})
        >>> find_events(scores, threshold=0.5).values.tolist()
        [[1, 3, 'frog', 0.9]]
    """
    names = [column.removeprefix("p_") for column in scores if column not in ("start", "end")]
    thresholds = threshold if isinstance(threshold, Mapping) else dict.fromkeys(names, threshold)
    if unknown := sorted(set(thresholds) - set(names)):
        raise UserError(f"No scores of {', '.join(unknown)}. There are those of {', '.join(names)}.")
    found = [pd.DataFrame({"start": [], "end": [], "label": [], "score": []})]
    for name, lowest in thresholds.items():
        above = scores[["start", "end"]].assign(label=name, score=scores[f"p_{name}"])
        above = above[above["score"] >= lowest]
        is_new = above["start"] > above["end"].cummax().shift() + TOUCHING_SECONDS
        merged = {"start": "min", "end": "max", "label": "first", "score": "max"}
        found.append(above.groupby(is_new.cumsum()).agg(merged))
    found = [events for events in found if len(events)] or found[:1]
    return pd.concat(found).sort_values(["start", "end", "label"], ignore_index=True)


def event_thresholds(model: Model, threshold: float | None = None) -> dict[str, float]:
    """Say from which score on each class of a model makes events.

    Args:
        model: from `load_model`.
        threshold: of all classes; None for each class's own where several can hold, which are those
            of frames where there are any, and 0.5 otherwise.

    Returns:
        For `find_events`.

    Raises:
        UserError: the model is none.
    """
    check_model(model)
    chosen = model.event_rule.thresholds if hears_frames(model) else model.thresholds
    own = chosen or [HALF] * len(model.class_names)
    return {
        name: each if threshold is None else threshold
        for name, each in zip(model.class_names, own, strict=True)
    }


def write_csv(events: pd.DataFrame, path: str | os.PathLike) -> None:
    r"""Write events for spreadsheets and programs: start, end, label and score, with a header.

    Audacity and Raven want files of their own: see `write_audacity` and `write_raven`.

    Args:
        events: from `find_events`.
        path: the file, written whole or not at all.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> events = pd.DataFrame({"start": [1.0], "end": [3.0], "label": ["frog"], "score": [0.9]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_csv(events, f"{folder}/events.csv")
        ...     Path(folder, "events.csv").read_text()
        'start,end,label,score\n1.0,3.0,frog,0.9\n'
    """
    with written_beside(path) as part:
        events.to_csv(part, index=False)


def write_audacity(events: pd.DataFrame, path: str | os.PathLike) -> None:
    r"""Write events as a label track, for Audacity's File > Import > Labels.

    That is start, end and label, tabs between them and no header
    (https://manual.audacityteam.org/man/importing_and_exporting_labels.html).

    Args:
        events: from `find_events`.
        path: the file, called .txt; written whole or not at all.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> events = pd.DataFrame({"start": [1.0], "end": [3.0], "label": ["frog"], "score": [0.9]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_audacity(events, f"{folder}/labels.txt")
        ...     Path(folder, "labels.txt").read_text()
        '1.000000\t3.000000\tfrog\n'
    """
    _write_tabbed(path, ((f"{e.start:.6f}", f"{e.end:.6f}", e.label) for e in events.itertuples()))


def write_raven(events: pd.DataFrame, path: str | os.PathLike, sample_rate: int) -> None:
    r"""Write events as a selection table, for Raven's File > Open Selection Table.

    That is a header and a row a selection, tabs between the columns. Selections reach over all frequencies
    that the classifier hears.

    Args:
        events: from `find_events`.
        path: the file, called .txt; written whole or not at all.
        sample_rate: the classifier's, in Hz.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> events = pd.DataFrame({"start": [1.0], "end": [3.0], "label": ["frog"], "score": [0.9]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_raven(events, f"{folder}/selections.txt", 48000)
        ...     Path(folder, "selections.txt").read_text().splitlines()[1]
        '1\tSpectrogram 1\t1\t1.000000\t3.000000\t0\t24000.0\tfrog\t0.9000'
    """
    rows = (
        (
            number,
            "Spectrogram 1",
            1,
            f"{e.start:.6f}",
            f"{e.end:.6f}",
            0,
            sample_rate / 2,
            e.label,
            f"{e.score:.4f}",
        )
        for number, e in enumerate(events.itertuples(), 1)
    )
    _write_tabbed(path, itertools.chain([RAVEN_COLUMNS], rows))


def _write_tabbed(path: str | os.PathLike, rows: Iterable[tuple[Any, ...]]):
    """Write rows with tabs between their cells; what would break one in a cell becomes a space."""
    with written_beside(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(
                "\t".join(re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", " ", str(cell)) for cell in row) + "\n"
            )
