"""What networks see of a word: spectra, mel bands or cepstra, in a scale that they like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import keras

from tfspec.base.options import Range
from tfspec.frontends import MFCC, Decibel, Log, MelSpectrogram, Spectrogram, Standardize

Length = Annotated[int, Range(1, 65_536)]
BINS_TOGETHER = 8
"""Of stft, whose bins of 43 Hz resolve single harmonics of a voice; together they show what it says."""
QUIETEST = 1e-6
"""Power of a band below which all is alike: that of a quiet room's noise in a recording of speech."""
FIXED = {"log_mel": (0.25, 2.0), "stft": (0.25, 2.0), "mfcc": (0.01, 0.0)}
"""Factor and addend of what is fixed, after which features are about from -2 to 3."""


@dataclass(kw_only=True)
class WordFeatures:
    """Options of the front end for short recordings of speech."""

    features: Literal["stft", "mfcc", "log_mel"] = "log_mel"
    """Front end: magnitude spectrogram, mel-frequency cepstral coefficients, or mel bands in decibels."""
    frame_length: Length = 480
    """Samples of a frame."""
    frame_step: Length = 160
    """Samples from one frame's start to the next one's."""
    num_coefficients: Length = 39
    """Cepstral coefficients of mfcc."""
    num_mel_bins: Length = 40
    """Bands of log_mel, and those that mfcc is made of."""
    scaling: Literal["fixed", "centre", "none"] = "fixed"
    """Decibels, of stft of every eight bins together: as they are, which does not depend on the clip and so
    can stream; or each bin's mean over the clip subtracted, for the lstm unit variance of the clip. none is
    the published recipe. Networks of keras.applications get 0 to 1."""

    @property
    def num_bins(self) -> int:
        """Bins of a frame's features."""
        spectrum = (self.frame_length // 2 + 1) // (1 if self.scaling == "none" else BINS_TOGETHER)
        return {"stft": spectrum, "mfcc": self.num_coefficients, "log_mel": self.num_mel_bins}[self.features]

    def samples_of(self, frames: int) -> int:
        """Return the fewest samples that hold so many frames.

        Args:
            frames: how many.
        """
        others = (frames - 1) * self.frame_step
        return others + self._fft_length if self._frames_lie_inside else max(1, others)

    @property
    def _frames_lie_inside(self) -> bool:
        """Whether frames begin and end in the clip, as in a stream, and not half before and behind it."""
        return self.features == "stft" or self.scaling == "fixed"

    @property
    def _fft_length(self) -> int:
        """That of the frame, or, where a device is to compute it, the next power of two."""
        return 1 << (self.frame_length - 1).bit_length() if self.scaling == "fixed" else self.frame_length

    def unscaled(self, sample_rate: int) -> list[keras.Layer]:
        """Make the layers from signals to features in decibels.

        Args:
            sample_rate: samples per second.
        """
        frames: dict[str, Any] = {"frame_length": self.frame_length, "frame_step": self.frame_step}
        bands: dict[str, Any] = {
            "num_mel_bins": self.num_mel_bins,
            "center": not self._frames_lie_inside,
            "fft_length": self._fft_length,
        }
        is_fixed = self.scaling == "fixed"
        level = Log(offset=QUIETEST) if is_fixed else Decibel()
        if self.features == "log_mel":
            return [MelSpectrogram(sample_rate, **bands, **frames), level]
        if self.features == "mfcc":
            range_db = None if is_fixed else 80.0
            return [MFCC(self.num_coefficients, sample_rate, dynamic_range_db=range_db, **bands, **frames)]
        if self.scaling == "none":
            return [Spectrogram(**frames)]
        together = keras.layers.AveragePooling2D((1, BINS_TOGETHER), dtype="float32")
        return [Spectrogram(power=2, **frames), together, level]

    def scales(self, is_recurrent: bool) -> list[keras.Layer]:
        """Make the layers that scale features for a small network.

        Args:
            is_recurrent: whether it has gates, which saturate on decibels; convolutions learn several times
                faster on them.
        """
        if self.scaling == "fixed":
            return [keras.layers.Rescaling(*FIXED[self.features], dtype="float32")]
        if self.scaling == "none":
            return []
        # Each bin's mean over time is microphone, room and loudness. The bins keep their own deviations: to
        # give all the same one would raise those that hold nothing but noise.
        return [Standardize(axis=(1,), deviation=1.0)] + [Standardize()] * is_recurrent
