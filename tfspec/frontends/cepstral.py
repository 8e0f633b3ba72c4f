"""Cepstral coefficients and their deltas."""

from __future__ import annotations

from typing import ClassVar

import keras
import tensorflow as tf

from tfspec.base import arguments
from tfspec.base.float_layer import FloatLayer
from tfspec.base.reach import Reach, check_streams
from tfspec.dsp import cepstral, compression
from tfspec.frontends.mel import MelSpectrogram


@keras.saving.register_keras_serializable("tfspec")
class MFCC(MelSpectrogram):
    """Mel-frequency cepstral coefficients.

    With the defaults equal to `librosa.feature.mfcc(y=x, sr=sample_rate, n_mfcc=num_coefficients,
    n_fft=512, hop_length=128).T`: power spectrum of centred, zero-padded frames, mel filters on Slaney's
    scale with unit area, decibels with a floor `dynamic_range_db` below each clip's own peak, orthonormal
    DCT-II. `preset("librosa")`, `preset("torchaudio")` and `preset("tf")` have these libraries' defaults.

    Args:
        num_coefficients: how many coefficients are kept.
        sample_rate: samples per second.
        num_mel_bins: number of mel bands.
        lower_hz: lower edge of the first band.
        upper_hz: upper edge of the last band; half the sample rate if None.
        dynamic_range_db: decibels kept below the clip's peak; None keeps all down to a power of 1e-10.
        compression: "decibel" (librosa, torchaudio), or "log" for log(mel + 1e-6) (tf.signal's example,
            torchaudio's `log_mels`), which has no `dynamic_range_db`.
        dct_type: type of the cosine transform, 1 to 4.
        dct_norm: "ortho" (librosa, torchaudio), "htk" (tf.signal) or None, scipy's unscaled one.
        lifter: strength of liftering, librosa's `lifter`; 0 leaves the coefficients.
        mel_scale: "slaney" or "htk".
        area_norm: bands of unit area in Hz instead of unit height.
        straight_in: the unit in which the triangles' sides are straight, "hz" or "mel".
        power: exponent of the magnitude that bands gather.
        allow_empty_bands: let bands that lie between two bins of the transform be zero always.
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
        (batch, frames, num_coefficients, channels) float32.

    Raises:
        ValueError: an argument is out of its range, a band is empty, or a signal is shorter than one frame.

    Example:
        >>> MFCC(num_coefficients=39, sample_rate=22050)(np.zeros([1, 17640])).shape
        TensorShape([1, 138, 39, 1])
    """

    PRESETS: ClassVar = {
        "librosa": MelSpectrogram.PRESETS["librosa"],
        "torchaudio": {**MelSpectrogram.PRESETS["torchaudio"], "num_coefficients": 40},
        "tf": {
            **MelSpectrogram.PRESETS["tf"],
            "num_coefficients": 13,
            "compression": "log",
            "dct_norm": "htk",
        },
    }

    def __init__(
        self,
        num_coefficients: int = 20,
        sample_rate: float = 22050,
        num_mel_bins: int = 128,
        lower_hz: float = 0.0,
        upper_hz: float | None = None,
        dynamic_range_db: float | None = 80.0,
        compression: str = "decibel",
        dct_type: int = 2,
        dct_norm: str | None = "ortho",
        lifter: float = 0,
        *,
        mel_scale: str = "slaney",
        area_norm: bool = True,
        straight_in: str = "hz",
        power: float = 2,
        allow_empty_bands: bool = False,
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
            sample_rate,
            num_mel_bins,
            lower_hz,
            upper_hz,
            mel_scale,
            area_norm,
            straight_in,
            power,
            allow_empty_bands,
            frame_length=frame_length,
            frame_step=frame_step,
            fft_length=fft_length,
            window=window,
            periodic=periodic,
            center=center,
            pad_mode=pad_mode,
            pad_end=pad_end,
            pad=pad,
            window_place=window_place,
            **kwargs,
        )
        self.num_coefficients = arguments.integer("num_coefficients", num_coefficients)
        self.dynamic_range_db = arguments.positive_or_none("dynamic_range_db", dynamic_range_db)
        self.compression = arguments.one_of("compression", compression, ("decibel", "log"))
        self.dct_type = arguments.one_of("dct_type", dct_type, cepstral.DCT_TYPES)
        self.dct_norm = arguments.one_of("dct_norm", dct_norm, cepstral.DCT_NORMS)
        self.lifter = lifter
        if num_coefficients > num_mel_bins:
            raise ValueError(
                "`num_coefficients` must be at most `num_mel_bins`. "
                f"Received: num_coefficients={num_coefficients}, num_mel_bins={num_mel_bins}"
            )
        if dct_type == 1 and num_mel_bins == 1:
            raise ValueError("`dct_type` 1 needs two bands or more. Received: dct_type=1, num_mel_bins=1")
        if not lifter >= 0:
            raise ValueError(f"`lifter` must not be negative. Received: lifter={lifter}")
        self._dct = cepstral.dct_matrix(num_mel_bins, num_coefficients, dct_type, dct_norm, lifter)

    @property
    def num_bins(self) -> int:
        """Length of the coefficients' axis."""
        return self.num_coefficients

    @property
    def reach(self) -> Reach:
        """Samples that a frame is made of; with a range below the clip's peak it is made of all."""
        streams = self.compression == "log" or self.dynamic_range_db is None
        check_streams(streams, "MFCC with dynamic_range_db", "Train with dynamic_range_db=None.")
        return super().reach

    def from_frames(self, features):
        """Compress, which may need the whole clip's peak, and take the cosine transform."""
        if self.compression == "log":
            levels = tf.math.log(features + 1e-6)
        else:
            levels = compression.decibels(features, dynamic_range_db=self.dynamic_range_db)
        return tf.tensordot(levels, self._dct, 1)


@keras.saving.register_keras_serializable("tfspec")
class Deltas(FloatLayer):
    """Features followed by their derivatives over time, along the bins' axis.

    Each derivative is that of the polynomial that fits best around the frame: equal to
    `librosa.feature.delta(x, width=width, order=1)`, then 2 and so on; order 1 with "nearest" is
    `torchaudio.functional.compute_deltas(x, width)`, which is applied twice there for the second.

    Args:
        orders: how many derivatives.
        width: frames that the polynomial is fitted to; odd, over `orders`.
        mode: at the ends, "interp" (librosa) takes the polynomial of the outermost `width` frames, "nearest"
            (torchaudio's "replicate") repeats the outermost frame.

    Input shape:
        (batch, frames, bins, channels); for "interp" at least `width` frames.

    Output shape:
        (batch, frames, bins · (1 + orders), channels) float32.

    Raises:
        ValueError: an argument is out of its range, or there are too few frames.
        InvalidArgumentError: the same of a number of frames that a graph does not know beforehand.

    Example:
        >>> Deltas(orders=2)(np.zeros([1, 134, 13, 1])).shape
        TensorShape([1, 134, 39, 1])
    """

    def __init__(self, orders: int = 1, width: int = 9, mode: str = "interp", **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.InputSpec(ndim=4)
        self.orders = arguments.integer("orders", orders)
        self.width = arguments.integer("width", width)
        self.mode = arguments.one_of("mode", mode, cepstral.DELTA_MODES)
        if width % 2 == 0 or width <= orders or width < 3:
            raise ValueError(
                f"`width` must be odd, at least 3 and over `orders`. Received: width={width}, orders={orders}"
            )

    def call(self, features):
        """Append the derivatives to (batch, frames, bins, channels) features."""
        self.compute_output_shape(features.shape)
        features = tf.cast(features, tf.float32)
        if self.mode == "interp" and features.shape[1] is None:
            frames = tf.shape(features)[1]
            enough = tf.debugging.assert_greater_equal(frames, self.width, self._too_few("fewer"))
            with tf.control_dependencies([enough]):
                features = tf.identity(features)
        derivatives = [
            cepstral.deltas(features, self.width, order, self.mode) for order in range(1, self.orders + 1)
        ]
        return tf.concat([features, *derivatives], axis=2)

    def compute_output_shape(self, input_shape):
        """Return the input's shape with more bins."""
        batch, frames, bins, channels = input_shape
        if self.mode == "interp" and frames is not None and frames < self.width:
            raise ValueError(self._too_few(frames))
        return (batch, frames, None if bins is None else bins * (1 + self.orders), channels)

    def _too_few(self, received) -> str:
        return (
            f'Deltas with mode "interp" needs at least `width` frames; "nearest" takes any number. '
            f"Received: {received} frames, width={self.width}"
        )
