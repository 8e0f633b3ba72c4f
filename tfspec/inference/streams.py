"""Streams of raw samples, such as those of a microphone: read, and classified while they come."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pandas as pd

from tfspec.audio.decoding import fit_length
from tfspec.base.errors import UserError
from tfspec.base.model import Model
from tfspec.base.options import SampleFormat
from tfspec.inference.files import scores_table
from tfspec.inference.long_recordings import hop_samples, recordings_rate

NAME = "-"
"""What a stream is called."""
FORMATS: dict[str, tuple[np.dtype, float]] = {
    "s16le": (np.dtype("<i2"), 2**-15),
    "f32le": (np.dtype("<f4"), 1.0),
}
"""How a sample is stored, and what it is worth."""
CONTAINERS = {
    b"RIFF": "a WAV",
    b"RF64": "a WAV",
    b"fLaC": "a FLAC",
    b"OggS": "an Ogg",
    b"ID3": "an MP3",
    b"FORM": "an AIFF",
}
"""What files begin with that are no raw samples."""
BLOCK = 1 << 16
"""Samples between two windows that are read at once."""


def predict_stream(
    model: Model, stream: BinaryIO, hop_seconds: float | None = None, sample_format: SampleFormat = "s16le"
) -> Iterator[pd.DataFrame]:
    """Classify a stream window by window; memory stays flat however long it is.

    What is left at the end and is shorter than a window is left out. Only where there was no window before,
    it is one, filled up by its last sample as short recordings are.

    Args:
        model: takes recordings.
        stream: samples of one channel, at the model's sample rate.
        hop_seconds: from the beginning of one window to the next; half a window if None.
        sample_format: how the samples are stored.

    Yields:
        For each window, as soon as it is there, the row that `predict_files` has for one of a file.

    Raises:
        UserError: the model does not take recordings, the hop is not positive, nothing comes, or what comes
            are no raw samples.

    Example:
        >>> import io
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import Classifier, conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> rows = predict_stream(model, io.BytesIO(bytes(2 * 20000)))
        >>> [float(row["start"].item()) for row in rows]
        [0.0, 0.5, 1.0, 1.5]
    """
    rate, num_samples = recordings_rate(model), model.signal_shape[0]
    if hop_seconds is None:
        hop_seconds = num_samples / rate / 2
    hop = hop_samples(hop_seconds, rate)
    for number, window in enumerate(_windows(stream, sample_format, num_samples, hop)):
        is_good = np.isfinite(window).all()
        scores = model.probabilities(window[np.newaxis])
        problem = None if is_good else "NaN or infinite samples; are they in another format?"
        yield scores_table(model, [NAME], np.array([number * hop / rate]), scores, [problem])


def _windows(
    stream: BinaryIO, sample_format: SampleFormat, num_samples: int, hop: int
) -> Iterator[np.ndarray]:
    """Cut a stream into (num_samples,) windows, reading no sample before it is needed."""
    window = _first_samples(stream, sample_format, num_samples)
    yield fit_length(window, num_samples)
    while len(window) == num_samples:
        window = window[hop:]
        for skipped in range(num_samples, hop, BLOCK):
            read_samples(stream, sample_format, min(BLOCK, hop - skipped))
        window = np.append(window, read_samples(stream, sample_format, num_samples - len(window)))
        if len(window) == num_samples:
            yield window


def stream_blocks(stream: BinaryIO, sample_format: SampleFormat, num_samples: int) -> Iterator[np.ndarray]:
    """Read a stream of raw samples, no sample before it is needed.

    Args:
        stream: samples of one channel.
        sample_format: how they are stored.
        num_samples: of a block.

    Yields:
        (num_samples,) float32; what is left at the end, and shorter, is left out.

    Raises:
        UserError: nothing comes, or what comes are no raw samples.

    Example:
        >>> import io
        >>> [block.tolist() for block in stream_blocks(io.BytesIO(bytes(10)), "s16le", 2)]
        [[0.0, 0.0], [0.0, 0.0]]
    """
    block = _first_samples(stream, sample_format, num_samples)
    while len(block) == num_samples:
        yield block
        block = read_samples(stream, sample_format, num_samples)


def _first_samples(stream: BinaryIO, sample_format: SampleFormat, count: int) -> np.ndarray:
    """Read as `read_samples` does, from a stream's beginning; refuse a file with a header, and nothing."""
    content = stream.read(count * FORMATS[sample_format][0].itemsize)
    if file := next((name for start, name in CONTAINERS.items() if content.startswith(start)), None):
        raise UserError(
            f"Standard input takes raw samples, but {file} file came: give its name instead of -, or raw "
            "samples, such as those of arecord -t raw."
        )
    samples = read_samples(io.BytesIO(content), sample_format, count)
    if not len(samples):
        raise UserError("No samples came on standard input.")
    return samples


def read_samples(stream: BinaryIO, sample_format: SampleFormat, count: int) -> np.ndarray:
    """Read the next samples of a stream.

    Args:
        stream: as in `predict_stream`.
        sample_format: as in `predict_stream`.
        count: how many samples.

    Returns:
        (count,) float32; fewer where the stream ends.

    Example:
        >>> import io
        >>> read_samples(io.BytesIO(bytes([0, 64, 0, 192])), "s16le", count=3).tolist()
        [0.5, -0.5]
    """
    kind, worth = FORMATS[sample_format]
    content = stream.read(count * kind.itemsize)
    whole = len(content) // kind.itemsize
    with np.errstate(invalid="ignore"):  # what is no number stays none, and is told by those who listen
        return np.frombuffer(content, kind, whole).astype(np.float32) * np.float32(worth)
