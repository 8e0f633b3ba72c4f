"""Measures a keyword detector on hours of speakers and sounds that it has never heard.

    python tests/benchmarks/measure_stream.py WORDS NOISES OUT [--seed 0] [--minutes 60] [--budget 20]

WORDS is a folder of class folders, of which the eight words of mini_speech_commands are listened for, NOISES
a folder of ESC-10's class folders. The speakers are dealt into five folds: of one the test stream is made, of
another one the validation stream, and three train. Of ESC-10's folds 1 and 2 train, 3 is under the validation
stream and 4 under the test stream. In each stream another word is said every five seconds, 10 dB above the
noise; half of them are to be detected. The threshold is the lowest with a budget of false accepts an hour on
the validation stream, and false accepts and rejects are counted once, on the test stream.
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

from tfspec.data.splits import folds
from tfspec.pipelines import SpeechCommands

WORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")
PARTS = ("test", "validation", "train", "train", "train")
"""Of the five folds of speakers."""
NOISES = {"train": "12", "validation": "3", "test": "4"}
"""Folds of ESC-10, with which its names begin."""


@dataclass(kw_only=True)
class Parted(SpeechCommands):
    """Keywords in three parts; noise alone trains, for that of the other parts is kept for the streams."""

    def split(self, manifest):
        """Deal speakers into parts, always the same."""
        is_noise = manifest["group"].str.startswith("noise ")
        fold = folds(manifest[~is_noise], len(PARTS), seed=0)["fold"]
        return manifest.assign(
            part=fold.map(dict(enumerate(PARTS))).reindex(manifest.index, fill_value="train")
        )


def main(
    words: Path, noises: Path, out: Path, seed: int, minutes: float, budget: float, options: dict
) -> None:
    """Train, export, choose a threshold and score."""
    for part, kept in NOISES.items():
        _link(noises, out / "noises" / part, kept)
    run = out / f"run-{seed}"
    if not (run / "metrics.json").exists():
        chosen = {"classes": WORDS, "others": True, "streaming": True, "background": out / "noises" / "train"}
        steps = Parted(data=words, out=run, seed=seed, **{**chosen, **options})
        trained = steps.train(verbose=2)
        steps.export(trained, streaming=True)
    for part in ("validation", "test"):
        stream = out / f"stream-{part}"
        if not (stream / "events.csv").exists():
            _tfspec("simulate", "stream", stream, "--words", words, "--classes", *WORDS, "--split",
                    run / "split.csv", "--part", part, "--background", out / "noises" / part,
                    "--minutes", minutes)  # fmt: skip
        budgeted = ("--false-accepts-per-hour", budget, "--save") if part == "validation" else ()
        found = _tfspec("evaluate-stream", run, stream / "stream.wav", stream / "events.csv", *budgeted,
                        "--out", run / f"scores-{part}", "--json")  # fmt: skip
        (run / f"stream-{part}.json").write_text(found)
        print(part, json.dumps(json.loads(found), indent=1))
    columns = ["stream", "false accepts an hour", "false rejects", "found after a word's end, median"]
    give_table("edge_3", columns, page_rows(run, budget))


def page_rows(run: Path, budget: float) -> list[list[str]]:
    """Say what the detector does on both streams, as docs/edge.md does."""
    parts = ("validation", "test")
    validation, test = (json.loads((run / f"stream-{part}.json").read_text())["scores"] for part in parts)
    curves = [pd.read_csv(run / f"scores-{part}" / "curve.csv").set_index("threshold") for part in parts]
    within = curves[0][curves[0]["false_accepts_per_hour"] <= budget]
    alike = curves[1].loc[within["false_reject_rate"].idxmin()]
    low, high = test["false_accepts_interval"]
    return [
        [
            "validation, on which the thresholds were chosen",
            f"{validation['false_accepts_per_hour']:.0f}",
            *_missed(validation),
        ],
        ["**test**", f"**{test['false_accepts_per_hour']:.0f}** ({low:.1f}–{high:.1f})", *_missed(test)],
        [
            "test, with one threshold for all words",
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
    given = parser.parse_args()
    main(given.words, given.noises, given.out, given.seed, given.minutes, given.budget, given.options)
