"""Finding the recordings that cannot be used."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tfspec.audio.opening import RecordingError, opened
from tfspec.base.progress import Tracker, untracked
from tfspec.base.threads import threads

SILENT_PEAK = 1e-4  # −80 dB of full scale
CLIPPED_LEVEL = 0.999
CLIPPED_PART = 1e-3


@dataclass(frozen=True)
class Inspection:
    """What one recording is like.

    Args:
        path: the file.
        problem: why it cannot be used, or None.
        sample_rate: samples per second.
        channels: number of channels.
        seconds: length.
        peak: largest absolute sample.
        clipped: part of the samples at full scale.
        digest: the same for files that decode to the same samples, whatever their format.
    """

    path: str
    problem: str | None = None
    sample_rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    peak: float = 0.0
    clipped: float = 0.0
    digest: str = ""

    @property
    def is_silent(self) -> bool:
        """Whether nothing in it is louder than −80 dB of full scale."""
        return self.problem is None and self.peak < SILENT_PEAK

    @property
    def is_clipped(self) -> bool:
        """Whether more than a thousandth of it is at full scale."""
        return self.clipped > CLIPPED_PART


def inspect_audio(path: str | os.PathLike) -> Inspection:
    """Decode a whole recording, a block at a time, and say what is wrong with it.

    Args:
        path: the file.

    Returns:
        The inspection. Its `problem` is set, and the rest is not, where the file is missing, empty, not
        audio or truncated, would not be read whole, or has NaN or infinite samples; a damaged file never
        raises.

    Example:
        >>> inspect_audio("missing.wav").problem
        'no such file'
    """
    digest = hashlib.blake2b(digest_size=16)
    peak, clipped = 0.0, 0
    try:
        with opened(path) as recording:
            for block in recording.blocks():
                level = np.abs(block)
                highest = float(level.max(initial=0))
                if not math.isfinite(highest):
                    return Inspection(str(path), "NaN or infinite samples")
                peak = max(peak, highest)
                clipped += int((level >= CLIPPED_LEVEL).any(1).sum())
                digest.update(block.data)
    except RecordingError as error:
        return Inspection(str(path), error.problem)
    if not (frames := recording.position):
        return Inspection(str(path), "no samples")
    rate = recording.sample_rate
    part = clipped / frames
    return Inspection(
        str(path), None, rate, recording.channels, frames / rate, peak, part, digest.hexdigest()
    )


def inspect_all(paths: Iterable[str | os.PathLike], progress: Tracker = untracked) -> list[Inspection]:
    """Inspect recordings in parallel.

    Args:
        paths: the files.
        progress: wraps the iteration over so many files, to draw a bar.

    Returns:
        One inspection a path, in order.

    Example:
        >>> [i.problem for i in inspect_all(["missing.wav"])]
        ['no such file']
    """
    paths = list(paths)
    return list(progress(threads().map(inspect_audio, paths), len(paths)))


class Format(NamedTuple):
    """What the header of a recording says.

    Args:
        seconds: length; NaN where it cannot be read.
        sample_rate: samples per second.
        problem: why it cannot be read, None for a good one.
    """

    seconds: float
    sample_rate: int
    problem: str | None = None


def recording_formats(paths: Iterable[str | os.PathLike]) -> list[Format]:
    """Read the headers of recordings, in parallel; nothing is decoded.

    Args:
        paths: the files.

    Returns:
        For each path, in order, its format.

    Example:
        >>> recording_formats(["missing.wav"])
        [Format(seconds=nan, sample_rate=0, problem='no such file')]
    """

    def read(path) -> Format:
        try:
            with opened(path) as recording:
                rate = recording.sample_rate
                return Format(recording.frames / rate, rate, None if recording.frames else "no samples")
        except RecordingError as error:
            return Format(math.nan, 0, error.problem)

    return list(threads().map(read, paths))


def recording_lengths(paths: Iterable[str | os.PathLike]) -> list[tuple[float, str | None]]:
    """Read how long recordings are, in parallel; nothing is decoded.

    Args:
        paths: the files.

    Returns:
        For each path, in order, its seconds and None, or NaN and why it cannot be read.

    Example:
        >>> recording_lengths(["missing.wav"])
        [(nan, 'no such file')]
    """
    return [(found.seconds, found.problem) for found in recording_formats(paths)]


def format_problems(
    paths: Iterable[str | os.PathLike], sample_rate: int, num_samples: int
) -> list[str | None]:
    """Say which recordings are not of one channel, a sample rate and a length; nothing is decoded.

    Args:
        paths: the files.
        sample_rate: samples per second that all must have.
        num_samples: length in samples that all must have.

    Returns:
        For each path, in order, None or what is wrong.

    Example:
        >>> format_problems(["missing.wav"], 16000, 16000)
        ['no such file']
    """

    def problem(path) -> str | None:
        try:
            with opened(path) as recording:
                found = (recording.sample_rate, recording.frames, recording.channels)
        except RecordingError as error:
            return error.problem
        wanted = {"Hz": sample_rate, "samples": num_samples, "channels": 1}
        wrong = [
            f"{received} {unit} instead of {allowed}"
            for received, (unit, allowed) in zip(found, wanted.items(), strict=True)
            if received != allowed
        ]
        return ", ".join(wrong) or None

    return list(threads().map(problem, paths))
