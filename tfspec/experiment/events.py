"""What a run's models find in whole recordings in which all events are known, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tfspec.base.frames import EventRule
from tfspec.base.progress import say
from tfspec.data.frame_targets import COLUMN, statements_of
from tfspec.experiment.predicting import Asked, load_members, read_signals
from tfspec.experiment.run import Run
from tfspec.experiment.steps import Steps
from tfspec.models import Classifier
from tfspec.models.events import of_frames
from tfspec.scores.event_rules import COLLARS, cross_fitted_rules
from tfspec.scores.events import event_scores, segment_scores
from tfspec.scores.frames import RecordingFrames, events_above, filtered_frames, join_windows
from tfspec.scores.psds import CONFUSED, LOCATED, psds
from tfspec.scores.types import EventScores

OPERATING_POINTS = tuple((np.arange(1, 50) / 50).tolist())
SAME_SECONDS = 1e-3
"""Two windows tell begin and end of an event less than this apart."""


def known_events(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Gather the events of recordings from what their windows tell, each once.

    Args:
        rows: of a manifest.

    Returns:
        `path`, `start` and `end` in seconds from the recording's beginning, `label`; None where not all that
        sounds in all windows is told.

    Example:
        >>> told = ['[[0, 5, null, 0], [4, 7, "owl", 1]]', '[[0, 5, null, 0], [-1, 2, "owl", 1]]']
        >>> rows = pd.DataFrame({"path": "a.wav", "start": [0.0, 5.0], "events": told})
        >>> known_events(rows).values.tolist()
        [['a.wav', 4.0, 7.0, 'owl']]
    """
    if COLUMN not in rows or not {"path", "start"} <= {*rows}:
        return None
    for cell in rows[COLUMN]:
        if not any(name is None and value == 0 for *_, name, value in statements_of(cell)):
            return None
    return _stretches(rows, 1)


def _stretches(rows: pd.DataFrame, value: int | None) -> pd.DataFrame:
    """Gather stretches of recordings of which windows tell a value; of those that several tell, one."""
    told = [
        (path, start + begin, end + begin, name or "")
        for path, begin, cell in zip(rows["path"], rows["start"], rows[COLUMN], strict=True)
        for start, end, name, each in statements_of(cell)
        if each == value
    ]
    keys = ["path", "label", "start", "end"]
    table = pd.DataFrame(told, columns=["path", "start", "end", "label"]).sort_values(keys)
    is_near = (table[["start", "end"]].diff().abs() < SAME_SECONDS).all(axis=1)
    is_same = is_near & (table[["path", "label"]] == table[["path", "label"]].shift()).all(axis=1)
    return table[~is_same].sort_values(["path", "start", "label"], ignore_index=True)


def without_unknown(
    found: RecordingFrames, rows: pd.DataFrame, truth: pd.DataFrame, class_names: Sequence[str]
) -> RecordingFrames:
    """Leave out the frames of which nobody knows whether a class sounds, but for the events that are known.

    Args:
        found: of `hear`.
        rows: of a manifest, that tell what is known.
        truth: of `known_events` of them.
        class_names: the classes.

    Returns:
        The frames, NaN where nothing is known.
    """
    unknown, kept = _stretches(rows, None), dict(found.probabilities)
    for path, stretches in unknown.groupby("path"):
        kept[str(path)] = values = kept[str(path)].copy()
        middles = (np.arange(len(values)) + 0.5) * found.step
        hides = np.zeros(values.shape, bool)
        for label, own in stretches.groupby("label"):
            of_label = np.array([label in ("", name) for name in class_names])
            hides |= _inside(middles, own)[:, np.newaxis] & of_label
        for label, events in truth[truth["path"] == path].groupby("label"):
            hides[_inside(middles, events), class_names.index(label)] = False
        values[hides] = np.nan
    return RecordingFrames(found.seconds, kept, found.step)


def _inside(times: np.ndarray, stretches: pd.DataFrame) -> np.ndarray:
    """Tell which times are in any of some stretches."""
    begin, end = (stretches[name].to_numpy(float)[:, np.newaxis] for name in ("start", "end"))
    return ((begin <= times) & (times <= end)).any(axis=0)


def hear(steps: Steps, run: Run, asked: Asked) -> RecordingFrames:
    """Say of each frame of recordings what is heard in it, by the mean of the models that are asked.

    Args:
        steps: the pipeline whose reader reads the rows.
        run: the run whose members predict.
        asked: members, and rows that cover their recordings with windows.
    """
    read, classifier = steps.reader(), run.classifier
    assert classifier.frames is not None and classifier.sample_rate is not None
    window_seconds = classifier.signal_shape[0] / classifier.sample_rate
    heard = RecordingFrames({}, {}, classifier.frames.step)
    for members, rows in asked:
        models = load_members(run, members)
        for path, own in rows.groupby("path"):
            batches = read_signals(own, read, steps.validation_batch_size)
            windows = np.concatenate([_frame_means(models, batch) for batch in batches])
            seconds = float(own["seconds"].iloc[0])
            heard.seconds[str(path)] = seconds
            heard.probabilities[str(path)] = join_windows(
                own["start"].to_numpy(float), windows, classifier.frames, window_seconds, seconds
            )
    return heard


def _frame_means(models: Sequence[Classifier], batch: np.ndarray) -> np.ndarray:
    """Average the probabilities of frames over models; the features, which are the same, are made once."""
    features = models[0].front_end(batch)
    logits = [of_frames(model.backbone(features, training=False)) for model in models]
    return np.mean([models[0].activation(each) for each in logits], axis=0)


def score_events(
    found: RecordingFrames,
    truth: pd.DataFrame,
    class_names: Sequence[str],
    rule: EventRule,
    rules: Mapping[str, EventRule],
) -> EventScores:
    """Score what is heard in recordings against what is known to be there.

    Args:
        found: of `hear`.
        truth: of `known_events`.
        class_names: the classes.
        rule: by which frames become events in other recordings.
        rules: by which they do in these, by their names.

    Returns:
        `rule`; `event_based`, as of `event_scores`, a list with a collar each; `segment_based`, as of
        `segment_scores`; and `psds_located` and `psds_confused`, score and interval of DCASE's two scenarios,
        with 49 thresholds and the rules' filters.
    """
    recordings, count = [*found.seconds], len(class_names)
    filtered = filtered_frames(found, {path: each.median_seconds for path, each in rules.items()})
    made = _made(filtered, class_names, rules)
    points = [events_above(filtered, class_names, (threshold,) * count) for threshold in OPERATING_POINTS]
    return {
        "rule": {"thresholds": list(rule.thresholds), "median_seconds": list(rule.median_seconds)},
        "event_based": [event_scores(truth, made, recordings, class_names, collar) for collar in COLLARS],
        "segment_based": segment_scores(truth, made, recordings, class_names),
        "psds_located": psds(truth, points, found.seconds, class_names, LOCATED),
        "psds_confused": psds(truth, points, found.seconds, class_names, CONFUSED),
    }


def _made(found: RecordingFrames, class_names: Sequence[str], rules: Mapping[str, EventRule]) -> pd.DataFrame:
    """Make events of each recording's filtered frames by its own rule."""
    tables = []
    for rule in dict.fromkeys(rules.values()):
        own = {path: values for path, values in found.probabilities.items() if rules[path] == rule}
        tables.append(
            events_above(RecordingFrames(found.seconds, own, found.step), class_names, rule.thresholds)
        )
    return pd.concat(tables).sort_values(["path", "start", "label"], ignore_index=True)


def evaluate_events(
    steps: Steps, run: Run, asked: Asked, rows: pd.DataFrame, choose: bool
) -> tuple[EventScores, EventRule] | None:
    """Score the events that a run's models find in rows, where these tell all events.

    Args:
        steps: the pipeline of the run.
        run: the run.
        asked: members, and rows that they predict.
        rows: all of them.
        choose: the rule by which frames become events, on these rows, each fifth of which is held to the rule
            of the others; else the model's own counts.

    Returns:
        What `score_events` does, and the rule; None where there is nothing to score. Where nobody knows what
        sounds, nothing is scored.
    """
    classifier = run.classifier
    if classifier.frames is None or classifier.event_rule is None or (truth := known_events(rows)) is None:
        return None
    names = classifier.class_names
    found = without_unknown(hear(steps, run, asked), rows, truth, names)
    rule, rules = classifier.event_rule, dict.fromkeys(found.probabilities, classifier.event_rule)
    if choose:
        groups = rows.groupby("path")["group"].first()
        if groups.nunique() == 1:
            say(
                "What validates is of one group, so no other recordings choose thresholds to hold it to: its "
                "events are those above 0.5, which may be none."
            )
        rule, rules = cross_fitted_rules(found, truth, names, groups)
    return score_events(found, truth, names, rule, rules), rule
