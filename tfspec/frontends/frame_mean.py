"""What a spectrogram's magnitudes leave out: the mean of each frame, with its sign."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfspec import arguments
from tfspec.frontends.base import FrontEnd


@keras.saving.register_keras_serializable("tfspec")
class FrameMean(FrontEnd):
    """Mean of each frame, weighted by the window: of an accelerometer, which way gravity points.

    It is the real part of the short-time Fourier transform at 0 Hz, divided by the sum of the window, and
    takes the arguments of `Spectrogram`. Repeated over as many bins, it stands beside a spectrogram of the
    same frames as a channel more.

    Args:
        *args: as in `Spectrogram`, `frame_length` and so on.
        num_bins: how often the mean is repeated along the frequency axis.
        **kwargs: as in `Spectrogram`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        (batch, frames, num_bins, channels) float32, in the unit of the signal.

    Raises:
        ValueError: an argument is out of its range, or a signal is shorter than one frame.

    Example:
        >>> FrameMean(frame_length=24, frame_step=10)(-np.ones([1, 44])).numpy().ravel().round(3).tolist()
        [-1.0, -1.0, -1.0]
    """

    def __init__(self, *args, num_bins: int = 1, **kwargs):
        super().__init__(*args, **kwargs)
        self._num_bins = arguments.integer("num_bins", num_bins)
        weights = self._window_samples / self._window_samples.sum()
        self._weights = np.repeat(weights[:, np.newaxis], self._num_bins, axis=1)

    @property
    def num_bins(self) -> int:
        """Length of the frequency axis."""
        return self._num_bins

    def _from_block(self, signal):
        """Compute (rows, frames, bins) of a few signals, or of a part of one."""
        return tf.matmul(tf.signal.frame(signal, self.frame_length, self.frame_step), self._weights)

    def get_config(self):
        """Give the constructor's arguments."""
        return {**super().get_config(), "num_bins": self.num_bins}
