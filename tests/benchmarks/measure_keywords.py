"""Measures the keyword models on speakers kept out of training and of the choice of the best epoch.

    python tests/benchmarks/measure_keywords.py DATA OUT [CONFIGURATION …]

DATA is a folder of class folders, of which the eight words of mini_speech_commands are used. A fifth of the
speakers is linked into OUT/test, the others into OUT/train; each configuration is trained on the latter with
its own validation split, then scored on the former. OUT/results.csv gathers the rows. A name with
augmentations, as in mfcc-lstm+pitch+shift or mfcc-lstm+none, has these instead of the default ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from tfspec.data.sources.class_folders import from_class_folders
from tfspec.data.splits import split_by_group
from tfspec.experiment.registry import pipeline_of
from tfspec.pipelines import SpeechCommands

WORDS = ("down", "go", "left", "no", "right", "stop", "up", "yes")
STFT_LSTM = {"features": "stft", "model": "lstm"}
PUBLISHED = {**SpeechCommands.presets["published"], **STFT_LSTM}
BEST_EPOCH = {"split_by": "speaker", "keep": "best"}
CONFIGURATIONS: dict[str, dict] = {
    "mfcc-lstm": {"features": "mfcc", "model": "lstm"},
    "mfcc-conv2d": {"features": "mfcc", "model": "conv2d"},
    "stft-lstm": STFT_LSTM,
    # From the published recipe to the default, one choice at a time
    "stft-lstm-published": PUBLISHED,
    "stft-lstm-best": {**PUBLISHED, **BEST_EPOCH},
    "stft-lstm-scaled": {**PUBLISHED, **BEST_EPOCH, "scaling": "centre"},
    "stft-lstm-scaled-clipped": {**PUBLISHED, **BEST_EPOCH, "scaling": "centre", "clip_norm": 1.0},
    # One second reaches the end of late words, but leaves silence after the others
    "mfcc-lstm-1s": {"features": "mfcc", "model": "lstm", "clip_seconds": 1.0},
    "stft-conv2d": {"features": "stft", "model": "conv2d"},
}


def main(data: Path, out: Path, names: list[str]) -> None:
    """Train and score the named configurations."""
    link_speakers(data, out)
    for name in names:
        configuration, *augmentations = name.split("+")
        options = CONFIGURATIONS[configuration]
        if augmentations:
            options = {**options, "augment": tuple(n for n in augmentations if n != "none")}
        run = SpeechCommands(data=out / "train", out=out / name, **options).train(verbose=2)
        validation = pipeline_of(run).evaluate(run)
        test = pipeline_of(run).evaluate(run, out / "test")
        assert not test["groups_trained_on"]
        tflite = pipeline_of(run).export(run)["tflite"]
        history = run.history
        row = {
            "configuration": name,
            "test accuracy": test["accuracy"],
            "validation accuracy": validation["accuracy"],
            "epochs": len(history),
            "seconds an epoch": history["seconds"][1:].median(),
            "TFLite kB": tflite["bytes"] / 1000,
            "TFLite ms": tflite["milliseconds"],
        }
        results = out / "results.csv"
        pd.DataFrame([row]).to_csv(results, mode="a", header=not results.exists(), index=False)
        print(pd.read_csv(results).round(3).to_string(index=False))


def link_speakers(data: Path, out: Path) -> None:
    """Link a fifth of the speakers into OUT/test and the others into OUT/train."""
    split = split_by_group(from_class_folders(data, WORDS), 0.2, seed=0)
    for row in split.itertuples():
        link = out / {"validation": "test", "train": "train"}[row.part] / row.path
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to((data / row.path).resolve())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or list(CONFIGURATIONS))
