"""Measures the overlapped-speech models on a test part with answers.

    python tests/benchmarks/measure_overlapped.py DATA OUT [CONFIGURATION …]

DATA is a folder with train/, train_answer.csv, test/ and test_answer.csv. Each run goes to
OUT/<configuration>; one that is there goes on where it stopped. OUT/results.csv gathers the rows: the KL
divergence, whose floor is 0 (the cross-entropy's is the labels' entropy), those of equal probabilities and of
the prior, of the temperature and the weights that suit the validation part best, and of the single models.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from machine import give_table

from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run
from tfspec.pipelines import OverlappedSpeech

# The published learning rate in proportion to the batch
SMALL = {"width": 8, "epochs": 30, "poolings": ("average",), "learning_rate": 0.05}
CONFIGURATIONS: dict[str, dict] = {
    "no augmentation": {**SMALL, "augment": ()},
    "masks": {**SMALL, "augment": ("masks",)},
    "crop": {**SMALL, "augment": ("crop",)},
    "mix-up": {**SMALL, "augment": ("mix_up",)},
    "masks, crop, mix-up": SMALL,
    # two networks with each pooling; the row has every single one as well
    "four models": {**SMALL, "poolings": ("average", "max"), "num_members": 2},
    # the last of the four, at the default rate
    "seed 3 at 0.02": {**SMALL, "poolings": ("max",), "seed": 3, "learning_rate": 0.02},
    "full size": {"width": 24, "epochs": 15, "poolings": ("average",)},
}

PAGE = {
    "no augmentation": ("average pooling, not augmented", "0.05"),
    "masks, crop, mix-up": ("average pooling, masks, crop and mix-up", "0.05"),
    "four models": ("four", "0.05"),
    "seed 3 at 0.02": ("the fourth alone", "0.02, the default"),
    "full size": ("width 24, average pooling, 15 epochs", "0.02"),
}
"""The rows of docs/overlapped_speech.md."""


def main(data: Path, out: Path, names: list[str]) -> None:
    """Train and score the named configurations."""
    for name in names:
        folder = folder_of(out, name)
        if (folder / "config.json").exists():
            run = pipeline_of(opened := Run(folder)).resume(opened, verbose=2)
        else:
            run = OverlappedSpeech(data=data, out=folder, **CONFIGURATIONS[name]).train(verbose=2)
        results = out / "results.csv"
        table = pd.DataFrame([{"configuration": name, **row(run)}])
        if results.exists():
            known = pd.read_csv(results)
            table = pd.concat([known[known["configuration"] != name], table])
        table.to_csv(results, index=False)
        print(table.round(3).to_string(index=False))
    if set(PAGE) <= set(names):
        columns = ["networks", "learning rate", "KL", "at the best temperature"]
        columns += ["largest share: top 1, top 2", "calibration error"]
        give_table("overlapped_speech_1", columns, page_rows(out))


def folder_of(out: Path, name: str) -> Path:
    """Return where a configuration's run is."""
    return out / name.replace(", ", "-").replace(" ", "-")


def page_rows(out: Path) -> list[list[str]]:
    """Say what the configurations of docs/overlapped_speech.md came to, as it does."""
    rows = []
    for name, (said, rate) in PAGE.items():
        scores = Run(folder_of(out, name)).metrics("test")
        if name != "four models":
            rows.append(_page_row(said, rate, scores))
            continue
        each = {member: f"{its['kl']:.3f}" for member, its in scores["members"].items()}
        average, most = (
            " and ".join(each[member] for member in each if member.startswith(pooling))
            for pooling in ("average", "max")
        )
        said = f"four: average {average}, maximum {most}"
        rows.append(_page_row(said, rate, scores))
        weighted = _page_row("the same, weighted by the validation part", rate, scores["weighted"])
        rows.append(weighted)
    return rows


def _page_row(said: str, rate: str, scores: dict) -> list[str]:
    tempered = f"{scores['tempered']['kl']:.3f}" if "tempered" in scores else ""
    second = f"{scores['top_2_accuracy']:.3f}" if "top_2_accuracy" in scores else "–"
    top = f"{scores['accuracy']:.3f}, {second}"
    return [said, rate, f"{scores['kl']:.3f}", tempered, top, f"{scores['calibration_error']:.3f}"]


def row(run: Run) -> dict[str, float]:
    """Gather a run's scores of the test part."""
    scores = run.metrics("test")
    names = ("kl", "cross_entropy", "entropy", "kl_uniform", "kl_prior", "accuracy", "top_2_accuracy")
    gathered = {name: scores[name] for name in (*names, "calibration_error")}
    gathered |= {"temperature": scores["tempered"]["temperature"], "tempered kl": scores["tempered"]["kl"]}
    gathered |= {f"{name} kl": member["kl"] for name, member in scores.get("members", {}).items()}
    if "weighted" in scores:
        gathered["weighted kl"] = scores["weighted"]["kl"]
    return {**gathered, "validation kl": run.metrics()["kl"], "minutes": run.history["seconds"].sum() / 60}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or list(CONFIGURATIONS))
