"""A pipeline on clips in which several tones sound at once, or none."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import soundfile

from tfspec.data import AudioReader
from tfspec.experiment.pipeline import Pipeline
from tfspec.frontends import Decibel, Spectrogram
from tfspec.models import bin_statistics

HERTZ = {"high": 1500, "low": 300, "middle": 800}
RATE, SAMPLES = 4000, 1000
CLIPS = 120


def write_clips(folder: Path, count: int = CLIPS) -> pd.DataFrame:
    """Write clips of five recordings, and labels.csv: of every eighth label nobody knows the truth."""
    rng, seconds = np.random.default_rng(0), np.arange(SAMPLES) / RATE
    holds = (rng.random((count, len(HERTZ))) < 0.4).astype(float)
    folder.mkdir(parents=True)
    for i, row in enumerate(holds):
        clip = 0.01 * rng.standard_normal(SAMPLES)
        for hertz, there in zip(HERTZ.values(), row, strict=True):
            clip += (
                there * 0.2 * np.sin(2 * np.pi * (hertz * rng.uniform(0.95, 1.05) * seconds + rng.uniform()))
            )
        soundfile.write(folder / f"{i:03}.wav", clip, RATE)
    holds[rng.random(holds.shape) < 1 / 8] = np.nan
    table = pd.DataFrame({"path": [f"{i:03}.wav" for i in range(count)], "group": np.arange(count) % 10})
    table = table.assign(group="r" + table["group"].astype(str)).join(pd.DataFrame(holds, columns=[*HERTZ]))
    table.to_csv(folder / "labels.csv", index=False)
    return table


@dataclass(kw_only=True)
class SeveralTones(Pipeline):
    """Name all tones of a clip."""

    name: ClassVar[str] = "several_tones"
    labels: ClassVar[str] = "several"  # type: ignore[assignment]

    data: Path
    epochs: int = 10
    patience: int | None = None
    batch_size: int = 16
    learning_rate: float = 3e-3

    def manifest(self):
        return pd.read_csv(self.data / "labels.csv", dtype={"path": str, "group": str})

    def split(self, manifest):
        parts = {"r7": "validation", "r8": "validation", "r9": "test"}
        return manifest.assign(part=[parts.get(group, "train") for group in manifest["group"]])

    def reader(self):
        return AudioReader(self.data, RATE, SAMPLES)

    def front_end(self):
        import keras

        return keras.Sequential([Spectrogram(64, 32, fft_length=64), Decibel()], name="front_end")

    def backbone(self, feature_shape, num_classes):
        return bin_statistics(feature_shape, num_classes, dropout=0)
