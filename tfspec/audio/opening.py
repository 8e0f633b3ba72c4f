"""Opening recordings: the one way to their samples, which tells what is wrong with them."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from tfspec.audio.containers import Contents, read_contents
from tfspec.base.errors import UserError
from tfspec.base.files import file_problem
from tfspec.base.text import shown

BLOCK = 1 << 18
"""So many samples of all channels together are in memory at once."""
# What libsndfile must decode before it is exact after a seek, in samples. An mp3 frame borrows bits from
# those before it. In the last page of an ogg file it counts from the wrong end of a block
# (libsndfile#885): a page has at most 255 packets, and libvorbis's largest has 1024 samples.
PREROLL = {
    **dict.fromkeys(("MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"), 16 * 1152),
    **dict.fromkeys(("VORBIS", "OPUS"), 256 * 1024),
}
# The decoder of MP3 guesses the length from the file's size; the largest frame is 60 times the least.
EXAGGERATION = 64
ID3V1 = 128
MOST_KNOWN = 1 << 17
"""Files whose contents are remembered."""
LOWEST_RATE, HIGHEST_RATE = 100, 10_000_000


class RecordingError(UserError):
    """A recording that cannot be used.

    Args:
        path: the file; or the whole message, as Keras and pickle give it who make an error anew.
        problem: what is wrong with the file.
        verb: joins the two in the message.
    """

    def __init__(self, path: str | os.PathLike, problem: str = "", verb: str = "cannot be decoded:"):
        super().__init__(f"{shown(path)} {verb} {problem}" if problem else path)
        self.problem = problem


class Recording:
    """An open recording.

    Args:
        path: its file.
        sound: the decoder.
        contents: what its file holds.
    """

    def __init__(self, path: str | os.PathLike, sound: _Decoder, contents: Contents):
        self.path = path
        self.sample_rate: int = sound.samplerate
        self.channels: int = sound.channels
        self.frames: int = sound.frames if contents.frames is None else contents.frames
        self.position = 0
        self._sound = sound

    def blocks(self, begin: int = 0, end: int | None = None, size: int = BLOCK) -> Iterator[np.ndarray]:
        """Decode a part, or all, a block at a time.

        Args:
            begin: the first sample.
            end: the sample behind the last one; all up to the end of the recording if None.
            size: most samples a channel that a block has; fewer where there are many channels.

        Yields:
            (frames, channels) float32.

        Raises:
            RecordingError: the recording ends before its header says, or cannot be decoded.
        """
        end = None if end is not None and end >= self.frames else end
        size = max(1, min(size, BLOCK // self.channels))
        try:
            self._go_to(begin, size)
            while end is None or self.position < end:
                # SoundFile.blocks would fill up a truncated recording with what was in memory
                block = self._read(size if end is None else min(size, end - self.position))
                if not len(block):
                    break
                yield block
        except soundfile.LibsndfileError as error:
            raise RecordingError(self.path, _reason(error)) from None
        if self.position < (self.frames if end is None else end):
            raise RecordingError(self.path, f"truncated: {self.position} of {self.frames} samples")

    def _go_to(self, place: int, size: int) -> None:
        """Go to a sample, decoding what the decoder needs before it; all, of a format without seeking."""
        if place == self.position:
            return
        lead = PREROLL.get(self._sound.subtype, 0) if self._sound.can_seek else place
        if (start := max(0, place - lead)) != self.position:
            self.position = start
            self._sound.seek(start)
        while self.position < place and len(self._read(min(size, place - self.position))):
            pass

    def _read(self, frames: int) -> np.ndarray:
        frames = min(
            frames, self._sound.frames - self.position
        )  # behind a flac's last one, tags are an error
        block = self._sound.read(max(0, frames), dtype="float32", always_2d=True)
        self.position += len(block)
        return block


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[Recording]:
    """Open a recording that is all there.

    Args:
        path: wav, flac, ogg or mp3, or whatever else libsndfile reads.

    Yields:
        The recording, of which nothing is decoded yet.

    Raises:
        RecordingError: it is no file, no audio or truncated; its header is so wrong that samples would
            be lost; or it claims a sample rate below 100 Hz or above 10 MHz.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros([800, 2]), 8000)
        ...     with opened(f"{folder}/a.wav") as recording:
        ...         recording.sample_rate, recording.channels, recording.frames
        (8000, 2, 800)
    """
    if problem := file_problem(path):
        raise RecordingError(path, problem)
    if Path(path).suffix.lower() == ".raw":
        raise RecordingError(path, "raw samples do not tell their sample rate and type")
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(Path(path).open("rb"))
            contents = _contents(file)
            if contents.problem:
                raise RecordingError(path, contents.problem)
            sound = stack.enter_context(_decoder(file, contents))
        except soundfile.LibsndfileError as error:
            raise RecordingError(path, _reason(error)) from None
        except OSError as error:
            raise RecordingError(path, error.strerror or str(error)) from None
        if not LOWEST_RATE <= sound.samplerate <= HIGHEST_RATE:
            allowed = f"recordings have from {LOWEST_RATE} to {HIGHEST_RATE:,}"
            raise RecordingError(path, f"it claims a sample rate of {sound.samplerate:,} Hz; {allowed}")
        yield Recording(path, sound, contents)


def _contents(file: io.BufferedReader) -> Contents:
    """Look at a file's parts once, however often slices of it are read."""
    status = os.fstat(file.fileno())
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    contents = _known.get(key)
    if contents is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        contents = _known[key] = read_contents(file)
    return contents


_known: dict[tuple[int, ...], Contents] = {}


class _Decoder(soundfile.SoundFile):
    """Reads on from where it is; of what can seek, SoundFile seeks after each read, and mp3 loses bits."""

    @property
    def can_seek(self) -> bool:
        return super().seekable()

    def seekable(self) -> bool:
        return False


def _decoder(file: io.BufferedReader, contents: Contents) -> _Decoder:
    """Open libsndfile on a file; not by its name, which would let it guess the format."""
    if contents == Contents():
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        return _Decoder(file.fileno(), closefd=False)
    return _Decoder(_Mended(file, contents))


class _Mended(io.RawIOBase):
    """A file as libsndfile must see it: with the right header, or longer than it is."""

    def __init__(self, file: io.BufferedReader, contents: Contents):
        super().__init__()
        self._file, self._patches, self._position = file, contents.patches, 0
        self._length = file.seek(0, io.SEEK_END) * (1 if contents.frames is None else EXAGGERATION)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {0: 0, 1: self._position, 2: self._length}[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer) -> int:
        self._file.seek(self._position)
        count = self._file.readinto(buffer)
        if not count and self._position >= self._length - ID3V1:
            count = len(buffer)  # of zeros: where a tag is looked for at first, something must be
        for place, patch in self._patches:
            for i, byte in enumerate(patch, place - self._position):
                if 0 <= i < count:
                    buffer[i : i + 1] = bytes([byte])
        self._position += count
        return count


def _reason(error: soundfile.LibsndfileError) -> str:
    reason = error.error_string.strip().rstrip(".").removeprefix("Error : ")
    return reason or "damaged"
