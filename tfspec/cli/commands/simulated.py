"""Commands that make their own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from tfspec.base.options import Range, Ratio, Seed
from tfspec.base.progress import track


def demo(out: Path | None = None) -> None:
    """Simulate radio signals, train, score and export a classifier, and use it: some minutes.

    Args:
        out: run folder to write; runs/radio_signals-TIME if not given.
    """
    from tfspec.cli.summaries import print_parity, print_run
    from tfspec.pipelines import RadioSignals

    pipeline = RadioSignals(
        out=out,
        num_train=1600,
        num_validation=400,
        snr=(0.3, 0.8),
        epochs=14,
        batch_size=16,
        augment=("turns",),
    )
    run = pipeline.train()
    print_run(run, pipeline)
    print_parity(pipeline.export(run), run.folder)
    _use(run.folder / "export" / "model.tflite", pipeline.seed, pipeline.snr)


def _use(model: Path, seed: int, snr: tuple[float, float] | None) -> None:
    """Classify a fresh signal of each class, of a number that neither training nor validation has used."""
    import numpy as np

    from tfspec.cli.printing import console
    from tfspec.data.sources.simulate import RADIO_CLASSES, radio_pictures
    from tfspec.inference import load_model

    tflite = load_model(model)
    seeds = np.array([[seed, number] for number in range(2000, 2000 + len(RADIO_CLASSES))])
    console.print("\nFour fresh signals through the TFLite file:")
    for label, row in zip(
        RADIO_CLASSES, tflite.probabilities(radio_pictures(RADIO_CLASSES, seeds, snr)), strict=True
    ):
        console.print(f"  {label:14} is taken for {tflite.class_names[row.argmax()]:14} ({row.max():.0%})")


def simulate(
    kind: Positional[Literal["radio"]],
    out: Positional[Path],
    num: Annotated[int, Range(1, 10_000_000)] = 4000,
    seed: Seed = 0,
    snr: tuple[Ratio, Ratio] | None = None,
) -> None:
    """Write a CSV table of simulated radio signals: pixels in columns 0 to 8191, and labels.

    Args:
        kind: radio, the four SETI signal classes in turn.
        out: table to write, replaced if it is there.
        num: number of signals.
        seed: same seed, same signals.
        snr: range of the signals' amplitude in units of the noise's; each class's published one if not given.
    """
    from rich.markup import escape

    from tfspec.cli.printing import console
    from tfspec.data.sources.pictures import write_table
    from tfspec.data.sources.simulate import BATCH, radio_batches

    batches = radio_batches(num, seed, snr)
    write_table(out, track(batches, "Simulating signals", -(-num // BATCH)))
    console.print(escape(f"{num} signals: {out}"))
