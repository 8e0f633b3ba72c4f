"""Measures a keyword detector on hours of speakers and sounds that it has never heard.

    python tests/benchmarks/measure_stream.py WORDS NOISES OUT [--seed 0] [--minutes 60] [--budget 20]
        [--mined]

WORDS is a folder of class folders, of which the eight words of mini_speech_commands are listened for,
NOISES a folder of ESC-10's class folders. The speakers are dealt into five folds: of one the test stream
is made, of another one the validation stream, and three train. Of ESC-10's folds 1 and 2 train, 3 is under
the validation stream and 4 under the test stream. In each stream another word is said every five seconds,
10 dB above the noise; half of them are to be detected. The threshold is the lowest with a budget of false
accepts an hour on the validation stream, and false accepts and rejects are counted once, on the test
stream. With --mined what the network takes for words in a stream of the speakers and sounds that train, at
ten times the budget, trains another one, which is scored.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from machine import give_table

from tfspec.data.sources.stream_words import MINED
from tfspec.data.splits import folds
from tfspec.pipelines import SpeechCommands

WORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")
PARTS = ("test", "validation", "train", "train", "train")
"""Of the five folds of speakers."""
NOISES = {"train": "12", "validation": "3", "test": "4"}
"""Folds of ESC-10, with which its names begin."""
MINED_TIMES = 10
"""So many times the budget of false accepts are allowed where hard negatives are looked for."""


@dataclass(kw_only=True)
class Parted(SpeechCommands):
    """Keywords in three parts; noise alone trains, for that of the other parts is kept for the streams."""

    def split(self, manifest):
        """Deal speakers into parts, always the same."""
        is_noise = manifest["group"].str.startswith(("noise ", MINED))
        fold = folds(manifest[~is_noise], len(PARTS), seed=0)["fold"]
        return manifest.assign(
            part=fold.map(dict(enumerate(PARTS))).reindex(manifest.index, fill_value="train")
        )


def main(given: argparse.Namespace) -> None:
    """Train, export, choose a threshold and score."""
    for part, kept in NOISES.items():
        _link(given.noises, given.out / "noises" / part, kept)
    run = plain = given.out / f"run-{given.seed}"
    _train(given, plain)
    if given.mined:
        _evaluate(given, plain, "train", "--false-accepts-per-hour", MINED_TIMES * given.budget)
        run, table = given.out / f"run-{given.seed}-mined", plain / "scores-train" / "hard_negatives.csv"
        print(len(pd.read_csv(table)), "hard negatives", flush=True)
        _train(given, run, hard_negatives=table)
    columns = ["stream", "false accepts an hour", "false rejects", "found after a word's end, median"]
    rows = [row for each in dict.fromkeys([plain, run]) for row in _scored(given, each)]
    give_table("edge_3", columns, rows)


def _scored(given: argparse.Namespace, run: Path) -> list[list[str]]:
    """Choose thresholds on the validation stream, and score a run on both streams."""
    for part in ("validation", "test"):
        budgeted = ("--false-accepts-per-hour", given.budget, "--save") if part == "validation" else ()
        (run / f"stream-{part}.json").write_text(_evaluate(given, run, part, *budgeted))
    return page_rows(run, given.budget)


def _train(given: argparse.Namespace, run: Path, **more) -> None:
    """Train and export, where that is not done yet."""
    if (run / "export" / "streaming.tflite").exists():
        return
    options = {"classes": WORDS, "others": True, "background": given.out / "noises" / "train"}
    steps = Parted(
        data=given.words, out=run, seed=given.seed, streaming=True, **{**options, **given.options, **more}
    )
    steps.export(steps.train(verbose=2), streaming=True)


def _evaluate(given: argparse.Namespace, run: Path, part: str, *budgeted) -> str:
    """Score on the stream of a part, which is made where it is not there yet."""
    stream, first = given.out / f"stream-{part}", given.out / f"run-{given.seed}"
    if not (stream / "events.csv").exists():
        _tfspec("simulate", "stream", stream, "--words", given.words, "--classes", *WORDS, "--split",
                first / "split.csv", "--part", part, "--background", given.out / "noises" / part,
                "--minutes", given.minutes)  # fmt: skip
    return _tfspec("evaluate-stream", run, stream / "stream.wav", stream / "events.csv", *budgeted,
                   "--out", run / f"scores-{part}", "--json")  # fmt: skip


def page_rows(run: Path, budget: float) -> list[list[str]]:
    """Say what the detector does on both streams, as docs/edge.md does."""
    parts = ("validation", "test")
    validation, test = (json.loads((run / f"stream-{part}.json").read_text())["scores"] for part in parts)
    curves = [pd.read_csv(run / f"scores-{part}" / "curve.csv").set_index("threshold") for part in parts]
    within = curves[0][curves[0]["false_accepts_per_hour"] <= budget]
    alike = curves[1].loc[within["false_reject_rate"].idxmin()]
    low, high = test["false_accepts_interval"]
    learnt = ", with hard negatives" if run.name.endswith("mined") else ""
    return [
        [
            f"validation, on which the thresholds were chosen{learnt}",
            f"{validation['false_accepts_per_hour']:.0f}",
            *_missed(validation),
        ],
        [
            f"**test**{learnt}",
            f"**{test['false_accepts_per_hour']:.0f}** ({low:.1f}–{high:.1f})",
            *_missed(test),
        ],
        [
            f"test, with one threshold for all words{learnt}",
            f"{alike['false_accepts_per_hour']:.0f}",
            f"{alike['false_reject_rate']:.2f}",
            "",
        ],
    ]


def _missed(scores: dict) -> list[str]:
    low, high = scores["false_rejects_interval"]
    share = f"{scores['false_reject_rate']:.3f} ({low:.3f}–{high:.3f})"
    return [share, f"{scores['after_end_median']:.2f} s"]


def _link(noises: Path, folder: Path, kept: str) -> None:
    """Put links to the recordings of some folds into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in noises.glob("*/*"):
        link = folder / f"{path.parent.name}-{path.name}"
        if path.name[0] in kept and not link.is_symlink():
            link.symlink_to(path.resolve())


def _tfspec(*arguments) -> str:
    command = [str(Path(sys.executable).with_name("tfspec")), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", type=Path)
    parser.add_argument("noises", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--budget", type=float, default=20)
    parser.add_argument("--options", type=json.loads, default={}, help="of the pipeline, as JSON")
    parser.add_argument("--mined", action="store_true", help="train again, with hard negatives")
    main(parser.parse_args())
