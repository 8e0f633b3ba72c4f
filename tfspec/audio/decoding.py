"""Decoding recordings to one channel at a sample rate: whole, in part, or as windows."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import soxr

from tfspec.audio import opening
from tfspec.audio.opening import Recording, RecordingError, opened
from tfspec.base.errors import UserError
from tfspec.base.text import shown

# Read beyond the cut, so that the resampling filter sees what it would see in the whole recording.
RESAMPLING_MARGIN_SECONDS, RESAMPLING_MARGIN_SAMPLES = 0.05, 100
"""Whichever is longer; samples of the lower rate."""
MOST_SAMPLES = 1 << 28
"""So many samples, 1 GB, are decoded into one array; longer recordings are read by slices or windows."""
LEAST_REST = 0.01
"""Part of a window that must be left at a recording's end for one more window."""
ClipPadding = Literal["edge", "silence"]


def load_audio(
    path: str | os.PathLike,
    sample_rate: int | None = None,
    num_samples: int | None = None,
    start: float = 0.0,
    padding: ClipPadding = "edge",
) -> np.ndarray:
    """Decode a recording, or a slice of it, to one channel.

    Channels are averaged, then resampled with soxr's "HQ", as `librosa.load(path, sr=sample_rate)` does.
    Only the slice is decoded, and it is what cutting the whole recording gives: to the bit in wav, flac and
    ogg, to 1e-6 in mp3, to 1e-4 where it is resampled.

    Args:
        path: wav, flac, ogg or mp3, or whatever else libsndfile reads; of at most 2**28 samples if
            `num_samples` is None.
        sample_rate: samples per second of the result; the recording's own if None.
        num_samples: length of the result; up to the recording's end if None.
        start: where the slice begins, in seconds; rounded to a sample of the result.
        padding: what makes up for a recording that ends before, as in `fit_length`.

    Returns:
        (num_samples,) float32 in −1…1.

    Raises:
        UserError: the file cannot be decoded, is not all there, has no samples at `start` or behind it, has
            NaN or infinite ones or too many; or `start` is negative or not finite.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros([8000, 2]), 8000)
        ...     load_audio(f"{folder}/a.wav", 16000, 4410, start=0.5).shape
        (4410,)
    """
    if not 0 <= start < math.inf:
        raise UserError(f"A slice must start at 0 seconds or later. Received: {start} of {shown(path)}")
    with opened(path) as recording:
        return read_slice(recording, sample_rate or recording.sample_rate, num_samples, start, padding)


def load_beginning(
    path: str | os.PathLike, sample_rate: int, num_samples: int, padding: ClipPadding = "edge"
) -> np.ndarray:
    """Decode the beginning of a recording as `load_audio` does, and the rest to see that it is good.

    Args:
        path: as in `load_audio`.
        sample_rate: as in `load_audio`.
        num_samples: as in `load_audio`.
        padding: as in `load_audio`.

    Returns:
        (num_samples,) float32 in −1…1.

    Raises:
        UserError: as in `load_audio`, and also where the fault is behind the beginning.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.append(np.zeros(800), np.nan), 8000, subtype="FLOAT")
        ...     load_beginning(f"{folder}/a.wav", 8000, 100)
        Traceback (most recent call last):
        tfspec.audio.opening.RecordingError: ...a.wav has NaN or infinite samples
    """
    with opened(path) as recording:
        samples = read_slice(recording, sample_rate, num_samples, 0.0, padding)
        for block in recording.blocks(recording.position):
            _check_finite(block, path)
        return samples


def read_slice(
    recording: Recording, rate: int, num_samples: int | None, start: float, padding: ClipPadding = "edge"
) -> np.ndarray:
    """Read a slice of an open recording as `load_audio` does: decode what it needs, resample, cut it.

    Args:
        recording: from `opening.opened`.
        rate: samples per second of the result.
        num_samples: as in `load_audio`.
        start: as in `load_audio`.
        padding: as in `load_audio`.
    """
    path, native_rate = recording.path, recording.sample_rate
    first = round(start * rate)
    margin_seconds = max(RESAMPLING_MARGIN_SECONDS, RESAMPLING_MARGIN_SAMPLES / min(rate, native_rate))
    margin = 0 if rate == native_rate else math.ceil(margin_seconds * native_rate)
    # where a sample of the one rate falls on a sample of the other
    together = native_rate // math.gcd(native_rate, rate)
    begin = max(0, first * native_rate // rate - margin) // together * together
    end = recording.frames
    if num_samples is not None:
        end = min(end, math.ceil((first + num_samples) * native_rate / rate) + margin)
    if (longest := max(1, rate / native_rate) * (end - begin)) > MOST_SAMPLES:
        raise RecordingError(path, f"too long for one array, with {longest:.0f} samples", verb="is")
    if begin >= end:
        raise RecordingError(path, "no samples" + (f" at {start} s or later" if start else ""), verb="has")
    samples = np.concatenate([_mono(block) for block in recording.blocks(begin, end)])
    if rate != native_rate:
        samples = soxr.resample(samples, native_rate, rate)
    samples = samples[first - begin * rate // native_rate :]
    if not len(samples):
        raise RecordingError(path, f"too short to have a sample at {rate} Hz", verb="is")
    _check_finite(samples, path)
    return samples if num_samples is None else fit_length(samples, num_samples, padding)


def _mono(samples: np.ndarray) -> np.ndarray:
    """Average (frames, channels) over the channels."""
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(1)


def _check_finite(samples: np.ndarray, path: str | os.PathLike) -> None:
    if not np.isfinite(samples).all():
        raise RecordingError(path, "NaN or infinite samples", verb="has")


def fit_length(samples: np.ndarray, num_samples: int, padding: ClipPadding = "edge") -> np.ndarray:
    """Cut a signal at its end, or pad it there until it is long enough.

    Args:
        samples: (samples,), not empty.
        num_samples: the length wanted.
        padding: "edge" repeats the last sample, "silence" appends zeros.

    Returns:
        (num_samples,).

    Example:
        >>> fit_length(np.array([1, 2]), 4).tolist()
        [1, 2, 2, 2]
        >>> fit_length(np.array([1, 2]), 4, "silence").tolist()
        [1, 2, 0, 0]
    """
    missing = num_samples - len(samples)
    if missing <= 0:
        return samples[:num_samples]
    return np.pad(samples, (0, missing), mode="edge" if padding == "edge" else "constant")


def windows_of(
    recording: Recording, sample_rate: int, num_samples: int, hop: int, padding: ClipPadding = "edge"
) -> Iterator[tuple[int, np.ndarray]]:
    """Cut an open recording of any length into windows, decoding and resampling a block at a time.

    Windows begin every `hop` samples. What is left at the end gets one more, which ends with the recording;
    not a rest below a hundredth of a window.

    Args:
        recording: from `opening.opened`.
        sample_rate: samples per second of the windows.
        num_samples: length of a window.
        hop: samples from the beginning of one window to the next.
        padding: what fills the only window of a recording that is shorter, as in `fit_length`.

    Yields:
        Where a window begins, in samples, and the window: (num_samples,) float32.

    Raises:
        UserError: the recording cannot be decoded, is not all there, has no samples, or NaN or infinite ones.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros(8000), 8000)
        ...     with opened(f"{folder}/a.wav") as recording:
        ...         [start for start, window in windows_of(recording, 8000, 3000, hop=2000)]
        [0, 2000, 4000, 5000]
    """
    # `samples` is what is still needed, and begins at `begin`; the next window begins at `start`.
    samples, begin, start = np.empty(0, np.float32), 0, 0
    for block in _resampled(recording, sample_rate):
        samples = np.concatenate([samples, block])
        end = begin + len(samples)
        while start + num_samples <= end:
            yield start, samples[start - begin :][:num_samples]
            start += hop
        spent = max(0, min(start, end - num_samples) - begin)
        samples, begin = samples[spent:], begin + spent
    end = begin + len(samples)
    if not recording.position:
        raise RecordingError(recording.path, "no samples", verb="has")
    if end == 0:
        raise RecordingError(recording.path, f"too short to have a sample at {sample_rate} Hz", verb="is")
    if end < num_samples:
        yield 0, fit_length(samples, num_samples, padding)
    elif end - (start - hop + num_samples) > LEAST_REST * num_samples:
        yield end - num_samples, samples[-num_samples:]


def audio_blocks(path: str | os.PathLike, sample_rate: int) -> Iterator[np.ndarray]:
    """Decode and resample a recording of any length, a block at a time.

    Args:
        path: as in `load_audio`.
        sample_rate: samples per second of the blocks.

    Yields:
        (samples,) float32, of any length.

    Raises:
        UserError: as in `load_audio`.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros(8000), 8000)
        ...     sum(len(block) for block in audio_blocks(f"{folder}/a.wav", 16000))
        16000
    """
    with opened(path) as recording:
        yield from _resampled(recording, sample_rate)


def hops_of(blocks: Iterable[np.ndarray], hop_samples: int) -> Iterator[np.ndarray]:
    """Cut blocks of any length into hops.

    Args:
        blocks: (samples,) arrays, or (samples, channels), one after another.
        hop_samples: samples of a hop.

    Yields:
        (hop_samples,) arrays, or (hop_samples, channels); what is left at the end, and shorter, is left out.

    Example:
        >>> [hop.tolist() for hop in hops_of([np.arange(3), np.arange(3, 5)], 2)]
        [[0, 1], [2, 3]]
    """
    rest = np.empty(0, np.float32)
    for block in blocks:
        samples = np.concatenate([rest, block]) if len(rest) else block
        whole = len(samples) // hop_samples * hop_samples
        yield from samples[:whole].reshape(-1, hop_samples, *samples.shape[1:])
        rest = samples[whole:]


def _resampled(recording: Recording, sample_rate: int) -> Iterator[np.ndarray]:
    """Decode and resample a recording, blocks of (samples,) at a time, none much longer than decoded."""
    native_rate, path = recording.sample_rate, recording.path
    size = opening.BLOCK * min(1, native_rate / sample_rate)
    resampler = soxr.ResampleStream(native_rate, sample_rate, 1, dtype="float32")
    for block in recording.blocks(size=int(size)):
        samples = _mono(block)
        if native_rate != sample_rate:
            samples = resampler.resample_chunk(samples)
        _check_finite(samples, path)
        yield samples
    if native_rate != sample_rate:
        samples = resampler.resample_chunk(np.empty(0, np.float32), last=True)
        _check_finite(samples, path)
        yield samples
