"""Scoring a run: its members predict rows, `tfspec.scores` says what the predictions are worth."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfspec.base.errors import UserError
from tfspec.base.files import clear_temporaries
from tfspec.base.model import HALF
from tfspec.data.label_targets import labels_of, targets
from tfspec.data.splits import UNANSWERED
from tfspec.experiment.drawing import examples_of
from tfspec.experiment.events import evaluate_events
from tfspec.experiment.members import check_finished, members_of
from tfspec.experiment.predicting import Asked, asked_of, predict_rows, rows_of, say_changed
from tfspec.experiment.run import Run, Scored
from tfspec.experiment.splitting import example_names, usable
from tfspec.experiment.steps import Steps
from tfspec.report import figures
from tfspec.scores import evaluation
from tfspec.scores.evaluation import Evaluation, Predicted
from tfspec.scores.joined import add_recordings, joined
from tfspec.scores.thresholds import thresholds_of
from tfspec.scores.types import AnyScores


def evaluate(
    steps: Steps,
    run: Run,
    data: str | os.PathLike | None = None,
    on_bad_file: Literal["stop", "skip"] | None = None,
    part: Scored = "validation",
) -> AnyScores:
    """Score the best models of a run on its validation or test part, or on all of another data set.

    Every example is predicted by the mean of all models, in cross-validation by that of the models that
    were not trained on its fold. Writes metrics.json, predictions.csv, groups.csv (the scores of each group
    by itself, where any has several examples) and figures/: into the run folder for the validation part, into
    evaluations/ in it for the rest. The thresholds of several labels, and of events in frames, are
    chosen on the validation part, and written into best.keras.

    Args:
        steps: the pipeline of the run.
        run: the run.
        data: as the pipeline's option `data`; None for the run's own.
        on_bad_file: as the pipeline's option, for `data`; the run's own if None.
        part: of the run's own data.

    Returns:
        The scores, as metrics.json has them.

    Raises:
        UserError: the run is not finished, or the data cannot be used, has labels that the model does not
            know, or none at all.
    """
    check_finished(run, members := members_of(steps, run.split))
    clear_temporaries(run.folder)
    own, is_held_out = steps, data is None and part == "validation"
    if data is None:
        asked, bad = asked_of(members, part), None
    else:
        steps, rows, bad = _other_data(steps, run, Path(data), on_bad_file)
        asked = [(list(members), rows)]
    rows = rows_of(asked)
    if rows.empty:
        raise UserError(f"{run.folder} has no {part} part.")
    if data is None:
        say_changed(steps.reader(), run, rows)
    found = _found(steps, run, asked, rows, None if is_held_out else fitted_scores(own, run))
    if scored := evaluate_events(steps, run, asked, rows, choose=is_held_out):
        found.scores["events"], rule = scored
    if data is None:
        found.scores["part"] = part
    else:
        trained_on = set(run.part("train")["group"])
        found.scores["groups_trained_on"] = sorted((set(rows["group"]) & trained_on) - {""})
        found.scores["data"] = str(Path(data).resolve())
    tables = {
        "predictions": found.predictions,
        "groups": found.groups if 0 < found.scores["groups"] < len(rows) else None,
        "recordings": found.recordings,
        "bad_files": bad,
    }
    there = {name: table for name, table in tables.items() if table is not None}
    rows = rows.assign(label=list(found.predictions["label"].replace("", "none")))
    drawn = _figures(steps, run, rows, found.scores)
    run.write_evaluation(run.evaluation_folder(data, part), found.scores, there, drawn)
    if is_held_out and found.scores["labels"] == "several":
        run.write_thresholds(thresholds_of(found.scores, run.classifier.class_names).tolist())
        if scored:
            run.write_event_rule(rule)
    return found.scores


def fitted_scores(steps: Steps, run: Run) -> AnyScores | dict:
    """Return the scores of the validation part, among them what was fitted to it, such as the temperature.

    They are empty where nothing validated.

    Args:
        steps: the pipeline of the run.
        run: the run; a part that has not been scored, or was by an earlier version, is scored.
    """
    if not run.has_validation_part:
        return {}
    if (run.folder / "metrics.json").exists() and "tempered" in (scores := run.metrics()):
        return scores
    return evaluate(steps, run)


def _found(
    steps: Steps, run: Run, asked: Asked, rows: pd.DataFrame, fitted: AnyScores | dict | None
) -> Evaluation:
    """Predict rows and score them; without anything fitted before, they are the held-out ones."""
    names, kind = run.classifier.class_names, run.classifier.labels
    if kind == "one" and labels_of(rows, names) != "one":
        raise UserError("The model knows one class an example, and of these examples several hold, or none.")
    truth = targets(rows, names, kind)
    if np.isnan(truth).all():
        raise UserError("There is nothing to score: no label of any example is known.")
    members = predict_rows(steps, run, asked)
    predicted = Predicted(names, truth, members, example_names(rows), rows["group"], kind)
    found = evaluation.evaluate(predicted, _prior(run), fitted)
    if kind == "one" and (recordings := steps.recordings_of(rows)) is not None:
        found = add_recordings(found, joined(predicted, recordings))
    if kind == "several" or (fitted is not None and not run.has_validation_part):
        return found  # there is nothing to smooth, or to learn smoothing from
    rows = rows.assign(label=np.take(names, predicted.labels), predicted=list(found.predictions["predicted"]))
    smoothed = steps.smooth(rows, rows if fitted is None else _held_out(steps, run), names)
    return found if smoothed is None else evaluation.add_smoothed(found, predicted, list(smoothed))


def _prior(run: Run) -> np.ndarray:
    """Return the mean shares of the classes in the training part, or how often each holds."""
    names = run.classifier.class_names
    known = targets(run.part("train"), names, run.classifier.labels)
    if known.ndim == 2:
        return np.ma.masked_invalid(known).mean(axis=0).filled(HALF)
    known = known[known >= 0]  # of the others nobody knows the class
    return np.bincount(known, minlength=len(names)) / len(known)


def _held_out(steps: Steps, run: Run) -> pd.DataFrame:
    """Return the rows of the validation part, and what was predicted of them."""
    rows = rows_of(asked_of(members_of(steps, run.split), "validation"))
    return rows.assign(predicted=list(run.predictions["predicted"]))


def _other_data(
    steps: Steps, run: Run, data: Path, on_bad_file: Literal["stop", "skip"] | None
) -> tuple[Steps, pd.DataFrame, pd.DataFrame]:
    """Return the pipeline of another data set, its rows that have an answer, and the bad ones."""
    other = dataclasses.replace(steps.on_data(data), on_bad_file=on_bad_file or steps.on_bad_file)
    _check_shape(other, run)
    rows, bad = usable(other)
    return other, rows[rows["part"] != UNANSWERED] if "part" in rows else rows, bad


def _check_shape(steps: Steps, run: Run) -> None:
    """Refuse signals of a shape that the model does not take."""
    try:
        received = tuple(steps.reader().signal_shape)
    except (UserError, OSError):
        return  # listing the data says what is wrong with it
    if received != (known := tuple(run.classifier.signal_shape)):
        raise UserError(f"The model takes signals of shape {known}; those of the data have {received}.")


def _figures(steps: Steps, run: Run, rows: pd.DataFrame, scores: AnyScores) -> dict[str, Figure]:
    """Draw how good each class is, the calibration, the training and some examples."""
    if scores["labels"] == "one":
        classes = {"confusion_matrix": figures.confusion_matrix_figure(scores)}
    else:
        classes = {"classes": figures.classes_figure(scores)}
    return {
        **classes,
        "calibration": figures.calibration_figure(scores),
        "history": figures.history_figure(run.history),
        "examples": examples_of(steps, rows, run.classifier.front_end),
    }
