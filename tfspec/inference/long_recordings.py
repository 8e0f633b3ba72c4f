"""Long recordings: a classifier slid over them, scores for every second, events, and files of events."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd

from tfspec.audio.decoding import Padding, windows_of
from tfspec.audio.opening import opened
from tfspec.base.errors import UserError
from tfspec.base.files import written_beside

# Windows that touch may be apart by the rounding of their times.
TOUCHING_SECONDS = 1e-6
RAVEN_COLUMNS = (
    "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
    "Species", "Score",
)  # fmt: skip


class Model(Protocol):
    """What classifies the windows: a `Classifier`, or one from a TFLite file."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the probabilities stand for."""

    @property
    def signal_shape(self) -> tuple[int, ...]:
        """Shape of a window: (samples,)."""

    @property
    def sample_rate(self) -> int | None:
        """Samples per second."""

    def probabilities(self, signal: np.ndarray) -> np.ndarray:
        """Classify (batch, samples) windows: (batch, classes)."""


def window_probabilities(
    model: Model,
    path: str | os.PathLike,
    hop_seconds: float,
    batch_size: int = 16,
    padding: Padding = "silence",
) -> tuple[np.ndarray, np.ndarray]:
    """Slide a classifier over a recording, which is never in memory as a whole.

    Args:
        model: takes signals of one channel at a sample rate.
        path: a recording of any length and sample rate.
        hop_seconds: from the beginning of one window to the next. What is left at the end gets one more
            window, which ends with the recording.
        batch_size: windows to classify at once.
        padding: what fills the only window of a recording that is shorter, as in `fit_length`.

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
    starts, probabilities, _ = _scored(model, path, hop_seconds, batch_size, padding)
    return starts, probabilities


def _scored(
    model: Model, path: str | os.PathLike, hop_seconds: float, batch_size: int, padding: Padding
) -> tuple[np.ndarray, np.ndarray, float]:
    """Give what `window_probabilities` does, and how many seconds the recording has."""
    if model.sample_rate is None or len(model.signal_shape) != 1:
        raise UserError(f"This model takes signals of shape {model.signal_shape}, not recordings.")
    if not 0 < hop_seconds < math.inf:
        raise UserError(f"The hop must be longer than 0 seconds, and finite. Received: {hop_seconds}")
    hop = max(1, round(hop_seconds * model.sample_rate))
    starts: list[int] = []
    probabilities = []
    with opened(path) as recording:
        windows = windows_of(recording, model.sample_rate, model.signal_shape[0], hop, padding)
        while batch := list(itertools.islice(windows, batch_size)):
            starts += [start for start, _ in batch]
            probabilities.append(model.probabilities(np.stack([window for _, window in batch])))
    seconds = recording.position / recording.sample_rate
    return np.array(starts) / model.sample_rate, np.concatenate(probabilities), seconds


def detect(
    model: Model, path: str | os.PathLike, hop_seconds: float | None = None, batch_size: int = 16
) -> pd.DataFrame:
    """Score every second of a recording of any length.

    A second's score is the mean probability of the windows that reach into it, each weighted by how much of
    the second it covers. With windows of 10 s every 5 s, say, only the seconds that both of their windows
    find something in get its full score, so that it is narrowed down to 5 s.

    Args:
        model: as in `window_probabilities`.
        path: as in `window_probabilities`.
        hop_seconds: as in `window_probabilities`, at most a window's length; half of it if None.
        batch_size: as in `window_probabilities`.

    Returns:
        One row a second: `start` and `end` in seconds, `p_<class>` for each class. The last one ends with
        the recording.

    Raises:
        UserError: as in `window_probabilities`, or the hop would leave gaps.

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
    length = model.signal_shape[0] / (model.sample_rate or 1)
    if hop_seconds is None:
        hop_seconds = length / 2
    elif hop_seconds > length:
        raise UserError(
            f"The hop must be at most the window's {length:g} s, or it leaves gaps. Received: {hop_seconds}"
        )
    starts, probabilities, recording_end = _scored(model, path, hop_seconds, batch_size, "silence")
    end = min(starts[-1] + length, recording_end)
    seconds = np.arange(math.ceil(round(end, 6)))
    ends = np.minimum(seconds + 1, end)
    scores = _second_means(starts, starts + length, probabilities, seconds, ends)
    columns = [f"p_{name}" for name in model.class_names]
    return pd.DataFrame({"start": seconds.astype(float), "end": ends}).join(
        pd.DataFrame(scores, columns=columns)
    )


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


def find_events(scores: pd.DataFrame, threshold: float | Mapping[str, float] = 0.5) -> pd.DataFrame:
    """Join the stretches in which a class reaches a threshold.

    Args:
        scores: from `detect`; or of windows: `start`, `end`, which may overlap, and `p_<class>`, by `start`.
        threshold: lowest score of an event; one for all classes, or one for each class that is looked for.

    Returns:
        One row an event, by `start`: `start` and `end` in seconds, `label`, and `score`, the highest in it.

    Raises:
        UserError: a class with a threshold has no scores.

    Example:
        >>> scores = pd.DataFrame({"start": [0, 1, 2], "end": [1, 2, 3], "p_frog": [0.1, 0.7, 0.9]})
        >>> find_events(scores, threshold=0.5).values.tolist()
        [[1, 3, 'frog', 0.9]]
    """
    names = [column.removeprefix("p_") for column in scores if column not in ("start", "end")]
    thresholds = threshold if isinstance(threshold, Mapping) else dict.fromkeys(names, threshold)
    if unknown := sorted(set(thresholds) - set(names)):
        raise UserError(f"No scores of {', '.join(unknown)}. There are those of {', '.join(names)}.")
    found = [pd.DataFrame({"start": [], "end": [], "label": [], "score": []})]
    for name, lowest in thresholds.items():
        above = scores[["start", "end"]].assign(label=name, score=scores[f"p_{name}"])
        above = above[above["score"] >= lowest]
        is_new = above["start"] > above["end"].cummax().shift() + TOUCHING_SECONDS
        merged = {"start": "min", "end": "max", "label": "first", "score": "max"}
        found.append(above.groupby(is_new.cumsum()).agg(merged))
    found = [events for events in found if len(events)] or found[:1]
    return pd.concat(found).sort_values(["start", "end", "label"], ignore_index=True)


def write_csv(events: pd.DataFrame, path: str | os.PathLike) -> None:
    r"""Write events for spreadsheets and programs: start, end, label and score, with a header.

    Audacity and Raven want files of their own: see `write_audacity` and `write_raven`.

    Args:
        events: from `find_events`.
        path: the file, written whole or not at all.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> events = pd.DataFrame({"start": [1.0], "end": [3.0], "label": ["frog"], "score": [0.9]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_csv(events, f"{folder}/events.csv")
        ...     Path(folder, "events.csv").read_text()
        'start,end,label,score\n1.0,3.0,frog,0.9\n'
    """
    with written_beside(path) as part:
        events.to_csv(part, index=False)


def write_audacity(events: pd.DataFrame, path: str | os.PathLike) -> None:
    r"""Write events as a label track, for Audacity's File > Import > Labels.

    That is start, end and label, tabs between them and no header
    (https://manual.audacityteam.org/man/importing_and_exporting_labels.html).

    Args:
        events: from `find_events`.
        path: the file, called .txt; written whole or not at all.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> events = pd.DataFrame({"start": [1.0], "end": [3.0], "label": ["frog"], "score": [0.9]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_audacity(events, f"{folder}/labels.txt")
        ...     Path(folder, "labels.txt").read_text()
        '1.000000\t3.000000\tfrog\n'
    """
    _write_tabbed(path, ((f"{e.start:.6f}", f"{e.end:.6f}", e.label) for e in events.itertuples()))


def write_raven(events: pd.DataFrame, path: str | os.PathLike, sample_rate: int) -> None:
    r"""Write events as a selection table, for Raven's File > Open Selection Table.

    That is a header and a row a selection, tabs between the columns. Selections reach over all frequencies
    that the classifier hears.

    Args:
        events: from `find_events`.
        path: the file, called .txt; written whole or not at all.
        sample_rate: the classifier's, in Hz.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> events = pd.DataFrame({"start": [1.0], "end": [3.0], "label": ["frog"], "score": [0.9]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_raven(events, f"{folder}/selections.txt", 48000)
        ...     Path(folder, "selections.txt").read_text().splitlines()[1]
        '1\tSpectrogram 1\t1\t1.000000\t3.000000\t0\t24000.0\tfrog\t0.9000'
    """
    rows = (
        (
            number,
            "Spectrogram 1",
            1,
            f"{e.start:.6f}",
            f"{e.end:.6f}",
            0,
            sample_rate / 2,
            e.label,
            f"{e.score:.4f}",
        )
        for number, e in enumerate(events.itertuples(), 1)
    )
    _write_tabbed(path, itertools.chain([RAVEN_COLUMNS], rows))


def _write_tabbed(path: str | os.PathLike, rows: Iterable[tuple[Any, ...]]):
    """Write rows with tabs between their cells; what would break one in a cell becomes a space."""
    with written_beside(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(
                "\t".join(re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", " ", str(cell)) for cell in row) + "\n"
            )
