"""Where in a clip something sounds."""

from __future__ import annotations

import numpy as np

SOUNDING_DB = 25.0
"""By so much at most, stretches of 20 ms of a word are softer than its loudest one."""


def sounding(sound: np.ndarray, sample_rate: int) -> tuple[int, int]:
    """Find where a word, or whatever else stands out, sounds in its clip.

    Args:
        sound: (samples,).
        sample_rate: samples per second.

    Returns:
        The first sample, and that behind the last one, of the stretches of 20 ms, one every 10 ms, whose
        energy is at most 25 dB below that of the loudest.

    Example:
        >>> sounding(np.pad(np.ones(1600), 8000), 16000)
        (7840, 9760)
    """
    stretch, step = max(1, sample_rate // 50), max(1, sample_rate // 100)
    if len(sound) < stretch:
        return 0, len(sound)
    energy = np.square(np.lib.stride_tricks.sliding_window_view(sound, stretch)[::step]).mean(1)
    loud = np.flatnonzero(energy >= energy.max() * 10 ** (-SOUNDING_DB / 10))
    return int(loud[0] * step), int(loud[-1] * step + stretch)
