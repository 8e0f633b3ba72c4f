"""Scores of events, against sed_eval and psds_eval.

What these said of three classes in six recordings is in golden/events.json, with the events themselves.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from tfspec.base.frames import EventRule, Frames
from tfspec.scores.event_rules import choose_event_rule, cross_fitted_rules
from tfspec.scores.events import event_scores, segment_scores
from tfspec.scores.frames import RecordingFrames, frame_events, join_windows, median_filtered
from tfspec.scores.psds import Tolerance, psds

GOLDEN = json.loads((Path(__file__).parent / "golden" / "events.json").read_text())
COLUMNS = ["path", "start", "end", "label"]
NAMES, FILES = ["cat", "dog", "owl"], [f"f{number}" for number in range(6)]
TRUTH = pd.DataFrame(GOLDEN["truth"], columns=COLUMNS)
FOUND = [pd.DataFrame(rows, columns=COLUMNS) for rows in GOLDEN["found"]]
NOTHING = TRUTH[:0]


@pytest.mark.parametrize("expected", GOLDEN["events"])
def test_event_f1_is_that_of_sed_eval(expected):
    scores = event_scores(TRUTH, FOUND[1], FILES, NAMES, expected["collar"], expected["share"])
    assert scores["f1"] == pytest.approx(expected["f1"])
    assert scores["macro_f1"] == pytest.approx(expected["macro"])
    for each in scores["classes"].values():
        low, high = each["f1_interval"]
        assert low <= each["f1"] <= high
    assert {name: each["f1"] for name, each in scores["classes"].items()} == pytest.approx(
        expected["classes"]
    )
    low, high = scores["intervals"]["f1"]
    assert low < scores["f1"] < high


@pytest.mark.parametrize("expected", GOLDEN["segments"])
def test_segment_scores_are_those_of_sed_eval(expected):
    scores = segment_scores(TRUTH, FOUND[1], FILES, NAMES, expected["seconds"])
    received = [scores[name] for name in ("f1", "macro_f1", "error_rate")]
    assert received == pytest.approx([expected[name] for name in ("f1", "macro", "error_rate")])


@pytest.mark.parametrize("expected", GOLDEN["psds"])
def test_psds_is_that_of_psds_eval(expected):
    seconds = dict.fromkeys(FILES, 30.0)
    score, (low, high) = psds(TRUTH, FOUND, seconds, NAMES, Tolerance(*expected["tolerance"]))
    assert score == pytest.approx(expected["psds"], abs=1e-12)
    assert low <= score <= high


def test_no_event_finds_two():
    """Greedy matching would give the first what only the second can have."""
    truth = pd.DataFrame([["a", 1.0, 2.0, "owl"], ["a", 1.15, 2.0, "owl"]], columns=COLUMNS)
    found = truth.assign(start=[1.1, 1.3])
    assert event_scores(truth, found, ["a"], ["owl"])["recall"] == 1
    assert event_scores(truth, found[:1], ["a"], ["owl"])["recall"] == 0.5


def test_scores_of_nothing():
    for truth, found in ((NOTHING, NOTHING), (TRUTH, NOTHING), (NOTHING, FOUND[0])):
        assert event_scores(truth, found, FILES, NAMES)["f1"] == 0
        assert segment_scores(truth, found, FILES, NAMES)["f1"] == 0
        assert psds(truth, [found], dict.fromkeys(FILES, 30.0), NAMES)[0] == 0


def test_events_of_other_classes_and_recordings_do_not_count():
    more = pd.concat([FOUND[1], FOUND[1].assign(label="cow"), FOUND[1].assign(path="elsewhere")])
    assert event_scores(TRUTH, more, FILES, NAMES) == event_scores(TRUTH, FOUND[1], FILES, NAMES)


@given(st.integers(1, 40), st.floats(0.05, 0.3), st.integers(0, 2**32 - 1))
def test_windows_of_one_curve_join_to_it(frames, step, seed):
    """What is a straight line in time is the same line, however it is cut into windows."""
    rng = np.random.default_rng(seed)
    window = frames * step
    end = window * rng.uniform(1, 5)
    starts = np.append(np.arange(0, end - window, window / 2), end - window)
    times = starts[:, np.newaxis] + step * (np.arange(frames) + 0.5)
    joined = join_windows(starts, times[..., np.newaxis], Frames(step / 2, step, frames), window, end)
    middles = (np.arange(len(joined)) + 0.5) * step
    inside = (middles > step) & (middles < end - step)
    if frames > 1:
        off = np.abs(joined[inside, 0] - middles[inside])
        assert off.max(initial=0) <= step / 2 + 1e-9


def test_a_median_takes_away_what_is_short():
    heard = np.array([0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0.0])[:, np.newaxis]
    assert median_filtered(heard, 0.1, [0.3]).ravel().tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0]
    assert median_filtered(heard, 0.1, [0]).tolist() == heard.tolist()
    random = np.random.default_rng(0).random((50, 1))
    for frames, size in enumerate((1, 1, 3, 3, 5, 5, 7, 7, 9)):
        expected = median_filter(random, (size, 1), mode="nearest")
        assert median_filtered(random, 0.08, [0.08 * frames]).tolist() == expected.tolist()


def test_a_median_does_not_spread_what_nobody_knows():
    known = np.random.default_rng(0).random((9, 2))
    parts = np.concatenate([known[:5], np.full((2, 2), np.nan), known[5:], np.full((1, 2), np.nan)])
    filtered = median_filtered(parts, 1.0, [3.0, 5.0])
    assert np.isnan(filtered).all(axis=1).nonzero()[0].tolist() == [5, 6, 11]
    np.testing.assert_array_equal(filtered[:5], median_filtered(known[:5], 1.0, [3.0, 5.0]))
    np.testing.assert_array_equal(filtered[7:11], median_filtered(known[5:], 1.0, [3.0, 5.0]))


def test_events_end_with_their_recording():
    found = RecordingFrames({"a": 0.35, "b": 0.2}, {"a": np.ones((4, 1)), "b": np.zeros((2, 1))}, 0.1)
    assert frame_events(found, ["owl"], EventRule.usual(1)).values.tolist() == [["a", 0, 0.35, "owl"]]


def test_rules_are_chosen_class_by_class(rng):
    """One class is heard at 0.3 between flickers, the other at 0.8, and the third never."""
    frames, step = 2000, 0.1
    loud = (np.arange(frames) // 20) % 5 == 2
    probabilities = np.stack([0.1 + 0.2 * loud, 0.6 + 0.2 * loud, np.zeros(frames)], axis=1)
    probabilities[rng.choice(frames, 200, replace=False), 0] = 0.1
    edges = np.flatnonzero(np.diff(loud.astype(int)))
    begins, ends = edges[0::2] * step + step, edges[1::2] * step + step
    truth = pd.concat(
        pd.DataFrame({"path": "a", "start": begins, "end": ends, "label": name}) for name in ("low", "high")
    )
    found = RecordingFrames({"a": frames * step}, {"a": probabilities}, step)
    rule = choose_event_rule(found, truth, ["low", "high", "never"])
    assert 0.1 < rule.thresholds[0] <= 0.3 and 0.6 < rule.thresholds[1] <= 0.8 and rule.thresholds[2] == 0.5
    assert rule.median_seconds[0] > 0 == rule.median_seconds[1]
    made = frame_events(found, ["low", "high", "never"], rule)
    assert event_scores(truth, made, ["a"], ["low", "high"])["f1"] >= 0.9


def test_no_recording_chooses_the_rule_that_it_is_held_to(rng):
    names = [*"abcdefgh"]
    probabilities = {name: rng.random((300, 2)) for name in names}
    truth = pd.DataFrame({"path": names * 3, "start": rng.uniform(0, 20, 24), "label": [*"xy"] * 12})
    truth = truth.assign(end=truth["start"] + 2)
    groups = pd.Series([*"11223344"], names)

    def rules(changed):
        found = RecordingFrames(dict.fromkeys(names, 30.0), {**probabilities, **changed}, 0.1)
        rule, own = cross_fitted_rules(found, truth, ["x", "y"], groups)
        assert rule == choose_event_rule(found, truth, ["x", "y"])
        return own

    before, after = rules({}), rules({name: rng.random((300, 2)) ** 3 for name in "ab"})
    assert before["a"] == before["b"] == after["a"] == after["b"]
    assert any(before[name] != after[name] for name in names[2:])
