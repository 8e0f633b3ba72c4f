import multiprocessing
import os
import struct
import tempfile
import threading
import tracemalloc
from pathlib import Path

import hypothesis
import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from cutting import cut_windows
from hypothesis import strategies as st

from tfspec.audio import opening
from tfspec.audio.decoding import fit_length, load_audio
from tfspec.audio.inspection import inspect_all, inspect_audio
from tfspec.base.errors import UserError
from tfspec.data import readers
from tfspec.data.readers import AudioReader

SHARED = Path(__file__).parents[2] / "shared" / "data"
FORMATS = {
    "wav, 16 bits": ("wav", "PCM_16"),
    "wav, float": ("wav", "FLOAT"),
    "flac": ("flac", "PCM_16"),
    "ogg": ("ogg", "VORBIS"),
    "mp3": ("mp3", "MPEG_LAYER_III"),
}
SUFFIXES = ("wav", "flac", "ogg", "mp3")
all_formats = pytest.mark.parametrize("name", FORMATS)
all_suffixes = pytest.mark.parametrize("suffix", SUFFIXES)
stereo_or_mono = pytest.mark.parametrize("channels", [1, 2])


def record(path: Path, sample_rate=16000, channels=1, seconds=0.5, subtype=None) -> Path:
    """Write a tone in noise, another tone in each channel."""
    noise = np.random.default_rng(0).standard_normal((round(seconds * sample_rate), channels))
    time = np.arange(len(noise))[:, np.newaxis] / sample_rate
    tones = np.sin(2 * np.pi * np.array([440, 700])[:channels] * time)
    soundfile.write(path, 0.3 * tones + 0.1 * noise, sample_rate, subtype=subtype)
    return path


def cut_bytes(path: Path, part: float) -> Path:
    """Keep only the first bytes of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    return path


def streamed_wav(path: Path, length: int) -> Path:
    """Write what a program writes that cannot go back to fill in how long the recording became."""
    content = bytearray(record(path).read_bytes())
    content[4:8] = struct.pack("<I", length)
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", length)
    path.write_bytes(content)
    return path


def streamed_flac(path: Path) -> Path:
    """Write a flac file whose header leaves the number of samples at 0, which is "unknown"."""
    content = bytearray(record(path).read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path


# load_audio


@all_formats
@stereo_or_mono
@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100, 48000])
def test_load_equals_librosa(tmp_path, name, channels, sample_rate):
    suffix, subtype = FORMATS[name]
    path = record(tmp_path / f"a.{suffix}", sample_rate, channels, subtype=subtype)
    expected, _ = librosa.load(path, sr=22050, mono=True)
    whole = load_audio(path, 22050)
    assert whole.dtype == np.float32
    assert whole.shape == expected.shape
    np.testing.assert_allclose(whole, expected, atol=1e-4)
    np.testing.assert_allclose(load_audio(path, 22050, 6000), expected[:6000], atol=1e-4)
    padded = load_audio(path, 22050, 15000)
    np.testing.assert_allclose(padded[: len(expected)], expected, atol=1e-4)
    assert (padded[len(expected) :] == padded[len(expected) - 1]).all()


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 96000])
def test_beginning_is_resampled_as_in_the_whole(tmp_path, sample_rate):
    path = record(tmp_path / "a.wav", sample_rate, subtype="FLOAT")
    for target in (4000, 16000, 48000):
        np.testing.assert_allclose(
            load_audio(path, target, target // 4), load_audio(path, target)[: target // 4], atol=1e-4
        )


def test_without_a_rate_the_samples_are_the_file_s_own(tmp_path, rng):
    samples = rng.uniform(-1, 1, 1000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 11025, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav"), samples)
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav", 11025, 300), samples[:300])
    np.testing.assert_array_equal(load_audio(str(tmp_path / "a.wav"), num_samples=300), samples[:300])


def test_channels_are_averaged(tmp_path):
    channels = np.array([[0.5, -0.25, 0.5]] * 100)
    soundfile.write(tmp_path / "a.wav", channels, 8000, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav"), 0.25, atol=1e-7)


def test_resampled_tone_is_the_tone_at_the_new_rate(tmp_path):
    """Independent of any resampler: the tone is computed anew."""
    soundfile.write(tmp_path / "a.wav", np.sin(2 * np.pi * 440 * np.arange(44100) / 44100), 44100, "FLOAT")
    expected = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    inside = slice(500, -500)
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav", 22050)[inside], expected[inside], atol=1e-3)


@pytest.mark.parametrize("num_samples", [1, 4, 5, 9])
def test_fit_length_cuts_the_end_or_repeats_the_last_sample(num_samples):
    expected = [1, 2, 3, 4, 5, 5, 5, 5, 5][:num_samples]
    assert fit_length(np.arange(1, 6), num_samples).tolist() == expected


def test_fit_length_with_silence():
    assert fit_length(np.arange(1, 4), 5, "silence").tolist() == [1, 2, 3, 0, 0]
    assert fit_length(np.arange(1, 4), 2, "silence").tolist() == [1, 2]


def test_what_lies_behind_the_cut_is_not_decoded(tmp_path):
    samples = np.zeros(16000, np.float32)
    samples[-1] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    assert load_audio(tmp_path / "a.wav", 8000, 4000).shape == (4000,)
    with pytest.raises(UserError, match="NaN"):
        load_audio(tmp_path / "a.wav", 8000)


@pytest.mark.parametrize("sample_rate", [None, 8000])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_load_refuses_samples_that_are_no_numbers(tmp_path, bad, sample_rate):
    soundfile.write(tmp_path / "a.wav", np.array([0, bad, 0] * 100), 16000, subtype="FLOAT")
    with pytest.raises(UserError, match=r"a\.wav has NaN or infinite samples"):
        load_audio(tmp_path / "a.wav", sample_rate)


@pytest.mark.filterwarnings("ignore:overflow encountered")
@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    st.lists(st.lists(st.floats(width=32), min_size=2, max_size=2), max_size=30),
    st.sampled_from([None, 8000, 44100]),
    st.sampled_from([None, 1, 50]),
)
@hypothesis.example([[3e38, 3e38]] * 20, 8000, None)
@hypothesis.example([[3.4e38, 0], [-3.4e38, 0]] * 15, 44100, None)
@hypothesis.example([[0, 0]], 8000, 50)
def test_load_gives_numbers_or_a_user_error(samples, sample_rate, num_samples):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.wav")
        soundfile.write(path, np.reshape(samples, (-1, 2)).astype(np.float32), 16000, subtype="FLOAT")
        try:
            loaded = load_audio(path, sample_rate, num_samples)
        except UserError:
            return
        assert len(loaded) == num_samples if num_samples else len(loaded)
        assert np.isfinite(loaded).all()


def test_one_sample_that_resampling_leaves_nothing_of_is_a_user_error(tmp_path):
    soundfile.write(tmp_path / "a.wav", [0.5], 48000)
    with pytest.raises(UserError, match="too short to have a sample at 8000 Hz"):
        load_audio(tmp_path / "a.wav", 8000, 100)


# Slices


def long_recording(path: Path, sample_rate=44100, subtype=None, seconds=8) -> Path:
    """Write noise whose level changes every tenth of a second, for codecs that spend their bits by it."""
    rng = np.random.default_rng(1)
    levels = np.repeat(rng.uniform(0, 0.9, 10 * seconds) ** 3, sample_rate // 10)
    soundfile.write(path, levels * rng.uniform(-1, 1, len(levels)), sample_rate, subtype=subtype)
    return path


@all_formats
@pytest.mark.parametrize("sample_rate", [16000, 44100, 48000])
def test_slice_is_the_slice_of_the_whole_recording(tmp_path, rng, name, sample_rate):
    """In mp3 to the rounding of floats: libsndfile itself is off by up to 2e-7 from run to run."""
    suffix, subtype = FORMATS[name]
    path = long_recording(tmp_path / f"a.{suffix}", sample_rate, subtype)
    whole = load_audio(path)
    last = len(whole) - 1
    for first in [1, 1151, *rng.integers(0, last, 40), *rng.integers(last - 20_000, last, 40)]:
        num_samples = int(rng.integers(1, 20_000))
        expected = whole[first : first + num_samples]
        found = load_audio(path, None, num_samples, first / sample_rate, "silence")
        np.testing.assert_allclose(
            found[: len(expected)], expected, rtol=0, atol=1e-6 if suffix == "mp3" else 0
        )
        assert len(found) == num_samples
        assert not found[len(expected) :].any()


@pytest.mark.parametrize("length", range(161_000, 166_000, 613))
def test_slice_from_the_last_page_of_an_ogg_file(tmp_path, rng, length):
    soundfile.write(tmp_path / "a.ogg", rng.uniform(-0.5, 0.5, length), 44100)
    whole = load_audio(tmp_path / "a.ogg")
    for first in range(length - 20_000, length, 3001):
        found = load_audio(tmp_path / "a.ogg", start=first / 44100)
        np.testing.assert_array_equal(found, whole[first:])


@all_formats
@stereo_or_mono
def test_slice_equals_librosa_s(tmp_path, name, channels):
    suffix, subtype = FORMATS[name]
    path = record(tmp_path / f"a.{suffix}", 44100, channels, 16, subtype)
    for start in (0.0, 0.5, 3.75, 7.125):  # librosa, too, is off in the last page of an ogg file
        expected, _ = librosa.load(path, sr=None, offset=start, duration=0.25)
        found = load_audio(path, None, 11025, start)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 if suffix == "mp3" else 0)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize(
    "rates",
    [(44100, 16000), (48000, 22050), (16000, 22050), (22050, 48000), (8000, 7919), (48000, 500), (500, 4000)],
)
def test_slice_is_resampled_as_in_the_whole(tmp_path, rng, suffix, rates):
    native, rate = rates
    path = long_recording(tmp_path / f"a.{suffix}", native)
    whole = librosa.load(path, sr=rate)[0][: 8 * rate]  # librosa may append a zero
    for first in [0, 1, *rng.integers(0, len(whole), 30), len(whole) - 1]:
        expected = whole[first : first + 3000]
        found = load_audio(path, rate, 3000, first / rate, "silence")
        np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-4)
        assert not found[len(expected) :].any()


def test_slice_up_to_the_end(tmp_path):
    path = long_recording(tmp_path / "a.wav", 8000)
    np.testing.assert_array_equal(load_audio(path, start=5), load_audio(path)[40_000:])


@pytest.mark.parametrize("start", [-0.1, np.nan, np.inf])
def test_slice_must_begin_in_time(tmp_path, start):
    with pytest.raises(UserError, match=r"start at 0 seconds or later.*a\.wav"):
        load_audio(tmp_path / "a.wav", None, 100, start)


@pytest.mark.parametrize("rate", [None, 16000, 44100])
def test_slice_behind_the_end_is_a_user_error(tmp_path, rate):
    path = record(tmp_path / "a.wav", seconds=0.5)
    with pytest.raises(UserError, match=r"a\.wav has no samples at 0\.7 s or later"):
        load_audio(path, rate, 100, 0.7)


def test_only_the_slice_is_decoded(tmp_path):
    samples = np.full(16000, np.nan)
    samples[8000:9000] = 0.5
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    assert (load_audio(tmp_path / "a.wav", None, 1000, 0.5) == 0.5).all()
    with pytest.raises(UserError, match="NaN"):
        load_audio(tmp_path / "a.wav", None, 1001, 0.5)


# windows_of


def window_starts(length: int, num_samples: int, hop: int) -> list[int]:
    starts = list(range(0, max(length - num_samples, 0) + 1, hop))
    covered = length - (starts[-1] + num_samples) <= num_samples / 100
    return starts if covered else [*starts, length - num_samples]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rate", [16000, 44100])
def test_windows_are_slices_of_the_whole(tmp_path, monkeypatch, suffix, rate):
    monkeypatch.setattr(opening, "BLOCK", 10_007)
    path = long_recording(tmp_path / f"a.{suffix}", 44100)
    whole = load_audio(path, rate)
    windows = list(cut_windows(path, rate, 5000, 2111))
    assert [start for start, _ in windows] == window_starts(len(whole), 5000, 2111)
    for start, window in windows:
        np.testing.assert_allclose(window, whole[start : start + 5000], atol=1e-4)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(st.integers(1, 60), st.integers(1, 25), st.integers(1, 40), st.integers(1, 30))
def test_windows_cover_a_recording_of_any_length(length, num_samples, hop, block):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "BLOCK", block)
        samples = np.arange(1, length + 1) / 100
        soundfile.write(f"{folder}/a.wav", samples, 8000, subtype="FLOAT")
        windows = list(cut_windows(f"{folder}/a.wav", 8000, num_samples, hop, "silence"))
    assert [start for start, _ in windows] == window_starts(length, num_samples, hop)
    for start, window in windows:
        expected = np.pad(samples, (0, num_samples))[start : start + num_samples]
        np.testing.assert_allclose(window, expected, rtol=1e-6)


@pytest.mark.parametrize(("rest", "more"), [(8, []), (80, []), (81, [2081])])
def test_a_rest_below_a_hundredth_of_a_window_is_no_window(tmp_path, rest, more):
    soundfile.write(tmp_path / "a.wav", np.zeros(10_000 + rest), 8000)
    starts = [start for start, _ in cut_windows(tmp_path / "a.wav", 8000, 8000, 1000)]
    assert starts == [0, 1000, 2000, *more]


def test_windows_of_what_cannot_be_decoded(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    for name, problem in {"missing.wav": "no such file", "empty.wav": "no samples"}.items():
        with pytest.raises(UserError, match=rf"{name}.*{problem}"):
            list(cut_windows(tmp_path / name, 8000, 100, 100))


def test_windows_take_no_more_memory_for_a_longer_recording(tmp_path):
    def peak(seconds):
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, np.zeros(seconds * 44100), 44100)
        tracemalloc.start()
        for _ in cut_windows(path, 16000, 16000, 8000):
            pass
        return (tracemalloc.get_traced_memory()[1], tracemalloc.stop())[0]

    assert peak(300) < 1.2 * peak(30) < 30e6


# What cannot be used: load_audio raises, inspect_audio says why


def assert_unusable(path: Path, problem: str):
    inspection = inspect_audio(path)
    assert problem in inspection.problem
    assert not inspection.is_silent
    with pytest.raises(UserError) as raised:
        load_audio(path, 22050, 1000)
    assert str(path) in str(raised.value)
    assert problem in str(raised.value)


@all_suffixes
def test_missing_file(tmp_path, suffix):
    assert_unusable(tmp_path / f"a.{suffix}", "no such file")


@all_suffixes
def test_empty_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"")
    assert_unusable(path, "empty file")


@all_suffixes
@pytest.mark.parametrize("content", [b"R", b"This is a page of text. " * 200, bytes(5000)])
def test_not_audio(tmp_path, suffix, content):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    assert_unusable(path, "Format not recognised")


@pytest.mark.parametrize("suffix", ["wav", "ogg"])  # libsndfile writes such flac and mp3 files as empty ones
def test_no_samples(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.zeros(0), 16000)
    assert_unusable(path, "no samples")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_numbers(tmp_path, bad):
    soundfile.write(tmp_path / "a.wav", [0, bad, 0], 16000, subtype="FLOAT")
    assert_unusable(tmp_path / "a.wav", "NaN or infinite samples")


@all_suffixes
def test_folder_instead_of_a_file(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").mkdir()
    assert_unusable(tmp_path / f"a.{suffix}", "a folder, not a file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_file_that_may_not_be_read(tmp_path):
    path = record(tmp_path / "a.wav")
    path.chmod(0)
    assert_unusable(path, "Permission denied")


def test_raw_samples(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    assert_unusable(tmp_path / "a.raw", "raw samples")


def test_flac_of_unknown_length(tmp_path):
    assert_unusable(streamed_flac(tmp_path / "a.flac"), "does not tell its length")


@all_formats
@stereo_or_mono
@pytest.mark.parametrize("seconds", [0.5, 7])  # within the first block, and several blocks
def test_truncated_file_is_found(tmp_path, name, channels, seconds):
    suffix, subtype = FORMATS[name]
    path = record(tmp_path / f"a.{suffix}", 44100, channels, seconds, subtype)
    assert inspect_audio(path).problem is None
    inspection = inspect_audio(cut_bytes(path, 0.6))
    assert "truncated" in inspection.problem
    assert inspection.seconds < 0.75 * seconds


@all_formats
def test_nothing_is_made_up_for_the_lost_end(tmp_path, name):
    """SoundFile.blocks() gives as many samples as the header promises, whatever was in memory."""
    suffix, subtype = FORMATS[name]
    path = cut_bytes(record(tmp_path / f"a.{suffix}", 44100, 1, 7, subtype), 0.6)
    assert len({inspect_audio(path) for _ in range(3)}) == 1
    assert inspect_audio(path).peak <= 1


@all_formats
def test_damaged_file_never_raises(tmp_path, rng, name):
    suffix, subtype = FORMATS[name]
    content = record(tmp_path / f"good.{suffix}", subtype=subtype).read_bytes()
    path = tmp_path / f"bad.{suffix}"
    for i in range(60):
        damaged = bytearray(content[: rng.integers(len(content))] if i % 2 else content)
        for place in rng.integers(min(200, len(damaged)), size=4) if damaged else ():
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        inspection = inspect_audio(path)
        assert inspection.problem is None or inspection.problem
        try:
            assert np.isfinite(load_audio(path, 22050, 1000)).all()
        except UserError as error:
            assert str(path) in str(error)


# What can be used


@all_formats
@stereo_or_mono
@pytest.mark.parametrize("sample_rate", [8000, 44100])
def test_good_file_has_no_problem(tmp_path, name, channels, sample_rate):
    suffix, subtype = FORMATS[name]
    path = record(tmp_path / f"a.{suffix}", sample_rate, channels, 1.5, subtype)
    inspection = inspect_audio(path)
    assert inspection.problem is None
    assert (inspection.path, inspection.sample_rate, inspection.channels) == (
        str(path),
        sample_rate,
        channels,
    )
    assert inspection.seconds == pytest.approx(1.5, abs=1e-3)
    assert inspection.peak == pytest.approx(np.abs(soundfile.read(path)[0]).max(), abs=1e-4)
    assert not inspection.is_silent
    assert not inspection.is_clipped


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x80000000, 0x7FFFFFFF])
def test_wav_with_a_streaming_header_is_good(tmp_path, length):
    path = streamed_wav(tmp_path / "streamed.wav", length)
    whole = record(tmp_path / "whole.wav")
    assert inspect_audio(path).problem is None
    assert inspect_audio(path).seconds == 0.5
    np.testing.assert_array_equal(load_audio(path), load_audio(whole))


def test_wav_with_more_behind_the_samples_is_good(tmp_path):
    path = record(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes() + b"LIST\x04\0\0\0INFO" + b"left over")
    assert inspect_audio(path).problem is None


@pytest.mark.parametrize("data", ["speech_commands", "spoken_digits", "esc10"])
def test_real_recordings_are_good(data):
    if not (SHARED / data).is_dir():
        pytest.skip(f"needs the shared recordings of {data}")
    paths = sorted(p for p in (SHARED / data).rglob("*") if p.suffix in audio_suffixes())
    sample = paths[:: max(1, len(paths) // 60)]
    assert len(sample) >= 60
    assert [i for i in inspect_all(sample) if i.problem or i.is_silent or not i.seconds] == []


def audio_suffixes() -> set[str]:
    return {f".{suffix}" for suffix in SUFFIXES}


@pytest.mark.parametrize(("peak", "silent"), [(0, True), (0.9e-4, True), (1.1e-4, False), (0.5, False)])
def test_silence_is_what_stays_below_minus_80_decibels(tmp_path, peak, silent):
    samples = np.zeros(1000)
    samples[700] = -peak
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    assert inspect_audio(tmp_path / "a.wav").is_silent == silent


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize(("samples", "clipped"), [(9, False), (11, True)])
def test_clipping_is_over_a_thousandth_at_full_scale(tmp_path, rng, subtype, samples, clipped):
    signal = rng.uniform(-0.5, 0.5, (10_000, 2))
    signal[1000 : 1000 + samples, 1] = np.resize([1.5, -1.5], samples)
    soundfile.write(tmp_path / "a.wav", signal, 16000, subtype=subtype)
    inspection = inspect_audio(tmp_path / "a.wav")
    assert inspection.clipped == samples / 10_000
    assert inspection.is_clipped == clipped


def test_digest_is_of_the_samples_not_of_the_file(tmp_path, rng):
    samples = rng.integers(-3000, 3000, 300_000).astype(np.int16)  # more than a block
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    soundfile.write(tmp_path / "a.flac", samples, 16000)
    samples[-1] += 1
    soundfile.write(tmp_path / "other.wav", samples, 16000)
    wav, flac, other = (inspect_audio(tmp_path / name).digest for name in ("a.wav", "a.flac", "other.wav"))
    assert wav == flac != other


def test_inspect_all_keeps_the_order_and_counts_its_progress(tmp_path):
    paths = [record(tmp_path / f"{i}.wav", seconds=0.1 * (6 - i)) for i in range(5)] + [tmp_path / "none.wav"]
    seen = []
    inspections = inspect_all(
        paths, lambda results, count: (seen.append((r.path, count)) or r for r in results)
    )
    assert inspections == [inspect_audio(path) for path in paths]
    assert [(i.path, 6) for i in inspections] == seen == [(str(path), 6) for path in paths]
    assert [i.problem for i in inspections] == [None] * 5 + ["no such file"]


# AudioReader


def test_reader_equals_loading_one_by_one(tmp_path):
    paths = [
        record(tmp_path / f"{i}.{SUFFIXES[i % 4]}", [8000, 44100][i % 2], 1 + i % 2, 0.05 * (i + 1)).name
        for i in range(13)
    ]
    reader = AudioReader(tmp_path, 22050, 8000)
    signals = reader(pd.DataFrame({"path": paths}, index=range(100, 113)))
    assert reader.signal_shape == (8000,)
    assert signals.dtype == np.float32
    np.testing.assert_array_equal(signals, [load_audio(tmp_path / path, 22050, 8000) for path in paths])
    assert reader(pd.DataFrame({"path": []})).shape == (0, 8000)


def test_reader_reads_the_slices_of_a_manifest(tmp_path):
    path = long_recording(tmp_path / "a.flac", 44100)
    rows = pd.DataFrame({"path": ["a.flac"] * 3, "start": [6.5, 0.0, 7.75]}, index=[7, 8, 9])
    signals = AudioReader(tmp_path, 16000, 8000, "silence")(rows)
    whole = np.pad(load_audio(path, 16000), (0, 8000))
    for start, signal in zip(rows["start"], signals, strict=True):
        first = int(start * 16000)
        np.testing.assert_allclose(signal, whole[first : first + 8000], atol=1e-4)
    assert not signals[2, 4000:].any()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_reader_works_in_a_forked_process(tmp_path):
    """The pool's threads are not in the child."""
    record(tmp_path / "a.wav")
    reader, rows = AudioReader(tmp_path, 8000, 1000), pd.DataFrame({"path": ["a.wav"] * 4})
    expected = reader(rows)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply_async(reader, [rows]).get(timeout=30), expected)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_reader_decodes_in_threads(monkeypatch, tmp_path):
    together = threading.Barrier(2)

    def load(path, sample_rate, num_samples, start, padding):
        together.wait(timeout=20)  # broken where nobody else comes
        return np.zeros(num_samples)

    monkeypatch.setattr(readers, "load_audio", load)
    AudioReader(tmp_path, 8000, 10)(pd.DataFrame({"path": ["a.wav", "b.wav"]}))


def test_reader_names_the_file_that_cannot_be_read(tmp_path):
    record(tmp_path / "a.wav")
    with pytest.raises(UserError, match=r"b\.wav cannot be decoded: no such file"):
        AudioReader(tmp_path, 8000, 10)(pd.DataFrame({"path": ["a.wav", "b.wav", "a.wav"]}))
