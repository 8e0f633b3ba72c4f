"""Each pipeline with the options it has by itself, on a little simulated data."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from machine import described, give_table

from tfspec import Pipeline
from tfspec.data.sources import simulate
from tfspec.pipelines import (
    Capture24,
    OverlappedSpeech,
    OwnRecordings,
    RadioSignals,
    Rainforest,
    SpeechCommands,
)


def defaults(folder: Path) -> dict[str, Pipeline]:
    """Make the pipelines and what they train on.

    Args:
        folder: of the data; what is in it already is taken as it is.
    """
    made = {
        "clips": lambda out: simulate.write_clips(out, 300),
        "words": lambda out: simulate.write_clips(out, 600),
        "scenes": lambda out: simulate.write_soundscapes(out, 40, 0),
        "mixtures": lambda out: simulate.write_mixtures(out, 600, 0),
        "people": lambda out: simulate.write_wrist(out),
    }
    for name, make in made.items():
        if not (folder / name).exists():
            make(folder / name)
    return {
        "recordings": OwnRecordings(data=folder / "clips", folds=0),
        "speech_commands": SpeechCommands(data=folder / "words"),
        "rainforest": Rainforest(data=folder / "scenes", weights="none"),  # which are as fast as ImageNet's
        "overlapped_speech": OverlappedSpeech(data=folder / "mixtures"),
        "capture24": Capture24(data=folder / "people"),
        "radio_signals": RadioSignals(num_train=640, num_validation=64),
    }


def give_measured(table: str, measure: Callable[[Pipeline], dict[str, str]], names: Sequence[str]) -> None:
    """Measure pipelines by their defaults, and give the table of what it came to.

    Args:
        table: its name in docs/results.
        measure: takes a pipeline, and returns the cells of its row by column.
        names: of the pipelines; all if empty.
    """
    with tempfile.TemporaryDirectory() as folder:
        pipelines = defaults(Path(folder))
        measured = {name: measure(pipelines[name]) for name in names or pipelines}
    print(described())
    columns = next(iter(measured.values()))
    give_table(table, ["pipeline", *columns], [[name, *row.values()] for name, row in measured.items()])
