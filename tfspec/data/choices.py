"""What can be told from the recordings themselves: the sample rate and the length of a clip."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from tfspec.data.sources.annotations import slice_starts

HIGHEST_RATE = 32_000
"""Sounds above 16 kHz tell few classes apart, and cost as much as all below."""
LONGEST_CLIP = 10.0
"""Seconds beyond which a recording is cut into windows."""
WINDOW = 5.0
"""Seconds of such a window."""
FEW = 0.02
"""Part of the recordings that may be cut so that all others are not padded to the length of a few."""


def usual_rate(sample_rates: pd.Series) -> int:
    """Choose the sample rate: the commonest one, of several the highest, and at most 32 kHz.

    Args:
        sample_rates: (recordings,) samples per second.

    Example:
        >>> usual_rate(pd.Series([44100, 8000, 44100])), usual_rate(pd.Series([8000]))
        (32000, 8000)
    """
    return min(int(sample_rates.mode().max()), HIGHEST_RATE)


def usual_length(seconds: pd.Series) -> float:
    """Choose the length of a clip.

    Args:
        seconds: (examples,) lengths.

    Returns:
        That of the longest recording, or the 98th percentile where the longest ones are more than a fourth
        longer, rounded up to hundredths of a second; 5 s where this is over 10 s, for `in_windows`, and
        where there is no recording.

    Example:
        >>> usual_length(pd.Series([0.3, 0.5, 0.45])), usual_length(pd.Series([60.0, 30.0]))
        (0.5, 5.0)
    """
    longest, usual = seconds.max(), seconds.quantile(1 - FEW)
    chosen = longest if longest <= 1.25 * usual else usual
    return WINDOW if not chosen <= LONGEST_CLIP else math.ceil(round(100 * chosen, 6)) / 100


def in_windows(recordings: pd.DataFrame, window_seconds: float) -> pd.DataFrame:
    """Cut recordings into windows that follow one another, the last one of which ends with its recording.

    Args:
        recordings: column `seconds`, NaN for one that cannot be read, which is one window; and whatever else
            holds for every window of them.
        window_seconds: length of a window.

    Returns:
        A row a window, with the columns `start` and `end` in seconds; the index counts them.

    Example:
        >>> in_windows(pd.DataFrame({"path": ["a"], "seconds": [12.0]}), 5.0)["start"].tolist()
        [0.0, 5.0, 7.0]
    """
    lengths = recordings["seconds"].fillna(0.0)
    starts = [slice_starts(seconds, window_seconds, window_seconds) for seconds in lengths]
    rows = recordings.loc[recordings.index.repeat([*map(len, starts)])].reset_index(drop=True)
    start = np.concatenate(starts)
    return rows.assign(start=start, end=start + window_seconds)


def described_fit(seconds: pd.Series, clip_seconds: float) -> str:
    """Say how many recordings, or stretches of them, are cut or padded to a length, and by how much.

    Args:
        seconds: (examples,) lengths.
        clip_seconds: of a clip.

    Example:
        >>> described_fit(pd.Series([0.5, 1.0, 1.5]), 1.0)
        '1 of 3 are cut by up to 0.50 s, 1 of 3 are padded by up to 0.50 s'
    """
    over = seconds - clip_seconds
    cut, padded = over[over > 0.005], -over[over < -0.005]
    many = f"of {len(seconds)}"
    said = [
        f"{len(changed)} {many} {verb} by up to {changed.max():.2f} s"
        for verb, changed in (("are cut", cut), ("are padded", padded))
        if len(changed)
    ]
    return ", ".join(said) or f"none {many} is cut or padded"
