"""From a signal to spectral features: time before frequency, channels last, always four axes."""

from __future__ import annotations

import numbers

import keras
import numpy as np
import tensorflow as tf

from tfspec.dsp import spectral

PAD_MODES = ("constant", "reflect", "symmetric")
WINDOW_PLACES = ("start", "center")


class FrontEnd(keras.layers.Layer):
    """Base of the front ends: framing, windowing and the short-time power spectrum.

    A subclass says what becomes of the power spectrum (`from_power`) and how many bins that leaves
    (`num_bins`). Whatever the precision policy, the arithmetic is float32, and what one example gives never
    depends on the others in its batch.

    Args:
        frame_length: window length in samples.
        frame_step: samples from one frame's start to the next one's.
        fft_length: transform length in samples; `frame_length` if None. Powers of two are fastest.
        window: "hann", "hamming", "blackman" or "rectangular", all periodic.
        center: pad the signal by half a frame at both ends, so that frame t is centred on sample
            t · frame_step, as librosa and torch do by default; without it frames start at the first sample,
            as in tf.signal.
        pad_mode: what `center` pads with: "constant" (zeros, librosa), "reflect" (torch) or "symmetric".
        window_place: where a window shorter than the transform lies in it: "start", zeros following
            (tf.signal), or "center", zeros on both sides (librosa, torch).

    Input shape:
        (batch, samples) or (batch, samples, channels), in −1…1 for audio.

    Output shape:
        (batch, frames, bins, channels) float32, with frames = 1 + (padded samples − frame) // frame_step.

    Raises:
        ValueError: an argument is out of its range, or a signal is shorter than one frame.
    """

    def __init__(
        self,
        frame_length: int = 512,
        frame_step: int = 128,
        fft_length: int | None = None,
        window: str = "hann",
        center: bool = False,
        pad_mode: str = "constant",
        window_place: str = "start",
        **kwargs,
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)
        self.input_spec = keras.InputSpec(min_ndim=2, max_ndim=3)
        self.frame_length = _positive_integer("frame_length", frame_length)
        self.frame_step = _positive_integer("frame_step", frame_step)
        self.fft_length = _positive_integer("fft_length", frame_length if fft_length is None else fft_length)
        self.window = window
        self.center = center
        self.pad_mode = _one_of("pad_mode", pad_mode, PAD_MODES)
        self.window_place = _one_of("window_place", window_place, WINDOW_PLACES)
        if self.fft_length < frame_length:
            raise ValueError(
                "`fft_length` must be at least `frame_length`. "
                f"Received: fft_length={fft_length}, frame_length={frame_length}"
            )
        samples = spectral.window(window, frame_length)
        if window_place == "center":
            before = (self.fft_length - frame_length) // 2
            samples = np.pad(samples, (before, self.fft_length - frame_length - before))
        self._window_samples = samples

    @property
    def num_bins(self) -> int:
        """Length of the features' frequency axis."""
        raise NotImplementedError

    def from_power(self, power: tf.Tensor) -> tf.Tensor:
        """Turn (batch, frames, fft_length // 2 + 1) power into (batch, frames, num_bins) features."""
        raise NotImplementedError

    def call(self, signal):
        """Compute the features of (batch, samples[, channels]) signals."""
        signal = tf.cast(signal, tf.float32)
        self._num_frames(signal.shape[1])
        if len(signal.shape) == 2:
            return self._mono(signal)[..., tf.newaxis]
        channels = signal.shape[2]
        samples = tf.shape(signal)[1]
        features = self._mono(tf.reshape(tf.transpose(signal, [0, 2, 1]), [-1, samples]))
        frames = tf.shape(features)[1]
        features = tf.reshape(features, [-1, channels, frames, self.num_bins])
        return tf.transpose(features, [0, 2, 3, 1])

    def _mono(self, signal):
        """Compute (batch, frames, bins) features of (batch, samples)."""
        if self.center:
            half = self._window_reach // 2
            signal = tf.pad(signal, [[0, 0], [half, half]], self.pad_mode.upper())
        power = spectral.power_spectrogram(signal, self._window_samples, self.frame_step, self.fft_length)
        return self.from_power(power)

    @property
    def _window_reach(self) -> int:
        return len(self._window_samples)

    def _num_frames(self, samples: int | None) -> int | None:
        """Count the frames of a signal, or say why there are none."""
        if samples is None:
            return None
        half = self._window_reach // 2 if self.center else 0
        shortest = {"constant": 1, "symmetric": max(1, half), "reflect": half + 1}[self.pad_mode]
        padded = samples + 2 * half
        if samples < shortest or padded < self._window_reach:
            raise ValueError(
                f"{type(self).__name__} needs signals of at least "
                f"{max(shortest, self._window_reach - 2 * half)} samples. Received: {samples} samples"
            )
        return 1 + (padded - self._window_reach) // self.frame_step

    def compute_output_shape(self, input_shape):
        """Give (batch, frames, bins, channels) for (batch, samples[, channels])."""
        batch, samples, *channels = input_shape
        return (batch, self._num_frames(samples), self.num_bins, channels[0] if channels else 1)

    def frame_times(self, num_frames: int, sample_rate: float) -> np.ndarray:
        """Give the time of the middle of each frame.

        Args:
            num_frames: how many frames.
            sample_rate: samples per second.

        Returns:
            (num_frames,) seconds from the start of the signal.
        """
        middle = 0 if self.center else self._window_reach / 2
        return (np.arange(num_frames) * self.frame_step + middle) / sample_rate

    def get_config(self):
        """Give the constructor's arguments."""
        return {
            **super().get_config(),
            "frame_length": self.frame_length,
            "frame_step": self.frame_step,
            "fft_length": self.fft_length,
            "window": self.window,
            "center": self.center,
            "pad_mode": self.pad_mode,
            "window_place": self.window_place,
        }


@keras.saving.register_keras_serializable("tfspec")
class Spectrogram(FrontEnd):
    """Short-time Fourier transform, as magnitude or power.

    The default is tf.signal's convention: `Spectrogram(512, 128)` equals
    `tf.abs(tf.signal.stft(x, 512, 128))`; at an odd frame_length tf.signal's own window is not periodic.
    For librosa's, `center=True, window_place="center"` equals
    `np.abs(librosa.stft(x, n_fft=fft_length, win_length=frame_length, hop_length=frame_step)).T`.

    Args:
        frame_length: window length in samples.
        frame_step: samples from one frame's start to the next one's.
        fft_length: transform length in samples; `frame_length` if None.
        window: "hann", "hamming", "blackman" or "rectangular", all periodic.
        center: pad the signal by half a frame at both ends.
        pad_mode: what `center` pads with: "constant", "reflect" or "symmetric".
        window_place: "start" or "center" of the transform, for a window shorter than it.
        power: 1 for magnitude, 2 for power.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        (batch, frames, fft_length // 2 + 1, channels) float32.

    Raises:
        ValueError: an argument is out of its range, or a signal is shorter than one frame.

    Example:
        >>> Spectrogram(frame_length=512, frame_step=128)(np.zeros([1, 17640])).shape
        TensorShape([1, 134, 257, 1])
    """

    def __init__(self, *args, power: int = 1, **kwargs):
        super().__init__(*args, **kwargs)
        self.power = _one_of("power", power, (1, 2))

    @property
    def num_bins(self) -> int:
        """Length of the frequency axis."""
        return self.fft_length // 2 + 1

    def from_power(self, power):
        """Take the root where the magnitude is asked for."""
        return power if self.power == 2 else spectral.safe_sqrt(power)

    def get_config(self):
        """Give the constructor's arguments."""
        return {**super().get_config(), "power": self.power}


@keras.saving.register_keras_serializable("tfspec")
class MFCC(FrontEnd):
    """Mel-frequency cepstral coefficients in librosa's convention.

    With the defaults, equal to `librosa.feature.mfcc(y=x, sr=sample_rate, n_mfcc=num_coefficients,
    n_fft=512, hop_length=128).T`: power spectrum of centred, zero-padded frames, mel filters on Slaney's
    scale with unit area, decibels with a floor `dynamic_range_db` below each clip's own peak, orthonormal
    DCT-II.

    Args:
        num_coefficients: how many coefficients are kept.
        sample_rate: samples per second.
        num_mel_bins: number of mel filters.
        lower_hz: lower edge of the first filter.
        upper_hz: upper edge of the last filter; half the sample rate if None.
        dynamic_range_db: decibels kept below the clip's peak; None keeps all down to 1e-10.
        frame_length: window length in samples.
        frame_step: samples from one frame's start to the next one's.
        fft_length: transform length in samples; `frame_length` if None.
        window: "hann", "hamming", "blackman" or "rectangular", all periodic.
        center: pad the signal by half a frame at both ends.
        pad_mode: what `center` pads with: "constant", "reflect" or "symmetric".
        window_place: "start" or "center" of the transform, for a window shorter than it.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        (batch, frames, num_coefficients, channels) float32.

    Raises:
        ValueError: an argument is out of its range, a mel band lies between two bins of the transform and
            would always be empty, or a signal is shorter than one frame.

    Example:
        >>> MFCC(num_coefficients=39, sample_rate=22050)(np.zeros([1, 17640])).shape
        TensorShape([1, 138, 39, 1])
    """

    def __init__(
        self,
        num_coefficients: int = 20,
        sample_rate: float = 22050,
        num_mel_bins: int = 128,
        lower_hz: float = 0.0,
        upper_hz: float | None = None,
        dynamic_range_db: float | None = 80.0,
        *,
        center: bool = True,
        window_place: str = "center",
        **kwargs,
    ):
        super().__init__(center=center, window_place=window_place, **kwargs)
        self.num_coefficients = _positive_integer("num_coefficients", num_coefficients)
        self.sample_rate = _positive("sample_rate", sample_rate)
        self.num_mel_bins = _positive_integer("num_mel_bins", num_mel_bins)
        self.lower_hz = lower_hz
        self.upper_hz = sample_rate / 2 if upper_hz is None else upper_hz
        self.dynamic_range_db = dynamic_range_db
        if dynamic_range_db is not None:
            _positive("dynamic_range_db", dynamic_range_db)
        if num_coefficients > num_mel_bins:
            raise ValueError(
                "`num_coefficients` must be at most `num_mel_bins`. "
                f"Received: num_coefficients={num_coefficients}, num_mel_bins={num_mel_bins}"
            )
        if not 0 <= lower_hz < self.upper_hz <= sample_rate / 2:
            raise ValueError(
                "0 ≤ `lower_hz` < `upper_hz` ≤ half the sample rate is needed. "
                f"Received: lower_hz={lower_hz}, upper_hz={upper_hz}, sample_rate={sample_rate}"
            )
        self._mel = spectral.mel_filter_bank(
            num_mel_bins, self.fft_length, sample_rate, lower_hz, self.upper_hz
        )
        empty = np.flatnonzero(self._mel.sum(0) == 0)
        if len(empty):
            raise ValueError(
                f"{len(empty)} of `num_mel_bins` bands are empty, the first of them band {empty[0]}: use "
                "fewer bands, a longer `fft_length` or a higher `lower_hz`. "
                f"Received: num_mel_bins={num_mel_bins}, fft_length={self.fft_length}, lower_hz={lower_hz}"
            )
        self._dct = spectral.dct_matrix(num_mel_bins, num_coefficients)

    @property
    def num_bins(self) -> int:
        """Length of the coefficients' axis."""
        return self.num_coefficients

    def from_power(self, power):
        """Take mel bands, decibels and the cosine transform."""
        mel = tf.matmul(power, self._mel)
        decibels = spectral.power_to_decibels(mel, 1e-10, self.dynamic_range_db)
        return tf.matmul(decibels, self._dct)

    def get_config(self):
        """Give the constructor's arguments."""
        return {
            **super().get_config(),
            "num_coefficients": self.num_coefficients,
            "sample_rate": self.sample_rate,
            "num_mel_bins": self.num_mel_bins,
            "lower_hz": self.lower_hz,
            "upper_hz": self.upper_hz,
            "dynamic_range_db": self.dynamic_range_db,
        }


def _positive(name: str, value):
    if not value > 0:
        raise ValueError(f"`{name}` must be positive. Received: {name}={value}")
    return value


def _positive_integer(name: str, value) -> int:
    if not isinstance(value, numbers.Integral) or value <= 0:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value}")
    return int(value)


def _one_of(name: str, value, allowed: tuple):
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {allowed}. Received: {name}={value!r}")
    return value
