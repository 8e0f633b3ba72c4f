"""What a spectrogram's magnitudes leave out: the mean of each frame, with its sign."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfspec.frontends.base import FrontEnd


@keras.saving.register_keras_serializable("tfspec")
class FrameMean(FrontEnd):
    """Mean of each frame, weighted by the window: of an accelerometer, which way gravity points.

    It is the real part of the short-time Fourier transform at 0 Hz, divided by the sum of the window, and
    takes the arguments of `Spectrogram`, beside whose bins it stands as one more.

    Args:
        frame_length: window length in samples.
        frame_step: samples from one frame's start to the next one's.
        fft_length: length in samples of the transform that the frames are to match; `frame_length` if None.
        window: name of the window, any of `scipy.signal.get_window`'s: "hann", "hamming", ("kaiser", 8.6) …
        periodic: periodic window; False for a symmetric one.
        center: pad the signal by half a transform at both ends.
        pad_mode: what `center` pads with: "constant", "reflect", "symmetric" or "edge".
        pad_end: without `center`, append zeros so that signals shorter than a frame have one.
        pad: zeros put on both sides before all else.
        window_place: "start" or "center" of the transform, for a window shorter than it.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        (batch, frames, 1, channels) float32, in the unit of the signal.

    Raises:
        ValueError: an argument is out of its range, or a signal is shorter than one frame.

    Example:
        >>> FrameMean(frame_length=24, frame_step=10)(-np.ones([1, 44])).numpy().ravel().round(3).tolist()
        [-1.0, -1.0, -1.0]
    """

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
        self._weights = (self._window_samples / self._window_samples.sum())[:, np.newaxis]

    @property
    def num_bins(self) -> int:
        """One."""
        return 1

    def _from_block(self, signal):
        """Compute (rows, frames, 1) of a few signals, or of a stretch of one."""
        return tf.matmul(tf.signal.frame(signal, self.frame_length, self.frame_step), self._weights)
