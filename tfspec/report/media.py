"""Pictures and sound inside a page: addresses that hold what they name."""

from __future__ import annotations

import base64
import io

import numpy as np

MOST_PIXELS = (256, 160)
"""Columns and rows of the largest picture."""
MOST_SECONDS = 10.0
FRAME_SECONDS, RANGE_DB = 0.02, 80.0
"""Of spectrograms."""
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def levels_of(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Compute a spectrogram to look at.

    Args:
        samples: (samples,), at least a frame.
        sample_rate: samples per second.

    Returns:
        (bins, frames) levels in decibels from 0 Hz to half the sample rate, of a range of 80 dB.

    Example:
        >>> levels_of(np.zeros(8000), 8000).shape
        (129, 126)
    """
    length = 1 << round(FRAME_SECONDS * sample_rate).bit_length()
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, length // 2), length)[:: length // 4]
    levels = 20 * np.log10(np.abs(np.fft.rfft(frames * np.hanning(length))) + 1e-6).T
    return np.maximum(levels, levels.max() - RANGE_DB)


def picture_address(image: np.ndarray, most_pixels: tuple[int, int] = MOST_PIXELS) -> str:
    """Colour an image and put it into an address.

    Args:
        image: (rows, columns) of any numbers; the first row is drawn at the bottom.
        most_pixels: columns and rows of the largest picture; what is larger is made smaller by means of
            neighbours.

    Returns:
        A `data:` address of a PNG in viridis, from the image's first percentile to its 99th.

    Example:
        >>> picture_address(np.eye(3))[:22]
        'data:image/png;base64,'
    """
    from matplotlib import colormaps
    from PIL import Image

    small = _smaller(np.nan_to_num(np.asarray(image, np.float64)), most_pixels)
    low, high = np.percentile(small, [1, 99])
    shares = np.clip((small - low) / max(high - low, 1e-12), 0, 1)
    pixels = Image.fromarray(np.round(255 * shares[::-1]).astype(np.uint8))
    pixels.putpalette(colormaps["viridis"](np.arange(256), bytes=True)[:, :3].tobytes())
    file = io.BytesIO()
    pixels.save(file, "png", optimize=True)
    return _address("image/png", file)


def _smaller(image: np.ndarray, most_pixels: tuple[int, int]) -> np.ndarray:
    """Average neighbours until an image is not larger than the largest."""
    for axis, most in enumerate(reversed(most_pixels)):
        if (size := image.shape[axis]) > most:
            starts = np.linspace(0, size, most, endpoint=False).astype(int)
            counts = np.diff(np.append(starts, size))
            image = np.add.reduceat(image, starts, axis=axis) / np.expand_dims(counts, 1 - axis)
    return image


def sound_address(samples: np.ndarray, sample_rate: int) -> str:
    """Put a sound into an address: as MP3, which all browsers play, or where that cannot be made as WAV.

    Args:
        samples: (samples,) in −1…1; the first `MOST_SECONDS` are taken.
        sample_rate: samples per second.

    Returns:
        A `data:` address.

    Example:
        >>> sound_address(np.zeros(8001), 8001)[:22]
        'data:audio/wav;base64,'
    """
    import soundfile

    sound = np.clip(samples[: int(MOST_SECONDS * sample_rate)], -1, 1)
    is_known = sample_rate in MP3_RATES and "MP3" in soundfile.available_formats()
    kind = "MP3" if is_known else "WAV"
    file = io.BytesIO()
    soundfile.write(file, sound, sample_rate, format=kind)
    return _address("audio/mpeg" if is_known else "audio/wav", file)


def _address(kind: str, file: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
