"""What each threshold of a detector costs on streams in which the events are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.audio.decoding import audio_blocks
from tfspec.base.errors import UserError
from tfspec.base.progress import track
from tfspec.export.streaming_file import DetectorSettings
from tfspec.inference.detector import find_detections, lowest_scores, smoothed_probabilities
from tfspec.inference.listening import Listener, stream_probabilities
from tfspec.scores.streams import TOLERANCE_SECONDS, StreamScores, score_stream

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
    streams: HeardStreams,
    truth: pd.DataFrame,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    thresholds: Sequence[float] | np.ndarray = THRESHOLDS,
) -> pd.DataFrame:
    """Score each of many thresholds, which holds for all classes that are listened for.

    Args:
        streams: from `hear_streams`.
        truth: from `read_events`.
        tolerance_seconds: as in `score_stream`.
        thresholds: what to try.

    Returns:
        One row a threshold: `threshold`, and `StreamScores` without `per_class`, whose intervals are two
        columns each, `_low` and `_high`.
    """
    rows = []
    for threshold in thresholds:
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


def choose_threshold(curve: pd.DataFrame, false_accepts_per_hour: float) -> float:
    """Choose the lowest threshold from which on upward there are never more false accepts than allowed.

    Args:
        curve: from `threshold_curve`, of a stream that is not the one to be scored.
        false_accepts_per_hour: how many are allowed.

    Returns:
        The threshold.

    Raises:
        UserError: there are more at every threshold.

    Example:
        >>> curve = pd.DataFrame({"threshold": [0.5, 0.7, 0.9], "false_accepts_per_hour": [9, 2, 0]})
        >>> choose_threshold(curve, 2)
        0.7
    """
    ordered = curve.sort_values("threshold", ascending=False)
    allowed = (ordered["false_accepts_per_hour"] <= false_accepts_per_hour).cummin()
    if not allowed.any():
        highest = ordered.iloc[0]
        raise UserError(
            f"At every threshold there are more than {false_accepts_per_hour:g} false accepts an hour: "
            f"{highest['false_accepts_per_hour']:.3g} at {highest['threshold']:g}. Allow more."
        )
    return float(ordered["threshold"][allowed].iloc[-1])
