"""Ranges of whole numbers, many at once."""

from __future__ import annotations

import numpy as np


def joined_ranges(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Count up from each of some numbers, one range behind the other.

    Args:
        first: (ranges,) where each begins.
        counts: (ranges,) how many numbers it has.

    Returns:
        (sum of counts,) numbers.

    Example:
        >>> joined_ranges(np.array([5, 0]), np.array([2, 3])).tolist()
        [5, 6, 0, 1, 2]
    """
    return np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
