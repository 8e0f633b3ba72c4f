"""Files that are not what their headers say: all is read, or it is reported, everywhere alike."""

import os
import socket
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cutting import cut_windows

from tfspec.audio.decoding import _resampled, load_audio
from tfspec.audio.inspection import format_problems, inspect_audio, recording_lengths
from tfspec.audio.opening import opened
from tfspec.augment import BackgroundNoise
from tfspec.base.errors import UserError

RATE = 16000


def written(path: Path, channels=1, seconds=4.0, rate=RATE, **options) -> bytes:
    rng = np.random.default_rng(3)
    levels = np.repeat(rng.uniform(0, 0.9, round(10 * seconds)) ** 3, rate // 10)[:, np.newaxis]
    soundfile.write(path, levels * rng.uniform(-1, 1, (len(levels), channels)), rate, **options)
    return path.read_bytes()


def with_length(content: bytes, chunk: bytes, length: int) -> bytes:
    order = ">" if content[:4] == b"FORM" else "<"
    place = content.index(chunk) + 4
    return content[:place] + struct.pack(f"{order}I", length) + content[place + 4 :]


def with_flac_total(content: bytes, total: int) -> bytes:
    return content[:21] + bytes([content[21] & 0xF0]) + struct.pack(">I", total) + content[26:]


def with_mp3_count(content: bytes, count: int) -> bytes:
    place = content.index(b"Xing") + 8
    return content[:place] + struct.pack(">I", count) + content[place + 4 :]


def without_first_frame(content: bytes) -> bytes:
    """Find the second frame by its header, which differs in bit rate and padding only."""
    place = content.index(content[:2], 100)
    while content[place + 3] & 0xC0 != content[3] & 0xC0:
        place = content.index(content[:2], place + 1)
    return content[place:]


def assert_problem(path: Path, words: str):
    """Every function that opens a recording says the same."""
    assert words in inspect_audio(path).problem
    ((seconds, problem),) = recording_lengths([path])
    assert np.isnan(seconds) and words in problem
    assert words in format_problems([path], RATE, 4 * RATE)[0]
    for read in (
        lambda: load_audio(path, RATE, 100),
        lambda: load_audio(path, 8000),
        lambda: list(cut_windows(path, 8000, 100, 100)),
        lambda: BackgroundNoise(path.parent, RATE)._recordings,
    ):
        with pytest.raises(UserError, match=words):
            read()


LONG = {"wav": b"data", "aiff": b"SSND"}


@pytest.mark.parametrize("suffix", LONG)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length", [0, 0x7EFFFFF8, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_header_of_a_streaming_program_is_complete(tmp_path, suffix, channels, length):
    path = tmp_path / f"a.{suffix}"
    content = written(path, channels)
    whole = load_audio(path)
    path.write_bytes(with_length(content, LONG[suffix], length))
    assert inspect_audio(path).problem is None
    assert recording_lengths([path]) == [(4.0, None)]
    np.testing.assert_array_equal(load_audio(path), whole)
    np.testing.assert_array_equal(load_audio(path, num_samples=500, start=3), whole[3 * RATE :][:500])


@pytest.mark.parametrize("suffix", LONG)
@pytest.mark.parametrize(("length", "words"), [(1000, "would be lost"), (500_000, "truncated")])
def test_a_length_of_samples_that_is_wrong(tmp_path, suffix, length, words):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(with_length(written(path), LONG[suffix], length))
    if suffix == "aiff":
        path = path.rename(tmp_path / "a.wav")  # whatever it is called
    assert_problem(path, words)


@pytest.mark.parametrize("total", [100, 63_999, 64_001, 1 << 30, 0])
def test_a_flac_file_that_counts_wrongly(tmp_path, total):
    path = tmp_path / "a.flac"
    path.write_bytes(with_flac_total(written(path), total))
    assert_problem(path, "does not tell" if not total else "would be lost" if total < 64_000 else "truncated")


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.wav"])
def test_joined_recordings_are_reported(tmp_path, name):
    content = written(tmp_path / name)
    (tmp_path / name).write_bytes(content * 2)
    assert_problem(tmp_path / name, "joined")


@pytest.mark.parametrize("suffix", ["wav", "aiff"])
def test_zeros_that_fill_up_a_block_are_no_samples(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    content = written(path)
    whole = load_audio(path)
    path.write_bytes(content + bytes(5000))
    np.testing.assert_array_equal(load_audio(path), whole)
    path.write_bytes(content + bytes(5000) + b"\1" * 100)
    assert_problem(path, "would be lost")


CUTS = {"flac": {}, "ogg": {}, "mp3": {}, "wav": {}, "aiff": {}, "opus": {"format": "OGG", "subtype": "OPUS"}}
CUTS |= {"w64": {}, "rf64": {"format": "RF64"}, "caf": {}, "au": {}}


@pytest.mark.parametrize("suffix", CUTS)
@pytest.mark.parametrize("part", [0.3, 0.613, 0.9, 0.999])
def test_a_truncated_file_is_found_and_a_whole_one_is_not(tmp_path, suffix, part):
    path = tmp_path / f"a.{suffix}"
    content = written(path, 2, **CUTS[suffix])
    assert inspect_audio(path).problem is None
    assert recording_lengths([path])[0][1] is None
    path.write_bytes(content[: int(len(content) * part)])
    path = path.rename(tmp_path / "a.wav")
    assert_problem(path, "truncated")


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
@pytest.mark.parametrize("channels", [1, 2])
def test_all_of_an_mp3_without_a_count_is_read(tmp_path, rate, channels):
    path = tmp_path / "a.mp3"
    content = written(path, channels, 8, rate, bitrate_mode="VARIABLE")
    whole = load_audio(path)
    path.write_bytes(without_first_frame(content))
    found = load_audio(path)
    delay = 1105
    np.testing.assert_allclose(found[delay:][4000 : len(whole)], whole[4000 : len(found) - delay], atol=1e-5)
    assert 0 <= len(found) - len(whole) < 3000
    assert inspect_audio(path).problem is None
    assert recording_lengths([path]) == [(len(found) / rate, None)]
    for first in (1, 20_001, len(found) - 3000):
        part = load_audio(path, None, 2000, first / rate)
        np.testing.assert_allclose(part, found[first : first + 2000], atol=1e-6)
    path.write_bytes(path.read_bytes()[:-50])
    assert "truncated" in inspect_audio(path).problem


def test_an_mp3_s_count_that_is_wrong(tmp_path):
    path = tmp_path / "a.mp3"
    content = written(path, bitrate_mode="VARIABLE")
    whole = load_audio(path)
    path.write_bytes(with_mp3_count(content, 5))
    np.testing.assert_array_equal(load_audio(path), whole)
    path.write_bytes(content + content)
    assert recording_lengths([path])[0][0] == inspect_audio(path).seconds > 8
    path.write_bytes(with_mp3_count(content, 50_000))
    assert_problem(path, "truncated")


def test_all_of_an_mp3_within_a_wav_file_is_read(tmp_path):
    path = tmp_path / "a.wav"
    mp3 = without_first_frame(written(tmp_path / "a.mp3", 1, 8, RATE, bitrate_mode="VARIABLE"))
    mp3 += bytes(len(mp3) % 2)
    coding = struct.pack("<HHIIHHHHIHHH", 0x55, 1, RATE, 4000, 576, 0, 12, 1, 2, 576, 1, 1393)
    parts = {b"fmt ": coding, b"fact": struct.pack("<I", 8 * RATE), b"data": mp3, b"LIST": bytes(400)}
    chunks = b"WAVE" + b"".join(name + struct.pack("<I", len(part)) + part for name, part in parts.items())
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
    (tmp_path / "b.mp3").write_bytes(mp3)
    found = load_audio(path)
    np.testing.assert_allclose(found, load_audio(tmp_path / "b.mp3"), atol=1e-6)
    assert recording_lengths([path]) == [(len(found) / RATE, None)]
    np.testing.assert_allclose(load_audio(path, None, 2000, 60_001 / RATE), found[60_001:62_001], atol=1e-6)


@pytest.mark.parametrize("options", [{"format": "MP3", "bitrate_mode": "VARIABLE"}, {"format": "FLAC"},
                                     {"format": "OGG"}, {"format": "WAV", "subtype": "GSM610"},
                                     {"format": "AU", "subtype": "G721_32"}])  # fmt: skip
def test_blocks_and_slices_are_what_one_read_gives(tmp_path, options):
    """SoundFile seeks between reads, where an mp3 loses what its next frames borrow; some formats can't."""
    path = tmp_path / "a"
    tone = 0.4 * np.sin(np.arange(20 * RATE) * 0.1) * np.repeat([1, 0, 1, 0.1], 5 * RATE)
    soundfile.write(path, tone, RATE, **options)
    whole = soundfile.read(path, dtype="float32", always_2d=True)[0]
    for begin, size in ((0, 30_000), (1, 7001), (160_003, 12_345), (len(whole) - 100, 64)):
        with opened(path) as recording:
            found = np.concatenate(list(recording.blocks(begin, size=size)))
        np.testing.assert_allclose(found, whole[begin:], atol=1e-6)


@pytest.mark.parametrize("suffix", ["mp3", "flac"])
def test_tags_are_no_samples(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    content = written(path)
    whole = load_audio(path)
    ape = struct.pack("<8s4I8x", b"APETAGEX", 2000, 32 + 5, 1, 0)
    for front in (b"", b"ID3\4\0\0\0\0\1\0" + b"\xff" * 128):
        for behind in (b"", b"TAG" + b"x" * 125, b"extra" + ape, b"extra" + ape + b"TAG" + bytes(125)):
            path.write_bytes(front + content + behind)
            assert inspect_audio(path).problem is None, (front, behind)
            np.testing.assert_allclose(load_audio(path), whole, atol=1e-6)


def test_a_tag_behind_a_wav_file_is_no_samples(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(written(path) + b"ID3\4\0\0\0\0\1\0" + bytes(128))
    assert recording_lengths([path]) == [(4, None)]


# What is no file, and what asks for too much


def test_what_is_no_regular_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert_problem(tmp_path / "a.wav", "a pipe, not a file")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "b.wav"))
        assert inspect_audio(tmp_path / "b.wav").problem == "a socket, not a file"
    assert inspect_audio("/dev/zero").problem == "a device, not a file"
    (tmp_path / "c.wav").symlink_to("/dev/zero")
    assert inspect_audio(tmp_path / "c.wav").problem == "a device, not a file"


@pytest.mark.parametrize("rate", [1, 99, 10_000_001, 2**31 - 1])
def test_a_sample_rate_that_cannot_be_true(tmp_path, rate):
    path = tmp_path / "a.wav"
    content = written(path)
    path.write_bytes(content[:24] + struct.pack("<I", rate) + content[28:])
    assert_problem(path, "claims a sample rate")


@pytest.mark.parametrize(("rate", "channels"), [(100, 1), (8000, 1024), (10_000_000, 2)])
def test_blocks_are_bounded_in_what_goes_in_and_in_what_comes_out(tmp_path, monkeypatch, rate, channels):
    soundfile.write(tmp_path / "a.wav", np.zeros((1000, channels)), rate)
    monkeypatch.setattr("tfspec.audio.opening.BLOCK", 5000)
    with opened(tmp_path / "a.wav") as recording:
        assert max(block.size for block in recording.blocks()) <= 5000
    with opened(tmp_path / "a.wav") as recording:
        assert max(len(block) for block in _resampled(recording, 22050)) < 1 << 18


def test_what_is_too_long_for_one_array_is_read_by_slices(tmp_path, monkeypatch):
    written(tmp_path / "a.wav")
    monkeypatch.setattr("tfspec.audio.decoding.MOST_SAMPLES", 10_000)
    assert len(load_audio(tmp_path / "a.wav", num_samples=9000)) == 9000
    with pytest.raises(UserError, match=r"a\.wav is too long"):
        load_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("name", [b"new\nline.wav", b"esc\x1b[2J.wav", b"not-utf8-\xff.wav"])
def test_names_of_any_bytes_are_read_and_printed_on_one_line(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    (tmp_path / "plain.wav").write_bytes(b"")
    written(tmp_path / "plain.wav")
    (tmp_path / "plain.wav").rename(path)
    assert len(load_audio(path)) == 4 * RATE
    path.write_bytes(b"")
    with pytest.raises(UserError) as raised:
        load_audio(path)
    assert str(raised.value).isprintable()
