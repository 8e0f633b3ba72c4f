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
        *args: as in `Spectrogram`, `frame_length` and so on.
        **kwargs: as in `Spectrogram`.

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

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._weights = (self._window_samples / self._window_samples.sum())[:, np.newaxis]

    @property
    def num_bins(self) -> int:
        """One."""
        return 1

    def _from_block(self, signal):
        """Compute (rows, frames, 1) of a few signals, or of a part of one."""
        return tf.matmul(tf.signal.frame(signal, self.frame_length, self.frame_step), self._weights)
