"""Scores of streams: matching against scipy's, intervals against their definitions, and the command."""

import contextlib
import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.stats
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import maximum_bipartite_matching
from streaming_files import RATE, write_streaming

from tfspec import UserError
from tfspec.cli.main import main
from tfspec.data.sources.stream_events import read_events
from tfspec.export.streaming_file import DetectorSettings, read_facts
from tfspec.inference.detector import Detector
from tfspec.inference.hard_negatives import hard_negatives
from tfspec.inference.listening import listen, load_listener
from tfspec.inference.threshold_curve import (
    THRESHOLDS,
    HeardStreams,
    _spent,
    choose_class_thresholds,
    hear_streams,
    threshold_curve,
)
from tfspec.report.figures import threshold_figure
from tfspec.scores.streams import match_detections, rate_interval, score_stream, share_interval

TIMES = st.integers(0, 40).map(lambda quarter: quarter / 4)
FILES, LABELS = st.sampled_from("pq"), st.sampled_from(["up", "down"])
DETECTIONS = st.lists(st.tuples(FILES, TIMES, LABELS), max_size=12)
TRUTH = st.lists(st.tuples(FILES, TIMES, st.integers(0, 6), LABELS), max_size=8)


def tables(detections, truth):
    found = pd.DataFrame(detections, columns=["file", "time", "label"])
    rows = [(file, start, start + length / 4, label) for file, start, length, label in truth]
    return found, pd.DataFrame(rows, columns=["file", "start", "end", "label"])


@given(DETECTIONS, TRUTH, st.sampled_from([0, 0.5, 1.25]))
def test_as_many_events_are_found_as_can_be(detections, truth, tolerance):
    found, events = tables(detections, truth)
    may = np.zeros((len(found), len(events)), int)
    for row, (file, time, label) in enumerate(found.itertuples(index=False)):
        for column, event in enumerate(events.itertuples()):
            is_same = (event.file, event.label) == (file, label)
            may[row, column] = is_same and event.start <= time <= event.end + tolerance
    matched = match_detections(found, events, tolerance)
    hits = np.flatnonzero(matched >= 0)
    assert all(may[row, matched[row]] for row in hits)
    assert len({*matched[hits]}) == len(hits)
    if may.size:
        assert len(hits) == (maximum_bipartite_matching(scipy.sparse.csr_matrix(may)) >= 0).sum()


@given(DETECTIONS, TRUTH)
def test_scores_add_up(detections, truth):
    found, events = tables(detections, truth)
    scores = score_stream(found, events, {"p": 15.0, "q": 30.0}, ["up", "down"], 0.5)
    assert scores["events"] == len(events)
    assert len(found) - scores["false_accepts"] == len(events) - scores["false_rejects"]
    assert scores["hours"] == 45 / 3600
    for name in ("events", "false_accepts", "false_rejects"):
        assert sum(each[name] for each in scores["per_class"].values()) == scores[name]
    grid = np.arange(0, 30, 0.25) + 0.125  # in the middle between all ends
    for file, seconds in (("p", 15), ("q", 30)):
        here = events[events["file"] == file]
        in_some = (here["start"].to_numpy() <= grid[:, None]) & (
            grid[:, None] <= here["end"].to_numpy() + 0.5
        )
        scores["negative_hours"] -= (~in_some.any(1))[grid < seconds].sum() * 0.25 / 3600
    assert scores["negative_hours"] == pytest.approx(0, abs=1e-9)


def test_latency_is_that_of_the_events_that_are_found():
    found, events = tables(
        [("p", 1.5, "up"), ("p", 6.25, "up")], [("p", 1, 4, "up"), ("p", 5, 4, "up"), ("p", 9, 1, "up")]
    )
    scores = score_stream(found, events, {"p": 10.0}, ["up"])
    assert (scores["after_start_median"], scores["after_end_median"]) == (0.875, -0.125)
    assert scores["after_end_90"] == pytest.approx(np.quantile([-0.5, 0.25], 0.9))


def test_what_is_not_listened_for_is_no_event():
    found, events = tables([("p", 1.5, "up")], [("p", 1, 4, "_unknown_")])
    scores = score_stream(found, events, {"p": 3600.0}, ["up"])
    assert (scores["events"], scores["false_accepts"]) == (0, 1)
    assert scores["false_reject_rate"] is scores["false_rejects_interval"] is scores["after_end_90"] is None


@pytest.mark.parametrize("count", [0, 1, 7, 400])
def test_at_the_ends_of_the_interval_of_a_rate_the_count_is_in_the_tails(count):
    low, high = rate_interval(count, hours=2.5)
    assert scipy.stats.poisson.cdf(count, high * 2.5) == pytest.approx(0.025)
    if count:
        assert scipy.stats.poisson.sf(count - 1, low * 2.5) == pytest.approx(0.025)
    else:
        assert low == 0


@pytest.mark.parametrize("count", [0, 1, 30, 59, 60])
def test_at_the_ends_of_the_interval_of_a_share_the_count_is_in_the_tails(count):
    low, high = share_interval(count, 60)
    assert low == 0 if count == 0 else scipy.stats.binom.sf(count - 1, 60, low) == pytest.approx(0.025)
    assert high == 1 if count == 60 else scipy.stats.binom.cdf(count, 60, high) == pytest.approx(0.025)


# Streams and thresholds


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A streaming model, two recordings of half a minute, and where one is up or down in them."""
    folder = tmp_path_factory.mktemp("scores")
    write_streaming(folder / "model")
    rows, rng = [], np.random.default_rng(0)
    for name in ("a", "b"):
        samples = rng.uniform(-0.2, 0.2, 30 * RATE)
        for start in range(1, 29, 2):
            label, height = [("up", 0.7), ("down", -0.7), ("_unknown_", 0.35), ("up", 0.5)][start // 2 % 4]
            samples[start * RATE :][: RATE // 2] += height * rng.uniform(0.6, 1.2)
            rows.append((f"{name}.wav", start, start + 0.5, label))
        (folder / "sounds").mkdir(exist_ok=True)
        soundfile.write(folder / "sounds" / f"{name}.wav", samples, RATE)
    pd.DataFrame(rows, columns=["file", "start", "end", "label"]).to_csv(folder / "events.csv", index=False)
    return folder


@pytest.fixture
def streams(folder):
    files = {name: folder / "sounds" / name for name in ("a.wav", "b.wav")}
    return hear_streams(load_listener(folder / "model"), files, DetectorSettings(0.5, 0.1, 0.5))


def test_stored_probabilities_give_the_events_of_listening(folder, streams):
    model = load_listener(folder / "model")
    for threshold in (0.1, 0.3, 0.5, 0.7):
        chosen = streams.settings.adjusted(threshold)
        expected = [
            (name, event.time, event.label, event.score)
            for name in ("a.wav", "b.wav")
            for event in listen(model, [soundfile.read(folder / "sounds" / name, dtype="float32")[0]], chosen)
        ]
        given = [*streams.detections(chosen).itertuples(index=False, name=None)]
        assert given == [(name, pytest.approx(time), label, score) for name, time, label, score in expected]
        assert given


def test_the_curve_has_the_scores_of_each_threshold(folder, streams):
    truth = read_events(folder / "events.csv", ["a.wav", "b.wav"])
    curve = threshold_curve(streams, truth, 0.5)
    assert curve["threshold"].tolist() == THRESHOLDS.tolist()
    assert 0.5 in THRESHOLDS and (np.diff(THRESHOLDS) > 0).all()
    row = curve[curve["threshold"] == 0.5].iloc[0]
    scores = streams.score(streams.settings, truth, 0.5)
    assert row["false_accepts"] == scores["false_accepts"]
    assert [row["false_rejects_low"], row["false_rejects_high"]] == scores["false_rejects_interval"]


def test_hard_negatives_are_what_is_taken_for_a_word_while_none_is_said(folder, streams):
    truth = read_events(folder / "events.csv", ["a.wav", "b.wav"])
    files = {name: folder / "sounds" / name for name in ("a.wav", "b.wav")}
    settings = streams.settings.adjusted(0.2)
    found = streams.detections(settings)
    clips = hard_negatives(streams, found, truth, files)
    assert len(clips) and (clips["score"] >= 0.2).all() and {*clips["taken_for"]} <= {"up", "down"}
    length = (streams.warm_up_hops + 1) * streams.hop_seconds
    assert clips["start"].min() >= 0 and {*clips["path"]} == {str(path) for path in files.values()}
    words = truth[truth["label"] != "_unknown_"]
    other = truth[truth["label"] == "_unknown_"]
    for clip in clips.itertuples():
        of_file = [rows[rows["file"] == Path(clip.path).name] for rows in (words, other)]
        said, unknown = (
            ((rows["start"] < clip.start + length) & (rows["end"] > clip.start)).any() for rows in of_file
        )
        assert not said and unknown  # what else is in these recordings is quiet
    # Events that have no class are heard no less where nothing else is annotated
    assert len(hard_negatives(streams, found, truth[:0], files)) == len(found)


@pytest.mark.slow
def test_each_class_has_the_threshold_that_misses_least_within_the_budget():
    """Of one class false accepts are nearly as sure as events; the other one is doubtful, and clean."""
    hops, events = 3600, [*range(100, 3500, 100)]
    rows = np.zeros((hops, 3), np.float32)
    for number, hop in enumerate(events):
        rows[hop, number % 2 + 1] = (0.95, 0.4)[number % 2]
    for hop in range(150, 3500, 200):
        rows[hop, 1] = 0.9
    truth = pd.DataFrame({"file": "a", "start": np.array(events, float)})
    truth = truth.assign(
        end=truth["start"] + 1.0, label=[("loud", "quiet")[i % 2] for i in range(len(truth))]
    )
    settings = DetectorSettings(0.5, 0, 1)
    streams = HeardStreams(("_x_", "loud", "quiet"), 1.0, 0, settings, {"a": rows}, {"a": float(hops)})
    chosen = choose_class_thresholds(streams, truth, 0)
    assert 0.9 < chosen["loud"] <= 0.95 and chosen["quiet"] <= 0.4
    scores = streams.score(dataclasses.replace(settings, threshold=chosen), truth)
    assert (scores["false_accepts"], scores["false_rejects"]) == (0, 0)
    for threshold in THRESHOLDS:  # no threshold of both does that
        both = streams.score(settings.adjusted(float(threshold)), truth)
        assert both["false_accepts"] + both["false_rejects"] > 0


@given(st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_what_is_spent_stays_within_what_is_allowed(seed, allowed):
    rng = np.random.default_rng(seed)
    costs = np.maximum.accumulate(rng.integers(0, 5, (3, 6))[:, ::-1], axis=1)[:, ::-1]
    costs -= costs[:, -1:]  # at the highest thresholds there are none
    misses = rng.integers(0, 9, (3, 6))
    places = _spent(costs, misses, allowed)
    classes = np.arange(3)
    assert costs[classes, places].sum() <= allowed
    assert (misses[classes, places] <= misses[:, -1]).all()
    best = min(
        misses[classes, each].sum()
        for each in itertools.product(range(6), repeat=3)
        if costs[classes, each].sum() <= allowed
    )
    assert misses[classes, places].sum() <= misses[:, -1].sum() and best <= misses[classes, places].sum()


def test_more_false_accepts_than_are_allowed_at_any_threshold():
    rows = np.ones((100, 1), np.float32)
    streams = HeardStreams(("a",), 1.0, 0, DetectorSettings(0.5, 0, 1), {"p": rows}, {"p": 100.0})
    truth = pd.DataFrame({"file": [], "start": [], "end": [], "label": []})
    with pytest.raises(UserError, match=r"more than 1 false accepts an hour: .* Allow more"):
        choose_class_thresholds(streams, truth, 1)


def test_hours_are_searched_at_once():
    """In so many a loop over hops would take minutes; what is found is still the detector's."""
    rng = np.random.default_rng(0)
    rows = rng.random((3 * 3600 * 50, 4), np.float32)
    settings = DetectorSettings(0.5, 0, 1)
    streams = HeardStreams(("_x_", "a", "b", "c"), 0.02, 0, settings, {"p": rows}, {"p": len(rows) * 0.02})
    found = streams.detections(settings.adjusted(0.98))
    detector = Detector(streams.class_names, 0.02, settings.adjusted(0.98))
    first = [event for event in map(detector.step, rows[:2000]) if event]
    assert [*found["label"][: len(first)]] == [event.label for event in first]
    assert len(first) > 20


@pytest.mark.parametrize("has_events", [True, False])
def test_the_picture_of_a_curve(folder, streams, has_events):
    truth = read_events(folder / "events.csv", ["a.wav", "b.wav"])[: None if has_events else 0]
    scores = streams.score(streams.settings, truth)
    (axes,) = threshold_figure(threshold_curve(streams, truth), scores).axes
    assert "false accepts an hour" in axes.get_xlabel()
    if has_events:
        *_, point = axes.get_lines()
        given = scores["false_accepts_per_hour"], scores["false_reject_rate"]
        assert (point.get_xdata()[0], point.get_ydata()[0]) == given


# Tables of events


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,start,label\na.wav,1,up\n", "has no column end"),
        ("start,end,label\n1,2,up\n", "has no column file"),
        ("file,start,end,label\na.wav,1,2,up\na.wav,x,2,up\n", "event 2: start and end must be times"),
        ("file,start,end,label\na.wav,3,2,up\n", "Received: '3' to '2'"),
        ("file,start,end,label\na.wav,-1,2,up\n", "event 1"),
        ("file,start,end,label\nc.wav,1,2,up\n", "has events in c.wav. Recordings: a.wav, b.wav"),
        ("file,start,end,label\n,1,2,up\n", "has events in a file without a name. Recordings: a.wav, b.wav"),
        ("file,start,end,label\na.wav,1,2,up\na.wav,1,2, \n", "event 2 has no label"),
    ],
)
def test_odd_tables_are_refused(tmp_path, text, said):
    (tmp_path / "events.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        read_events(tmp_path / "events.csv", ["a.wav", "b.wav"])


def test_a_table_may_be_empty_and_one_recording_needs_no_name(tmp_path):
    (tmp_path / "events.csv").write_text("start,end,label\n")
    assert read_events(tmp_path / "events.csv", ["a.wav"]).empty


def test_only_the_columns_that_a_table_has_are_named(tmp_path):
    (tmp_path / "events.csv").write_text("Start,End,Label\n1,2,up\n")
    with pytest.raises(UserError, match=r"no column start, end, label\. It has: Start, End, Label$"):
        read_events(tmp_path / "events.csv", ["a.wav"])


@pytest.mark.parametrize(
    "text",
    ["file;start;end;label\nin\\a.wav;90,5;91;up\n", "file,start,end,label\n./in/a.wav ,01:30.5,1:31, up\n"],
)
def test_a_table_may_be_spelt_as_spreadsheets_and_other_systems_do(tmp_path, text):
    (tmp_path / "events.csv").write_text(text)
    events = read_events(tmp_path / "events.csv", ["in/a.wav", "b.wav"])
    assert events.to_numpy().tolist() == [["in/a.wav", 90.5, 91.0, "up"]]


def test_a_recording_is_the_same_however_its_name_is_composed(tmp_path):
    (tmp_path / "events.csv").write_text("file,start,end,label\nk\u00f6ln.wav,1,2,up\n", "utf-8")
    decomposed = "ko\u0308ln.wav"
    assert read_events(tmp_path / "events.csv", [decomposed, "b.wav"])["file"].tolist() == [decomposed]


# The command


def _run(folder, out, *options):
    sounds, events = folder / "sounds", folder / "events.csv"
    main(["evaluate-stream", str(folder / "model"), str(sounds), str(events), "--out", str(out), *options])


def test_a_threshold_is_chosen_saved_and_used(folder, tmp_path, capsys):
    write_streaming(tmp_path / "model")
    (tmp_path / "sounds").symlink_to(folder / "sounds")
    (tmp_path / "events.csv").symlink_to(folder / "events.csv")
    _run(tmp_path, tmp_path / "out", "--json")
    before = json.loads(capsys.readouterr().out)
    assert before["settings"]["threshold"] == 0.5
    _run(tmp_path, tmp_path / "out", "--json", "--false-accepts-per-hour", "0", "--save")
    chosen = json.loads(capsys.readouterr().out)
    assert chosen["scores"]["false_accepts"] == 0
    assert (
        read_facts(tmp_path / "model" / "streaming.json").detector.threshold
        == (chosen["settings"]["threshold"])
    )
    _run(tmp_path, tmp_path / "out", "--json")
    assert json.loads(capsys.readouterr().out) == chosen
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["curve.csv", "curve.png", "detections.csv", "hard_negatives.csv", "scores.json"]
    assert len(pd.read_csv(tmp_path / "out" / "curve.csv")) == len(THRESHOLDS)
    found = pd.read_csv(tmp_path / "out" / "detections.csv")
    assert [*found] == ["file", "time", "label", "score"] and len(found)


def test_scores_are_told(folder, tmp_path, capsys):
    _run(folder, tmp_path / "out")
    told = capsys.readouterr().out
    assert "0.0167 h, 22 events that are listened for" in told
    assert "False rejects: 0." in told and "(95%: " in told
    _run(folder, tmp_path / "out", "--classes", "_silence_")
    captured = capsys.readouterr()
    assert "False rejects: there are no events" in captured.out
    assert captured.err == "Not listened for, and no events: down, up\n"


def test_one_recording_by_itself(folder, tmp_path, capsys):
    table = pd.read_csv(folder / "events.csv")
    table[table["file"] == "a.wav"].drop(columns="file").to_csv(tmp_path / "events.csv", index=False)
    arguments = [folder / "model", folder / "sounds" / "a.wav", tmp_path / "events.csv", "--json"]
    main(["evaluate-stream", *map(str, arguments), "--out", str(tmp_path)])
    assert json.loads(capsys.readouterr().out)["scores"]["events"] == 11


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--threshold", "0.5", "--false-accepts-per-hour", "1"], "Received: both"),
        (["--classes", "left"], "No class left"),
        (["--hop-seconds", "1"], "hops of its own"),
        (["--false-accepts-per-hour", "-1"], "false_accepts_per_hour must be a number from 0"),
    ],
)
def test_user_errors_are_one_line(folder, tmp_path, capsys, options, said):
    with pytest.raises(SystemExit) as stop:
        _run(folder, tmp_path / "out", *options)
    captured = capsys.readouterr()
    assert (stop.value.code, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert said in captured.err
    assert not (tmp_path / "out").exists()


def test_an_event_behind_the_end_of_its_recording_is_refused(folder, tmp_path, capsys):
    (tmp_path / "sounds").symlink_to(folder / "sounds")
    (tmp_path / "model").symlink_to(folder / "model")
    events = tmp_path / "events.csv"
    for start, refused in ((29.9, False), (1000, True)):
        events.write_text(f"file,start,end,label\na.wav,1,1.5,up\nb.wav,{start},{start},up\n")
        with pytest.raises(SystemExit) if refused else contextlib.nullcontext():
            _run(tmp_path, tmp_path / "out", "--json")
        said = "event 2: begins at 1000 s, but b.wav is 30 s long"
        assert (said in capsys.readouterr().err) == refused


def test_only_a_streaming_model_can_keep_a_threshold(tmp_path, capsys):
    (tmp_path / "events.csv").write_text("start,end,label\n")
    soundfile.write(tmp_path / "a.wav", np.zeros(1000), RATE)
    with pytest.raises(SystemExit):
        main(
            [
                "evaluate-stream",
                "model.tflite",
                *(str(tmp_path / n) for n in ("a.wav", "events.csv")),
                "--save",
            ]
        )
    assert (
        "streaming.json; model.tflite has none. Write it by `tfspec export RUN --streaming`"
        in capsys.readouterr().err
    )


def test_recordings_must_be_there_and_long_enough(folder, tmp_path, capsys):
    soundfile.write(tmp_path / "short.wav", np.zeros(10), RATE)
    (tmp_path / "events.csv").write_text("start,end,label\n")
    for name, said in (("short.wav", "as long as the model's hop of 0.05 s"), ("none.wav", "none.wav")):
        with pytest.raises(SystemExit):
            main(["evaluate-stream", *map(str, (folder / "model", tmp_path / name, tmp_path / "events.csv"))])
        assert said in capsys.readouterr().err


def test_what_would_be_in_vain_is_told_before_anything_is_heard(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tfspec.inference.threshold_curve.hear_streams", None)
    for name in ("model", "events.csv"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "sounds").mkdir()
    for name in ("a.wav", "b.wav"):
        content = (folder / "sounds" / name).read_bytes()
        (tmp_path / "sounds" / name).write_bytes(content[: 1000 if name == "b.wav" else None])
    (tmp_path / "file").write_text("mine")
    other = tmp_path / "other.csv"
    other.write_text("file,start,end,label\na.wav,1,1.5,left\n")
    sounds, events, chosen = folder / "sounds", folder / "events.csv", ["--false-accepts-per-hour", "9"]
    for arguments, said in (
        ([sounds, events, "--out", tmp_path / "file"], "file is no folder"),
        ([tmp_path / "sounds", events, "--out", tmp_path / "out"], "1 of 2 files cannot be used"),
        ([sounds, other, "--out", tmp_path / "out", *chosen], "other.csv has no event of down, up"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["evaluate-stream", str(folder / "model"), *map(str, arguments)])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err


def test_a_class_whose_threshold_nothing_tells_is_named(folder, tmp_path, capsys):
    (tmp_path / "events.csv").write_text("file,start,end,label\na.wav,1,1.5,up\n")
    for name in ("model", "sounds"):
        (tmp_path / name).symlink_to(folder / name)
    _run(tmp_path, tmp_path / "out", "--false-accepts-per-hour", "3600")
    assert capsys.readouterr().err.startswith("No events of down: the threshold will be the highest")
