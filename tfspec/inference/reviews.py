"""Events for a person to judge: the most doubtful first, in a table that can go back into training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.files import seen_from
from tfspec.base.largest import keep_largest
from tfspec.base.text import shown
from tfspec.inference.findings import Finding
from tfspec.inference.outputs import table_writer

ANSWER = "accepted"
"""The column in which a person writes yes or no."""
LEAST = 1e-6
"""Scores are held this far from 0 and 1, where their logits are not finite."""


class Review:
    """The most doubtful events of many recordings.

    An event is the more doubtful, the nearer its score comes to its class's threshold, on the scale of
    logits: those are the examples that teach most (uncertainty sampling; Lewis & Gale, A sequential algorithm
    for training text classifiers, 1994). What stays below the threshold is no event: a lower threshold asks
    for more.

    Args:
        path: the table, .csv or .tsv.
        thresholds: from `event_thresholds`.
        most: how many events it has.

    Raises:
        UserError: the path has another suffix, or a table that a person has written in is there.

    Example:
        >>> import tempfile
        >>> times = {"start": [1.0, 5.0], "end": [2.0, 6.0]}
        >>> events = pd.DataFrame({**times, "label": "owl", "score": [0.9, 0.6]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     review = Review(Path(folder, "review.csv"), {"owl": 0.5}, most=10)
        ...     review.add(Finding(f"{folder}/a.wav", 60.0, None, events))
        ...     review.write()
        ...     print(Path(folder, "review.csv").read_text())
        path,start,end,label,score,accepted
        a.wav,5.0,6.0,owl,0.6,
        a.wav,1.0,2.0,owl,0.9,
        <BLANKLINE>
    """

    def __init__(self, path: Path, thresholds: Mapping[str, float], most: int):
        self._write = table_writer(path, (".csv", ".tsv"))
        _check_unanswered(path)
        self._path, self._thresholds, self._most = path, thresholds, most
        self._heap: list[tuple[float, int, tuple]] = []  # the least doubtful at the top
        self._order = itertools.count(0, -1)

    def add(self, finding: Finding) -> None:
        """Take from a recording what is more doubtful than what there is.

        Args:
            finding: its events.
        """
        for row in finding.events.itertuples():
            doubt = -abs(_logit(row.score) - _logit(self._thresholds[row.label]))
            event = (finding.file, row.start, row.end, row.label, row.score, "")
            keep_largest(self._heap, (doubt, next(self._order), event), self._most)

    def write(self) -> None:
        """Write the table, the most doubtful first; paths are seen from its folder."""
        rows = [event for *_, event in sorted(self._heap, reverse=True)]
        table = pd.DataFrame(rows, columns=["path", "start", "end", "label", "score", ANSWER])
        table["path"] = [seen_from(self._path.parent, file) for file in table["path"]]
        self._write(table)


def _check_unanswered(path: Path) -> None:
    """Refuse to replace what a person has written."""
    if not path.exists():
        return
    try:
        there = pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",", dtype=str)
    except (OSError, ValueError):
        there = None
    if there is None or ANSWER not in there or there[ANSWER].notna().any():
        raise UserError(f"{shown(path)} is there and is not an empty review: move it, or give another name.")


def _logit(score: float) -> float:
    score = min(max(score, LEAST), 1 - LEAST)
    return math.log(score / (1 - score))
