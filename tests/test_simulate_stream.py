"""Simulated streams: what is in the table is in the sound, at the level that was asked for."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tfspec import UserError
from tfspec.audio.sounding import sounding
from tfspec.cli.main import main
from tfspec.data.sources.simulate import write_stream
from tfspec.data.sources.simulate.stream_noise import recorded_noise
from tfspec.data.sources.simulate.stream_words import recorded_words, speakers_of
from tfspec.data.sources.stream_events import read_events

RATE = 16000
HERTZ = {"go": 500, "stop": 1000, "bed": 2000, "_unknown_": 3000, "_silence_": 6000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Words that are tones of a quarter of a second within silence, by two speakers; noise; and a split."""
    folder = tmp_path_factory.mktemp("stream")
    times = np.arange(RATE // 4) / RATE
    for name, hertz in HERTZ.items():
        (folder / "words" / name).mkdir(parents=True)
        for who, height in (("ann", 0.1), ("bob", 0.5)):
            tone = np.pad(height * np.sin(2 * np.pi * hertz * times), (RATE // 2, RATE // 4))
            soundfile.write(folder / "words" / name / f"{who}_nohash_0.wav", tone, RATE)
    (folder / "noise" / "below").mkdir(parents=True)
    rng = np.random.default_rng(0)
    soundfile.write(folder / "noise" / "a.wav", 0.3 * rng.uniform(-1, 1, 4 * RATE), RATE)
    soundfile.write(folder / "noise" / "below" / "b.wav", 0.01 * rng.uniform(-1, 1, 2 * 8000), 8000)
    soundfile.write(folder / "noise" / "silent.wav", np.zeros(RATE), RATE)
    (folder / "split.csv").write_text("index,group,part\n0,ann,train\n1,bob,test\n")
    return folder


def _write(folder, out, **options):
    write_stream(out, words=folder / "words", background=folder / "noise", classes=("go", "stop"), **options)
    sound, rate = soundfile.read(out / "stream.wav")
    assert rate == RATE
    return sound, read_events(out / "events.csv", ["stream.wav"])


def _hertz(sound) -> float:
    return float(np.abs(np.fft.rfft(sound)).argmax() * RATE / len(sound))


def test_words_are_where_the_table_says(folder, tmp_path):
    sound, events = _write(folder, tmp_path / "out", minutes=2, snr_db=20.0, word_seconds=3.0)
    assert len(sound) == 120 * RATE and len(events) == 40
    assert (events["start"] // 3 == np.arange(40)).all()
    assert ((events["end"] - events["start"]).between(0.25, 0.3)).all()
    said = {_hertz(sound[round(e.start * RATE) : round(e.end * RATE)]): e.label for e in events.itertuples()}
    assert {round(hertz, -2): label for hertz, label in said.items()} == {
        500: "go", 1000: "stop", 2000: "_unknown_", 3000: "_unknown_",
    }  # fmt: skip
    counts = events["label"].value_counts()
    assert 10 <= counts["_unknown_"] <= 30
    assert {*counts.index} == {"go", "stop", "_unknown_"}


def test_a_stream_is_as_long_as_was_asked(folder, tmp_path):
    sound, events = _write(folder, tmp_path / "out", minutes=0.5, word_seconds=8.0)
    assert len(sound) == 30 * RATE and len(events) == 3 and events["end"].max() < 24
    assert np.std(sound[24 * RATE :]) == pytest.approx(10 ** (-36 / 20), rel=0.1)
    with pytest.raises(UserError, match=r"room for a word.* Received: 0\.5 minutes and 40 seconds"):
        _write(folder, tmp_path / "none", minutes=0.5, word_seconds=40.0)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 30.0])
def test_words_are_as_much_louder_as_was_asked(folder, tmp_path, snr_db):
    sound, events = _write(folder, tmp_path / "out", minutes=1, snr_db=snr_db, share=1)
    is_word = np.zeros(len(sound), bool)
    for event in events.itertuples():
        is_word[round(event.start * RATE) : round(event.end * RATE)] = True
    noise, both = np.mean(sound[~is_word] ** 2), np.mean(sound[is_word] ** 2)
    assert 10 * np.log10((both - noise) / noise) == pytest.approx(snr_db, abs=1.0)
    assert 10 * np.log10(noise) == pytest.approx(-26 - snr_db, abs=0.3)


def test_only_speakers_of_the_part_are_heard(folder, tmp_path):
    assert speakers_of(folder / "split.csv", "test") == {"bob"}
    draw = recorded_words(folder / "words", ["go"], "([^_]+)", {"bob"})
    rng = np.random.default_rng(0)
    assert {round(np.abs(draw(True, rng)[0]).max(), 1) for _ in range(20)} == {0.5}
    of_bob = ["--split", str(folder / "split.csv"), "--part", "test", "--minutes", "0.2"]
    words = ["--words", str(folder / "words"), "--classes", "go"]
    main(["simulate", "stream", str(tmp_path / "out"), *words, *of_bob])
    assert len(pd.read_csv(tmp_path / "out" / "events.csv")) == 2
    with pytest.raises(UserError, match=r"no speakers who are in its part validation alone\. Its parts: "):
        speakers_of(folder / "split.csv", "validation")


@pytest.mark.parametrize(
    ("classes", "speakers", "said"),
    [
        (["left"], None, "has no recordings of left"),
        (["go"], {"carl"}, "has no recordings of these speakers of go"),
    ],
)
def test_words_that_nobody_says(folder, classes, speakers, said):
    with pytest.raises(UserError, match=said):
        recorded_words(folder / "words", classes, "([^_]+)", speakers)


def test_what_holds_no_words_is_not_said(folder):
    draw = recorded_words(folder / "words", ["go"], "([^_]+)", None)
    rng = np.random.default_rng(0)
    heard = {round(_hertz(draw(False, rng)[0]), -2) for _ in range(60)}
    assert heard == {1000, 2000, 3000}
    all_of_them = recorded_words(folder / "words", ["go", "stop", "bed", "_unknown_"], "([^_]+)", None)
    with pytest.raises(UserError, match="no words but those that are listened for"):
        all_of_them(False, rng)


def test_silent_clips_are_passed_over(tmp_path):
    (tmp_path / "go").mkdir()
    soundfile.write(tmp_path / "go" / "a.wav", np.zeros(RATE), RATE)
    draw = recorded_words(tmp_path, ["go"], "(.*)", None)
    with pytest.raises(UserError, match=r"All recordings of go in .* are silent"):
        draw(True, np.random.default_rng(0))
    soundfile.write(tmp_path / "go" / "b.wav", np.ones(RATE) / 2, RATE)
    draw = recorded_words(tmp_path, ["go"], "(.*)", None)
    assert all(draw(True, np.random.default_rng(seed))[0].any() for seed in range(5))


def test_noise_has_one_level_and_silence_is_left_out(folder, tmp_path):
    noise = recorded_noise(folder / "noise", seed=0)
    pieces = [next(noise) for _ in range(6)]
    assert sorted({len(piece) for piece in pieces}) == [pytest.approx(2 * RATE, abs=500), 4 * RATE]
    np.testing.assert_allclose([np.sqrt(np.mean(piece**2)) for piece in pieces], 1, atol=0.01)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    with pytest.raises(UserError, match=r"All recordings of noise in .* are silent"):
        next(recorded_noise(tmp_path, seed=0))


@given(st.integers(0, 8000), st.integers(400, 8000), st.integers(0, 8000), st.floats(0, 0.05))
def test_the_sounding_part_is_that_of_a_loop(before, length, after, floor):
    rng = np.random.default_rng(before)
    sound = floor * rng.standard_normal(before + length + after)
    sound[before : before + length] += np.sin(np.arange(length))
    energies = [np.mean(sound[place : place + 320] ** 2) for place in range(0, len(sound) - 320 + 1, 160)]
    loud = [place for place, energy in enumerate(energies) if energy >= max(energies) * 10**-2.5]
    assert sounding(sound, 16000) == (loud[0] * 160, loud[-1] * 160 + 320)
    if floor < 0.01:
        first, last = sounding(sound, 16000)
        assert abs(first - before) <= 320 and abs(last - before - length) <= 320


def test_a_longer_stream_begins_as_a_shorter_one(tmp_path):
    write_stream(tmp_path / "short", minutes=0.2)
    write_stream(tmp_path / "long", minutes=0.5)
    short, long = (soundfile.read(tmp_path / name / "stream.wav")[0] for name in ("short", "long"))
    words = 10 * RATE  # after two there is no room for another one in the shorter stream
    np.testing.assert_array_equal(short[:words], long[:words])


def test_memory_stays_flat(tmp_path):
    def most(minutes):
        tracemalloc.start()
        write_stream(tmp_path / str(minutes), minutes=minutes)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    most(0.5)
    assert most(4) < most(1) + 200_000  # what a tenth of a minute takes
