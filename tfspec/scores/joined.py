"""The windows of a recording joined: what the whole recording is predicted to be."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pandas as pd

from tfspec.scores.evaluation import Evaluation, Predicted, score_otherwise
from tfspec.scores.predictions import predictions_table
from tfspec.scores.types import Scores


def joined(predicted: Predicted, recordings: pd.Series) -> Predicted:
    """Average the probabilities of each recording's windows.

    Args:
        predicted: windows, each of one class, that of its recording.
        recordings: (windows,) which recording each is of; its name is the recordings' column in the table.

    Returns:
        The recordings, in the order of their first windows.

    Example:
        >>> windows = Predicted(
        ...     ["no", "yes"],
        ...     np.array([1, 1, 0]),
        ...     {"": np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2]])},
        ...     pd.Series(["a@0", "a@5", "b@0"], name="file"),
        ...     pd.Series(["x", "x", "y"]),
        ... )
        >>> whole = joined(windows, pd.Series(["a", "a", "b"], name="path"))
        >>> whole.probabilities.round(2).tolist(), whole.truth.tolist(), whole.groups.tolist()
        ([[0.35, 0.65], [0.8, 0.2]], [1, 0], ['x', 'y'])
    """
    places, names = pd.factorize(recordings)
    first = np.unique(places, return_index=True)[1]
    counts = np.bincount(places)[:, np.newaxis]

    def mean(values: np.ndarray) -> np.ndarray:
        sums = np.zeros((len(names), values.shape[1]))
        np.add.at(sums, places, values)
        return sums / counts

    return replace(
        predicted,
        truth=predicted.truth[first],
        members={name: mean(values) for name, values in predicted.members.items()},
        names=pd.Series(names, name=recordings.name),
        groups=predicted.groups.iloc[first],
    )


def add_recordings(evaluation: Evaluation, whole: Predicted) -> Evaluation:
    """Score whole recordings beside their windows.

    Args:
        evaluation: of the windows.
        whole: the recordings, of `joined`.

    Returns:
        The evaluation with `recordings` among its scores, and as a table.
    """
    names = whole.class_names
    scores, _ = score_otherwise(whole, whole.probabilities.argmax(axis=1))
    truth = pd.Series(np.take(names, whole.labels))
    return replace(
        evaluation,
        scores=cast(Scores, {**evaluation.scores, "recordings": scores}),
        recordings=predictions_table(whole.names, whole.probabilities, names, truth),
    )
