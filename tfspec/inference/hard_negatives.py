"""What a detector takes for a word and is none: examples to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.export.streaming_file import UNHEARD
from tfspec.inference.threshold_curve import HeardStreams


def hard_negatives(
    streams: HeardStreams, detections: pd.DataFrame, truth: pd.DataFrame, files: Mapping[str, Path]
) -> pd.DataFrame:
    """List the clips in which a detector hears an event, and nothing is said that the model has a class for.

    A network learns most from the negatives that it gets wrong (bootstrapping: Sung & Poggio, Example-based
    learning for view-based human face detection, 1998). A false accept while another of the model's words is
    said is left out, as its clip holds that word.

    Args:
        streams: from `hear_streams`.
        detections: what `streams.detections` found in them.
        truth: from `read_events`.
        files: the recordings, by the names of the streams.

    Returns:
        One row a clip, as long as what the model looks at: `path` of the recording, `start` in seconds,
        `taken_for` and `score`.

    Example:
        >>> heard = np.array([[0.0], [0.0], [0.9], [0.0]], "float32")
        >>> from tfspec.export.streaming_file import DetectorSettings
        >>> streams = HeardStreams(("yes",), 0.5, 1, DetectorSettings(), {"a": heard}, {"a": 2.5})
        >>> nothing = pd.DataFrame({"file": [], "start": [], "end": [], "label": []})
        >>> found = streams.detections(streams.settings)
        >>> hard_negatives(streams, found, nothing, {"a": Path("/a.wav")}).values.tolist()
        [['/a.wav', 1.0, 'yes', 0.9]]
    """
    clip_seconds = (streams.warm_up_hops + 1) * streams.hop_seconds
    start = (detections["time"] - clip_seconds).round(3)
    has_class = truth["label"].isin([name for name in streams.class_names if not name.startswith(UNHEARD)])
    said = dict(iter(truth[has_class].groupby("file")))
    is_free = [
        file not in said or not ((said[file]["start"] < last) & (said[file]["end"] > first)).any()
        for file, first, last in zip(detections["file"], start, detections["time"], strict=True)
    ]
    clips = pd.DataFrame(
        {
            "path": detections["file"].map({name: str(path.resolve()) for name, path in files.items()}),
            "start": start,
            "taken_for": detections["label"],
            "score": detections["score"].astype(float).round(4),
        }
    )
    return clips[np.array(is_free, bool)].reset_index(drop=True)
