"""How TensorFlow Lite for Microcontrollers rounds, in Python.

A real factor is a 31-bit integer and a shift; a product is rounded twice, see `rescaled` in kernels.c.
"""

from __future__ import annotations

import math

import numpy as np

INTEGERS = np.arange(-128, 128)


def factor(real: float) -> tuple[int, int]:
    """Write a factor as multiplier · 2^(shift − 31).

    Args:
        real: above zero.

    Returns:
        The multiplier, from 2^30 to below 2^31, and the shift. (0, 0) for what is too small.

    Example:
        >>> factor(0.75), factor(1)
        ((1610612736, 0), (1073741824, 1))
    """
    mantissa, shift = math.frexp(real)
    multiplier = math.floor(mantissa * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def rescaled(x: np.ndarray, multiplier: int, shift: int) -> np.ndarray:
    """Multiply integers by a factor.

    Args:
        x: integers, any shape.
        multiplier: from `factor`.
        shift: from `factor`.

    Returns:
        Integers, the same shape.

    Example:
        >>> rescaled(np.array([-3, 3]), *factor(0.5)).tolist()
        [-1, 2]
    """
    product = ((x.astype(np.int64) << max(shift, 0)) * multiplier + 2**30) >> 31
    if shift >= 0:
        return product
    mask = (1 << -shift) - 1
    return (product >> -shift) + ((product & mask) > (mask >> 1) + (product < 0))


def requantized(
    scale_in: float, zero_in: int, scale: float, zero: int, lowest: int = -128, highest: int = 127
) -> np.ndarray:
    """List what each 8-bit integer of one scale is in another.

    Args:
        scale_in: scale of what goes in.
        zero_in: its zero point.
        scale: scale of what comes out.
        zero: its zero point.
        lowest: least integer that comes out.
        highest: largest integer that comes out.

    Returns:
        (256,) integers, for −128 … 127.
    """
    values = zero + rescaled(INTEGERS - zero_in, *factor(scale_in / scale))
    return np.clip(values, lowest, highest)


def logistic(scale_in: float, zero_in: int) -> np.ndarray:
    """List the logistic function of each 8-bit integer, in steps of 1/256 from −128 on.

    TensorFlow's has 31 bits before it rounds: there is no other result but where a value lies on a half.

    Args:
        scale_in: scale of what goes in.
        zero_in: its zero point.

    Returns:
        (256,) integers, for −128 … 127.
    """
    values = 256 / (1 + np.exp(-scale_in * (INTEGERS - zero_in)))
    return np.clip(np.floor(values + 0.5) - 128, -128, 127)
