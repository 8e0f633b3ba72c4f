"""Measures the networks for wrist accelerometers beside a random forest on hand-made features.

    python tests/benchmarks/measure_wrist.py DATA OUT [MODEL …]

DATA is a folder with X.npy at 20 Hz, Y.npy, T.npy, pid.npy and annotation-label-dictionary.csv, whose columns
are label:coarse and label:fine. All models are cross-validated in the same five folds of people: everybody is
scored by a model that has not seen him, after its last epoch, and nothing is chosen by the scores. Each goes
to OUT/<model>-<labels>; one that is there is not made again, or goes on where it stopped. OUT/results.csv
gathers the rows: scores of each window by itself, and smoothed over time by a hidden Markov model, with their
95% intervals over people.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from machine import give_table
from scipy import signal, stats
from sklearn.ensemble import RandomForestClassifier

from tfspec.data.label_targets import label_indices
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run
from tfspec.pipelines import Capture24
from tfspec.scores.classes import score_classes
from tfspec.scores.groups import score_groups

LABELS = ("coarse", "fine")
FOLDS = {"test": 0, "cross_validation": 5}
NETWORKS: dict[str, dict] = {
    # as many seconds a frame as at 100 Hz
    "published": {**Capture24.presets["published"], "frame_length": 24, "frame_step": 10, **FOLDS},
    "default": FOLDS,
}
PAGE = {
    "published": "published network, 5 epochs",
    "forest": "random forest, 258 hand-made features",
    "default": "default",
}
"""The rows of docs/capture24.md, and how they are called there."""
SCORES = ("kappa", "macro_f1", "smoothed kappa", "smoothed macro_f1")
BANDS = (0, 0.3, 0.6, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10.1)
"""Edges in Hz of the bands whose powers are features."""


def main(data: Path, out: Path, names: list[str]) -> None:
    """Train and score the named models on both label sets."""
    rows = []
    for name in names:
        for labels in LABELS:
            common = {"data": data, "label_column": f"label:{labels}", "sample_rate": 20}
            folder = out / f"{name}-{labels}"
            scores = forest(folder, common) if name == "forest" else network(folder, common, name)
            rows.append({"model": name, "labels": labels} | dict(numbers(scores)))
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(out / "results.csv", index=False)
    print(pd.DataFrame(rows).to_string(index=False))
    if set(PAGE) <= set(names):
        columns = ["model", "labels", "kappa", "macro F1", "smoothed: kappa", "macro F1"]
        give_table("capture24_1", columns, page_rows(pd.DataFrame(rows).set_index("model")))


def page_rows(scores: pd.DataFrame) -> list[list[str]]:
    """Say what all came to, as docs/capture24.md does: the best in bold, smoothed without intervals."""
    rows = []
    for labels, number in zip(LABELS, ("6", "18"), strict=True):
        of_labels = scores[scores["labels"] == labels]
        best = {column: max(of_labels[column]) for column in SCORES}
        for name, said in PAGE.items():
            cells = []
            for column in SCORES:
                value, _, rest = of_labels[column][name].partition(" ")
                mark = "**" if of_labels[column][name] == best[column] else ""
                shown = "" if column.startswith("smoothed") else f" {rest.replace(' to ', '–')}"
                cells.append(f"{mark}{value}{mark}{shown}")
            rows.append([said, number, *cells])
    return rows


def network(folder: Path, common: dict, name: str) -> dict:
    """Cross-validate a network, or go on with it."""
    if not (folder / "metrics.json").exists():
        started = (folder / "config.json").exists()
        pipeline_of(opened := Run(folder)).resume(opened, 2) if started else Capture24(
            **common, out=folder, **NETWORKS[name]
        ).train(2)
    return Run(folder).metrics()


def forest(folder: Path, common: dict) -> dict:
    """Cross-validate a random forest in the same folds, and score it in the same way."""
    pipeline = Capture24(**common, **FOLDS)
    split = pipeline.split(pipeline.manifest())
    names, path = pipeline.class_names(split), folder / "predictions.csv"
    if not path.exists():
        features = hand_made(pipeline.reader()(split), pipeline.sample_rate)
        predicted = np.empty(len(split), object)
        for fold in range(FOLDS["cross_validation"]):
            held_out = (split["fold"] == fold).to_numpy()
            model = RandomForestClassifier(500, n_jobs=-1, random_state=0)
            model.fit(features[~held_out], split["label"][~held_out])
            predicted[held_out] = model.predict(features[held_out])
        folder.mkdir(parents=True, exist_ok=True)
        split.assign(predicted=predicted).to_csv(path, index=False)
    table = pd.read_csv(path)
    scores = _score(table, table["predicted"], names)
    return {**scores, "smoothed": _score(table, pipeline.smooth(table, table, names), names)}


def _score(table: pd.DataFrame, predicted, names: list[str]) -> dict:
    truth, places = (label_indices(pd.Series(column), names) for column in (table["label"], predicted))
    scores = score_classes(truth, places, names)
    return {**scores, "intervals": score_groups(truth, places, table["group"], names)[1]}


def numbers(scores: dict):
    """Return kappa and macro F1 with their intervals as text, raw and smoothed."""
    for way, its_scores in (("", scores), ("smoothed ", scores["smoothed"])):
        for score in ("kappa", "macro_f1"):
            low, high = its_scores["intervals"][score]
            yield f"{way}{score}", f"{its_scores[score]:.3f} ({low:.3f} to {high:.3f})"


def hand_made(windows: np.ndarray, rate: float) -> np.ndarray:
    """Describe windows of acceleration by numbers, as is done for random forests.

    Args:
        windows: (windows, samples, 3) in g.
        rate: samples per second.

    Returns:
        (windows, features).
    """
    axes = windows.astype(np.float64)
    parts = np.concatenate([axes, np.linalg.norm(axes, axis=2, keepdims=True)], axis=2)
    centred = parts - parts.mean(axis=1, keepdims=True)
    columns = [*_levels(parts), *_shapes(parts, centred, rate), *_correlations(centred)]
    columns += [*_periods(centred, rate), *_spectrum(centred, rate), *_posture(axes, rate)]
    return np.concatenate(columns, axis=1)


def _levels(parts):
    yield from (parts.mean(axis=1), parts.std(axis=1), parts.min(axis=1), parts.max(axis=1))
    yield from np.percentile(parts, [5, 10, 25, 50, 75, 90, 95], axis=1)


def _shapes(parts, centred, rate):
    yield stats.iqr(parts, axis=1)
    yield np.abs(centred).mean(axis=1)
    yield from (stats.skew(parts, axis=1), stats.kurtosis(parts, axis=1))
    yield (np.diff(np.signbit(centred), axis=1) != 0).mean(axis=1)  # zero crossings
    jerk = np.diff(parts, axis=1) * rate
    yield from (np.abs(jerk).mean(axis=1), jerk.std(axis=1), np.percentile(np.abs(jerk), 95, axis=1))


def _correlations(centred):
    deviation = centred.std(axis=1) + 1e-6
    for a, b in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        product = (centred[..., a] * centred[..., b]).mean(axis=1)
        yield (product / deviation[:, a] / deviation[:, b])[:, np.newaxis]


def _periods(centred, rate):
    samples = centred.shape[1]
    power = np.abs(np.fft.rfft(centred, 2 * samples, axis=1)) ** 2
    correlation = np.fft.irfft(power, axis=1)[:, :samples]
    correlation = correlation / (correlation[:, :1] + 1e-9)
    lags = correlation[:, int(0.25 * rate) : int(4 * rate)]
    yield from (lags.max(axis=1), lags.argmax(axis=1) / rate)
    for seconds in (0.25, 0.5, 1):
        yield correlation[:, int(seconds * rate)]


def _spectrum(centred, rate):
    frequencies, power = signal.welch(centred, rate, nperseg=int(6.4 * rate), axis=1)
    total = power.sum(axis=1) + 1e-12
    share = power / total[:, np.newaxis]
    yield np.log(total)
    rest = share.copy()
    for _ in range(2):  # the two strongest frequencies
        peak = rest.argmax(axis=1)
        yield from (frequencies[peak], rest.max(axis=1))
        for beside in (-2, -1, 0, 1, 2):
            place = np.clip(peak + beside, 0, len(frequencies) - 1)
            np.put_along_axis(rest, place[:, np.newaxis], 0, axis=1)
    yield -(share * np.log(share + 1e-12)).sum(axis=1)  # entropy
    yield (frequencies[:, np.newaxis] * share).sum(axis=1)
    for low, high in itertools.pairwise(BANDS):
        inside = (frequencies >= low) & (frequencies < high)
        yield np.log(power[:, inside].sum(axis=1) + 1e-9)
        yield share[:, inside].sum(axis=1)


def _posture(axes, rate):
    """Which way gravity points, in means of 1.5 s, and how that changes."""
    gravity = axes.reshape(len(axes), -1, int(1.5 * rate), 3).mean(axis=2)
    direction = gravity / np.linalg.norm(gravity, axis=2, keepdims=True)
    yield from (direction.mean(axis=1), direction.std(axis=1))
    yield from (gravity.std(axis=1), gravity.min(axis=1), gravity.max(axis=1))
    turned = np.arccos(np.clip((direction[:, 1:] * direction[:, :-1]).sum(axis=2), -1, 1))
    yield turned.mean(axis=1, keepdims=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or ["forest", *NETWORKS])
