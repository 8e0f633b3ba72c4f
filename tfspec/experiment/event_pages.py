"""What the page of a run says of events, and some recordings in which they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.frames import EventRule
from tfspec.base.progress import say
from tfspec.base.text import excerpt
from tfspec.experiment.clips import why_none
from tfspec.experiment.events import hear, known_events
from tfspec.experiment.members import members_of
from tfspec.experiment.predicting import Asked, asked_of, read_signals, rows_of
from tfspec.experiment.run import Run, Scored
from tfspec.experiment.steps import Steps
from tfspec.report.event_pictures import EventPicture, event_picture
from tfspec.report.event_tables import event_class_table, event_table
from tfspec.report.page import Table
from tfspec.scores.frames import frame_events, median_filtered
from tfspec.scores.types import AnyScores

RECORDINGS, LONGEST_SECONDS = 2, 60.0
"""How many are drawn, and how much of each."""


def events_of(
    steps: Steps | None, run: Run, part: Scored, scores: AnyScores, data: Path | None
) -> tuple[list[Table], list[EventPicture], str]:
    """Gather what is to be said of a part's events.

    Args:
        steps: the pipeline of the run; None where it is not there any more.
        run: the run.
        part: of the run's own data.
        scores: of the part.
        data: where the signals are now; None for where they were.

    Returns:
        Tables of scores, none where no events were scored; recordings; and why there are none of these.
    """
    if (events := scores.get("events")) is None:
        return [], [], ""
    tables = [event_table(events), event_class_table(events, run.classifier.class_names)]
    if steps is None:
        return tables, [], "No recording is drawn: the run's pipeline, which reads it, is gone."
    rule = EventRule(tuple(events["rule"]["thresholds"]), tuple(events["rule"]["median_seconds"]))
    try:
        reading = steps if data is None else steps.on_data(data)
        asked = asked_of(members_of(steps, run.split), part)
        return tables, _pictures(reading, run, asked, rule), ""
    except Exception as error:  # whatever a user's own pipeline or a decoder comes to
        say(note := why_none(error))
        return tables, [], note


def _pictures(steps: Steps, run: Run, asked: Asked, rule: EventRule) -> list[EventPicture]:
    """Draw the recordings in whose beginnings there are most events."""
    early = [(members, rows[rows["start"].astype(float) < LONGEST_SECONDS]) for members, rows in asked]
    truth = known_events(rows_of(early))
    assert truth is not None  # or there were no scores
    chosen = truth["path"][truth["start"] < LONGEST_SECONDS].value_counts(sort=True).index[:RECORDINGS]
    return [_picture(steps, run, early, str(path), truth[truth["path"] == path], rule) for path in chosen]


def _picture(
    steps: Steps, run: Run, asked: Asked, path: str, truth: pd.DataFrame, rule: EventRule
) -> EventPicture:
    """Draw a recording."""
    own = [(members, part) for members, rows in asked if len(part := rows[rows["path"] == path])]
    heard, names, rate = hear(steps, run, own), run.classifier.class_names, run.classifier.sample_rate
    assert rate is not None
    seconds = min(heard.seconds[path], LONGEST_SECONDS)
    values = median_filtered(heard.probabilities[path], heard.step, rule.median_seconds)
    middles = (np.arange(len(values)) + 0.5) * heard.step
    samples = _signal(steps, rows_of(own), rate, round(seconds * rate))
    found = frame_events(heard, names, rule)
    return event_picture(
        excerpt(path),
        samples,
        rate,
        pd.DataFrame(values, middles, names)[middles < seconds],
        truth[truth["start"] < seconds],
        found[found["start"] < seconds],
        rule.thresholds,
    )


def _signal(steps: Steps, rows: pd.DataFrame, sample_rate: int, num_samples: int) -> np.ndarray:
    """Put the windows of a recording together, which overlap."""
    windows = np.concatenate([*read_signals(rows, steps.reader(), steps.validation_batch_size)])
    whole = np.zeros(num_samples, np.float32)
    for start, window in zip(rows["start"].astype(float), windows, strict=True):
        there = whole[round(start * sample_rate) :][: len(window)]
        there[:] = window[: len(there)]
    return whole
