"""What a trained model is sure of in recordings that nobody has labelled, for another one to learn from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.model import EventModel, Model, hears_frames
from tfspec.data.frame_targets import COLUMN, statement_text
from tfspec.data.sources.annotations import slice_starts
from tfspec.inference.events import event_thresholds
from tfspec.inference.long_recordings import detect, recordings_rate, window_probabilities

EXACT = 1e-6
"""Seconds by which sums of times may be off."""


class Sure(NamedTuple):
    """What a model is sure of in a recording.

    Args:
        windows: `start` and `end` in seconds, and what is in them: `label`; or a column a class, 1 heard, 0
            not, NaN unsure, and of a model that hears frames, `events`, as `FrameTargets` reads it.
        unused: seconds of the recording that are in none of them.
    """

    windows: pd.DataFrame
    unused: float


def sure_windows(
    model: Model,
    path: str | os.PathLike,
    class_names: Sequence[str],
    window_seconds: float,
    confidence: float,
) -> Sure:
    """Find the windows of a recording in which a model is sure to hear something.

    A class is heard where its probability reaches the model's threshold of it and the confidence; it is not
    heard where it stays below the threshold and is 1 − confidence at most. In between nobody knows, and
    windows in which nothing is heard for sure are left out. Windows overlap by half.

    Args:
        model: from recordings to probabilities that are worth what they say.
        path: a recording.
        class_names: the classes to be learnt; the model may know others, and not all of these.
        window_seconds: length of a window; of a model that hears no frames, of its own signals.
        confidence: lowest probability, from 0.5 to 1.

    Returns:
        The windows, and the seconds that are in none.

    Raises:
        UserError: the recording cannot be used, or the windows are not as long as the model's signals.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import Classifier, conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros(16000), 8000)
        ...     sure_windows(model, f"{folder}/a.wav", ["no", "yes"], 1.0, confidence=1.0).unused
        2.0
    """
    if hears_frames(model):
        return _of_frames(model, path, class_names, window_seconds, confidence)
    own = model.signal_shape[0] / recordings_rate(model)
    if abs(own - window_seconds) > EXACT:
        raise UserError(
            f"The teacher hears clips of {own:g} s, and those to learn are {window_seconds:g} s long: give "
            f"--clip-seconds {own:g}, or a teacher that hears frames."
        )
    starts, probabilities = window_probabilities(model, path, window_seconds / 2)
    windows = pd.DataFrame({"start": starts, "end": starts + window_seconds})
    if model.labels == "one":
        likeliest = np.array(model.class_names, object)[probabilities.argmax(1)]
        is_sure = (probabilities.max(1) >= confidence) & np.isin(likeliest, [*class_names])
        windows["label"] = likeliest
    else:
        values = _values(model, probabilities, class_names, confidence)
        windows[[*class_names]] = values
        is_sure = (values == 1).any(axis=1)
    return _chosen(windows[is_sure], float(starts[-1]) + window_seconds)


def _values(
    model: Model, probabilities: np.ndarray, class_names: Sequence[str], confidence: float
) -> np.ndarray:
    """Say of (rows, classes) probabilities what is heard, 1, and what is not, 0; NaN is unsure."""
    values = np.full((len(probabilities), len(class_names)), np.nan, np.float32)
    thresholds = event_thresholds(model)
    for place, name in enumerate(class_names):
        if name in thresholds:
            column, threshold = probabilities[:, model.class_names.index(name)], thresholds[name]
            values[column >= max(threshold, confidence), place] = 1
            values[(column < threshold) & (column <= 1 - confidence), place] = 0
    return values


def _of_frames(
    model: EventModel,
    path: str | os.PathLike,
    class_names: Sequence[str],
    window_seconds: float,
    confidence: float,
) -> Sure:
    """Tell what is heard when in the windows of a recording."""
    scores = detect(model, path)
    values = _values(model, scores.filter(regex="^p_").to_numpy(), class_names, confidence)
    begins, ends = scores["start"].to_numpy(), scores["end"].to_numpy()
    rows = []
    for start in slice_starts(float(ends[-1]), window_seconds, window_seconds / 2):
        inside = slice(*np.searchsorted(begins, [start - EXACT, start + window_seconds - EXACT]))
        own = values[inside]
        is_heard = (own == 1).any(axis=0)
        if not is_heard.any():
            continue
        of_classes = np.where(is_heard, 1, np.where((own == 0).all(axis=0), 0, np.nan))
        told = _statements(own, begins[inside] - start, ends[inside] - start, class_names)
        rows.append((start, start + window_seconds, *of_classes, statement_text(told)))
    windows = pd.DataFrame(rows, columns=["start", "end", *class_names, COLUMN])
    return _chosen(windows, float(ends[-1]))


def _statements(
    values: np.ndarray, begins: np.ndarray, ends: np.ndarray, class_names: Sequence[str]
) -> list[list]:
    """Tell of stretches of (frames, classes) in which the same is known: start, end, class, value."""
    told = []
    for place, name in enumerate(class_names):
        column = np.nan_to_num(values[:, place], nan=-1)
        first = np.flatnonzero(np.diff(column, prepend=-2))
        last = np.append(first[1:], len(column)) - 1
        for begin, end in zip(first, last, strict=True):
            if column[begin] >= 0:
                told.append(
                    [round(float(begins[begin]), 6), round(float(ends[end]), 6), name, int(column[begin])]
                )
    return told


def _chosen(windows: pd.DataFrame, seconds: float) -> Sure:
    """Count the seconds that are in none of the windows, which are in order and may overlap."""
    begins, ends = windows["start"].to_numpy(float), np.minimum(windows["end"].to_numpy(float), seconds)
    used = (ends - np.maximum(begins, np.append(0.0, ends[:-1]))).sum() if len(windows) else 0.0
    return Sure(windows.reset_index(drop=True), seconds - float(used))
