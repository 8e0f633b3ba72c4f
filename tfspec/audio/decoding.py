"""Decoding recordings, and finding those that cannot be used."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr

from tfspec.base.errors import UserError
from tfspec.base.threads import threads

# Read beyond the cut, so that the resampling filter sees what it would see in the whole recording.
RESAMPLING_MARGIN_SECONDS = 0.05
# What libsndfile must decode before it is exact after a seek, in samples. An mp3 frame borrows bits from
# those before it. In the last page of an ogg file it counts from the wrong end of a block
# (libsndfile#885): a page has at most 255 packets, and libvorbis's largest has 1024 samples.
PREROLL = {"MP3": 16 * 1152, "OGG": 256 * 1024}
BLOCK = 1 << 18
SILENT_PEAK = 1e-4  # −80 dB of full scale
CLIPPED_LEVEL = 0.999
CLIPPED_PART = 1e-3
UNKNOWN_LENGTH = 2**63 - 1  # libsndfile's, of a flac file that was written to a pipe


Padding = Literal["edge", "silence"]


def load_audio(
    path: str | os.PathLike,
    sample_rate: int | None = None,
    num_samples: int | None = None,
    start: float = 0.0,
    padding: Padding = "edge",
) -> np.ndarray:
    """Decode a recording, or a slice of it, to one channel.

    Channels are averaged, then resampled with soxr's "HQ", as `librosa.load(path, sr=sample_rate)` does.
    Only the slice is decoded, and it is what cutting the whole recording gives: to the bit in wav, flac and
    ogg, to 1e-6 in mp3, to 1e-4 where it is resampled.

    Args:
        path: wav, flac, ogg or mp3, or whatever else libsndfile reads.
        sample_rate: samples per second of the result; the recording's own if None.
        num_samples: length of the result; up to the recording's end if None.
        start: where the slice begins, in seconds; rounded to a sample of the result.
        padding: what makes up for a recording that ends before, as in `fit_length`.

    Returns:
        (num_samples,) float32 in −1…1.

    Raises:
        UserError: the file cannot be decoded, has no samples at `start` or behind it, or has NaN or infinite
            ones; or `start` is negative or not finite.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros([8000, 2]), 8000)
        ...     load_audio(f"{folder}/a.wav", 16000, 4410, start=0.5).shape
        (4410,)
    """
    if not 0 <= start < math.inf:
        raise UserError(f"A slice must start at 0 seconds or later. Received: {start} of {path}")
    try:
        with _opened(path) as file:
            native_rate = file.samplerate
            rate = sample_rate or native_rate
            first = round(start * rate)
            margin = 0 if rate == native_rate else math.ceil(RESAMPLING_MARGIN_SECONDS * native_rate)
            # where a sample of the one rate falls on a sample of the other
            together = native_rate // math.gcd(native_rate, rate)
            begin = max(0, first * native_rate // rate - margin) // together * together
            end = file.frames
            if num_samples is not None:
                end = min(end, math.ceil((first + num_samples) * native_rate / rate) + margin)
            samples = _read(file, begin, end)
    except _UndecodableError as error:
        raise UserError(f"{path} cannot be decoded: {error}") from None
    if not len(samples):
        raise UserError(f"{path} has no samples" + (f" at {start} s or later" if start else ""))
    samples = _mono(samples)
    if rate != native_rate:
        samples = soxr.resample(samples, native_rate, rate)
    samples = samples[first - begin * rate // native_rate :]
    if not len(samples):
        raise UserError(f"{path} is too short to have a sample at {rate} Hz")
    _check_finite(samples, path)
    return samples if num_samples is None else fit_length(samples, num_samples, padding)


def _read(file: soundfile.SoundFile, begin: int, end: int) -> np.ndarray:
    """Read the frames from `begin` to `end`, fewer where the file ends before: (frames, channels)."""
    if begin >= end:
        return np.empty((0, file.channels), np.float32)
    decoded_from = max(0, begin - PREROLL.get(file.format, 0))
    if decoded_from:
        file.seek(decoded_from)
    return file.read(end - decoded_from, dtype="float32", always_2d=True)[begin - decoded_from :]


def _mono(samples: np.ndarray) -> np.ndarray:
    """Average (frames, channels) over the channels."""
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(1)


def _check_finite(samples: np.ndarray, path: str | os.PathLike):
    if not np.isfinite(samples).all():
        raise UserError(f"{path} has NaN or infinite samples")


def fit_length(samples: np.ndarray, num_samples: int, padding: Padding = "edge") -> np.ndarray:
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


def audio_windows(
    path: str | os.PathLike, sample_rate: int, num_samples: int, hop: int, padding: Padding = "edge"
) -> Iterator[tuple[int, np.ndarray]]:
    """Cut a recording of any length into windows, decoding and resampling a block at a time.

    Windows begin every `hop` samples. What is left at the end gets one more, which ends with the recording.

    Args:
        path: as in `load_audio`.
        sample_rate: samples per second of the windows.
        num_samples: length of a window.
        hop: samples from the beginning of one window to the next.
        padding: what fills the only window of a recording that is shorter, as in `fit_length`.

    Yields:
        Where a window begins, in samples, and the window: (num_samples,) float32.

    Raises:
        UserError: as in `load_audio`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros(8000), 8000)
        ...     [start for start, window in audio_windows(f"{folder}/a.wav", 8000, 3000, hop=2000)]
        [0, 2000, 4000, 5000]
    """
    # `samples` is what is still needed, and begins at `begin`; the next window begins at `start`.
    samples, begin, start = np.empty(0, np.float32), 0, 0
    for block in _blocks(path, sample_rate):
        samples = np.concatenate([samples, block])
        end = begin + len(samples)
        while start + num_samples <= end:
            yield start, samples[start - begin :][:num_samples]
            start += hop
        spent = max(0, min(start, end - num_samples) - begin)
        samples, begin = samples[spent:], begin + spent
    end = begin + len(samples)
    if end == 0:
        raise UserError(f"{path} has no samples")
    if end < num_samples:
        yield 0, fit_length(samples, num_samples, padding)
    elif start - hop + num_samples < end:
        yield end - num_samples, samples[-num_samples:]


def _blocks(path: str | os.PathLike, sample_rate: int) -> Iterator[np.ndarray]:
    """Decode and resample a recording, (samples,) at a time."""
    try:
        with _opened(path) as file:
            resampler = soxr.ResampleStream(file.samplerate, sample_rate, 1, dtype="float32")
            is_last = False
            while not is_last:
                block = _mono(file.read(BLOCK, dtype="float32", always_2d=True))
                is_last = len(block) < BLOCK
                if file.samplerate != sample_rate:
                    block = resampler.resample_chunk(block, last=is_last)
                _check_finite(block, path)
                yield block
    except _UndecodableError as error:
        raise UserError(f"{path} cannot be decoded: {error}") from None


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
        The inspection. Its `problem` is set where the file is missing, empty, not audio, truncated, or
        has NaN or infinite samples; a damaged file never raises.

    Example:
        >>> inspect_audio("missing.wav").problem
        'no such file'
    """
    digest = hashlib.blake2b(digest_size=16)
    peak, clipped, frames, finite = 0.0, 0, 0, True
    try:
        with _opened(path) as file:
            # file.blocks() would fill up a truncated recording with what was in memory
            while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                level = np.abs(block)
                peak = max(peak, float(level.max(initial=0)))
                clipped += int((level >= CLIPPED_LEVEL).any(1).sum())
                finite = finite and bool(np.isfinite(level).all())
                frames += len(block)
                digest.update(block)
            problem = _problem(file, frames, finite)
            rate, channels = file.samplerate, file.channels
    except _UndecodableError as error:
        return Inspection(str(path), str(error))
    return Inspection(
        str(path), problem, rate, channels, frames / rate, peak, clipped / max(frames, 1), digest.hexdigest()
    )


def _problem(file: soundfile.SoundFile, frames: int, finite: bool) -> str | None:
    """Say what is wrong with a file that could be decoded."""
    if not frames:
        return "no samples"
    if not finite:
        return "NaN or infinite samples"
    log = file.extra_info
    lost = re.search(r"^data : (\d+) \(should be (\d+)\)", log, re.MULTILINE)
    # A length of 2³¹ − 1 and more is what a program writes that streams and cannot know it.
    if lost and int(lost[2]) < int(lost[1]) < 2**31 - 1:
        return f"truncated: {lost[2]} of {lost[1]} bytes"
    if frames < file.frames:
        return f"truncated: {frames} of {file.frames} samples"
    if "lacks an end-of-stream" in log:
        return f"truncated after {frames} samples"
    return None


class _UndecodableError(Exception):
    """Why libsndfile cannot decode a file."""


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[soundfile.SoundFile]:
    """Open a recording; whatever libsndfile complains of in the block is `_UndecodableError`."""
    path = Path(path)
    if path.suffix.lower() == ".raw":
        raise _UndecodableError("raw samples do not tell their sample rate and type")
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames == UNKNOWN_LENGTH:
                raise _UndecodableError("its header does not tell its length; encode it again")
            yield file
    except soundfile.LibsndfileError as error:
        raise _UndecodableError(_reason(path, error)) from None


def _reason(path: Path, error: soundfile.LibsndfileError) -> str:
    """Say why; libsndfile knows only "System error" where a file cannot be opened."""
    if path.is_dir():
        return "a folder, not a file"
    try:
        with path.open("rb") as file:
            if not file.read(1):
                return "empty file"
    except FileNotFoundError:
        return "no such file"
    except OSError as opening:
        return opening.strerror or str(opening)
    reason = error.error_string.strip().rstrip(".").removeprefix("Error : ")
    # libsndfile's words for a file that is called .mp3 and is none
    return "Format not recognised" if reason.startswith("File does not exist") else reason


def inspect_all(
    paths: Iterable[str | os.PathLike], progress: Callable[[Iterable], Iterable] = iter
) -> list[Inspection]:
    """Inspect recordings in parallel.

    Args:
        paths: the files.
        progress: wraps the iteration, to draw a bar.

    Returns:
        One inspection a path, in order.

    Example:
        >>> [i.problem for i in inspect_all(["missing.wav"])]
        ['no such file']
    """
    return list(progress(threads().map(inspect_audio, paths)))


def recording_lengths(paths: Iterable[str | os.PathLike]) -> list[tuple[float, str | None]]:
    """Read the lengths of recordings from their headers, in parallel; nothing is decoded.

    Args:
        paths: the files.

    Returns:
        For each path, in order, its seconds and None, or NaN and why it cannot be read.

    Example:
        >>> recording_lengths(["missing.wav"])
        [(nan, 'no such file')]
    """

    def length(path) -> tuple[float, str | None]:
        try:
            with _opened(path) as file:
                return file.frames / file.samplerate, None if file.frames else "no samples"
        except _UndecodableError as error:
            return math.nan, str(error)

    return list(threads().map(length, paths))


def format_problems(
    paths: Iterable[str | os.PathLike], sample_rate: int, num_samples: int
) -> list[str | None]:
    """Say which recordings are not of one channel, a sample rate and a length; only headers are read.

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
            with _opened(path) as file:
                found = (file.samplerate, file.frames, file.channels)
        except _UndecodableError as error:
            return str(error)
        wanted = {"Hz": sample_rate, "samples": num_samples, "channels": 1}
        wrong = [
            f"{received} {unit} instead of {allowed}"
            for received, (unit, allowed) in zip(found, wanted.items(), strict=True)
            if received != allowed
        ]
        return ", ".join(wrong) or None

    return list(threads().map(problem, paths))
