"""What words in a stream learn from: those that are cut off, and noise alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from tfspec.base.errors import UserError
from tfspec.data import AudioReader
from tfspec.data.sources.stream_words import (
    LEAST_HEARD,
    MOST_HEARD,
    with_cut_off_words,
    with_hard_negatives,
    with_noise,
)
from tfspec.experiment.splitting import checked_split
from tfspec.pipelines import SpeechCommands

RATE = 8000
WORDS = ("go", "no", "yes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Twelve speakers say three words and one other word; four recordings of noise, one of them too short."""
    folder = tmp_path_factory.mktemp("words")
    rng = np.random.default_rng(0)
    for word in (*WORDS, "bed"):
        (folder / "words" / word).mkdir(parents=True)
        for speaker in range(12):
            path = folder / "words" / word / f"{speaker:08x}_nohash_0.wav"
            soundfile.write(path, rng.uniform(-0.5, 0.5, RATE * 3 // 4), RATE)
    for name, seconds in (("street", 4), ("room", 2.5), ("rain", 2), ("tap", 0.4)):
        (folder / "noise").mkdir(exist_ok=True)
        soundfile.write(folder / "noise" / f"{name}.wav", rng.uniform(-0.1, 0.1, int(RATE * seconds)), RATE)
    return folder


def _listed(folder, **options):
    options = {"classes": WORDS, "sample_rate": RATE, "streaming": True, **options}
    return SpeechCommands(data=folder / "words", **options)


def test_words_are_cut_at_their_beginning_or_their_end(folder):
    words = pd.DataFrame({"path": [f"{word}/{i:08x}_nohash_0.wav" for word in WORDS for i in range(12)]})
    words = words.assign(label=words["path"].str.split("/").str[0], group=words["path"].str[-19:-11])
    found = with_cut_off_words(words, folder / "words", 1.0, seed=0)
    cut = found[len(words) :]
    assert (len(cut), set(cut["label"])) == (24, {"_unknown_"})  # as many as of two words
    assert (found["start"][: len(words)] == 0).all()
    assert 4 < (cut["start"] < 0).sum() < 20
    heard = np.where(cut["start"] < 0, 1 + cut["start"], 0.75 - cut["start"]) / 0.75  # it sounds throughout
    assert LEAST_HEARD - 0.01 <= heard.min() < 0.2 < 0.5 < heard.max() <= MOST_HEARD + 0.01
    pd.testing.assert_frame_equal(found, with_cut_off_words(words, folder / "words", 1.0, seed=0))
    assert not found.equals(with_cut_off_words(words, folder / "words", 1.0, seed=1))


def test_a_signal_that_begins_before_its_recording_begins_with_silence(folder):
    reader = AudioReader(folder / "words", RATE, RATE)
    path = "go/00000000_nohash_0.wav"
    rows = pd.DataFrame({"path": [path] * 3, "start": [0.0, -0.6, 0.5]})
    whole, late, early = reader(rows)
    np.testing.assert_array_equal(late[: round(0.6 * RATE)], 0)
    np.testing.assert_array_equal(late[round(0.6 * RATE) :], whole[: round(0.4 * RATE)])
    np.testing.assert_array_equal(early[: RATE // 4], whole[RATE // 2 : RATE // 2 + RATE // 4])


def test_noise_alone_is_silence(folder):
    words = pd.DataFrame({"path": ["go/a.wav"] * 6, "label": ["go"] * 6, "group": [*"abcdef"]})
    found = with_noise(words, folder / "noise", 1.0, seed=0)
    noise = found[found["label"] == "_silence_"]
    assert len(noise) == 12 and (noise["path"].value_counts() == 4).all()
    assert not noise["path"].str.contains("tap").any()
    assert noise["start"].between(0, 3).all() and noise["start"].nunique() > 10
    assert {*with_noise(words.assign(part="train"), folder / "noise", 1.0, seed=0)["part"]} == {"train"}
    with pytest.raises(UserError, match="holds no recording of 9 s or more"):
        with_noise(words, folder / "noise", 9.0, seed=0)


def test_a_stream_s_manifest_splits_by_who_speaks(folder):
    steps = _listed(folder, others=True, background=folder / "noise")
    _, split, bad = checked_split(steps)
    assert bad.empty
    counts = split["label"].value_counts()
    assert counts["_silence_"] == 24 and counts["_unknown_"] == 12 + 24
    of_speaker = split[~split["group"].str.startswith("noise")].groupby("group")["part"].nunique()
    assert (of_speaker == 1).all()
    signals = steps.reader()(split)
    assert signals.shape == (len(split), RATE) and (np.abs(signals).max(1) > 0.01).all()


@pytest.mark.parametrize(("streaming", "count"), [(False, 12), (True, 12 * 2 + 24)])
def test_a_stream_hears_more_other_words_than_one_has(folder, streaming, count):
    """Of the two others all that there are, and what is cut off of two words."""
    listed = _listed(folder, classes=("go", "no"), others=True, streaming=streaming).listed()
    unknown = listed[listed["label"] == "_unknown_"]
    whole = unknown[unknown["path"].str.split("/").str[0].isin(["bed", "yes"])]
    assert len(unknown) == count and not whole["path"].duplicated().any()


def test_without_a_background_there_is_no_silence(folder):
    assert set(_listed(folder).listed()["label"]) == {*WORDS, "_unknown_"}


def test_hard_negatives_train_as_unknown_and_leave_the_split_as_it_was(folder, tmp_path):
    table = tmp_path / "hard_negatives.csv"
    street = folder / "noise" / "street.wav"
    table.write_text(f"path,start,taken_for,score\n{street},0.5,go,0.9\n{street},2.25,no,0.8\n")
    plain, steps = _listed(folder), _listed(folder, hard_negatives=table)
    before, split = checked_split(plain)[1], checked_split(steps)[1]
    pd.testing.assert_frame_equal(split[: len(before)][[*before]], before, check_dtype=False)
    mined = split[len(before) :]
    assert mined[["label", "part"]].drop_duplicates().values.tolist() == [["_unknown_", "train"]]
    sound = soundfile.read(street, dtype="float32")[0]
    np.testing.assert_array_equal(steps.reader()(mined)[1], sound[2 * RATE + RATE // 4 :][:RATE])
    assert steps.on_data(tmp_path).hard_negatives is None


def test_a_hard_negative_behind_its_recording_s_end_is_told_when_it_is_listed(folder, tmp_path):
    table = tmp_path / "hard_negatives.csv"
    street = folder / "noise" / "street.wav"
    table.write_text(f"path,start\n{street},3.5\n{street},4\n{street},4.5\n")
    steps = _listed(folder, hard_negatives=table)
    with pytest.raises(UserError, match=r"2 of \d+ examples cannot be used: .*street.* .begins behind"):
        checked_split(steps)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,begin\na.wav,1\n", "has no column start. It has: path, begin"),
        ("path,start\na.wav,1\na.wav,x\n", "clip 2: no time from 0 on. Received: x"),
        ("path,start\na.wav,-1\n", "clip 1: no time"),
        ("path,start\na.wav,inf\n", "clip 1: no time"),
    ],
)
def test_odd_tables_of_hard_negatives(tmp_path, text, said):
    (tmp_path / "clips.csv").write_text(text)
    words = pd.DataFrame({"path": ["go/a.wav"], "label": ["go"], "group": ["a"]})
    with pytest.raises(UserError, match=said):
        with_hard_negatives(words, tmp_path / "clips.csv")


def test_a_table_without_hard_negatives_adds_none(tmp_path, capsys):
    words = pd.DataFrame({"path": ["a.wav"], "label": ["go"], "group": ["a"]})
    (tmp_path / "clips.csv").write_text("path,start,taken_for,score\n")
    pd.testing.assert_frame_equal(with_hard_negatives(words, tmp_path / "clips.csv"), words)
    assert "no hard negatives train" in capsys.readouterr().out


def test_a_table_of_hard_negatives_that_a_spreadsheet_has_saved(tmp_path):
    (tmp_path / "clips.csv").write_text("path;start;taken_for\n/s.wav;7,5;go\n")
    words = pd.DataFrame({"path": ["go/a.wav"], "label": ["go"], "group": ["a"]})
    assert with_hard_negatives(words, tmp_path / "clips.csv")["start"].tolist() == [0.0, 7.5]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hard_negatives": Path("a.csv"), "streaming": False}, "give --streaming"),
        ({"clip_seconds": None}, "streaming needs clip_seconds"),
        ({"model": "mobilenet_v2"}, "Received: mobilenet_v2"),
        ({"scaling": "centre"}, "Received: ds_tc_resnet, centre"),
    ],
)
def test_what_does_not_go_with_a_stream(options, said):
    with pytest.raises(UserError, match=said):
        SpeechCommands(**{"streaming": True, **options})
