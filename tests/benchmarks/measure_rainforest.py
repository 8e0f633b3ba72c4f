"""Measures the rainforest models on recordings kept out of all folds.

    python tests/benchmarks/measure_rainforest.py DATA WEIGHTS OUT [CONFIGURATION …]

DATA is a folder with train_tp.csv, train/, test_tp.csv and test/; WEIGHTS is MobileNetV2's file of ImageNet
weights without its top. Each run goes to OUT/<configuration>; one that is there goes on where it stopped.
OUT/results.csv gathers the rows. Slices are those round the annotations; recordings are whole: a species'
score is the highest of all windows, and what counts as there is whatever is annotated anywhere in it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run
from tfspec.inference.long_recordings import window_probabilities
from tfspec.pipelines import Rainforest
from tfspec.scores.ranking import lwlrap

HOP_SECONDS = 5.0
CONFIGURATIONS: dict[str, dict] = {
    "pretrained, augmented": {},
    "pretrained": {"augment": False},
    # as many epochs; without weights there is nothing to hold still first
    "random, augmented": {"weights": "none", "epochs": 13},
    "random": {"weights": "none", "epochs": 13, "augment": False},
    # to prove the path
    "resnet50, random, one epoch": {"network": "resnet50", "weights": "none", "epochs": 1},
}


def main(data: Path, weights: Path, out: Path, names: list[str]) -> None:
    """Train and score the named configurations."""
    for name in names:
        folder = out / name.replace(", ", "-").replace(" ", "-")
        options = {"weights": weights, "num_folds": 3, "head_epochs": 3, **CONFIGURATIONS[name]}
        if (folder / "config.json").exists():
            run = pipeline_of(opened := Run(folder)).resume(opened, verbose=2)
        else:
            run = Rainforest(data=data, out=folder, **options).train(verbose=2)
        row = {"configuration": name}
        for part in ("validation", "test"):
            scores = run.metrics(part)
            row |= {f"{part} {score}": scores[score] for score in ("accuracy", "lwlrap", "macro_auc")}
        row["recordings lwlrap"] = recordings_lwlrap(run)
        row["minutes"] = run.history["seconds"].sum() / 60
        results = out / "results.csv"
        pd.DataFrame([row]).to_csv(results, mode="a", header=not results.exists(), index=False)
        print(pd.read_csv(results).round(3).to_string(index=False))


def recordings_lwlrap(run: Run) -> float:
    """Score whole test recordings by the highest probability of each species in any window."""
    names = run.classifier.class_names
    test = run.split[run.split["part"] == "test"]
    truth, scores = [], []
    for path, rows in test.groupby("path"):
        _, windows = window_probabilities(run.classifier, pipeline_of(run).data / path, HOP_SECONDS)
        truth.append([name in set(rows["label"]) for name in names])
        scores.append(windows.max(axis=0))
    return lwlrap(np.array(truth), np.array(scores))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:] or list(CONFIGURATIONS))
