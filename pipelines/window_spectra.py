"""The front end of windows: each channel's mean and its spectra of several resolutions side by side."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import keras
import numpy as np

from tfspec.base.errors import UserError
from tfspec.base.options import Count, Dropout, Range
from tfspec.frontends import FrameMean, Log, Spectrogram, VectorNorm
from tfspec.models import bin_statistics, pyramid
from tfspec.pipelines.windows import Windows
from tfspec.report.figures import Picture


@dataclass(kw_only=True)
class WindowSpectra(Windows):
    """Base of the experiments that see windows as spectra.

    A subclass says how long frames are where this is not given, `usual_frame_lengths` and `usual_step`.
    """

    model: Literal["bin_statistics", "pyramid"] = "bin_statistics"
    """What each frequency does over time, for a dense network; or the published convolutional one."""
    num_filters_init: Annotated[int, Range(1, 1024)] = 32
    """Filters of the pyramid's first block; each block has twice those of the one before."""
    frame_length: Count | tuple[Count, ...] | None = None
    """Length of the Fourier transform's window in samples, or several, whose bins stand beside one
    another."""
    frame_step: Count | None = None
    """Samples from one frame's start to the next one's."""
    max_hz: Annotated[float, Range(0, 10_000_000, without_low=True)] | None = None
    """Highest frequency that the network sees; none for half the sample rate."""
    channels: Literal["axes", "norm", "both"] = "both"
    """The axes, the length of their vector, which does not mind how a sensor is turned, or both."""
    log_offset: Annotated[float, Range(0, 1_000_000, without_low=True)] = 0.03
    """Added to the magnitudes before the logarithm: what is below is the sensor's noise."""
    gravity: bool = True
    """Show the network the mean of each frame too, whose sign tells how a wrist is held."""
    dropout: Dropout = 0.5
    """Part of the units before the last layer that is left out in training."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if self.frame_length == ():
            raise UserError("frame_length must be at least one. Received: none")

    @property
    def frame_lengths(self) -> tuple[int, ...]:
        """Lengths of the Fourier transforms' windows in samples."""
        if self.frame_length is None:
            return self.usual_frame_lengths
        return (self.frame_length,) if isinstance(self.frame_length, int) else self.frame_length

    @property
    def step(self) -> int:
        """Samples from one frame's start to the next one's."""
        return self.usual_step if self.frame_step is None else self.frame_step

    @property
    def usual_frame_lengths(self) -> tuple[int, ...]:
        """Lengths in samples where none is given."""
        raise NotImplementedError

    @property
    def usual_step(self) -> int:
        """Step in samples where none is given."""
        raise NotImplementedError

    @property
    def channels_shape(self) -> tuple[int, ...]:
        """Shape of one sample: the number of channels, or nothing where there is one."""
        return self.reader().signal_shape[1:]

    def check_windows(self, samples, channels):
        """Refuse windows shorter than a frame."""
        if samples < max(self.frame_lengths):
            raise UserError(
                f"frame_length must be at most a window's {samples}. Received: {max(self.frame_lengths)}"
            )

    def front_end(self):
        """Put each axis's mean and the logarithms of its spectra beside one another."""
        signal = keras.Input((None, *self.channels_shape), name="signal")
        vectors = signal
        if self.channels != "axes" and self.channels_shape not in ((), (1,)):
            vectors = VectorNorm(keep_axes=self.channels == "both")(signal)
        features = [self._log_spectrogram(length)(vectors) for length in self.frame_lengths]
        if self.gravity:
            features.insert(0, FrameMean(min(self.frame_lengths), **self._frames)(vectors))
        if len(features) > 1:
            features = [keras.layers.Concatenate(axis=2, dtype="float32")(features)]
        return keras.Model(signal, features[0], name="front_end")

    @property
    def _frames(self) -> dict[str, Any]:
        """Where frames are: those of several lengths share their middles."""
        several = {"center": True, "pad_mode": "reflect"} if len(self.frame_lengths) > 1 else {}
        return {"frame_step": self.step, **several}

    def _log_spectrogram(self, frame_length: int) -> keras.Sequential:
        max_bin = None
        if self.max_hz is not None:
            hertz = Spectrogram(frame_length).bin_frequencies(self.sample_rate)
            max_bin = int(np.flatnonzero(hertz <= self.max_hz)[-1])
        spectrogram = Spectrogram(frame_length, max_bin=max_bin, **self._frames)
        return keras.Sequential([spectrogram, Log(1e-30, self.log_offset)])

    def backbone(self, feature_shape, num_classes):
        """Make the network asked for."""
        if self.model == "pyramid":
            return pyramid(feature_shape, num_classes, self.dropout, self.num_filters_init)
        return bin_statistics(feature_shape, num_classes, self.dropout)

    def picture(self, signal, features):
        """Draw the spectrogram of the vector's length."""
        image = np.asarray(self._spectrogram_of_length(signal[np.newaxis]))[0, ..., 0].T
        hertz = Spectrogram(max(self.frame_lengths)).bin_frequencies(self.sample_rate)[: len(image)]
        return Picture(image, "time", "frequency", hertz)

    @functools.cached_property
    def _spectrogram_of_length(self) -> keras.Sequential:
        return keras.Sequential([VectorNorm(), self._log_spectrogram(max(self.frame_lengths))])
