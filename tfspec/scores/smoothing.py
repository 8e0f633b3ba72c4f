"""Predictions smoothed over time by a hidden Markov model: what was going on before and after counts too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class HiddenMarkov:
    """A hidden Markov model whose states are the true classes, and whose observations the predicted ones.

    Viterbi's algorithm is here in NumPy, and not hmmlearn's, which is compiled: it is half a page, and as all
    people's time lines are gone through side by side, half a million windows take 0.2 seconds.

    Args:
        start: (classes,) probability of each class at the beginning of a time line.
        transition: (classes, classes) probability of the next window's class (column) after a class (row).
        emission: (classes, classes) probability that a class (row) is taken for a class (column).

    Example:
        >>> stays, rarely_wrong = np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[0.8, 0.2], [0.2, 0.8]])
        >>> model = HiddenMarkov(np.array([0.5, 0.5]), stays, rarely_wrong)
        >>> model.decode(np.array([0, 0, 1, 0, 1, 1, 1]), np.zeros(7), np.arange(7.0), max_gap=1.5).tolist()
        [0, 0, 0, 0, 1, 1, 1]
    """

    start: np.ndarray
    transition: np.ndarray
    emission: np.ndarray

    @classmethod
    def estimate(
        cls,
        labels: np.ndarray,
        predicted: np.ndarray,
        groups: np.ndarray,
        times: np.ndarray,
        max_gap: float,
        num_classes: int,
        pseudo_count: float = 1.0,
    ) -> HiddenMarkov:
        """Count what follows what, and what is taken for what.

        Args:
            labels: (windows,) true classes, in any order of the windows.
            predicted: (windows,) predicted classes, of windows that the classifier was not trained on: on
                windows that it was, it errs too rarely.
            groups: (windows,) person of each window.
            times: (windows,) seconds.
            max_gap: seconds from one window of a person to the next beyond which nothing is known of what
                was between, and a new time line begins.
            num_classes: number of classes.
            pseudo_count: added to every count (Laplace smoothing), so that nothing is impossible because it
                was never seen.

        Returns:
            The model.

        Example:
            >>> labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
            >>> model = HiddenMarkov.estimate(labels, predicted, np.zeros(4), np.arange(4.0), 1.5, 2)
            >>> model.transition.round(2).tolist()
            [[0.5, 0.5], [0.33, 0.67]]
        """

        def shares(rows, columns):
            counts = np.full((num_classes, num_classes), pseudo_count)
            np.add.at(counts, (rows, columns), 1)
            return counts / counts.sum(axis=1, keepdims=True)

        order, begins, _ = _time_lines(groups, times, max_gap)
        labels, predicted = np.asarray(labels)[order], np.asarray(predicted)[order]
        follows = np.flatnonzero(~begins)
        seen = np.bincount(labels, minlength=num_classes) + pseudo_count
        return cls(seen / seen.sum(), shares(labels[follows - 1], labels[follows]), shares(labels, predicted))

    def decode(
        self, predicted: np.ndarray, groups: np.ndarray, times: np.ndarray, max_gap: float
    ) -> np.ndarray:
        """Find the likeliest sequence of true classes behind the predicted ones, by Viterbi's algorithm.

        Args:
            predicted: (windows,) predicted classes, in any order of the windows.
            groups: (windows,) person of each window.
            times: (windows,) seconds.
            max_gap: as in `estimate`.

        Returns:
            (windows,) classes, in the order of the windows received.
        """
        order, begins, line = _time_lines(groups, times, max_gap)
        # All lines end in the last column; what is before their beginnings has no effect
        lengths = np.bincount(line)
        ends = np.cumsum(lengths)
        place = line, np.arange(len(order)) - ends[line] + lengths.max()
        with np.errstate(divide="ignore"):  # what is impossible has the logarithm −∞
            start, transition, emission = (np.log(p) for p in (self.start, self.transition, self.emission))
        likelihood = np.zeros((len(lengths), lengths.max(), len(start)))
        likelihood[place] = emission.T[np.asarray(predicted)[order]]
        restarts = np.ones(likelihood.shape[:2], bool)
        restarts[place] = begins
        path = np.empty(len(order), np.int64)
        path[order] = _viterbi(start, transition, likelihood, restarts)[place]
        return path


def _time_lines(
    groups: np.ndarray, times: np.ndarray, max_gap: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order windows by person and time; in that order, say where nothing goes before, and whose each is."""
    _, person = np.unique(np.asarray(groups), return_inverse=True)
    order = np.lexsort((times, person))
    person, times = person[order], np.asarray(times)[order]
    begins = np.ones(len(order), bool)
    begins[1:] = (np.diff(person) != 0) | (np.diff(times) > max_gap)
    return order, begins, person


def _viterbi(
    start: np.ndarray, transition: np.ndarray, likelihood: np.ndarray, restarts: np.ndarray
) -> np.ndarray:
    """Find the likeliest path of each of several sequences of the same length.

    Args:
        start: (classes,) log probability.
        transition: (classes, classes) log probability.
        likelihood: (sequences, steps, classes) log probability of what was observed.
        restarts: (sequences, steps) where the step before has no bearing; at the first step everywhere.

    Returns:
        (sequences, steps) classes.
    """
    sequences, steps, num_classes = likelihood.shape
    anywhere = np.broadcast_to(start, transition.shape)
    before = np.empty((steps, sequences, num_classes), np.intp)
    score = np.zeros((sequences, num_classes))
    for step in range(steps):
        into = np.where(restarts[:, step, None, None], anywhere, transition) + score[:, :, np.newaxis]
        before[step] = into.argmax(axis=1)
        score = into.max(axis=1) + likelihood[:, step]
    path = np.empty((sequences, steps), np.int64)
    best = score.argmax(axis=1)
    for step in reversed(range(steps)):
        path[:, step] = best
        best = before[step, np.arange(sequences), best]
    return path


def smooth(
    table: pd.DataFrame, known: pd.DataFrame, class_names: Sequence[str], max_gap: float
) -> np.ndarray:
    """Smooth each person's predictions by a model estimated on other people's.

    Args:
        table: columns `predicted`, `group` and `time` in seconds, in any order. The predictions of windows of
            which it is not known whose they are, of the group "", stay.
        known: the same and `label`: predictions of windows that the classifier was not trained on. What is
            there of a person is left out of the model that smooths this person; if nothing else is there,
            the predictions stay.
        class_names: all classes.
        max_gap: as in `HiddenMarkov.estimate`.

    Returns:
        (rows,) class names.

    Example:
        >>> known = pd.DataFrame({"label": [*"aaaaabbbbb"], "group": "P1", "time": range(10)})
        >>> table = pd.DataFrame({"predicted": [*"aaabaa"], "group": "P2", "time": range(6)})
        >>> smooth(table, known.assign(predicted=known["label"]), ["a", "b"], max_gap=1.5).tolist()
        ['a', 'a', 'a', 'a', 'a', 'a']
    """
    known = known[known["group"] != ""]
    names, people = pd.Index(class_names), pd.Index(known["group"].unique())

    def timed(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, float]:
        return pd.factorize(rows["group"])[0], rows["time"].to_numpy(), max_gap

    smoothed = table["predicted"].to_numpy(object, copy=True)
    whose = people.get_indexer(table["group"])  # −1 is nobody known
    is_somebody = (table["group"] != "").to_numpy()
    for person in np.unique(whose[is_somebody]):
        others = known if person < 0 else known[known["group"] != people[person]]
        if len(others):
            labels, predicted = (names.get_indexer(others[column]) for column in ("label", "predicted"))
            model = HiddenMarkov.estimate(labels, predicted, *timed(others), len(names))
            here = is_somebody & (whose == person)
            seen = names.get_indexer(table["predicted"][here])
            smoothed[here] = names[model.decode(seen, *timed(table[here]))]
    return smoothed
