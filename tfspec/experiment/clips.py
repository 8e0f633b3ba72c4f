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
from tfspec.report.answers import Answers
from tfspec.report.axes import in_units
from tfspec.report.figures import Picture
from tfspec.report.media import picture_address, sound_address
from tfspec.report.page import Clip

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
    picture = in_units(picture, model.front_end, signal.shape, model.sample_rate)
    is_sound = model.takes == "recording" and model.sample_rate is not None
    rows, columns = picture.image.shape
    return Clip(
        place,
        answers.names[place],
        answers.true_of(place),
        answers.predicted_of(place),
        answers.said_of(place),
        picture_address(picture.image),
        picture.xlabel,
        picture.ylabel,
        picture.xticks,
        picture.yticks,
        sound_address(signal, model.sample_rate) if is_sound and model.sample_rate else "",
        columns / rows if picture.keeps_shape else None,
    )


def why_none(error: Exception) -> str:
    """Say why there are no clips.

    Args:
        error: what reading or drawing them came to.
    """
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return f"No example is shown: {kind}{error} `tfspec report RUN --data DATA` takes them from elsewhere."
