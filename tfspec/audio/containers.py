"""What an audio file really holds; libsndfile believes its header, and reads too little where it errs."""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np

# Programs that write to a pipe leave a length of about 2 GiB (SoX: 0x7FFFF000, for AIFF 0x7F000000) or 4 GiB.
STREAMED = 0x7EFF0000
SAMPLE_CHUNKS = (b"data", b"SSND", b"BODY")
# Chunks that follow the samples, and may be cut without loss of any.
TEXT_CHUNKS = (
    b"LIST",
    b"bext",
    b"iXML",
    b"id3 ",
    b"ID3 ",
    b"PEAK",
    b"cue ",
    b"smpl",
    b"_PMX",
    b"info",
    b"free",
)
LAYOUTS = {
    b"RIFF": ("<4sI", 12, 2), b"RF64": ("<4sI", 12, 2), b"BW64": ("<4sI", 12, 2), b"RIFX": (">4sI", 12, 2),
    b"FORM": (">4sI", 12, 2), b"riff": ("<4s12xQ", 40, 8), b"caff": (">4sq", 8, 1),
}  # fmt: skip
"""By how a file begins: a chunk's header, where the first stands, and what their places are even to."""
MPEG_LAYER_3 = b"\x55\0"
"""What a WAV file's header calls samples that are coded so."""
KBITS = {
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of MPEG 1 (3) and 2 (2), layers I (3), II (2) and III (1), as the header has them."""
MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}

FLAC_SIZES = {1: 192, **{n: 144 << n for n in range(2, 6)}, **{n: 1 << n for n in range(8, 16)}}


@dataclass(frozen=True)
class Contents:
    """What must be known of a file to read all of it.

    Args:
        problem: why some of its samples are missing, or would not be read; None if they are all there.
        frames: its length in samples where the header does not tell; None where libsndfile knows.
        patches: bytes that must stand in place of the file's own, each with its place.
    """

    problem: str | None = None
    frames: int | None = None
    patches: tuple[tuple[int, bytes], ...] = ()


def read_contents(file: BinaryIO) -> Contents:
    """Walk through a file's parts, without decoding any.

    Args:
        file: opened for reading bytes, and seekable.

    Returns:
        What is there. Of a format that has no such parts, or that nobody knows, nothing is said.

    Example:
        >>> import io
        >>> start = struct.pack("<4sI4s4sI16s", b"RIFF", 44, b"WAVE", b"fmt ", 16, bytes(16))
        >>> read_contents(io.BytesIO(start + struct.pack("<4sI", b"data", 9) + bytes(3))).problem
        'truncated: 3 of 9 bytes'
    """
    end = _end_without_tags(file)
    begin = _after_id3(file, 0)
    magic = _bytes_at(file, begin, 4)
    if magic in LAYOUTS:
        return _chunked(file, begin, end, magic)
    if magic in (b".snd", b"dns."):
        return _au(file, begin, end, ">" if magic == b".snd" else "<")
    if magic == b"OggS":
        return _ogg(file, begin, end)
    if magic == b"fLaC":
        return _flac(file, begin, end)
    if len(magic) == 4 and magic[0] == 0xFF and magic[1] >= 0xE0:
        return _mpeg(file, begin, end)
    return Contents()


def _bytes_at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _after_id3(file: BinaryIO, place: int) -> int:
    """Return the place behind the ID3v2 tags that stand at a place."""
    while (tag := _bytes_at(file, place, 10))[:3] == b"ID3" and len(tag) == 10:
        size = functools.reduce(lambda total, byte: total << 7 | byte & 127, tag[6:10], 0)
        place += 10 + size + (10 if tag[5] & 16 else 0)
    return place


def _end_without_tags(file: BinaryIO) -> int:
    """Return the place where ID3v1 and APE tags at the end begin."""
    end = file.seek(0, 2)
    if end >= 128 and _bytes_at(file, end - 128, 3) == b"TAG":
        end -= 128
    if end >= 32 and (footer := _bytes_at(file, end - 32, 32))[:8] == b"APETAGEX":
        size, flags = struct.unpack("<I4xI", footer[12:24])
        end -= min(end, size + (32 if flags >> 31 else 0))
    return end


# RIFF, AIFF, Wave64, CAF and AU: the samples stand in one piece of a known length


def _chunked(file: BinaryIO, begin: int, end: int, magic: bytes) -> Contents:
    """Hold the length of the chunk of samples against what is there."""
    found: Contents | None = None
    long_length, is_mpeg = None, False
    for name, place, first, length in _chunks(file, begin, end, magic):
        if name == b"ds64":
            (long_length,) = struct.unpack("<Q", _bytes_at(file, first + 8, 8).ljust(8, b"\0"))
        elif name == b"fmt ":
            is_mpeg = _bytes_at(file, first, 2) == MPEG_LAYER_3
        elif found and name in (*SAMPLE_CHUNKS, *LAYOUTS):
            return Contents("several recordings joined in one file, of which only the first would be read")
        elif name in SAMPLE_CHUNKS:
            if magic in (b"RF64", b"BW64") and length == 0xFFFFFFFF and long_length is not None:
                length = long_length
            found = _samples(file, first, length, end, magic)
            if found.problem is None and not length - (8 if magic == b"FORM" else 0):
                found = _unfilled(file, place, first, length, end, magic)
            if is_mpeg and not found.problem:
                found = _mpeg(file, first, min(first + length, end))
            if found.problem or found.patches or first + length >= end:
                break
    return found or Contents()


def _chunks(file: BinaryIO, begin: int, end: int, magic: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """Return each chunk's name and place, and where its content begins and how long it is."""
    layout, place, even = LAYOUTS[magic]
    place += begin
    size = struct.calcsize(layout)
    while len(header := _bytes_at(file, place, size)) == size and place + size <= end:
        name, length = struct.unpack(layout, header)
        if magic == b"riff":
            length -= size
        if length < 0:  # Core Audio's −1 stands for all up to the end
            length = max(end - place - size, 0)
        yield name, place, place + size, length
        place += size + -(-length // even) * even


def _samples(file: BinaryIO, first: int, length: int, end: int, magic: bytes) -> Contents:
    there = end - first
    if length > there:
        return Contents(None if length >= STREAMED else f"truncated: {there} of {length} bytes")
    if length and not _is_end_of_samples(file, first + length, end, magic):
        return Contents(f"its header counts {length} of {there} bytes; those behind would be lost")
    return Contents()


def _is_end_of_samples(file: BinaryIO, place: int, end: int, magic: bytes) -> bool:
    """Say whether nothing is at a place but a chunk, or what rounds up the file."""
    layout, _, even = LAYOUTS[magic]
    size = struct.calcsize(layout)
    if end - place < 8 or _is_zero(file, place, end):
        return True
    for start in (place, place + -place % even):
        header = _bytes_at(file, start, size)
        if len(header) < size:
            return True
        name, length = struct.unpack(layout, header)
        fits = 0 <= length <= end - start
        if (
            name in (*TEXT_CHUNKS, *SAMPLE_CHUNKS, *LAYOUTS)
            or name[:3] == b"ID3"
            or (re.fullmatch(rb"[ -~]{4}", name) and fits)
        ):
            return True
    return False


def _is_zero(file: BinaryIO, place: int, end: int) -> bool:
    """Say whether all bytes between two places are zero, as where a disk or a device fills up its blocks."""
    while place < end:
        block = _bytes_at(file, place, min(1 << 16, end - place))
        if not block or block.count(0) < len(block):
            return not block
        place += len(block)
    return True


def _unfilled(file: BinaryIO, place: int, first: int, length: int, end: int, magic: bytes) -> Contents:
    """Mend a length of 0, which a program leaves that cannot go back: the samples reach to the end."""
    if _is_end_of_samples(file, first + length, end, magic):
        return Contents()
    if magic in (b"RIFF", b"RIFX", b"FORM"):
        return Contents(patches=((place + 4, bytes(4) if magic == b"FORM" else b"\xff" * 4),))
    return Contents(f"its header counts none of {end - first} bytes")


def _au(file: BinaryIO, begin: int, end: int, order: str) -> Contents:
    header = _bytes_at(file, begin + 4, 8)
    if len(header) < 8:
        return Contents()
    first, length = struct.unpack(f"{order}II", header)
    there = end - begin - first
    if length > there and length < STREAMED:
        return Contents(f"truncated: {there} of {length} bytes")
    if there - length >= 8:
        return Contents(f"its header counts {length} of {there} bytes; those behind would be lost")
    return Contents()


# Ogg: pages, which know their stream, their number and the last one


def _ogg(file: BinaryIO, place: int, end: int) -> Contents:
    stream, following, is_last = None, None, False
    while len(header := _bytes_at(file, place, 27)) == 27 and header[:4] == b"OggS":
        flags, serial, number, segments = struct.unpack("<5xB8xII4xB", header)
        lengths = file.read(segments)
        behind = place + 27 + segments + sum(lengths)
        if behind > end or len(lengths) < segments:
            return Contents(f"truncated after {place} of {behind} bytes")
        if stream not in (None, serial) or (stream is not None and flags & 2):
            return Contents("several recordings joined in one file, of which only the first would be read")
        if following not in (None, number):
            return Contents(f"pages are missing before page {number}")
        stream, following, is_last, place = serial, number + 1, bool(flags & 4), behind
    return Contents(None if is_last else f"truncated after {place} bytes")


# FLAC: the first block of metadata counts the samples, and so does the header of the last frame


def _flac(file: BinaryIO, begin: int, end: int) -> Contents:
    info = _bytes_at(file, begin + 8, 34)
    if len(info) < 34:
        return Contents("truncated in its header")
    total = int.from_bytes(info[10:18], "big") & (1 << 36) - 1
    if not total:
        return Contents("its header does not tell its length; encode it again")
    longest = int.from_bytes(info[7:10], "big") or 1 << 20
    tail_begin = max(begin, end - longest - (1 << 16))
    found = _flac_end(_bytes_at(file, tail_begin, end - tail_begin), int.from_bytes(info[2:4], "big"))
    if found is None:
        return Contents("truncated, or damaged: it does not end with a whole frame")
    if found < total:
        return Contents(f"truncated: {found} of {total} samples")
    if found > total:
        return Contents(f"its header counts {total} of {found} samples; those behind would be lost")
    if _is_joined_flac(file, begin, end):
        return Contents("several recordings joined in one file, of which only the first would be read")
    return Contents()


def _flac_end(tail: bytes, block_size: int) -> int | None:
    """Find the last frame, whose checksum must hold up to the end, and give where it ends in samples."""
    for match in reversed(list(re.finditer(rb"\xff[\xf8\xf9]", tail))):
        end = _flac_frame_end(tail[match.start() : match.start() + 16], block_size)
        if end is not None and _crc16(tail[match.start() :]) == 0:
            return end
    return None


def _flac_frame_end(header: bytes, block_size: int) -> int | None:
    """Read from a frame's header where it ends, in samples; None if its checksum is wrong."""
    header = header.ljust(16, b"\0")
    size_code, rate_code = header[2] >> 4, header[2] & 15
    more = max(7 - (header[4] ^ 0xFF).bit_length(), 0)  # a number as in UTF-8: so many bytes follow the first
    number = header[4] & (0x3F >> more if more else 0x7F)
    for byte in header[5 : 5 + more]:
        number = number << 6 | byte & 63
    place = 5 + more
    behind = place + {6: 1, 7: 2}.get(size_code, 0)
    samples = FLAC_SIZES.get(size_code) or int.from_bytes(header[place:behind], "big") + 1
    behind += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if behind >= len(header) or _crc8(header[:behind]) != header[behind]:
        return None
    return (number if header[1] & 1 else number * block_size) + samples


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 128 else 0)) & 0xFF
    return crc


@functools.cache
def _crc16_shift(level: int) -> np.ndarray:
    """Compute what each checksum becomes once 2**level bytes of zeros follow."""
    if level:
        half = _crc16_shift(level - 1)
        return half[half]
    crc: np.ndarray = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(8):
        crc = crc << 1 ^ np.where(crc & 0x8000, 0x18005, 0).astype(np.uint32)
    return crc.astype(np.uint16)


def _crc16(data: bytes) -> int:
    """Compute FLAC's checksum (polynomial 0x8005) by halves: zeros in front do not change it."""
    crcs = np.frombuffer(data, np.uint8).astype(np.uint16)
    level = 0
    while len(crcs) > 1:
        if len(crcs) % 2:
            crcs = np.concatenate([np.zeros(1, np.uint16), crcs])
        crcs = _crc16_shift(level)[crcs[::2]] ^ crcs[1::2]
        level += 1
    return int(crcs[0])


def _is_joined_flac(file: BinaryIO, begin: int, end: int) -> bool:
    """Say whether another recording begins behind the first one's beginning."""
    file.seek(begin + 4)
    overlap = b""
    while block := file.read(1 << 20):
        if re.search(rb"fLaC[\0\x80]\0\0\x22", overlap + block):
            return True
        overlap = block[-7:]
    return False


# MPEG: frames, each with a header that tells its length; the first one may count them


class _Frame(NamedTuple):
    kind: tuple[int, int, int, bool]
    samples: int
    size: int


@functools.lru_cache(1 << 12)
def _mpeg_frame(header: bytes) -> _Frame | None:
    """Read what a frame's header says; None for what is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    kbits, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or not layer or kbits in (0, 15) or rate == 3:
        return None
    is_first = version == 3
    bits = 1000 * KBITS[3 if is_first else 2, layer if is_first or layer == 3 else 2][kbits - 1]
    hertz, padding = MPEG_RATES[version][rate], header[2] >> 1 & 1
    samples = {3: 384, 2: 1152, 1: 1152 if is_first else 576}[layer]
    size = (12 * bits // hertz + padding) * 4 if layer == 3 else samples // 8 * bits // hertz + padding
    return _Frame((version, layer, rate, header[3] >> 6 == 3), samples, size)


def _mpeg(file: BinaryIO, begin: int, end: int) -> Contents:
    """Count the frames; libsndfile is told where it would guess, or stop too early."""
    start = _bytes_at(file, begin, 4)
    first = _mpeg_frame(start)
    if first is None:
        return Contents()
    count, place = 0, begin
    while (found := _next_frame(file, place, end, start, first)) is not None:
        place, frame = found
        if frame.kind != first.kind:
            return Contents("recordings of different sample rates or channels joined in one file")
        if place + frame.size > end:
            return Contents(f"truncated after {count} frames")
        count, place = count + 1, place + frame.size
    counter = re.search(rb"(?s)(Xing|Info)...(.)|VBRI.{6}", _bytes_at(file, begin, min(first.size, 64)))
    if counter is None:
        return Contents(frames=count * first.samples)
    count -= 1  # the one that counts has no samples
    if counter[2] and not counter[2][0] & 1:
        return Contents(frames=count * first.samples)
    place = begin + counter.end() + (0 if counter[2] else 4)
    counted = int.from_bytes(_bytes_at(file, place, 4), "big")
    if counted > count:
        return Contents(f"truncated: {count} of {counted} frames")
    return Contents(patches=((place, struct.pack(">I", count)),) if counted < count else ())


def _next_frame(
    file: BinaryIO, place: int, end: int, start: bytes, first: _Frame
) -> tuple[int, _Frame] | None:
    """Find the next frame, behind tags and whatever is none; one that is cut within its header, too."""
    while place < end:
        header = _bytes_at(file, place, min(4, end - place))
        frame = _mpeg_frame(header + start[len(header) :])
        if frame and frame.kind == first.kind:
            return place, frame
        behind = _behind_tag(file, place)
        if behind == place:
            return _synchronized(file, place, end)
        place = behind
    return None


def _behind_tag(file: BinaryIO, place: int) -> int:
    start = _bytes_at(file, place, 16)
    if start[:3] == b"TAG":
        return place + 128
    if start[:8] == b"APETAGEX" and len(start) == 16:
        return place + 32 + int.from_bytes(start[12:], "little")
    return _after_id3(file, place)


def _synchronized(file: BinaryIO, place: int, end: int) -> tuple[int, _Frame] | None:
    """Find the next frame that another one follows, or the end."""
    while place < end:
        block = _bytes_at(file, place, 1 << 16)
        for match in re.finditer(rb"\xff[\xe0-\xff]", block):
            frame = _mpeg_frame(block[match.start() : match.start() + 4])
            behind = place + match.start() + (frame.size if frame else 0)
            following = _mpeg_frame(_bytes_at(file, behind, 4)) if frame else None
            if frame and (behind == end or (following and following.kind == frame.kind)):
                return place + match.start(), frame
        place += max(len(block) - 3, 1)
    return None
