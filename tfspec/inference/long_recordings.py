"""Long recordings: a classifier slid over them, and scores for every second."""

from __future__ import annotations

import functools
import itertools
import math
import os
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from tfspec.audio.decoding import windows_of
from tfspec.audio.opening import opened
from tfspec.base.errors import UserError
from tfspec.base.model import EventModel, Model, check_model, hears_frames, scores_in_threads
from tfspec.base.threads import ahead, cores, scoring_threads
from tfspec.scores.frames import join_windows, median_filtered


def window_probabilities(
    model: Model,
    path: str | os.PathLike,
    hop_seconds: float,
    batch_size: int = 16,
) -> tuple[np.ndarray, np.ndarray]:
    """Slide a classifier over a recording, which is never in memory as a whole.

    A recording that is shorter than a window is one window, filled up by its last sample: so it has the
    probabilities that `predict_files` finds without a hop, and what training mostly pads with.

    Args:
        model: takes signals of one channel at a sample rate.
        path: a recording of any length and sample rate.
        hop_seconds: from the beginning of one window to the next. What is left at the end gets one more
            window, which ends with the recording.
        batch_size: windows to classify at once.

    Returns:
        (windows,) beginnings in seconds, and (windows, classes) probabilities.

    Raises:
        UserError: the recording cannot be used, the model does not take recordings, or the hop is not
            positive.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import Classifier, conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros(20000), 8000)
        ...     starts, probabilities = window_probabilities(model, f"{folder}/a.wav", hop_seconds=1)
        >>> starts.tolist(), probabilities.shape
        ([0.0, 1.0, 1.5], (3, 2))
    """
    check_model(model)
    starts, probabilities, _ = _scored(model, model.probabilities, path, hop_seconds, batch_size)
    return starts, probabilities


class Stopped(Exception):  # noqa: N818  it is no error
    """Nobody wants the scores of a recording any more."""


def _scored(
    model: Model,
    score: Callable[[np.ndarray], np.ndarray],
    path: str | os.PathLike,
    hop_seconds: float,
    batch_size: int,
    stopped: threading.Event | None = None,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return windows' beginnings, what a model's method says of them, and the seconds of the recording."""
    sample_rate = recordings_rate(model)
    hop = hop_samples(hop_seconds, sample_rate)
    starts: list[int] = []
    probabilities = []
    pool = scoring_threads(cores() if scores_in_threads(model) else 1)
    with opened(path) as recording:
        windows = windows_of(recording, sample_rate, model.signal_shape[0], hop)
        for begin, scores in ahead(functools.partial(_score, score), _batches(windows, batch_size), pool):
            if stopped and stopped.is_set():
                raise Stopped
            starts += begin
            probabilities.append(scores)
    seconds = recording.position / recording.sample_rate
    return np.array(starts) / sample_rate, np.concatenate(probabilities), seconds


Batch = list[tuple[int, np.ndarray]]
"""Where each window begins, in samples, and its samples."""


def _batches(windows: Iterator[tuple[int, np.ndarray]], size: int) -> Iterator[Batch]:
    while batch := list(itertools.islice(windows, size)):
        yield batch


def _score(score: Callable[[np.ndarray], np.ndarray], batch: Batch) -> tuple[list[int], np.ndarray]:
    """Classify windows, while the next ones are decoded in another thread."""
    return [start for start, _ in batch], score(np.stack([window for _, window in batch]))


def recordings_rate(model: Model) -> int:
    """Return the sample rate of the recordings that a model takes.

    Args:
        model: any.

    Raises:
        UserError: it takes something else, or is no model.
    """
    check_model(model)
    if model.takes != "recording" or model.sample_rate is None:
        raise UserError(f"This model takes signals of shape {model.signal_shape}, not recordings.")
    return model.sample_rate


def hop_samples(hop_seconds: float, sample_rate: int) -> int:
    """Return how far it is from one window to the next.

    Args:
        hop_seconds: rounded to samples, one at least.
        sample_rate: samples per second.

    Raises:
        UserError: it is not positive and finite.

    Example:
        >>> hop_samples(0.25, 16000)
        4000
    """
    if not 0 < hop_seconds < math.inf:
        raise UserError(f"The hop must be longer than 0 seconds, and finite. Received: {hop_seconds}")
    return max(1, round(hop_seconds * sample_rate))


def detect(
    model: Model,
    path: str | os.PathLike,
    hop_seconds: float | None = None,
    batch_size: int = 16,
    stopped: threading.Event | None = None,
) -> pd.DataFrame:
    """Score every second of a recording of any length, or every frame where the model says what is in each.

    A second's score is the mean probability of the windows that reach into it, each weighted by how much of
    the second it covers. With windows of 10 s every 5 s, say, only the seconds that both of their windows
    find something in get its full score, so that it is narrowed down to 5 s. A frame's score is the mean over
    its windows, as of `join_windows`, behind the median filters of the model's `event_rule`: what begins and
    ends in a second does so in its frames.

    Args:
        model: as in `window_probabilities`.
        path: as in `window_probabilities`.
        hop_seconds: as in `window_probabilities`, at most a window's length; half of it if None.
        batch_size: as in `window_probabilities`.
        stopped: once it is set by another thread, the recording is left off.

    Returns:
        One row a second, or a frame: `start` and `end` in seconds, `p_<class>` for each class. The last
        one ends with the recording, or with the last window where that is less than a hundredth of a window
        earlier.

    Raises:
        UserError: as in `window_probabilities`, or the hop would leave gaps.
        Stopped: it was left off.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import Classifier, conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros(20000), 8000)
        ...     scores = detect(model, f"{folder}/a.wav")
        >>> scores[["start", "end"]].values.tolist()
        [[0.0, 1.0], [1.0, 2.0], [2.0, 2.5]]
    """
    rate = recordings_rate(model)
    length = model.signal_shape[0] / rate
    if hop_seconds is None:
        hop_seconds = length / 2
    elif hop_seconds > length:
        raise UserError(
            f"The hop must be at most the window's {length:g} s, or it leaves gaps. Received: {hop_seconds}"
        )
    if hears_frames(model):
        return _frame_scores(model, path, hop_seconds, batch_size, stopped)
    starts, probabilities, recording_end = _scored(
        model, model.probabilities, path, hop_seconds, batch_size, stopped
    )
    end = min(starts[-1] + length, recording_end)
    seconds = np.arange(math.ceil(round(end, 6)))
    ends = np.minimum(seconds + 1, end)
    scores = _second_means(starts, starts + length, probabilities, seconds, ends)
    return _table(model, seconds.astype(float), ends, scores)


def _frame_scores(
    model: EventModel,
    path: str | os.PathLike,
    hop_seconds: float,
    batch_size: int,
    stopped: threading.Event | None,
) -> pd.DataFrame:
    """Score every frame of a recording."""
    frames, rule = model.frames, model.event_rule
    length = model.signal_shape[0] / recordings_rate(model)
    score = model.frame_probabilities
    starts, probabilities, recording_end = _scored(model, score, path, hop_seconds, batch_size, stopped)
    end = min(starts[-1] + length, recording_end)
    scores = join_windows(starts, probabilities, frames, length, end)
    begins = np.arange(len(scores)) * frames.step
    ends = np.minimum(begins + frames.step, end)
    return _table(model, begins, ends, median_filtered(scores, frames.step, rule.median_seconds))


def _table(model: Model, start: np.ndarray, end: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    columns = [f"p_{name}" for name in model.class_names]
    return pd.DataFrame({"start": start, "end": end}).join(pd.DataFrame(scores, columns=columns))


def _second_means(begin, end, values, second_begin, second_end) -> np.ndarray:
    """Average (windows, classes) values over the windows that reach into each second."""
    total = np.zeros((len(second_begin), values.shape[1]))
    weight = np.zeros(len(second_begin))
    for offset in range(math.ceil(np.max(end - begin)) + 1):
        second = np.floor(begin).astype(int) + offset
        window = np.flatnonzero(second < len(second_begin))
        second = second[window]
        overlap = np.minimum(end[window], second_end[second]) - np.maximum(
            begin[window], second_begin[second]
        )
        overlap = np.maximum(overlap, 0)
        np.add.at(total, second, overlap[:, np.newaxis] * values[window])
        np.add.at(weight, second, overlap)
    return total / weight[:, np.newaxis]
