"""Mel spectrograms, of one window length and of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfspec.base import arguments
from tfspec.dsp import mel, spectral
from tfspec.frontends.base import FrontEnd


@keras.saving.register_keras_serializable("tfspec")
class MelSpectrogram(FrontEnd):
    """Energy in bands equally wide in pitch.

    With the defaults equal to `librosa.feature.melspectrogram(y=x, sr=22050, n_fft=512, hop_length=128).T`.
    `preset("librosa")`, `preset("torchaudio")` and `preset("tf")` have these libraries' defaults; they differ
    in frames, mel scale, norm, padding, and whether bands gather power or magnitude. Follow it with `Decibel`
    or `Log`.

    Args:
        sample_rate: samples per second.
        num_mel_bins: number of bands.
        lower_hz: lower edge of the first band.
        upper_hz: upper edge of the last band; half the sample rate if None.
        mel_scale: "slaney" (librosa) or "htk" (torchaudio, tf.signal).
        area_norm: bands of unit area in Hz (librosa) instead of unit height (torchaudio, tf.signal).
        straight_in: the unit in which the triangles' sides are straight, "hz" (librosa, torchaudio) or "mel"
            (tf.signal).
        power: exponent of the magnitude that bands gather: 2 power (librosa, torchaudio), 1 magnitude.
        allow_empty_bands: let bands that lie between two bins of the transform be zero always (torchaudio
            does, with a warning).
        frame_length: window length in samples.
        frame_step: samples from one frame's start to the next one's.
        fft_length: transform length in samples; `frame_length` if None. Powers of two are fastest.
        window: name of the window, any of `scipy.signal.get_window`'s: "hann", "hamming", ("kaiser", 8.6) …
        periodic: periodic window; False for a symmetric one.
        center: pad the signal by half a transform at both ends.
        pad_mode: what `center` pads with: "constant", "reflect", "symmetric" or "edge".
        pad_end: without `center`, append zeros so that signals shorter than a frame have one.
        pad: zeros put on both sides before all else.
        window_place: "start" or "center" of the transform, for a window shorter than it.

    Input shape:
        (batch, samples) or (batch, samples, channels), in −1…1 for audio. Whole numbers are taken as
        they are, as a sensor's are: those of int16 sound want to be divided by 32768.

    Output shape:
        (batch, frames, num_mel_bins, channels) float32.

    Raises:
        ValueError: an argument is out of its range, a band is empty, or a signal is shorter than one frame.

    Example:
        >>> MelSpectrogram(sample_rate=16000, num_mel_bins=40)(np.zeros([1, 16000])).shape
        TensorShape([1, 126, 40, 1])
    """

    PRESETS: ClassVar = {
        "librosa": {**FrontEnd.PRESETS["librosa"], "frame_step": 512},
        "torchaudio": {
            **FrontEnd.PRESETS["torchaudio"],
            "sample_rate": 16000,
            "mel_scale": "htk",
            "area_norm": False,
            "allow_empty_bands": True,
        },
        "tf": {
            **FrontEnd.PRESETS["tf"],
            "sample_rate": 16000,
            "num_mel_bins": 80,
            "lower_hz": 80.0,
            "upper_hz": 7600.0,
            "mel_scale": "htk",
            "area_norm": False,
            "straight_in": "mel",
            "power": 1,
        },
    }

    def __init__(
        self,
        sample_rate: float = 22050,
        num_mel_bins: int = 128,
        lower_hz: float = 0.0,
        upper_hz: float | None = None,
        mel_scale: str = "slaney",
        area_norm: bool = True,
        straight_in: str = "hz",
        power: float = 2,
        allow_empty_bands: bool = False,
        *,
        frame_length: int = 512,
        frame_step: int = 128,
        fft_length: int | None = None,
        window: str | tuple = "hann",
        periodic: bool = True,
        center: bool = True,
        pad_mode: str = "constant",
        pad_end: bool = False,
        pad: int = 0,
        window_place: str = "center",
        **kwargs,
    ):
        super().__init__(
            frame_length,
            frame_step,
            fft_length,
            window,
            periodic,
            center,
            pad_mode,
            pad_end,
            pad,
            window_place,
            **kwargs,
        )
        self.sample_rate = arguments.positive("sample_rate", sample_rate)
        self.num_mel_bins = arguments.integer("num_mel_bins", num_mel_bins)
        self.lower_hz = arguments.number("lower_hz", lower_hz)
        self.upper_hz = sample_rate / 2 if upper_hz is None else arguments.number("upper_hz", upper_hz)
        self.mel_scale = arguments.one_of("mel_scale", mel_scale, mel.MEL_SCALES)
        self.area_norm = area_norm
        self.straight_in = arguments.one_of("straight_in", straight_in, ("hz", "mel"))
        self.power = arguments.positive("power", power)
        self.allow_empty_bands = allow_empty_bands
        if not 0 <= lower_hz < self.upper_hz <= sample_rate / 2:
            raise ValueError(
                "0 ≤ `lower_hz` < `upper_hz` ≤ half the sample rate is needed; upper_hz=None is that half. "
                f"Received: lower_hz={lower_hz}, upper_hz={upper_hz}, sample_rate={sample_rate}"
            )
        self.filter_bank = mel.mel_filter_bank(
            num_mel_bins,
            self.fft_length,
            sample_rate,
            lower_hz,
            self.upper_hz,
            mel_scale,
            area_norm,
            straight_in,
        )
        empty = np.flatnonzero(self.filter_bank.sum(0) == 0)
        if len(empty) and not allow_empty_bands:
            raise ValueError(
                f"{len(empty)} of `num_mel_bins` bands are empty, the first of them band {empty[0]}: use "
                "fewer bands, a longer `fft_length` or a higher `lower_hz`. "
                f"Received: num_mel_bins={num_mel_bins}, fft_length={self.fft_length}, lower_hz={lower_hz}"
            )

    @property
    def num_bins(self) -> int:
        """Length of the bands' axis."""
        return self.num_mel_bins

    @property
    def band_frequencies(self) -> np.ndarray:
        """Centres of the bands, (num_mel_bins,) Hz."""
        edges = mel.mel_edges(self.num_mel_bins, self.lower_hz, self.upper_hz, self.mel_scale)
        return mel.mel_to_hz(edges[1:-1], self.mel_scale)

    def from_power(self, power):
        """Gather the bands."""
        return mel.in_bands(spectral.raised(power, self.power), self.filter_bank)


@keras.saving.register_keras_serializable("tfspec")
class MultiResolutionMel(MelSpectrogram):
    """Mel spectrograms of several window lengths, as channels of one picture.

    Short windows tell when, long ones tell what pitch. One frame stands in the middle of every step of the
    signal; beyond its ends half a step of zeros, then the mirror image. With the defaults these are the four
    `torchaudio.transforms.MelSpectrogram(16000, 2048, length, 100, 25, 7500, pad=50, n_mels=160)`, first and
    last frame left out (the input of the MAC network).

    Args:
        sample_rate: samples per second.
        num_mel_bins: number of bands.
        lower_hz: lower edge of the first band.
        upper_hz: upper edge of the last band; half the sample rate if None, as rates below 15,000 need it.
        window_lengths: the windows' lengths in samples.
        frame_step: samples from one frame to the next.
        fft_length: length of all transforms in samples, at least that of the longest window.
        mel_scale: "slaney" or "htk".
        area_norm: bands of unit area in Hz instead of unit height.
        straight_in: the unit in which the triangles' sides are straight, "hz" or "mel".
        power: exponent of the magnitude that bands gather.
        allow_empty_bands: let bands that lie between two bins of the transform be zero always.
        window: name of the window, any of `scipy.signal.get_window`'s.
        periodic: periodic window; False for a symmetric one.

    Input shape:
        (batch, samples) or (batch, samples, channels), in −1…1 for audio. Whole numbers are taken as
        they are, as a sensor's are: those of int16 sound want to be divided by 32768.

    Output shape:
        (batch, samples // frame_step, num_mel_bins, channels · windows) float32, for an even step; the
        windows of one channel stand side by side.

    Raises:
        ValueError: an argument is out of its range, a band is empty, or a signal is too short to mirror.

    Example:
        >>> MultiResolutionMel()(np.zeros([1, 16000])).shape
        TensorShape([1, 160, 160, 4])
    """

    PRESETS: ClassVar = {}

    def __init__(
        self,
        sample_rate: float = 16000,
        num_mel_bins: int = 160,
        lower_hz: float = 25.0,
        upper_hz: float | None = 7500.0,
        window_lengths: Sequence[int] = (250, 500, 750, 1000),
        frame_step: int = 100,
        fft_length: int = 2048,
        mel_scale: str = "htk",
        area_norm: bool = False,
        *,
        straight_in: str = "hz",
        power: float = 2,
        allow_empty_bands: bool = False,
        window: str | tuple = "hann",
        periodic: bool = True,
        **kwargs,
    ):
        self.window_lengths = [arguments.integer("window_lengths", n) for n in window_lengths]
        if not self.window_lengths:
            raise ValueError(f"`window_lengths` must not be empty. Received: window_lengths={window_lengths}")
        super().__init__(
            sample_rate,
            num_mel_bins,
            lower_hz,
            upper_hz,
            mel_scale,
            area_norm,
            straight_in,
            power,
            allow_empty_bands,
            frame_length=max(self.window_lengths),
            frame_step=frame_step,
            fft_length=fft_length,
            window=window,
            periodic=periodic,
            center=True,
            pad_mode="reflect",
            pad_end=False,
            pad=frame_step // 2,
            window_place="center",
            **kwargs,
        )
        # A step less on both sides: the first and last frame, half a step outside the signal, are not wanted
        before, after = self._margins
        self._margins = (before - self.frame_step, after - self.frame_step)
        self._windows = [spectral.window(self.window, n, self.periodic) for n in self.window_lengths]

    @property
    def num_views(self) -> int:
        """Feature channels that one channel of the signal becomes."""
        return len(self.window_lengths)

    def _from_block(self, signal):
        views = []
        for window in self._windows:
            before = (self.fft_length - len(window)) // 2 - (self.fft_length - self.frame_length) // 2
            after = self.frame_length - len(window) - before
            stretch = signal[:, before : -after or None]
            power = spectral.power_spectrogram(stretch, window, self.frame_step, self.fft_length)
            views.append(self.from_power(power))
        return tf.stack(views, axis=-1)

    def get_config(self):
        config = super().get_config()
        for fixed in ("frame_length", "center", "pad_mode", "pad", "pad_end", "window_place"):
            del config[fixed]
        return config
