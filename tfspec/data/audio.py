"""Decoding recordings, and finding those that cannot be used."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import soxr

from tfspec.errors import UserError

# Read beyond the cut, so that the resampling filter sees what it would see in the whole recording.
RESAMPLING_MARGIN_SECONDS = 0.05
SILENT_PEAK = 1e-4  # −80 dB of full scale
CLIPPED_LEVEL = 0.999
CLIPPED_PART = 1e-3
UNKNOWN_LENGTH = 2**63 - 1  # libsndfile's, of a flac file that was written to a pipe


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Make the decoding threads; libsndfile and soxr release the Python lock while they work."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="tfspec-decode")


def load_audio(
    path: str | os.PathLike, sample_rate: int | None = None, num_samples: int | None = None
) -> np.ndarray:
    """Decode a recording to one channel.

    Channels are averaged, then resampled with soxr's "HQ", as `librosa.load(path, sr=sample_rate)` does.
    What is longer than `num_samples` is cut (and not even decoded), what is shorter repeats its last sample.

    Args:
        path: wav, flac, ogg or mp3, or whatever else libsndfile reads.
        sample_rate: samples per second of the result; the recording's own if None.
        num_samples: length of the result; the recording's own if None.

    Returns:
        (num_samples,) float32 in −1…1.

    Raises:
        UserError: the file cannot be decoded, is empty, or has NaN or infinite samples.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros([8000, 2]), 8000)
        ...     load_audio(f"{folder}/a.wav", 16000, 17640).shape
        (17640,)
    """
    try:
        with _opened(path) as file:
            native_rate = file.samplerate
            frames = -1
            if num_samples is not None:
                seconds = num_samples / (sample_rate or native_rate)
                margin = RESAMPLING_MARGIN_SECONDS if sample_rate not in (None, native_rate) else 0
                frames = min(file.frames, math.ceil((seconds + margin) * native_rate))
            samples = file.read(frames, dtype="float32", always_2d=True)
    except _UndecodableError as error:
        raise UserError(f"{path} cannot be decoded: {error}") from None
    if not len(samples):
        raise UserError(f"{path} has no samples")
    samples = samples[:, 0] if samples.shape[1] == 1 else samples.mean(1)
    if sample_rate not in (None, native_rate):
        samples = soxr.resample(samples, native_rate, sample_rate)
        if not len(samples):
            raise UserError(f"{path} is too short to have a sample at {sample_rate} Hz")
    if not np.isfinite(samples).all():
        raise UserError(f"{path} has NaN or infinite samples")
    return samples if num_samples is None else fit_length(samples, num_samples)


def fit_length(samples: np.ndarray, num_samples: int) -> np.ndarray:
    """Cut a signal at its end, or repeat its last sample until it is long enough.

    Args:
        samples: (samples,), not empty.
        num_samples: the length wanted.

    Returns:
        (num_samples,).

    Example:
        >>> fit_length(np.array([1, 2]), 4).tolist()
        [1, 2, 2, 2]
    """
    missing = num_samples - len(samples)
    return np.pad(samples, (0, missing), mode="edge") if missing > 0 else samples[:num_samples]


@dataclass(frozen=True)
class AudioReader:
    """Reads the signals of a manifest's rows, in as many threads as there are cores.

    Args:
        folder: what the manifest's paths are relative to.
        sample_rate: samples per second of the signals.
        num_samples: length of every signal.
    """

    folder: Path
    sample_rate: int
    num_samples: int

    @property
    def signal_shape(self) -> tuple[int]:
        """Shape of one signal."""
        return (self.num_samples,)

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Read the recordings that `rows["path"]` names, as (rows, num_samples) float32."""
        paths = list(rows["path"])
        signals = np.empty((len(paths), self.num_samples), np.float32)

        def read(first: int):
            for i in range(first, len(paths), workers):
                signals[i] = load_audio(self.folder / paths[i], self.sample_rate, self.num_samples)

        workers = min(len(paths), os.cpu_count() or 1)
        list(_threads().map(read, range(workers)))
        return signals


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
            while len(block := file.read(1 << 18, dtype="float32", always_2d=True)):
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
    return list(progress(_threads().map(inspect_audio, paths)))
