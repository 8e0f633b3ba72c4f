"""The DCT, liftering and deltas, as pure functions."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

DCT_TYPES = (1, 2, 3, 4)
DCT_NORMS = ("ortho", "htk", None)
DELTA_MODES = ("interp", "nearest")


def dct_matrix(
    num_inputs: int, num_outputs: int, dct_type: int = 2, norm: str | None = "ortho", lifter: float = 0
) -> np.ndarray:
    """Discrete cosine transform and liftering, as a matrix.

    Args:
        num_inputs: length of what is transformed; at least 2 for type 1.
        num_outputs: how many of the first coefficients are kept.
        dct_type: 1 to 4, as `scipy.fft.dct` numbers them.
        norm: "ortho", as scipy's, librosa's and torchaudio's; None, scipy's unscaled one; "htk", that by
            √(1 / (2 · num_inputs)), as `tf.signal.mfccs_from_log_mel_spectrograms` has it for type 2.
        lifter: coefficient n, from 1 on, is multiplied by 1 + lifter / 2 · sin(π · n / lifter), as librosa
            does; 0 leaves them. HTK counts n from 0.

    Returns:
        (num_inputs, num_outputs) float32, to be multiplied from the right.

    Example:
        >>> dct_matrix(4, 1).tolist()
        [[0.5], [0.5], [0.5], [0.5]]
    """
    from scipy.fft import dct

    matrix = dct(np.eye(num_inputs), dct_type, norm="ortho" if norm == "ortho" else None)[:, :num_outputs]
    if norm == "htk":
        matrix = matrix / np.sqrt(2 * num_inputs)
    if lifter:
        matrix = matrix * (1 + lifter / 2 * np.sin(np.pi * np.arange(1, num_outputs + 1) / lifter))
    return matrix.astype(np.float32)


def deltas(features: tf.Tensor, width: int, order: int, mode: str) -> tf.Tensor:
    """Derivative over time of the polynomial of degree `order` that fits best around each frame.

    The Savitzky-Golay filter, as in `librosa.feature.delta`; order 1 is the regression of HTK and
    torchaudio.

    Args:
        features: (batch, frames, bins, channels) float32; for "interp" at least `width` frames.
        width: frames that the polynomial is fitted to; odd, over `order`.
        order: order of the derivative.
        mode: at the ends, "interp" takes the polynomial of the first and last `width` frames (librosa),
            "nearest" repeats the outermost frame (torchaudio's "replicate").

    Returns:
        (batch, frames, bins, channels) float32, per frame ** order.

    Example:
        >>> ramp = tf.reshape(tf.range(9.0), [1, 9, 1, 1])
        >>> deltas(ramp, 3, 1, "nearest").numpy().ravel().tolist()
        [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5]
    """
    from scipy.signal import savgol_filter

    # Row t holds what frame t of `width` frames is made of; the middle one serves everywhere inside
    fits = savgol_filter(np.eye(width), width, order, deriv=order, axis=0, mode="interp").astype(np.float32)
    half = width // 2
    if mode == "nearest":
        features = tf.concat([features[:, :1]] * half + [features] + [features[:, -1:]] * half, axis=1)
    frames = tf.shape(features)[1]
    inside = tf.add_n([fits[half, k] * features[:, k : frames - width + 1 + k] for k in range(width)])
    if mode == "nearest":
        return inside
    first, last = (
        tf.einsum("tk,bkfc->btfc", rows, ends)
        for rows, ends in ((fits[:half], features[:, :width]), (fits[half + 1 :], features[:, -width:]))
    )
    return tf.concat([first, inside, last], axis=1)
