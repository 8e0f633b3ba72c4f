"""The examples of a run that its page shows: read, drawn and made to be heard."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.experiment.predicting import readable
from tfspec.experiment.run import Run
from tfspec.experiment.steps import Steps
from tfspec.frontends import feature_axes
from tfspec.report.answers import Answers
from tfspec.report.charts import Tick, ticks
from tfspec.report.figures import Picture
from tfspec.report.media import picture_address, sound_address
from tfspec.report.page import Clip

OCTAVES = [125 * 2**k for k in range(-6, 12)]
NEAREST = 0.08
"""Distance of two numbers on an axis."""
CLIP_BYTES = 3_000_000
"""Of all clips; what comes after is without sound."""


def clips_of(
    steps: Steps, run: Run, rows: pd.DataFrame, answers: Answers, places: Sequence[int], data: Path | None
) -> list[Clip]:
    """Read and draw some examples.

    Args:
        steps: the pipeline of the run.
        run: the run.
        rows: of its split, one an answer.
        answers: what was predicted of them.
        places: of the examples among the answers.
        data: where the signals are now; None for where they were.

    Returns:
        A clip an example, in their order; of those whose signals were kept, where the data is gone.

    Raises:
        UserError: the data is gone, and nothing was kept.
    """
    chosen = rows.iloc[list(places)].assign(place=list(places))
    there, signals = _signals(steps, run, chosen, data)
    front_end, left = run.classifier.front_end, CLIP_BYTES
    clips = []
    for place, signal, features in zip(there["place"], signals, _features(front_end, signals), strict=True):
        clip = _drawn(run, answers, int(place), signal, steps.picture(signal, features))
        if len(clip.sound) > left:
            clip = dataclasses.replace(clip, sound="")
        left -= len(clip.picture) + len(clip.sound)
        clips.append(clip)
    return clips


def _signals(
    steps: Steps, run: Run, rows: pd.DataFrame, data: Path | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Read the signals of rows; those that were kept, where the data is gone."""
    if data is not None:
        return rows, steps.on_data(data).reader()(rows)
    read, there = readable(steps, run, rows)
    return there, read(there)


def _features(front_end, signals: np.ndarray) -> Iterator[np.ndarray]:
    """Compute features one by one: those of long signals take room."""
    for signal in signals:
        yield np.asarray(front_end(signal[np.newaxis]))[0]


def _drawn(run: Run, answers: Answers, place: int, signal: np.ndarray, picture: Picture) -> Clip:
    model = run.classifier
    xlabel, ylabel, xticks, yticks = _axes(run, signal, picture)
    is_sound = model.takes == "recording" and model.sample_rate is not None
    return Clip(
        place,
        answers.names[place],
        answers.true_of(place),
        answers.predicted_of(place),
        answers.said_of(place),
        picture_address(picture.image),
        xlabel,
        ylabel,
        xticks,
        yticks,
        sound_address(signal, model.sample_rate) if is_sound and model.sample_rate else "",
    )


def _axes(run: Run, signal: np.ndarray, picture: Picture) -> tuple[str, str, list[Tick], list[Tick]]:
    """Say what the axes of a picture are in seconds and hertz, where the front end knows it."""
    xlabel, ylabel, rate = picture.xlabel, picture.ylabel, run.classifier.sample_rate
    seconds = hertz = None
    if rate is not None and xlabel == "time":
        seconds, hertz = feature_axes(run.classifier.front_end, signal.shape, rate)
    hertz = hertz if picture.hertz is None else picture.hertz
    rows, columns = picture.image.shape
    xticks: list[Tick] = []
    yticks: list[Tick] = []
    if seconds is not None and len(seconds) == columns:
        xlabel, xticks = "time in s", _ticks(seconds)
    if hertz is not None and len(hertz) == rows:
        ylabel, yticks = "frequency in Hz", _ticks(hertz)
    return xlabel, ylabel, xticks, yticks


def _ticks(values: np.ndarray) -> list[Tick]:
    """Place round numbers on an axis whose pixels have these values: octaves where these stand unevenly."""
    low, high = float(values[0]), float(values[-1])
    if not high > low:
        return []
    middles, steps = (np.arange(len(values)) + 0.5) / len(values), np.diff(values)
    if steps.max() > 2 * steps.min():
        wanted = [(value, f"{value:g}") for value in OCTAVES if low <= value <= high]
    else:
        wanted = [(low + place * (high - low), text) for place, text in ticks(low, high)]
    placed = [(float(np.interp(value, values, middles)), text) for value, text in wanted]
    return _apart(placed)


def _apart(placed: list[Tick]) -> list[Tick]:
    """Leave out what would be written over its neighbour, from the top down."""
    kept: list[Tick] = []
    for tick in reversed(placed):
        if not kept or kept[-1][0] - tick[0] > NEAREST:
            kept.append(tick)
    return kept[::-1]


def why_none(error: Exception) -> str:
    """Say why there are no clips.

    Args:
        error: what reading or drawing them came to.
    """
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return f"No example is shown: {kind}{error} `tfspec report RUN --data DATA` takes them from elsewhere."
