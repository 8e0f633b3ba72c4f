"""Run folders of every kind of task, written without any training, for tests of their pages."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.experiment.run import Run
from tfspec.report.event_pictures import EventPicture, event_picture
from tfspec.report.media import picture_address, sound_address
from tfspec.report.page import Clip, Page
from tfspec.scores.evaluation import Predicted, evaluate

HOSTILE = ["<script>alert(1)</script>", "\"'&`", "日本", "x" * 300, "</style><b>", "a;b, c"]
"""Names of classes that break what does not escape them."""


def one(names: list[str], examples: int, groups: int, seed: int = 0) -> Predicted:
    """One class an example, mostly right."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(names), examples)
    logits = rng.normal(0, 1, (examples, len(names))) + 2.5 * np.eye(len(names))[truth]
    return predicted(names, truth, [np.exp(logits) / np.exp(logits).sum(1, keepdims=True)], groups)


def shares(names: list[str], examples: int, groups: int) -> Predicted:
    """Shares that sum to one, predicted by two models."""
    rng = np.random.default_rng(1)
    truth = rng.dirichlet(np.ones(len(names)), examples)
    members = [0.7 * truth + 0.3 * rng.dirichlet(np.ones(len(names)), examples) for _ in range(2)]
    return predicted(names, truth, members, groups)


def several(names: list[str], examples: int, groups: int) -> Predicted:
    """Several labels at once; of some nobody knows the truth."""
    rng = np.random.default_rng(2)
    truth = (rng.random((examples, len(names))) < 0.4).astype(float)
    probabilities = np.clip(0.25 + 0.5 * truth + rng.normal(0, 0.2, truth.shape), 0.01, 0.99)
    truth[rng.random(truth.shape) < 0.1] = np.nan
    return predicted(names, truth, [probabilities], groups, "several")


def predicted(names, truth, members, groups, kind="one") -> Predicted:
    """Name examples and groups."""
    files = pd.Series([f"<i>{number}</i>.wav" for number in range(len(truth))], name="file")
    group = pd.Series([f"g{number % groups}" if groups else "" for number in range(len(truth))])
    each = {f"seed_{number}" if len(members) > 1 else "": its for number, its in enumerate(members)}
    return Predicted(names, truth, each, files, group, kind)


def write_run(folder: Path, answers: Predicted, folds: int = 0) -> Run:
    """Write what a training of earlier versions would have left: neither an environment nor a page."""
    options = {"data": "/data/<b>&", "epochs": 3, "augment": ["gain"], "out": None}
    run = Run.create(folder, {"pipeline": "own", "file": "/home/a b/own.py", "options": options})
    found = evaluate(answers, np.full(len(answers.class_names), 1 / len(answers.class_names)))
    tables = {"predictions": found.predictions, "groups": found.groups}
    run.write_evaluation(folder, {**found.scores, "part": "validation"}, tables, {})
    run.write_split(split_of(answers, found.predictions, folds), pd.DataFrame())
    for member in [f"fold_{fold}" for fold in range(folds)] or [""]:
        (folder / member).mkdir(exist_ok=True)
        history().to_csv(folder / member / "history.csv", index=False)
    return Run(folder)


def split_of(answers: Predicted, predictions: pd.DataFrame, folds: int) -> pd.DataFrame:
    """What was predicted validates; where there are no folds, as many examples train."""
    rows = pd.DataFrame({"path": answers.names, "group": answers.groups, "part": "validation"})
    if answers.is_soft:
        truth = predictions[[f"true_{name}" for name in answers.class_names]]
        rows = rows.join(truth.set_axis(list(answers.class_names), axis=1))
    else:
        rows = rows.assign(label=predictions["label"])
    if folds:
        return rows.assign(part="train", fold=np.arange(len(rows)) % folds)
    return pd.concat([rows, rows.assign(part="train")], ignore_index=True)


def history() -> pd.DataFrame:
    """Three epochs."""
    epochs = np.arange(3)
    losses = {"loss": 2.0**-epochs, "val_loss": 2.0**-epochs + 0.1, "accuracy": 0.5 + 0.1 * epochs}
    return pd.DataFrame({"epoch": epochs, **losses, "val_accuracy": 0.5 + 0.05 * epochs, "seconds": 7.0})


def write_parity(run: Run) -> None:
    """Write what an export leaves of its numbers."""
    found = {"signals": 8, "same_top_class": 1.0, "largest_difference": 1e-6}
    tflite = {**found, "bytes": 123_456, "milliseconds": 1.25, "quantize": "none"}
    (run.folder / "export").mkdir()
    (run.folder / "export" / "parity.json").write_text(json.dumps({"saved_model": found, "tflite": tflite}))


def with_clips(page: Page, sound: bool = True) -> Page:
    """A page as where the data is there: mistakes are shown."""
    sound = sound_address(np.sin(np.arange(8000)), 8000) if sound else ""
    clips = [clip(page, place, sound) for place in page.answers.surest_mistakes(2)]
    drawn = {"event_pictures": [events(page)], "event_tables": [page.classes]}
    return dataclasses.replace(page, mistakes=clips, **drawn)


def events(page: Page) -> EventPicture:
    """A recording in which an event of each class is annotated and found."""
    names = [*page.answers.class_names]
    times = {"start": np.arange(len(names)), "end": np.arange(len(names)) + 0.5}
    table = pd.DataFrame({**times, "label": names})
    heard = pd.DataFrame(np.eye(len(names)), np.arange(len(names)) + 0.5, names)
    samples = np.sin(np.arange(8000 * len(names)))
    return event_picture(page.answers.names[0], samples, 8000, heard, table, table, [0.5] * len(names))


def clip(page: Page, place: int, sound: str) -> Clip:
    """An example of a page, drawn as a line."""
    answers, picture = page.answers, picture_address(np.eye(9))
    texts = answers.names[place], answers.true_of(place), answers.predicted_of(place), answers.said_of(place)
    return Clip(place, *texts, picture, "time in s", "bin", [(0.5, "1")], [], sound)


WORDS = ["dog", "cat", "owl"]
KINDS = {
    "one": lambda folder: write_run(folder, one(WORDS, 60, groups=12)),
    "several": lambda folder: write_run(folder, several(WORDS, 60, groups=12)),
    "shares": lambda folder: write_run(folder, shares(WORDS, 60, groups=12)),
    "windows": lambda folder: write_run(folder, one(["sit", "walk"], 80, groups=1)),
    "pictures": lambda folder: write_run(folder, one(["line", "noise"], 40, groups=40)),
    "folds": lambda folder: write_run(folder, one(WORDS, 60, groups=12), folds=3),
    "hostile": lambda folder: write_run(folder, one(HOSTILE, 90, groups=9)),
    "hostile several": lambda folder: write_run(folder, several(HOSTILE[:5], 90, groups=9)),
}
"""Runs of each kind of task, written into a folder."""
SILENT = ("windows", "pictures")
