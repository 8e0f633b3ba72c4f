"""What each threshold of a detector costs on streams in which the events are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.audio.decoding import audio_blocks
from tfspec.base.errors import UserError
from tfspec.base.progress import track
from tfspec.export.streaming_file import DetectorSettings
from tfspec.inference.detector import find_detections, lowest_scores, smoothed_probabilities
from tfspec.inference.listening import Listener, stream_probabilities
from tfspec.scores.streams import HOUR, TOLERANCE_SECONDS, StreamScores, score_stream

THRESHOLDS = np.round(1 / (1 + np.exp(-np.arange(-4, 9.1, 0.2))), 6)
"""From 0.018 to 0.9999, the denser the nearer to 0 or 1."""


@dataclass(frozen=True)
class HeardStreams:
    """Streams that a model has listened to, smoothed: every threshold can be tried on them.

    Args:
        class_names: of the model.
        hop_seconds: of the model.
        warm_up_hops: of the model; so many are missing at each stream's beginning.
        settings: of the detector.
        smoothed: (hops, classes) float32 of each stream, by its name.
        seconds: how long each stream is, by its name.
    """

    class_names: tuple[str, ...]
    hop_seconds: float
    warm_up_hops: int
    settings: DetectorSettings
    smoothed: dict[str, np.ndarray]
    seconds: dict[str, float]

    def detections(self, settings: DetectorSettings) -> pd.DataFrame:
        """Find events.

        Args:
            settings: of the detector, with the same smoothing.

        Returns:
            One row an event, stream by stream: `file`, `time` in seconds, `label` and `score`.
        """
        lowest = lowest_scores(self.class_names, settings)
        pause = settings.refractory_hops(self.hop_seconds)
        tables = []
        for name, rows in self.smoothed.items():
            hops, classes, scores = find_detections(rows, lowest, pause)
            times = np.round((hops + self.warm_up_hops + 1) * self.hop_seconds, 6)
            labels = np.array(self.class_names, object)[classes]
            tables.append(pd.DataFrame({"file": name, "time": times, "label": labels, "score": scores}))
        return pd.concat(tables, ignore_index=True)

    def of_class(self, name: str) -> HeardStreams:
        """Return what was heard of one class, by its name."""
        place = self.class_names.index(name)
        smoothed = {file: np.ascontiguousarray(rows[:, [place]]) for file, rows in self.smoothed.items()}
        return replace(self, class_names=(name,), smoothed=smoothed)

    def score(
        self, settings: DetectorSettings, truth: pd.DataFrame, tolerance_seconds: float = TOLERANCE_SECONDS
    ) -> StreamScores:
        """Score what is found, as `score_stream` does."""
        heard = [*settings.thresholds(self.class_names)]
        return score_stream(self.detections(settings), truth, self.seconds, heard, tolerance_seconds)


def hear_streams(model: Listener, files: Mapping[str, Path], settings: DetectorSettings) -> HeardStreams:
    """Listen to recordings, to each once.

    Args:
        model: from `load_listener`.
        files: the recordings, by the names that they get.
        settings: of the detector.

    Returns:
        What was heard.

    Raises:
        UserError: a recording cannot be used, all are shorter than a hop, or no class is listened for.
    """
    settings.thresholds(model.class_names)
    hop_seconds = model.hop_samples / model.sample_rate
    num_hops = settings.smoothing_hops(hop_seconds)
    smoothed, seconds = {}, {}
    for name, path in track(files.items(), "Listening", len(files)):
        rows = stream_probabilities(model, audio_blocks(path, model.sample_rate))
        smoothed[name] = smoothed_probabilities(rows[model.warm_up_hops :], num_hops)
        seconds[name] = len(rows) * hop_seconds
    if not any(seconds.values()):
        raise UserError(f"No recording is as long as the model's hop of {hop_seconds:g} s.")
    return HeardStreams(model.class_names, hop_seconds, model.warm_up_hops, settings, smoothed, seconds)


def threshold_curve(
    streams: HeardStreams, truth: pd.DataFrame, tolerance_seconds: float = TOLERANCE_SECONDS
) -> pd.DataFrame:
    """Score each of `THRESHOLDS`, which holds for all classes that are listened for.

    Args:
        streams: from `hear_streams`.
        truth: from `read_events`.
        tolerance_seconds: as in `score_stream`.

    Returns:
        One row a threshold: `threshold`, and `StreamScores` without `per_class`, whose intervals are two
        columns each, `_low` and `_high`.
    """
    rows = []
    for threshold in THRESHOLDS:
        scores = streams.score(streams.settings.adjusted(float(threshold)), truth, tolerance_seconds)
        rows.append({"threshold": float(threshold), **_flat(scores)})
    return pd.DataFrame(rows)


def _flat(scores: StreamScores) -> dict[str, float | None]:
    """Put scores into the cells of one row."""
    row: dict[str, float | None] = {}
    for name, value in scores.items():
        if name.endswith("_interval"):
            stem = name.removesuffix("_interval")
            row[f"{stem}_low"], row[f"{stem}_high"] = value or (None, None)  # type: ignore[misc]
        elif name != "per_class":
            row[name] = value  # type: ignore[assignment]
    return row


def choose_class_thresholds(
    streams: HeardStreams,
    truth: pd.DataFrame,
    false_accepts_per_hour: float,
    tolerance_seconds: float = TOLERANCE_SECONDS,
) -> dict[str, float]:
    """Choose a threshold for each class, such that few events are missed and there are no more false accepts.

    Each class begins at the highest threshold. Again and again that class is lowered which finds most true
    events more for each false accept more, as long as false accepts are left. Of a class, the false accepts
    at a threshold are the most at this or any higher one.

    Args:
        streams: from `hear_streams`, not those to be scored.
        truth: from `read_events`.
        false_accepts_per_hour: how many are allowed, of all classes together.
        tolerance_seconds: as in `score_stream`.

    Returns:
        Threshold by class.

    Raises:
        UserError: there are more at the highest thresholds.
    """
    names = [*streams.settings.thresholds(streams.class_names)]
    costs, misses = (np.zeros((len(names), len(THRESHOLDS)), int) for _ in range(2))
    for i, name in enumerate(names):
        alone = streams.of_class(name)
        for j, threshold in enumerate(THRESHOLDS):
            settings = replace(streams.settings, threshold={name: float(threshold)})
            scores = alone.score(settings, truth, tolerance_seconds)
            costs[i, j], misses[i, j] = scores["false_accepts"], scores["false_rejects"]
    costs = np.maximum.accumulate(costs[:, ::-1], axis=1)[:, ::-1]
    allowed = false_accepts_per_hour * sum(streams.seconds.values()) / HOUR
    while allowed >= 0:
        places = _spent(costs, misses, allowed)
        chosen = dict(zip(names, map(float, THRESHOLDS[places]), strict=True))
        scores = streams.score(replace(streams.settings, threshold=chosen), truth, tolerance_seconds)
        if (found := scores["false_accepts_per_hour"] or 0) <= false_accepts_per_hour:
            return chosen
        allowed -= 1  # together classes may find what no class finds alone, when another one's pause is over
    raise UserError(
        f"Even at the highest thresholds there are more than {false_accepts_per_hour:g} false accepts an "
        f"hour: {found:.3g}. Allow more."
    )


def _spent(costs: np.ndarray, misses: np.ndarray, allowed: float) -> np.ndarray:
    """Return the place of each class's threshold, given (classes, thresholds) false accepts and rejects."""
    classes = np.arange(len(costs))
    places = np.full(len(costs), costs.shape[1] - 1)
    while True:
        cost = costs - costs[classes, places][:, np.newaxis]
        gain = misses[classes, places][:, np.newaxis] - misses
        fits = (costs[classes, places].sum() + cost <= allowed) & (gain > 0)
        fits &= np.arange(costs.shape[1]) < places[:, np.newaxis]
        if not fits.any():
            return places
        worth = np.where(fits, gain / (cost + 0.5) + 1e-6 * gain, -1)
        which, place = np.unravel_index(worth.argmax(), worth.shape)
        places[which] = place
