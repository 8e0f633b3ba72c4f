"""What a forest sounds like where nobody calls: hiss, wind, rain and insects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.fft

LOWEST_HERTZ = 20.0
"""Below it, coloured noise stays as loud as there."""
GUST_SECONDS = 2.0


def background(num_samples: int, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Mix the sounds of a place, in which each is louder or softer, and rain and insects may be missing.

    Args:
        num_samples: length.
        sample_rate: samples per second.
        rng: what varies.

    Returns:
        (num_samples,) float32 of RMS 1.

    Example:
        >>> background(48000, 48000, np.random.default_rng(0)).shape
        (48000,)
    """
    layers = {hiss: 1.0, wind: rng.uniform(0, 2), rain: rng.uniform(-1, 1.5), insects: rng.uniform(-0.5, 1)}
    sound = np.zeros(num_samples, np.float32)
    for make, loudness in layers.items():
        if loudness > 0:
            layer = make(num_samples, sample_rate, rng)
            sound += loudness / np.sqrt(np.mean(layer**2)) * layer
    return sound / np.sqrt(np.mean(sound**2))


def hiss(num_samples: int, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Make noise of any colour from white to brown: (num_samples,) float32."""
    exponent = rng.uniform(0, 2)
    return filtered(_white(num_samples, rng), sample_rate, lambda hertz: hertz ** (-exponent / 2))


def wind(num_samples: int, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Make a rumble that swells in gusts: (num_samples,) float32."""
    rumble = filtered(_white(num_samples, rng), sample_rate, lambda hertz: hertz**-1.5)
    gusts = rng.lognormal(0, 0.6, 2 + int(num_samples / sample_rate / GUST_SECONDS))
    places = np.arange(num_samples, dtype=np.float32) / (sample_rate * GUST_SECONDS)
    return rumble * np.interp(places, np.arange(len(gusts)), gusts).astype(np.float32)


def rain(num_samples: int, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Make drops that fall on leaves, near and far: (num_samples,) float32."""
    drops = rng.random(num_samples, np.float32) < rng.uniform(50, 400) / sample_rate
    heights = np.zeros(num_samples, np.float32)
    heights[drops] = rng.exponential(1, np.count_nonzero(drops)) ** 2
    middle, width = rng.uniform(2500, 5000), rng.uniform(0.5, 0.9)
    return filtered(heights, sample_rate, lambda hertz: np.exp(-((np.log(hertz / middle) / width) ** 2)))


def insects(num_samples: int, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Make a narrow band that chirrs many times a second: (num_samples,) float32."""
    middle, width, chirrs = rng.uniform(6000, 12000), rng.uniform(100, 400), rng.uniform(10, 50)
    band = filtered(
        _white(num_samples, rng), sample_rate, lambda hertz: np.exp(-(((hertz - middle) / width) ** 2))
    )
    phase = np.arange(num_samples, dtype=np.float32) * np.float32(chirrs / sample_rate) % 1
    return band * (phase < rng.uniform(0.3, 0.8))


def filtered(sound: np.ndarray, sample_rate: int, gain: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Filter without shifting phases.

    Args:
        sound: (samples,).
        sample_rate: samples per second.
        gain: returns the factor at each of some frequencies in Hz, none below 20.

    Returns:
        (samples,) of the sound's type.

    Example:
        >>> filtered(np.ones(6), 48000, lambda hertz: hertz * 0 + 2).round(6).tolist()
        [2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    """
    length = scipy.fft.next_fast_len(len(sound), real=True)
    hertz = np.maximum(scipy.fft.rfftfreq(length, 1 / sample_rate), LOWEST_HERTZ)
    spectrum = scipy.fft.rfft(sound, length) * gain(hertz).astype(sound.dtype)
    return scipy.fft.irfft(spectrum, length)[: len(sound)]


def _white(num_samples: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(num_samples, np.float32)
