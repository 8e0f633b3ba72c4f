"""What a classifier gets right and wrong where several classes can hold at once.

The truth is (examples, classes): 1 holds, 0 does not, NaN is a label that nobody knows and no score counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from tfspec.base.model import HALF, SMALLEST
from tfspec.scores.calibration import best_temperature, calibration_curve, calibration_error
from tfspec.scores.classes import ratio
from tfspec.scores.groups import draw_anew, intervals_of, sum_anew
from tfspec.scores.ranking import rank_each_class, summarize_ranking, without_nan
from tfspec.scores.types import Intervals, SeveralBriefScores, SeveralMemberScores

STEPS = 500
"""Thresholds of each class, at most, by which its average precision is found for what is drawn anew."""


def score_several(
    truth: np.ndarray, probabilities: np.ndarray, holds: np.ndarray, class_names: Sequence[str]
) -> dict[str, Any]:
    """Compare labels with the truth, by scikit-learn's definitions.

    Args:
        truth: (examples, classes) of 1, 0 and NaN.
        probabilities: (examples, classes).
        holds: (examples, classes) which of them reach their thresholds.
        class_names: in the order of the probabilities.

    Returns:
        `examples`, `types.SeveralSummaries`, `types.Ranking` and `per_class`, as `types.SeveralScores` has
        them but for the thresholds; ready for JSON.

    Raises:
        ValueError: truth and probabilities differ in shape.

    Example:
        >>> truth, probabilities = np.array([[1, 1], [0, np.nan]]), np.array([[0.9, 0.2], [0.4, 0.6]])
        >>> scores = score_several(truth, probabilities, probabilities >= 0.5, ["a", "b"])
        >>> scores["macro_f1"], scores["exact"], scores["per_class"]["b"]["unknown"]
        (0.5, 0.5, 1)
    """
    ranked = rank_each_class(truth, probabilities)
    found, wrong, missed = counts = _counted(truth, holds).sum(axis=0)
    table = ranked.assign(
        precision=ratio(found, found + wrong),
        recall=ratio(found, found + missed),
        f1=_f1(counts),
        unknown=np.isnan(truth).sum(axis=0),
    )
    return {
        "examples": len(truth),
        **{
            name: float(value)
            for name, value in _summarized(counts, _exact(truth, holds).sum(axis=0)).items()
        },
        **summarize_ranking(truth, probabilities, ranked),
        "per_class": without_nan(table).set_index(pd.Index(class_names)).to_dict("index"),
    }


def score_decisions(truth: np.ndarray, probabilities: np.ndarray, prior: np.ndarray) -> dict[str, Any]:
    """Say what probabilities are worth, each of them by itself.

    Args:
        truth: (examples, classes) of 1, 0 and NaN.
        probabilities: (examples, classes).
        prior: (classes,) how often each class holds in the training part.

    Returns:
        `cross_entropy`, `cross_entropy_prior`, `calibration_error` and `calibration`, as
        `types.SeveralScores` has them.

    Example:
        >>> truth, halves = np.array([[1, 0], [1, np.nan]]), np.full((2, 2), 0.5)
        >>> scores = score_decisions(truth, halves, prior=np.array([0.9, 0.1]))
        >>> [round(scores[name], 4) for name in ("cross_entropy", "cross_entropy_prior", "calibration_error")]
        [0.6931, 0.1054, 0.1667]
    """
    known = ~np.isnan(truth)
    curve = calibration_curve(probabilities[known], truth[known])
    return {
        "cross_entropy": binary_cross_entropy(truth, probabilities),
        "cross_entropy_prior": binary_cross_entropy(truth, np.broadcast_to(prior, truth.shape)),
        "calibration_error": calibration_error(curve),
        "calibration": curve,
    }


def binary_cross_entropy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Compute the mean of −y log p − (1 − y) log (1 − p) over all labels that are known.

    Args:
        truth: (examples, classes) of 1, 0 and NaN.
        probabilities: (examples, classes); p and 1 − p are at least 1e-37 in the logarithm.

    Returns:
        In nats.

    Example:
        >>> round(binary_cross_entropy(np.array([[1, np.nan]]), np.array([[0.5, 0.5]])), 4)
        0.6931
    """
    known = ~np.isnan(truth)
    y, (p, q) = truth[known], (each[known] for each in _both_sides(probabilities))
    return float(0 - (y * np.log(p) + (1 - y) * np.log(q)).mean())  # and never −0


def tempered_sigmoid(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits of sigmoids by a temperature.

    Args:
        probabilities: of any shape.
        temperature: above 0.

    Returns:
        The same shape, float64.

    Example:
        >>> tempered_sigmoid(np.array([0.5, 0.8]), temperature=2.0).round(3).tolist()
        [0.5, 0.667]
    """
    from scipy.special import expit

    p, q = _both_sides(probabilities)
    return expit(np.log(p / q) / temperature)


def score_several_members(
    truth: np.ndarray, members: dict[str, np.ndarray], fitted: dict | None = None
) -> SeveralMemberScores:
    """Score an ensemble's members one by one, and what a temperature makes of their mean.

    Args:
        truth: (examples, classes) of 1, 0 and NaN.
        members: (examples, classes) probabilities of each; rows of NaN for examples that it does not predict.
        fitted: what this returned for examples that were held out: their temperature is used, and none where
            it is empty. None fits one to these examples.

    Returns:
        The scores, ready for JSON: `tempered`, and with several members each one, as `members`.

    Example:
        >>> truth = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
        >>> scores = score_several_members(truth, {"": np.where(truth > 0.5, 0.9, 0.1)})
        >>> scores["tempered"]["temperature"] < 0.1
        True
    """
    mean = np.nanmean(np.stack(list(members.values())), axis=0)
    scores: SeveralMemberScores = {}
    if fitted is None or "tempered" in fitted:
        temperature = fitted["tempered"]["temperature"] if fitted else _fit_temperature(truth, mean)
        scores["tempered"] = {
            "temperature": temperature,
            **_brief(truth, tempered_sigmoid(mean, temperature)),
        }
    if len(members) > 1:
        scores["members"] = {}
        for name, probabilities in members.items():
            its = ~np.isnan(probabilities[:, 0]) & ~np.isnan(truth).all(axis=1)
            if its.any():
                scores["members"][name] = _brief(truth[its], probabilities[its])
    return scores


def score_several_groups(
    truth: np.ndarray, probabilities: np.ndarray, holds: np.ndarray, groups: pd.Series
) -> tuple[pd.DataFrame, Intervals]:
    """Score each group by itself, and say how far the total is to be trusted.

    The groups are drawn anew, as in `groups.score_groups`.

    Args:
        truth: (examples, classes) of 1, 0 and NaN.
        probabilities: (examples, classes).
        holds: (examples, classes) which of them reach their thresholds.
        groups: (examples,) names; "" where it is not known.

    Returns:
        One row a group, with its `examples` and `types.SeveralSummaries`; and the interval of each of these
        scores and of `mean_average_precision`. No rows and no intervals where not every group is known; no
        intervals of a single one.

    Example:
        >>> truth = np.array([[1, 0], [0, 1], [1, 1], [0, 1]])
        >>> holds = np.array([[1, 0], [0, 1], [1, 0], [0, 0]])
        >>> table, intervals = score_several_groups(truth, 0.8 * holds, holds > 0, pd.Series([*"xxyy"]))
        >>> table["exact"].to_dict(), intervals["exact"]
        ({'x': 1.0, 'y': 0.0}, [0.0, 1.0])
    """
    names, group = np.unique(groups, return_inverse=True)
    if "" in set(names):
        return pd.DataFrame(index=pd.Index([], name="group")), {}

    def summed(values):
        total = np.zeros((len(names), *values.shape[1:]))
        np.add.at(total, group, values)
        return total

    counts, exact = summed(_counted(truth, holds)), summed(_exact(truth, holds))
    table = pd.DataFrame(_summarized(counts, exact), pd.Index(names, name="group"))
    table.insert(0, "examples", np.bincount(group))
    if len(names) < 2:
        return table, {}
    resampled = _summarized(sum_anew(counts), sum_anew(exact))
    counted = [
        _by_step(len(names), group, *columns) for columns in zip(truth.T, probabilities.T, strict=True)
    ]
    precision = [
        np.ma.masked_invalid([_average_precisions(times, *each) for each in counted]).mean(axis=0)
        for times in draw_anew(len(names))
    ]
    if len(drawn := np.ma.concatenate(precision).compressed()):
        resampled["mean_average_precision"] = drawn
    return table, intervals_of(resampled)


def _by_step(
    num_groups: int, group: np.ndarray, truth: np.ndarray, probabilities: np.ndarray
) -> tuple[Any, Any]:
    """Count one class's wrong and right examples by threshold, from the highest down, and by group.

    As sparse arrays, since most groups have none at most thresholds.
    """
    from scipy.sparse import csr_array

    known = ~np.isnan(truth)
    group, holds, column = group[known], truth[known] >= HALF, probabilities[known]
    if not holds.any():
        nothing = csr_array((0, num_groups))
        return nothing, nothing
    lowest = np.unique(np.quantile(column, np.linspace(0, 1, STEPS), method="higher"))
    step = len(lowest) - np.searchsorted(lowest, column, side="right")
    wrong, found = (
        csr_array((np.ones(its.sum()), (step[its], group[its])), (len(lowest), num_groups))
        for its in (~holds, holds)
    )
    return wrong, found


def _average_precisions(times: np.ndarray, wrong: Any, found: Any) -> np.ndarray:
    """Compute one class's average precision where groups count so many times, from `_by_step`.

    NaN where it holds in all that is drawn, or in none, as in `rank_each_class`.
    """
    wrong, found = (np.cumsum(each @ times.T, axis=0) for each in (wrong, found))
    new = np.diff(found, axis=0, prepend=0)
    with np.errstate(invalid="ignore"):
        precision = (new * ratio(found, found + wrong)).sum(axis=0) / new.sum(axis=0)
    return np.where(wrong.sum(axis=0) > 0, precision, np.nan)


def _counted(truth: np.ndarray, holds: np.ndarray) -> np.ndarray:
    """Count (examples, 3, classes): found, wrongly found, missed."""
    known, there = ~np.isnan(truth), truth >= HALF
    return np.stack([there & holds, known & ~there & holds, there & ~holds], axis=1).astype(float)


def _exact(truth: np.ndarray, holds: np.ndarray) -> np.ndarray:
    """Tell (examples, 2) whether all labels that are known are right, and whether any is known."""
    known = ~np.isnan(truth)
    right = ((truth >= HALF) == holds) | ~known
    return np.stack([right.all(axis=1) & known.any(axis=1), known.any(axis=1)], axis=1).astype(float)


def _summarized(counts: np.ndarray, exact: np.ndarray) -> dict[str, np.ndarray]:
    """Compute `types.SeveralSummaries` of (…, 3, classes) counts and (…, 2) of exact examples."""
    there = counts[..., 0, :] + counts[..., 2, :] > 0
    return {
        "micro_f1": _f1(counts.sum(axis=-1)[..., np.newaxis])[..., 0],
        "macro_f1": ratio((_f1(counts) * there).sum(axis=-1), there.sum(axis=-1)),
        "exact": ratio(exact[..., 0], exact[..., 1]),
    }


def _f1(counts: np.ndarray) -> np.ndarray:
    found, errors = 2 * counts[..., 0, :], counts[..., 1, :] + counts[..., 2, :]
    return ratio(found, found + errors)


def _fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    return best_temperature(lambda each: binary_cross_entropy(truth, tempered_sigmoid(probabilities, each)))


def _brief(truth: np.ndarray, probabilities: np.ndarray) -> SeveralBriefScores:
    ranked = summarize_ranking(truth, probabilities, rank_each_class(truth, probabilities))
    scores = score_decisions(truth, probabilities, np.full(truth.shape[1], HALF))
    brief = {name: scores[name] for name in ("cross_entropy", "calibration_error")}
    return cast(SeveralBriefScores, {"mean_average_precision": ranked["mean_average_precision"], **brief})


def _both_sides(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return p and 1 − p, neither of them quite zero."""
    p = probabilities.astype(np.float64)
    return np.maximum(p, SMALLEST), np.maximum(1 - p, SMALLEST)
