"""Measures keyword models on speakers that they have never heard, cross-validated over people.

    python tests/benchmarks/measure_keywords.py DATA OUT [CONFIGURATION …] [--folds 0 1 …] [--seeds 0 …]

DATA is a folder of class folders, of which the eight words of mini_speech_commands are used; "twelve"
takes on, off, _unknown_ and _silence_, too. The speakers are dealt into five folds, always the same. A
configuration is trained on four of them for all its epochs, and the model of the last one is scored on
the fifth, on which nothing is chosen. "taught" learns from "three", which must be there for the same
folds. OUT/results.csv gathers a row a training; what is in there is not trained again. Printed are the mean
over folds and seeds, and an interval over the speakers, who are drawn anew.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from machine import give_table

from tfspec.data.splits import folds
from tfspec.experiment.run import Run
from tfspec.export.parity import ParityError
from tfspec.inference import load_model
from tfspec.models import SeparableBlock, ds_tc_resnet
from tfspec.pipelines import SpeechCommands
from tfspec.scores.groups import sum_anew

WORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")
OTHERS = ("on", "off", "_unknown_", "_silence_")
FOLDS = 5
RECURRENT = SpeechCommands.presets["recurrent"]
BY_SPEAKER = {**SpeechCommands.presets["published"], "split_by": "speaker"}
NETWORKS = ("tc_resnet", "ds_cnn", "bc_resnet", "matchboxnet", "conv2d")
NARROW = (
    SeparableBlock(64, 5, stride=2),
    *[SeparableBlock(64, kernel, residual=True) for kernel in (9, 11, 13)],
    SeparableBlock(96, 15, residual=True),
    SeparableBlock(128, 1),
)
"""The blocks of the default in its first version."""
CONFIGURATIONS: dict[str, dict] = {
    "default": {},
    "narrow": {"is_narrow": True, "epochs": 60},
    "three": {"num_members": 3},
    "small": {"small": True},
    "taught": {"small": True, "teacher": "three"},
    **{network: {"model": network} for network in NETWORKS},
    "recurrent": {**RECURRENT, "keep": "last", "patience": None},
    **{f"published {model}": {**BY_SPEAKER, "model": model} for model in ("lstm", "conv2d")},
    "twelve": {"classes": (*WORDS, *OTHERS)},
    # The default without one of its parts
    "without augmentation": {"augment": ()},
    "without noise": {"augment": ("shift", "gain", "vocal_tract", "time_mask", "frequency_mask")},
    "without vocal tract": {"augment": ("noise", "shift", "gain", "time_mask", "frequency_mask")},
    "pitch for vocal tract": {"augment": ("noise", "pitch", "shift", "gain", "time_mask", "frequency_mask")},
    "without masks": {"augment": ("noise", "shift", "gain", "vocal_tract")},
    "clips centred": {"scaling": "centre"},
    "50 epochs": {"epochs": 50},
}

PAGE = {
    "default": "default, {weights:,} weights, 100 epochs",
    "pitch for vocal tract": "the same with other pitches in place of vocal tracts",
    "narrow": "{weights:,} weights, 60 epochs",
    "small": "`--small`, {weights:,} weights",
    "taught": "`--small --teacher`, {weights:,} weights, taught by three default networks",
}
"""The rows of docs/keywords.md."""
COLUMNS = [
    "",
    "accuracy on speakers never heard",
    "95% over the speakers",
    "in int8",
    "each of folds 2 to 4",
    "each seed",
]
UNSEEN = 2
"""The first of the folds on which nothing was chosen."""


@dataclass(kw_only=True)
class HeldOut(SpeechCommands):
    """Keywords of which the speakers of one fold validate."""

    fold: int = 0
    is_narrow: bool = False

    def split(self, manifest):
        """Hold out a fold; the folds are the same for all seeds."""
        fold = folds(manifest, FOLDS, seed=0)["fold"]
        return manifest.assign(part=np.where(fold == self.fold, "validation", "train"))

    def backbone(self, feature_shape, num_classes):
        """Make the default's network, or the one that it was at first."""
        if not self.is_narrow:
            return super().backbone(feature_shape, num_classes)
        return ds_tc_resnet((None, *feature_shape[1:]), num_classes, NARROW, dropout=0.1)


def main(data: Path, out: Path, configurations: list[str], wanted: list[int], seeds: list[int]) -> None:
    """Train and score what is not in the table yet."""
    for name in configurations:
        for seed in seeds:
            for fold in wanted:
                folder = out / f"{name} {fold} {seed}".replace(" ", "-")
                if not (folder / "measured.csv").exists():
                    options = {"classes": WORDS, **CONFIGURATIONS[name]}
                    if teacher := options.get("teacher"):
                        options["teacher"] = out / f"{teacher}-{fold}-0"
                    row = _measure(HeldOut(data=data, out=folder, seed=seed, fold=fold, **options), name)
                    row.to_csv(folder / "measured.csv", index=False)
    rows = pd.concat([pd.read_csv(path) for path in out.glob("*/measured.csv")])
    rows.to_csv(out / "results.csv", index=False)
    for name in configurations:
        print(described(out, rows[rows["configuration"] == name]))
    _give_tables(out, rows, configurations)


def _give_tables(out: Path, rows: pd.DataFrame, configurations: list[str]) -> None:
    """Give the tables of docs/keywords.md of which all was asked for."""
    of = dict(iter(rows[rows["fold"] >= UNSEEN].sort_values("fold").groupby("configuration")))
    if set(PAGE) <= set(configurations):
        table = [page_row(out, of[name], said) for name, said in PAGE.items()]
        give_table("keywords_1", COLUMNS, [*table, together_row(out, of["pitch for vocal tract"])])
    if "twelve" in configurations:
        give_table("keywords_2", ["class", "recall", "examples"], recall_rows(out, of["twelve"]))


def page_row(out: Path, rows: pd.DataFrame, said: str) -> list[str]:
    """Say what a configuration came to, as docs/keywords.md does: on folds on which nothing was chosen."""
    low, high = interval(right_answers(out, rows))
    return [
        said.format(weights=rows["weights"].iloc[0]),
        f"{rows['accuracy'].mean():.3f}",
        f"{low:.3f}–{high:.3f}",
        f"{rows['int8'].mean():.3f}",
        *(
            ", ".join(f"{each:.3f}" for each in rows.groupby(by)["accuracy"].mean())
            for by in ("fold", "seed")
        ),
    ]


def together_row(out: Path, rows: pd.DataFrame) -> list[str]:
    """Say what the models of all seeds come to where the mean of their probabilities answers."""
    answers = []
    for _, of_fold in rows.groupby("fold"):
        runs = [Run(out / folder) for folder in of_fold["folder"]]
        tables = [run.predictions.set_index("file").filter(regex="^p_") for run in runs]
        mean = sum(tables) / len(tables)
        held_out = runs[0].part("validation").set_index("path")
        right = mean.idxmax(axis=1).str.removeprefix("p_") == held_out["label"].reindex(mean.index)
        answers.append(pd.DataFrame({"group": held_out["group"].reindex(mean.index), "right": right}))
    low, high = interval(pd.concat(answers))
    folds_right = [f"{each['right'].mean():.3f}" for each in answers]
    mean_right = np.mean([each["right"].mean() for each in answers])
    seeds = rows["seed"].nunique()
    return [
        f"the mean of {seeds} networks with other pitches",
        f"{mean_right:.3f}",
        f"{low:.3f}–{high:.3f}",
        "",
        ", ".join(folds_right),
        "",
    ]


def recall_rows(out: Path, rows: pd.DataFrame) -> list[list[str]]:
    """Say how many of each class are found, and the accuracy of all."""
    held_out = right_answers(out, rows)
    low, high = interval(held_out)
    found = held_out.groupby("label")["right"].agg(["mean", "count"])
    total = [f"all (95% over the speakers {low:.3f}–{high:.3f})", held_out["right"].mean(), len(held_out)]
    return [
        [str(name), f"{mean:.3f}", str(count)]
        for name, mean, count in [*found.itertuples(name=None), tuple(total)]
    ]


def _measure(steps: HeldOut, name: str) -> pd.DataFrame:
    """Train, score and quantise."""
    run = steps.train(verbose=2)
    try:
        steps.export(run, "int8")
        model = load_model(run.folder / "export" / "model.tflite")
        held_out = run.part("validation")
        found = model.probabilities(steps.reader()(held_out)).argmax(axis=1)
        int8 = (np.take(model.class_names, found) == held_out["label"]).mean()
    except ParityError:
        int8 = np.nan
    row = {
        "configuration": name,
        "fold": steps.fold,
        "seed": steps.seed,
        "accuracy": run.metrics()["accuracy"],
        "int8": int8,
        "weights": sum(each.size for each in run.classifier.backbone.get_weights()),
        "seconds": run.history["seconds"].sum(),
        "folder": run.folder.name,
    }
    return pd.DataFrame([row])


def right_answers(out: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the held-out rows of some trainings, with whether each is `right`."""
    tables = []
    for run in (Run(out / folder) for folder in rows["folder"]):
        predicted = run.predictions.set_index("file")["predicted"]
        held_out = run.part("validation").join(predicted, on="path", validate="one_to_one")
        tables.append(held_out.assign(right=held_out["label"] == held_out["predicted"]))
    return pd.concat(tables)


def interval(answers: pd.DataFrame) -> tuple[float, float]:
    """Return between which accuracies 95% of the draws of other speakers lie."""
    of_speakers = answers.groupby("group")["right"].agg(["sum", "count"]).to_numpy()
    drawn = sum_anew(of_speakers)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    return float(low), float(high)


def described(out: Path, rows: pd.DataFrame) -> str:
    """Say what the trainings of a configuration came to, in a line."""
    low, high = interval(right_answers(out, rows))
    by_seed, by_fold = (rows.groupby(each)["accuracy"].mean().round(3).to_dict() for each in ("seed", "fold"))
    name, minutes = rows["configuration"].iloc[0], rows["seconds"].mean() / 60
    return (
        f"{name:22} {rows['accuracy'].mean():.3f} ({low:.3f}–{high:.3f}), folds {by_fold}, seeds {by_seed}, "
        f"int8 {rows['int8'].mean():.3f}, {rows['weights'].iloc[0]:,} weights, {minutes:.0f} min"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("configurations", nargs="*", default=list(CONFIGURATIONS))
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    main(given.data, given.out, given.configurations, given.folds, given.seeds)
