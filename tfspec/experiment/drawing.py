"""Pictures of examples: some of each class, one in training, or one beside what the models make of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from tfspec.base.errors import UserError
from tfspec.base.model import HALF, Labels
from tfspec.data.epochs import Epochs
from tfspec.data.label_targets import targets
from tfspec.data.plan import Draws
from tfspec.data.readers import read_checked
from tfspec.data.stages import apply_layers
from tfspec.experiment.members import check_finished, members_of
from tfspec.experiment.predicting import asked_of, load_members, probabilities, readable
from tfspec.experiment.run import Run, Scored
from tfspec.experiment.splitting import example_names
from tfspec.experiment.steps import Steps
from tfspec.report import figures
from tfspec.report.axes import in_units
from tfspec.scores.predictions import predicted_places

MOST_CLASSES = 12
IN_TRAINING = 80
"""The training example that is drawn before training, counted from 0, as published for the radio signals."""
DRAWS = 3
"""How often it is drawn as augmented."""


def examples_of(steps: Steps, rows: pd.DataFrame, front_end: keras.Layer) -> Figure:
    """Draw what the front end makes of some examples of each class.

    Args:
        steps: the pipeline, which draws one example.
        rows: of a manifest, with the column `label`.
        front_end: layer from signals to features.
    """
    if steps.examples == "random":
        rows = rows.sample(frac=1, random_state=steps.seed)
    shown = rows.groupby("label").head(steps.examples_per_class).sort_values("label", kind="stable")
    shown = shown[shown["label"].isin(shown["label"].unique()[:MOST_CLASSES])]
    read = steps.reader()
    signals = read_checked(read, shown)
    pictures: dict[str, Sequence[figures.Picture]] = {}
    for label, signal, features in zip(shown["label"], signals, np.asarray(front_end(signals)), strict=True):
        picture = in_units(steps.picture(signal, features), front_end, signal.shape, read.sample_rate)
        pictures[label] = [*pictures.get(label, []), picture]
    return figures.examples_figure(pictures)


def in_training(steps: Steps, split: pd.DataFrame) -> Figure:
    """Draw the features of a training example as they are, and as some epochs may see them.

    Args:
        steps: the pipeline, which draws one example.
        split: of the run; example 80 of those that train is drawn, from 0, or the last one of fewer.

    Returns:
        The figure: the plain picture under the example's class or classes and its name, then augmented ones,
        nothing mixed in.
    """
    train, names = split[split["part"] == "train"].sort_index(), steps.class_names(split)
    truth = targets(train, names, steps.labels)
    known = train[truth >= 0] if truth.ndim == 1 else train
    row = known.iloc[[min(IN_TRAINING, len(known) - 1)]]
    label = ", ".join(_true_names(row, names, steps.labels)) or "none"
    read, front_end = steps.reader(), steps.front_end()
    signals = np.repeat(read_checked(read, row), DRAWS, axis=0)
    augmentation = dataclasses.replace(steps.augmentation(), mix_up=None)
    draws = Draws(Epochs(steps.seed).seeds(1)[0], np.array([0, DRAWS]))
    (augmented,) = apply_layers([tf.constant(signals)], {}, draws, front_end, augmentation)
    drawn = {f"{label}: {example_names(row).iloc[0]}": front_end(signals[:1])[0]}
    drawn |= {f"in training, {number}": features for number, features in enumerate(augmented, 1)}
    pictures: dict[str, Sequence[figures.Picture]] = {}
    for title, each in drawn.items():
        picture = steps.picture(signals[0], np.asarray(each))
        pictures[title] = [in_units(picture, front_end, signals.shape[1:], read.sample_rate)]
    return figures.examples_figure(pictures)


def _true_names(row: pd.DataFrame, class_names: Sequence[str], labels: Labels) -> list[str]:
    """Return an example's class, that of its largest share, or all that hold."""
    truth = targets(row, class_names, labels)[0]
    if labels == "several":
        return [class_names[place] for place in np.flatnonzero(truth >= HALF).tolist()]
    return [class_names[int(truth if truth.ndim == 0 else truth.argmax())]]


def view(steps: Steps, run: Run, example: int = 0, part: Scored = "validation") -> Figure:
    """Draw an example's features beside what the best models make of them, none of which trained on it.

    Args:
        steps: the pipeline of the run.
        run: the run.
        example: its place in predictions.csv, from 0.
        part: of the run's own data.

    Returns:
        The figure: the picture, a bar for each class's probability, the true and the predicted labels.

    Raises:
        UserError: the run is not finished, or there is no such example.
    """
    check_finished(run, members := members_of(steps, run.split))
    asked = asked_of(members, part)
    places = [(names, rows.iloc[[place]]) for names, rows in asked for place in range(len(rows))]
    if not 0 <= example < len(places):
        raise UserError(f"The {part} part has {len(places)} examples, numbered from 0. Received: {example}")
    names, row = places[example]
    models = load_members(run, names)
    read, _ = readable(steps, run, row)
    signal, classes = read_checked(read, row), models[0].class_names
    front_end, rate = models[0].front_end, models[0].sample_rate
    picture = steps.picture(signal[0], np.asarray(front_end(signal))[0])
    mean = probabilities(models, [signal]).mean(axis=0)[0]
    return figures.view_figure(
        in_units(picture, front_end, signal.shape[1:], rate),
        str(example_names(row).iloc[0]),
        dict(zip(classes, mean.tolist(), strict=True)),
        _true_names(row, classes, steps.labels),
        np.take(classes, predicted_places(mean, run.classifier.thresholds)).tolist(),
    )
