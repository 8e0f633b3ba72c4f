"""The general task of recordings: slices of audio files below one folder."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from tfspec.audio.decoding import ClipPadding
from tfspec.base.errors import UserError
from tfspec.base.options import LONGEST_SIGNAL
from tfspec.data import AudioReader
from tfspec.experiment.pipeline import Pipeline
from tfspec.report.figures import Picture


@dataclass(kw_only=True)
class Recordings(Pipeline):
    """Base of the experiments on recordings.

    A subclass says which rows there are, `manifest`; how many samples a second and in all their signals have;
    and what becomes of them.
    """

    takes: ClassVar[Literal["recording"]] = "recording"
    padding: ClassVar[ClipPadding] = "edge"
    """What makes up for a recording that ends before."""

    data: Path = Path("data")
    """Folder that holds the recordings."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        self.check_length()

    def check_length(self) -> None:
        """Refuse signals of no length, or too long to keep in memory."""
        if not 1 <= self.num_samples <= LONGEST_SIGNAL:
            raise UserError(
                f"A signal must have from 1 to {LONGEST_SIGNAL:,} samples. Received: {self.num_samples:,}, "
                f"{self.num_samples / self.sample_rate:g} s of {self.sample_rate:,} Hz"
            )

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Samples per second that recordings are resampled to."""
        raise NotImplementedError

    @property
    @abstractmethod
    def num_samples(self) -> int:
        """Length of a signal in samples."""
        raise NotImplementedError

    @property
    def folder(self) -> Path:
        """What the manifest's paths are relative to."""
        return self.data

    def reader(self):
        """Decode, resample, and cut or pad."""
        return AudioReader(self.folder, self.sample_rate, self.num_samples, self.padding)

    def picture(self, signal, features):
        """Draw the first channel."""
        return Picture(features[..., 0].T, "time", "frequency")
