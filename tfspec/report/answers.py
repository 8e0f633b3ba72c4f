"""What a model answered, example by example: which answers are worth a look, and which were mixed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from tfspec.base.model import HALF, Labels
from tfspec.base.text import excerpt, number_of
from tfspec.scores.predictions import SEPARATOR
from tfspec.scores.thresholds import thresholds_of
from tfspec.scores.types import AnyScores

MOST_CLASSES = 30
"""Of a confusion matrix; those that are mixed up least are joined."""
OTHERS = "all others"
LEAST_SAID = 0.0005
"""Probability that is not written as 0.0%."""
LONGEST_NAME = 60
"""Characters of a class's name that are shown."""


@dataclass(frozen=True)
class Answers:
    """What was predicted of examples whose truth is known.

    Args:
        class_names: in the order of the columns.
        names: (examples,) what the examples are called.
        truth: (examples, classes) of 1 and 0, and NaN where nobody knows.
        probabilities: (examples, classes).
        predicted: (examples, classes) bool.
        kind: "one" class an example, or "several".
        thresholds: (classes,) lowest probabilities of several labels, else None.
        shares: (examples, classes) how much of each class an example has, where the truth is shares.
    """

    class_names: Sequence[str]
    names: Sequence[str]
    truth: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    kind: Labels = "one"
    thresholds: np.ndarray | None = None
    shares: np.ndarray | None = None

    @classmethod
    def of(cls, table: pd.DataFrame, scores: AnyScores) -> Answers:
        """Read them from a table of predictions.

        Args:
            table: as predictions.csv has it.
            scores: of the same examples.

        Example:
            >>> table = pd.DataFrame({"file": ["a"], "label": ["no"], "predicted": ["yes"]})
            >>> table = table.assign(p_no=0.2, p_yes=0.8)
            >>> Answers.of(table, {"labels": "one", "per_class": {"no": {}, "yes": {}}}).is_wrong.tolist()
            [True]
        """
        classes, kind = list(scores["per_class"]), scores["labels"]
        probabilities = table[[f"p_{name}" for name in classes]].to_numpy(np.float64)
        names = [excerpt(name, 120) for name in table.iloc[:, 0]]
        known = [f"true_{name}" for name in classes]
        if kind == "one":
            truth, predicted = (_one_of(table[name], classes) for name in ("label", "predicted"))
            shares = table[known].to_numpy(np.float64) if known[0] in table else None
            return cls(classes, names, truth.astype(float), probabilities, predicted, shares=shares)
        columns = table[known].apply(pd.to_numeric, errors="coerce")
        truth = np.where(columns.isna(), np.nan, columns >= HALF)
        text = table["predicted"].astype(str).to_numpy()
        predicted = np.array([np.isin(classes, each.split(SEPARATOR)) for each in text]).reshape(truth.shape)
        limits = thresholds_of(cast(Mapping[str, Any], scores), classes)
        return cls(classes, names, truth, probabilities, predicted, kind, limits)

    @property
    def is_wrong(self) -> np.ndarray:
        """(examples,) whether something that is known of it was predicted otherwise."""
        return np.any(self._differs, axis=1)

    @property
    def _differs(self) -> np.ndarray:
        return ~np.isnan(self.truth) & (self.predicted != (self.truth >= HALF))

    def surest_mistakes(self, most: int) -> list[int]:
        """Find the wrong answers that were given with the greatest confidence.

        Args:
            most: how many.

        Returns:
            Places among the examples, the surest first.
        """
        taken_for = self._differs if self.kind == "several" else self._differs & self.predicted
        distance = np.abs(self.probabilities - np.nan_to_num(self.truth))
        sureness = np.where(taken_for, distance, -1).max(axis=1)
        order = np.argsort(-sureness, kind="stable")
        return order[: min(most, int(self.is_wrong.sum()))].tolist()

    def most_doubtful(self, most: int, without: Sequence[int] = ()) -> list[int]:
        """Find the answers that came closest to being others.

        Args:
            most: how many.
            without: places that are shown already.

        Returns:
            Places among the examples, the most doubtful first.
        """
        if self.thresholds is not None:
            margin = np.abs(self.probabilities - self.thresholds).min(axis=1)
        else:
            two = np.sort(self.probabilities, axis=1)[:, -2:]
            margin = two[:, -1] - two[:, 0]
        order = np.argsort(margin, kind="stable")
        return order[~np.isin(order, without)][:most].tolist()

    def true_of(self, place: int) -> str:
        """Name the classes that hold in an example, or those it has most of."""
        if self.shares is not None:
            return self._likeliest(self.shares[place])
        return self._named(self.truth[place] >= HALF)

    def predicted_of(self, place: int) -> str:
        """Name the classes that were predicted of an example."""
        return self._named(self.predicted[place])

    def _named(self, holds: np.ndarray) -> str:
        return ", ".join(short(self.class_names[each]) for each in np.flatnonzero(holds).tolist()) or "none"

    def said_of(self, place: int) -> str:
        """Name the likeliest classes of an example and their probabilities."""
        return self._likeliest(self.probabilities[place])

    def _likeliest(self, row: np.ndarray) -> str:
        order = [each for each in np.argsort(-row, kind="stable")[:3].tolist() if row[each] >= LEAST_SAID]
        return ", ".join(f"{short(self.class_names[each])} {row[each]:.1%}" for each in order)


@dataclass(frozen=True)
class Cell:
    """A number of a matrix, and the examples behind it.

    Args:
        count: how many examples.
        shade: from 0 to 10, how large a share of its row.
        said: what it counts, for who cannot see where it stands.
        places: of the examples, the surest first; empty where they are not listed.
        is_right: whether these are right answers.
    """

    count: int
    shade: int
    said: str
    places: list[int]
    is_right: bool


@dataclass(frozen=True)
class Matrix:
    """Counts of what was taken for what, or of what was found and missed.

    Args:
        corner: what the rows and the columns are.
        columns: their names.
        rows: the name of each, and its cells.
        left_out: what is not shown, "" for nothing.
    """

    corner: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]
    left_out: str = ""


def matrix_of(answers: Answers) -> Matrix:
    """Count what was taken for what; where several classes can hold, what was found, missed and made up.

    Args:
        answers: what was predicted.

    Example:
        >>> truth, predicted = np.array([[1, 0], [1, 0.0]]), np.array([[True, False], [False, True]])
        >>> matrix = matrix_of(Answers(["no", "yes"], ["a", "b"], truth, 0.9 * predicted, predicted))
        >>> [[cell.count for cell in cells] for _, cells in matrix.rows]
        [[1, 1], [0, 0]]
    """
    return _confusion(answers) if answers.kind == "one" else _hits(answers)


def _confusion(answers: Answers) -> Matrix:
    true, predicted = answers.truth.argmax(axis=1), answers.predicted.argmax(axis=1)
    sureness = answers.probabilities.max(axis=1)
    kept = _mixed_up_most(true, predicted, len(answers.class_names))
    place = np.full(len(answers.class_names), len(kept))
    place[kept] = np.arange(len(kept))
    names = [short(answers.class_names[each]) for each in kept]
    more = len(answers.class_names) - len(kept)
    names += [OTHERS] if more else []
    rows = []
    for row, name in enumerate(names):
        is_row = place[true] == row
        cells = []
        for column, other in enumerate(names):
            inside = np.flatnonzero(is_row & (place[predicted] == column))
            said = f"true {name}, predicted {other}"
            is_right = row == column and not answers.is_wrong[inside].any()  # others may be mixed up, too
            cells.append(_cell(inside, int(is_row.sum()), said, sureness, is_right))
        rows.append((name, cells))
    note = f"{number_of(more, 'class', 'classes')} mixed up less: joined as “{OTHERS}”." if more else ""
    return Matrix("true ↓ predicted →", names, rows, note)


def _mixed_up_most(true: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the places of the classes with the most mistakes, in their own order."""
    if num_classes <= MOST_CLASSES:
        return np.arange(num_classes)
    wrong = true != predicted
    mistakes = np.bincount(np.concatenate([true[wrong], predicted[wrong]]), minlength=num_classes)
    return np.sort(np.argsort(-mistakes, kind="stable")[:MOST_CLASSES])


def _hits(answers: Answers) -> Matrix:
    holds, known = answers.truth >= HALF, ~np.isnan(answers.truth)
    kinds = {
        "found": (holds & answers.predicted, True),
        "missed": (holds & ~answers.predicted, False),
        "taken for it": (known & ~holds & answers.predicted, False),
    }
    wrong = (answers.predicted != holds) & known
    kept = np.sort(np.argsort(-wrong.sum(axis=0), kind="stable")[:MOST_CLASSES])
    rows = []
    for each in kept:
        name, sureness = short(answers.class_names[each]), np.abs(answers.probabilities[:, each] - HALF)
        cells = [
            _cell(
                np.flatnonzero(there[:, each]),
                int(holds[:, each].sum()),
                f"{name}, {kind}",
                sureness,
                is_right,
            )
            for kind, (there, is_right) in kinds.items()
        ]
        rows.append((name, cells))
    more = len(answers.class_names) - len(kept)
    note = f"{number_of(more, 'class', 'classes')} with fewer mistakes left out." if more else ""
    return Matrix("class", list(kinds), rows, note)


def _cell(inside: np.ndarray, of_row: int, said: str, sureness: np.ndarray, is_right: bool) -> Cell:
    count = len(inside)
    order = inside[np.argsort(-sureness[inside], kind="stable")].tolist()
    words = f"{said}: {number_of(count, 'example')}"
    return Cell(count, min(10, round(10 * count / max(of_row, 1))), words, order, is_right)


def short(name: str) -> str:
    """Return as much of a class's name as is shown."""
    return excerpt(name, LONGEST_NAME)


def _one_of(labels: pd.Series, classes: Sequence[str]) -> np.ndarray:
    return labels.astype(str).to_numpy()[:, np.newaxis] == np.array(classes, object)
