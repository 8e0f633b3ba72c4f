"""The spectrogram: time before frequency, channels last, always four axes."""

from __future__ import annotations

from typing import ClassVar

import keras

from tfspec.base import arguments
from tfspec.dsp import spectral
from tfspec.frontends.base import FrontEnd


@keras.saving.register_keras_serializable("tfspec")
class Spectrogram(FrontEnd):
    """Short-time Fourier transform, as magnitude, power or any other exponent.

    The default is tf.signal's convention: `Spectrogram(512, 128)` equals
    `tf.abs(tf.signal.stft(x, 512, 128))`. `Spectrogram.preset("librosa")` equals `np.abs(librosa.stft(x)).T`,
    `Spectrogram.preset("torchaudio")` equals `torchaudio.transforms.Spectrogram()`, a power.
    `scipy.signal.stft` divides by the sum of the window besides.

    Args:
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
        power: exponent of the magnitude: 1 magnitude, 2 power.
        max_bin: the highest bin that is kept, at max_bin · sample rate / fft_length Hz; None keeps all.

    Input shape:
        (batch, samples) or (batch, samples, channels), in −1…1 for audio. Whole numbers are taken as
        they are, as a sensor's are: those of int16 sound want to be divided by 32768.

    Output shape:
        (batch, frames, fft_length // 2 + 1 or max_bin + 1, channels) float32.

    Raises:
        ValueError: an argument is out of its range, or a signal is shorter than one frame.

    Example:
        >>> Spectrogram(frame_length=512, frame_step=128)(np.zeros([1, 17640])).shape
        TensorShape([1, 134, 257, 1])
    """

    PRESETS: ClassVar = {
        "librosa": {**FrontEnd.PRESETS["librosa"], "power": 1},
        "torchaudio": {**FrontEnd.PRESETS["torchaudio"], "power": 2},
        "tf": {**FrontEnd.PRESETS["tf"], "power": 1},
    }

    def __init__(
        self,
        frame_length: int = 512,
        frame_step: int = 128,
        fft_length: int | None = None,
        window: str | tuple = "hann",
        periodic: bool = True,
        center: bool = False,
        pad_mode: str = "constant",
        pad_end: bool = False,
        pad: int = 0,
        window_place: str = "start",
        power: float = 1,
        max_bin: int | None = None,
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
        self.power = arguments.positive("power", power)
        if max_bin is not None:
            arguments.integer("max_bin", max_bin, 0, self.fft_length // 2)
        self.max_bin = max_bin

    @property
    def transform_bins(self) -> int:
        """Bins of the transform that are computed, from 0 Hz on."""
        return super().transform_bins if self.max_bin is None else self.max_bin + 1

    @property
    def num_bins(self) -> int:
        """Length of the frequency axis."""
        return self.transform_bins

    def from_power(self, power):
        """Take the exponent asked for."""
        return spectral.raised(power, self.power)
