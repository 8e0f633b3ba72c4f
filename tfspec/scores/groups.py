"""Scores of each group (person, speaker, recording), and how far the total is to be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from tfspec.scores.classes import summarize
from tfspec.scores.types import CONFIDENCE, Intervals

RESAMPLES = 1000
"""So often all groups are drawn anew."""

FEW_GROUPS = 5
"""Below this an interval is told with a warning."""

BLOCK = 2**20
"""How often each group is drawn is held for so many draws and groups at once."""


def caution(groups: int) -> str:
    """Say how little an interval over few groups tells; nothing of one over enough.

    Args:
        groups: over how many it was drawn.

    Example:
        >>> caution(2), caution(5)
        ('So few groups hardly tell how far others lie apart.', '')
    """
    return "So few groups hardly tell how far others lie apart." if groups < FEW_GROUPS else ""


def score_groups(
    labels: np.ndarray,
    predicted: np.ndarray,
    groups: pd.Series,
    class_names: Sequence[str],
) -> tuple[pd.DataFrame, Intervals]:
    """Score each group by itself, and say how far the total is to be trusted.

    Examples of one person are alike, so it is people that are drawn anew, with replacement, and not examples:
    between the percentiles of the scores of all that is drawn lies what another set of as many people would
    have brought (the percentile bootstrap; Efron & Tibshirani, An introduction to the bootstrap, 1993). It
    says nothing of another training.

    Args:
        labels: (examples,) places among the class names.
        predicted: (examples,) of the same.
        groups: (examples,) names of their groups; "" where it is not known.
        class_names: all classes.

    Returns:
        One row a group, with its `examples` and `types.Summaries`; and the lower and upper end of the
        interval of each of these scores. No rows and no intervals where not every example's group is known;
        no intervals of a single group, which says nothing of others.

    Example:
        >>> labels, predicted = np.array([0, 1, 0, 1]), np.array([0, 1, 0, 0])
        >>> table, intervals = score_groups(labels, predicted, pd.Series([*"xxyy"]), ["no", "yes"])
        >>> table["accuracy"].to_dict(), intervals["accuracy"]
        ({'x': 1.0, 'y': 0.5}, [0.5, 1.0])
    """
    names, group = np.unique(groups, return_inverse=True)
    if "" in set(names):
        return pd.DataFrame(index=pd.Index([], name="group")), {}
    right = labels == predicted
    counts = np.zeros((len(names), 3, len(class_names)))  # right, true and predicted
    counted = (group[right], labels[right]), (group, labels), (group, predicted)
    for number, (of_group, of_class) in enumerate(counted):
        np.add.at(counts, (of_group, number, of_class), 1)
    scores = summarize(*np.moveaxis(counts, 1, 0))
    table = pd.DataFrame({"examples": np.bincount(group), **scores}, pd.Index(names, name="group"))
    if len(names) < 2:
        return table, {}
    drawn = sum_anew(counts)
    return table, intervals_of(summarize(*np.moveaxis(drawn, 1, 0)))


def sum_anew(counts: np.ndarray) -> np.ndarray:
    """Sum what was counted in each group over groups that are drawn anew.

    Args:
        counts: (groups, …).

    Returns:
        (resamples, …).

    Example:
        >>> sum_anew(np.ones((3, 2)))[:2].tolist()
        [[3.0, 3.0], [3.0, 3.0]]
    """
    return np.concatenate([np.tensordot(times, counts, 1) for times in draw_anew(len(counts))])


def draw_anew(num_groups: int, resamples: int = RESAMPLES) -> Iterator[np.ndarray]:
    """Draw all groups anew, with replacement, again and again.

    Thousands of groups are drawn a few times at once, for what is held to stay small.

    Args:
        num_groups: how many there are.
        resamples: how often.

    Yields:
        (some, num_groups) how often each is drawn, until there are as many rows as `resamples`.

    Example:
        >>> [times.sum(axis=1).tolist() for times in draw_anew(3, resamples=2)]
        [[3.0, 3.0]]
    """
    rng = np.random.default_rng(0)
    at_once = max(1, BLOCK // num_groups)
    for first in range(0, resamples, at_once):
        drawn = rng.integers(0, num_groups, (min(at_once, resamples - first), num_groups))
        times = np.zeros(drawn.shape)
        np.add.at(times, (np.arange(len(drawn))[:, np.newaxis], drawn), 1)
        yield times


def intervals_of(resampled: Mapping[str, np.ndarray]) -> Intervals:
    """Find between which ends the scores of what is drawn lie.

    Args:
        resampled: (resamples,) of each score, by its name.

    Returns:
        Lower and upper end by name.

    Example:
        >>> np.round(intervals_of({"accuracy": np.linspace(0, 1, 5)})["accuracy"], 3).tolist()
        [0.025, 0.975]
    """
    ends = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    return {name: np.quantile(values, ends).tolist() for name, values in resampled.items()}
