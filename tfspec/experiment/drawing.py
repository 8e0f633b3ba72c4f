"""Pictures of examples: some of each class, or one beside what the models make of it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tfspec.base.errors import UserError
from tfspec.data.targets import targets
from tfspec.experiment.members import check_finished, members_of
from tfspec.experiment.predicting import asked_of, load_members, probabilities, readable
from tfspec.experiment.run import Run, Scored
from tfspec.experiment.splitting import example_names
from tfspec.experiment.steps import Steps
from tfspec.report import figures

MOST_CLASSES = 12


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
    signals = steps.reader()(shown)
    pictures: dict[str, Sequence[figures.Picture]] = {}
    for label, signal, features in zip(shown["label"], signals, np.asarray(front_end(signals)), strict=True):
        pictures[label] = [*pictures.get(label, []), steps.picture(signal, features)]
    return figures.examples_figure(pictures)


def view(steps: Steps, run: Run, example: int = 0, part: Scored = "validation") -> Figure:
    """Draw an example's features beside what the best models make of them, none of which trained on it.

    Args:
        steps: the pipeline of the run.
        run: the run.
        example: its place in predictions.csv, from 0.
        part: of the run's own data.

    Returns:
        The figure: the picture, a bar for each class's probability, the true and the predicted label.

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
    signal, classes = read(row), models[0].class_names
    features = np.asarray(models[0].front_end(signal))
    truth = targets(row, classes)[0]
    return figures.view_figure(
        steps.picture(signal[0], features[0]),
        str(example_names(row).iloc[0]),
        dict(zip(classes, probabilities(models, [signal]).mean(axis=0)[0].tolist(), strict=True)),
        classes[truth if truth.ndim == 0 else truth.argmax()],
    )
