"""The table of what was predicted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

SEPARATOR = ";"
"""What stands between the names of classes that hold at once."""


def joined_names(holds: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Join the names of the classes that hold in each example.

    Args:
        holds: (examples, classes) bool.
        class_names: (classes,).

    Returns:
        (examples,) text; "" where none holds.

    Example:
        >>> joined_names(np.array([[True, True], [False, False]]), ["bird", "wind"]).tolist()
        ['bird;wind', '']
    """
    names = np.array(class_names, object)
    return np.array([SEPARATOR.join(names[row]) for row in holds], object)


def predicted_names(
    probabilities: np.ndarray, class_names: Sequence[str], thresholds: Sequence[float] | np.ndarray | None
) -> np.ndarray:
    """Name what is predicted: the likeliest class, or all that reach their thresholds.

    Args:
        probabilities: (examples, classes).
        class_names: (classes,).
        thresholds: (classes,) or (examples, classes) lowest probabilities of several labels; None for one.

    Returns:
        (examples,) text.

    Example:
        >>> probabilities = np.array([[0.6, 0.7]])
        >>> [predicted_names(probabilities, ["a", "b"], each)[0] for each in (None, [0.5, 0.5])]
        ['b', 'a;b']
    """
    if thresholds is None:
        return np.array(class_names, object)[probabilities.argmax(axis=1)]
    return joined_names(probabilities >= np.asarray(thresholds), class_names)


def predicted_places(probabilities: np.ndarray, thresholds: Sequence[float] | None) -> list[int]:
    """Name what is predicted of one example by its places among the classes, as `predicted_names` does.

    Args:
        probabilities: (classes,).
        thresholds: (classes,) or None.

    Example:
        >>> [predicted_places(np.array([0.6, 0.7]), each) for each in (None, [0.5, 0.5])]
        [[1], [0, 1]]
    """
    if thresholds is None:
        return [int(probabilities.argmax())]
    return np.flatnonzero(probabilities >= np.asarray(thresholds)).tolist()


def predictions_table(
    names: pd.Series,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    labels: pd.Series | None = None,
    thresholds: Sequence[float] | np.ndarray | None = None,
) -> pd.DataFrame:
    """Put each example's name, its true label if known, the predicted one and every probability in a row.

    Args:
        names: (examples,) what to call the examples, such as their files.
        probabilities: (examples, classes).
        class_names: in the order of the probabilities.
        labels: (examples,) true labels.
        thresholds: as in `predicted_names`.

    Returns:
        Columns: the names' own, `label` if they are known, `predicted`, and `p_<class>` for each class.

    Example:
        >>> files = pd.Series(["a.wav"], name="file")
        >>> table = predictions_table(files, np.array([[0.2, 0.8]]), ["no", "yes"])
        >>> table.values.tolist()
        [['a.wav', 'yes', 0.2, 0.8]]
    """
    table = pd.DataFrame({str(names.name): names.to_numpy()})
    if labels is not None:
        table["label"] = labels.to_numpy()
    table["predicted"] = predicted_names(probabilities, class_names, thresholds)
    columns = [f"p_{name}" for name in class_names]
    return pd.concat([table, pd.DataFrame(probabilities, columns=columns)], axis=1)


def with_most_probable(table: pd.DataFrame, class_names: Sequence[str], most: int) -> pd.DataFrame:
    """Name the most probable classes of each row.

    Args:
        table: from `predictions_table`.
        class_names: whose probabilities it has.
        most: how many are named; all where there are fewer.

    Returns:
        The table with further columns, `top_1`, `p_top_1` and so on; without a class where the probabilities
        are NaN.

    Example:
        >>> files = pd.Series(["a.wav"], name="file")
        >>> table = predictions_table(files, np.array([[0.2, 0.8]]), ["no", "yes"])
        >>> with_most_probable(table, ["no", "yes"], most=1)[["top_1", "p_top_1"]].values.tolist()
        [['yes', 0.8]]
    """
    scores = table[[f"p_{name}" for name in class_names]].to_numpy()
    order = np.argsort(-scores, axis=1, kind="stable")
    is_known, columns = np.isfinite(scores).all(axis=1), {}
    for place in range(min(most, len(class_names))):
        named = pd.Series(np.asarray(class_names, object)[order[:, place]], table.index, dtype=object)
        columns[f"top_{place + 1}"] = named.where(is_known, None)
        columns[f"p_top_{place + 1}"] = np.take_along_axis(scores, order, axis=1)[:, place]
    return table.assign(**columns)
