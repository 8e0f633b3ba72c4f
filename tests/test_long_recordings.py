import csv
import tempfile
import tracemalloc
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import strategies as st

from tfspec.audio.decoding import load_audio
from tfspec.base.errors import UserError
from tfspec.base.model import usually_takes
from tfspec.frontends import Spectrogram
from tfspec.inference import (
    detect,
    find_events,
    predict_files,
    window_probabilities,
    write_audacity,
    write_csv,
    write_raven,
)
from tfspec.models import Classifier, conv2d

RATE = 1000


class ToneModel:
    """Gives the part of a window's power that is at 100 Hz, and at 300 Hz."""

    class_names = ("low", "high")
    labels, thresholds = "one", None

    def __init__(self, seconds=4.0, sample_rate=RATE):
        self.signal_shape = (round(seconds * sample_rate),)
        self.sample_rate = sample_rate
        self.batches = []

    @property
    def takes(self):
        return usually_takes(self.signal_shape, self.sample_rate)

    def probabilities(self, signal):
        assert signal.shape[1:] == self.signal_shape
        self.batches.append(len(signal))
        hertz = np.fft.rfftfreq(signal.shape[1], 1 / self.sample_rate)
        power = np.abs(np.fft.rfft(signal)) ** 2
        near = [power[:, np.abs(hertz - tone) < 20].sum(1) for tone in (100, 300)]
        return (np.stack(near, axis=1) / (power.sum(1, keepdims=True) + 1e-9)).astype(np.float32)


class LoudnessModel(ToneModel):
    """Gives the mean level of a window, which is the same for any way to cut it up."""

    class_names = ("loud",)

    def probabilities(self, signal):
        return signal.mean(1, keepdims=True)


def record(path: Path, *tones: tuple[float, float, float], seconds=30.0, rate=RATE) -> Path:
    """Write tones, each from, to, and of so many Hz, in faint noise."""
    time = np.arange(round(seconds * rate)) / rate
    samples = 0.01 * np.random.default_rng(0).standard_normal(len(time))
    for begin, end, hertz in tones:
        samples += np.where((time >= begin) & (time < end), 0.5 * np.sin(2 * np.pi * hertz * time), 0)
    soundfile.write(path, samples, rate)
    return path


# Scores


@pytest.mark.parametrize("rate", [RATE, 44100])
@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_each_window_is_classified_as_if_alone(tmp_path, rate, batch_size):
    path, model = record(tmp_path / "a.flac", (3, 9, 100), rate=rate), ToneModel()
    starts, probabilities = window_probabilities(model, path, 1.5, batch_size)
    np.testing.assert_allclose(starts, [*np.arange(0, 26, 1.5), 26])
    assert sum(model.batches) == len(starts)
    assert max(model.batches) == min(batch_size, len(starts))
    whole = load_audio(path, RATE)
    for start, row in zip(starts, probabilities, strict=True):
        first = round(start * RATE)
        np.testing.assert_allclose(
            row, model.probabilities(whole[np.newaxis, first : first + 4000])[0], atol=1e-3
        )


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(
    st.integers(1, 9000), st.sampled_from([0.3, 1.0, 2.5, 4.0]), st.floats(0.1, 1.0), st.integers(0, 99)
)
@hypothesis.example(301, 0.3, 1.0, 0)
def test_a_second_s_score_is_the_mean_over_the_windows_that_reach_into_it(samples, seconds, part, seed):
    """Against the average over every millisecond of the windows around it."""
    model = LoudnessModel(seconds)
    with tempfile.TemporaryDirectory() as folder:
        signal = np.random.default_rng(seed).uniform(0, 1, samples).astype(np.float32)
        soundfile.write(f"{folder}/a.wav", signal, RATE, subtype="FLOAT")
        hop = max(1, round(part * seconds * RATE)) / RATE
        starts, probabilities = window_probabilities(model, f"{folder}/a.wav", hop)
        scores = detect(model, f"{folder}/a.wav", hop)
    total, windows = np.zeros(samples), np.zeros(samples)
    for start, (score,) in zip(starts, probabilities, strict=True):
        covered = slice(round(start * RATE), round((start + seconds) * RATE))
        total[covered] += score
        windows[covered] += 1
    heard = min(samples, round((starts[-1] + seconds) * RATE))
    assert samples - heard <= 0.01 * seconds * RATE  # a rest that is no window of its own
    assert windows[:heard].min() >= 1
    assert len(scores) == -(-heard // RATE)
    for second, row in scores.iterrows():
        inside = slice(second * RATE, (second + 1) * RATE)
        assert row["p_loud"] == pytest.approx(total[inside].sum() / windows[inside].sum(), rel=1e-4)
        assert row["start"] == second
        assert row["end"] == pytest.approx(min(second + 1, heard / RATE))


def test_seconds_of_a_real_classifier(tmp_path):
    model = Classifier(Spectrogram(64, 32, power=2), conv2d((None, 33, 1), 3), ["a", "b", "c"], (4000,), RATE)
    path = record(tmp_path / "a.ogg", (3, 9, 100), seconds=10.25, rate=8000)
    scores = detect(model, path)
    assert list(scores.columns) == ["start", "end", "p_a", "p_b", "p_c"]
    assert scores["start"].tolist() == list(range(11))
    assert scores["end"].iloc[-1] == pytest.approx(10.25)
    np.testing.assert_allclose(scores[["p_a", "p_b", "p_c"]].sum(axis=1), 1, rtol=1e-5)


def test_a_recording_shorter_than_a_window_scores_the_same_in_every_way(tmp_path):
    path, model = tmp_path / "a.wav", LoudnessModel(4.0)
    soundfile.write(path, np.append(np.zeros(500), np.full(1500, 0.5)), RATE, subtype="FLOAT")
    assert detect(model, path).values.tolist() == [[0, 1, 0.4375], [1, 2, 0.4375]]
    for hop in (None, 1.0):
        assert predict_files(model, [path], hop)["p_loud"].tolist() == [0.4375]


def test_what_cannot_be_scored(tmp_path):
    path = record(tmp_path / "a.wav")
    for hop in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UserError, match="The hop must be"):
            detect(ToneModel(), path, hop)
    with pytest.raises(UserError, match=r"at most the window's 4 s.*Received: 4\.1"):
        detect(ToneModel(), path, 4.1)
    with pytest.raises(UserError, match=r"missing\.wav cannot be decoded: no such file"):
        detect(ToneModel(), tmp_path / "missing.wav")
    model = ToneModel()
    model.sample_rate = None
    with pytest.raises(UserError, match=r"signals of shape \(4000,\), not recordings"):
        detect(model, path)
    model = ToneModel()
    model.signal_shape = (4000, 3)
    with pytest.raises(UserError, match=r"signals of shape \(4000, 3\), not recordings"):
        detect(model, path)


def test_memory_stays_flat_however_long_the_recording(tmp_path):
    def peak(seconds):
        path = record(tmp_path / f"{seconds}.flac", seconds=seconds, rate=16000)
        tracemalloc.start()
        detect(ToneModel(1.0, 16000), path, batch_size=4)
        return (tracemalloc.get_traced_memory()[1], tracemalloc.stop())[0]

    assert peak(600) < 1.2 * peak(60) < 30e6


# Events


def test_events_are_where_the_sounds_are(tmp_path):
    path = record(tmp_path / "a.flac", (5, 9, 100), (16, 22, 300), (20, 28, 100), rate=8000)
    events = find_events(detect(ToneModel(2.0), path), threshold={"low": 0.45, "high": 0.45})
    assert events["label"].tolist() == ["low", "high", "low"]
    np.testing.assert_allclose(events["start"], [5, 16, 20], atol=1)
    np.testing.assert_allclose(events["end"], [9, 22, 28], atol=1)
    assert (events["score"] > 0.9).all()


@hypothesis.settings(deadline=None)
@hypothesis.given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30),
    st.floats(0, 1),
    st.integers(1, 7),
    st.integers(1, 7),
)
def test_events_cover_what_reaches_the_threshold_and_nothing_else(rows, threshold, hop, length):
    scores = pd.DataFrame(rows, columns=["p_a", "p_b"])
    scores.insert(0, "start", hop * np.arange(len(scores)))
    scores.insert(1, "end", scores["start"] + length)
    events = find_events(scores, threshold)
    assert list(events.columns) == ["start", "end", "label", "score"]
    assert events["start"].is_monotonic_increasing
    for label in "ab":
        covered = set()
        for row in scores[scores[f"p_{label}"] >= threshold].itertuples():
            covered |= set(range(row.start, row.end))
        own = events[events["label"] == label]
        assert set().union(*(range(int(e.start), int(e.end)) for e in own.itertuples())) == covered
        assert (own["start"].to_numpy()[1:] > own["end"].to_numpy()[:-1]).all()
        for event in own.itertuples():
            inside = scores[(scores["start"] >= event.start) & (scores["end"] <= event.end)]
            assert event.score == inside[f"p_{label}"].max()


def test_windows_that_touch_but_for_rounding_are_one_event():
    starts = np.arange(10) * 0.1
    scores = pd.DataFrame({"start": starts, "end": starts + 0.1, "p_a": 1.0})
    assert find_events(scores)[["start", "end"]].values.tolist() == [[0, pytest.approx(1)]]


def test_thresholds_of_some_classes():
    scores = pd.DataFrame({"start": [0.0], "end": [1.0], "p_a": [0.4], "p_b": [0.9], "p_p_c": [0.9]})
    assert find_events(scores, {"a": 0.3, "p_c": 0.8})["label"].tolist() == ["a", "p_c"]
    with pytest.raises(UserError, match=r"No scores of d, e\. There are those of a, b, p_c\."):
        find_events(scores, {"e": 0.3, "a": 0.2, "d": 1})
    assert find_events(scores, 1.1).empty


# Files

HOSTILE = "frog\t\"of\nthe\" =1+1, 'wood' ÿ 鳥\x00\u2028"
EVENTS = pd.DataFrame(
    {
        "start": [0.0, 61.5, 3600],
        "end": [1.0, 64.25, 3601.123456],
        "label": ["frog", HOSTILE, "NA"],
        "score": [0.9, 0.75, 1],
    }
)


def test_csv_comes_back_as_it_was(tmp_path):
    events = EVENTS.replace("\0", " ", regex=True)  # which Python 3.10 cannot write
    write_csv(events, tmp_path / "new" / "events.csv")
    back = pd.read_csv(tmp_path / "new" / "events.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(back, events)


def test_audacity_s_label_track(tmp_path):
    """As in Audacity's manual: start, end and label, tabs between, no header."""
    write_audacity(EVENTS, tmp_path / "labels.txt")
    lines = (tmp_path / "labels.txt").read_bytes().decode("utf-8").split("\n")
    assert lines == [
        "0.000000\t1.000000\tfrog",
        "61.500000\t64.250000\tfrog \"of the\" =1+1, 'wood' ÿ 鳥  ",
        "3600.000000\t3601.123456\tNA",
        "",
    ]


def test_raven_s_selection_table(tmp_path):
    write_raven(EVENTS, tmp_path / "selections.txt", 48000)
    table = pd.read_csv(tmp_path / "selections.txt", sep="\t", quoting=csv.QUOTE_NONE, keep_default_na=False)
    assert list(table.columns) == [
        "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
        "Species", "Score",
    ]  # fmt: skip
    assert table["Selection"].tolist() == [1, 2, 3]
    assert set(table["View"]) == {"Spectrogram 1"}
    assert (table[["Channel", "Low Freq (Hz)", "High Freq (Hz)"]] == [1, 0, 24000]).all(axis=None)
    np.testing.assert_allclose(table[["Begin Time (s)", "End Time (s)"]], EVENTS[["start", "end"]])
    np.testing.assert_allclose(table["Score"], EVENTS["score"])
    assert table["Species"].tolist() == ["frog", "frog \"of the\" =1+1, 'wood' ÿ 鳥  ", "NA"]


def test_files_without_events(tmp_path):
    none = find_events(pd.DataFrame({"start": [0.0], "end": [1.0], "p_a": [0.1]}))
    write_csv(none, tmp_path / "events.csv")
    write_audacity(none, tmp_path / "labels.txt")
    write_raven(none, tmp_path / "selections.txt", 8000)
    assert (tmp_path / "events.csv").read_text() == "start,end,label,score\n"
    assert (tmp_path / "labels.txt").read_text() == ""
    assert len((tmp_path / "selections.txt").read_text().splitlines()) == 1
