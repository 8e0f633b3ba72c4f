"""Run folders of every kind of task, written without any training, for tests of their pages."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.experiment.run import Run
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


def write_run(folder: Path, answers: Predicted, history: int = 3) -> Run:
    """Write what a training of earlier versions would have left: neither an environment nor a page."""
    options = {"data": "/data/<b>&", "epochs": history, "augment": ["gain"], "out": None}
    run = Run.create(folder, {"pipeline": "own", "file": "/home/a b/own.py", "options": options})
    found = evaluate(answers, np.full(len(answers.class_names), 1 / len(answers.class_names)))
    tables = {"predictions": found.predictions, "groups": found.groups}
    run.write_evaluation(folder, {**found.scores, "part": "validation"}, tables, {})
    held = pd.DataFrame({"path": answers.names, "group": answers.groups, "part": "validation"})
    truth = found.predictions[[f"true_{name}" for name in answers.class_names]] if answers.is_soft else None
    held = (
        held.assign(label=found.predictions["label"])
        if truth is None
        else held.join(truth.set_axis(list(answers.class_names), axis=1))
    )
    run.write_split(pd.concat([held, held.assign(part="train")], ignore_index=True), held.head(0))
    epochs = np.arange(history)
    losses = {"loss": 2.0**-epochs, "val_loss": 2.0**-epochs + 0.1, "accuracy": 0.5 + 0.1 * epochs}
    table = pd.DataFrame({"epoch": epochs, **losses, "val_accuracy": 0.5 + 0.05 * epochs, "seconds": 7.0})
    table.to_csv(folder / "history.csv", index=False)
    return Run(folder)


def write_parity(run: Run) -> None:
    """Write what an export leaves of its numbers."""
    found = {"signals": 8, "same_top_class": 1.0, "largest_difference": 1e-6}
    tflite = {**found, "bytes": 123_456, "milliseconds": 1.25, "quantize": "none"}
    (run.folder / "export").mkdir()
    (run.folder / "export" / "parity.json").write_text(json.dumps({"saved_model": found, "tflite": tflite}))
