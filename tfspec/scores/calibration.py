"""How well predicted distributions match the true ones, and what makes them match better.

The truth is (examples, classes) shares, each row with the sum 1: soft labels, or one class with all of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfspec.base.model import SMALLEST
from tfspec.scores.types import BriefScores, CalibrationBin, DistributionScores, MemberScores

BINS = 10
STEPS = 1000
"""So often the weights of members are improved."""


def score_distributions(
    shares: np.ndarray, probabilities: np.ndarray, prior: np.ndarray
) -> DistributionScores:
    """Compare predicted distributions with the true ones, in nats.

    No prediction brings the `cross_entropy` −Σ p log q below the `entropy` −Σ p log p of the labels; what is
    left above it is the Kullback-Leibler divergence `kl`. The loss of a model that has learnt something is
    below `kl_uniform` and `kl_prior`. With one class an example, `top_2_accuracy` is scikit-learn's
    `top_k_accuracy_score`.

    `calibration` groups the examples by their largest probability, in tenths. `calibration_error` is the mean
    distance of `confidence` and `share`, each tenth weighed by its examples (expected calibration error: Guo
    et al., On calibration of modern neural networks, ICML 2017; with soft labels the share stands for being
    right).

    Args:
        shares: (examples, classes).
        probabilities: (examples, classes).
        prior: (classes,) such as the mean shares of the training part.

    Returns:
        The scores, ready for JSON.

    Raises:
        ValueError: shares and probabilities differ in shape.

    Example:
        >>> shares, even = np.array([[1.0, 0.0], [0.5, 0.5]]), np.full((2, 2), 0.5)
        >>> scores = score_distributions(shares, even, prior=np.array([0.75, 0.25]))
        >>> [round(scores[name], 4) for name in ("cross_entropy", "entropy", "kl", "calibration_error")]
        [0.6931, 0.3466, 0.3466, 0.25]
    """
    if shares.ndim != 2 or shares.shape != probabilities.shape:
        raise ValueError(
            "`shares` and `probabilities` must both be (examples, classes). "
            f"Received: shares of shape {shares.shape}, probabilities of shape {probabilities.shape}"
        )
    entropy = cross_entropy(shares, shares)
    predicted = probabilities.argmax(axis=1)[:, np.newaxis]
    curve = calibration_curve(*(np.take_along_axis(x, predicted, 1)[:, 0] for x in (probabilities, shares)))
    loss = cross_entropy(shares, probabilities)
    true = shares.argmax(axis=1)[:, np.newaxis]
    own = np.take_along_axis(probabilities, true, 1)
    is_earlier = np.arange(shares.shape[1]) < true  # of equal probabilities the first counts as the larger
    higher = ((probabilities > own) | (probabilities == own) & is_earlier).sum(axis=1)
    return {
        "kl": loss - entropy,
        "cross_entropy": loss,
        "entropy": entropy,
        "kl_uniform": float(np.log(shares.shape[1])) - entropy,
        "kl_prior": cross_entropy(shares, np.broadcast_to(prior, shares.shape)) - entropy,
        "top_2_accuracy": float((higher < 2).mean()),
        "calibration_error": calibration_error(curve),
        "calibration": curve,
    }


def score_members(
    shares: np.ndarray, members: dict[str, np.ndarray], fitted: MemberScores | dict | None = None
) -> MemberScores:
    """Score an ensemble's members one by one, and what a temperature and weights make of their mean.

    Args:
        shares: (examples, classes).
        members: (examples, classes) probabilities of each; rows of NaN for examples that it does not predict.
        fitted: what this returned for examples that were held out: their temperature and weights are used,
            and none where it is empty. None fits both to these examples, whose scores are then too good.

    Returns:
        The scores, ready for JSON: `tempered`; with several members, each one, as `members`; and if all of
        them predict all examples, the mean with the best weights, as `weighted`.

    Example:
        >>> shares = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> scores = score_members(shares, {"good": 0.6 * shares + 0.2, "bad": np.full((2, 2), 0.5)})
        >>> round(scores["weighted"]["weights"]["good"], 3), round(scores["members"]["good"]["kl"], 3)
        (1.0, 0.223)
    """
    each = np.stack(list(members.values()))
    mean = np.nanmean(each, axis=0)
    scores: MemberScores = {}
    if fitted is None or "tempered" in fitted:
        temperature = fitted["tempered"]["temperature"] if fitted else fit_temperature(shares, mean)
        scores["tempered"] = {"temperature": temperature, **_brief(shares, tempered(mean, temperature))}
    if len(each) > 1:
        scores["members"] = {}
        for name, probabilities in members.items():
            its = ~np.isnan(probabilities[:, 0])
            if its.any():
                scores["members"][name] = _brief(shares[its], probabilities[its])
    if len(each) > 1 and not np.isnan(each).any() and (fitted is None or "weighted" in fitted):
        weights = (
            fitted["weighted"]["weights"]
            if fitted
            else dict(zip(members, fit_weights(shares, each).tolist(), strict=True))
        )
        mean = np.tensordot([weights[name] for name in members], each, 1)
        scores["weighted"] = {"weights": weights, **_brief(shares, mean)}
    return scores


def cross_entropy(shares: np.ndarray, probabilities: np.ndarray) -> float:
    """Compute the mean of −Σ p log q; a class without a share adds nothing, whatever its probability.

    Args:
        shares: (examples, classes) p.
        probabilities: (examples, classes) q, at least 1e-37 in the logarithm.

    Returns:
        In nats.

    Example:
        >>> round(cross_entropy(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])), 4)
        0.6931
    """
    there = shares > 0
    return float(0 - (shares[there] * _log(probabilities[there])).sum() / len(shares))  # and never −0


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits by a temperature: above 1 the distributions get flatter, below 1 sharper.

    Args:
        probabilities: (…, classes).
        temperature: above 0.

    Returns:
        (…, classes) float64.

    Example:
        >>> tempered(np.array([0.8, 0.2]), temperature=2.0).round(3).tolist()
        [0.667, 0.333]
    """
    from scipy.special import softmax

    return softmax(_log(probabilities) / temperature, axis=-1)


def fit_temperature(shares: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature with the lowest cross-entropy, and so the lowest KL divergence.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017.

    Args:
        shares: (examples, classes), of examples that were not trained on.
        probabilities: (examples, classes).

    Returns:
        From 0.01 to 100.

    Example:
        >>> shares = np.array([[0.8, 0.2]])
        >>> round(fit_temperature(shares, tempered(shares, 0.5)), 3)
        2.0
    """
    logits, there = _log(probabilities), shares > 0
    logits -= logits.max(axis=1, keepdims=True)
    share, own, example = shares[there], logits[there], np.nonzero(there)[0]

    def loss(temperature):
        total = np.exp(logits / temperature).sum(axis=1)
        logs = own / temperature - np.log(total)[example]
        return -(share * np.maximum(logs, np.log(SMALLEST))).sum() / len(shares)

    return best_temperature(loss)


def best_temperature(loss: Callable[[float], float]) -> float:
    """Find the temperature with the lowest loss.

    Args:
        loss: computes it from a temperature.

    Returns:
        From 0.01 to 100.

    Example:
        >>> round(best_temperature(lambda temperature: (temperature - 2) ** 2), 3)
        2.0
    """
    from scipy.optimize import minimize_scalar

    def of_logarithm(log_temperature):
        return loss(np.exp(log_temperature))

    return float(np.exp(minimize_scalar(of_logarithm, bounds=np.log([0.01, 100]), options={"xatol": 1e-6}).x))


def fit_weights(shares: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Find the weighted mean of several models' distributions with the lowest cross-entropy.

    Expectation maximisation of the weights of a mixture: no step makes it worse, and as the loss is convex
    in the weights there is but one lowest value (Dempster, Laird and Rubin, 1977).

    Args:
        shares: (examples, classes), of examples that were not trained on.
        probabilities: (models, examples, classes).

    Returns:
        (models,), each 0…1, with the sum 1.

    Example:
        >>> shares = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> fit_weights(shares, np.stack([shares, 1 - shares])).round(3).tolist()
        [1.0, 0.0]
    """
    there = shares > 0
    share, each = shares[there] / len(shares), np.maximum(probabilities[:, there], SMALLEST)
    weights = np.full(len(each), 1 / len(each))
    for _ in range(STEPS):
        mixed = weights[:, np.newaxis] * each
        weights = (mixed / mixed.sum(0)) @ share
        weights /= weights.sum()
    return weights


def _brief(shares: np.ndarray, probabilities: np.ndarray) -> BriefScores:
    scores = score_distributions(shares, probabilities, shares.mean(0))
    accuracy = float((shares.argmax(1) == probabilities.argmax(1)).mean())
    return {"accuracy": accuracy, "kl": scores["kl"], "calibration_error": scores["calibration_error"]}


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def calibration_curve(confidence: np.ndarray, share: np.ndarray) -> list[CalibrationBin]:
    """Group predictions by their probability, in tenths.

    Args:
        confidence: (predictions,) probabilities.
        share: (predictions,) how much of each is true, 0…1.

    Returns:
        The tenths in which there are predictions, from the lowest up.

    Example:
        >>> calibration_curve(np.array([0.5, 1.0]), np.array([0.0, 1.0]))[0]
        {'confidence': 0.5, 'share': 0.0, 'examples': 1}
    """
    tenth = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "confidence": float(confidence[tenth == number].mean(dtype=np.float64)),
            "share": float(share[tenth == number].mean(dtype=np.float64)),
            "examples": int((tenth == number).sum()),
        }
        for number in np.unique(tenth)
    ]


def calibration_error(curve: list[CalibrationBin]) -> float:
    """Average the distances of `confidence` and `share`, each tenth weighed by its examples.

    Args:
        curve: from `calibration_curve`.

    Example:
        >>> calibration_error(calibration_curve(np.array([0.5, 1.0]), np.array([0.0, 1.0])))
        0.25
    """
    gaps = [row["examples"] * abs(row["confidence"] - row["share"]) for row in curve]
    return sum(gaps) / sum(row["examples"] for row in curve)
