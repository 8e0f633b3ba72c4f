"""The detector against its definition, written once more in plain loops; and whole streams."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tfspec import UserError
from tfspec.export.streaming_file import DetectorSettings
from tfspec.inference.detector import (
    Detector,
    find_detections,
    lowest_scores,
    smoothed_probabilities,
)

HOP = 0.02
NAMES = ("_unknown_", "a", "b", "c")
PROBABILITIES = st.one_of(
    st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1, width=32), st.just(np.nan)
)
STREAMS = st.integers(0, 40).flatmap(
    lambda hops: arrays(np.float32, (hops, len(NAMES)), elements=PROBABILITIES, fill=st.nothing())
)
TIMES = st.integers(0, 12).map(lambda hops: hops * HOP)
THRESHOLDS = st.one_of(
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1), min_size=1),
)


def by_loops(stream, settings):
    """Do what the docstring of `Detector` says, as a device does it."""
    chosen, events, last = settings.thresholds(NAMES), [], None
    n, r = settings.smoothing_hops(HOP), settings.refractory_hops(HOP)
    for hop in range(len(stream)):
        ring = stream[max(0, hop - n + 1) : hop + 1]
        best = None
        for place, name in enumerate(NAMES):
            total = np.float32(0)
            for row in ring:
                total = np.float32(total + row[place])
            smoothed = np.float32(total / np.float32(len(ring)))
            reaches = name in chosen and smoothed >= np.float32(chosen[name])
            if reaches and (best is None or smoothed > best[1]):
                best = name, smoothed
        if best and (last is None or hop - last > r):
            events.append((hop, best[0], float(best[1])))
            last = hop
    return events


@given(STREAMS, THRESHOLDS, TIMES, TIMES)
def test_steps_and_whole_streams_are_the_definition_to_the_bit(stream, threshold, smoothing, refractory):
    settings = DetectorSettings(threshold, smoothing, refractory)
    detector = Detector(NAMES, HOP, settings)
    expected = by_loops(stream, settings)
    for _ in range(2):
        assert [tuple(found) for found in map(detector.step, stream) if found] == expected
        detector.reset()
    smoothed = smoothed_probabilities(stream, settings.smoothing_hops(HOP))
    hops, classes, scores = find_detections(
        smoothed, lowest_scores(NAMES, settings), settings.refractory_hops(HOP)
    )
    assert [*zip(hops, [NAMES[place] for place in classes], scores, strict=True)] == expected


def test_the_highest_class_wins_and_of_equal_ones_the_first():
    detector = Detector(NAMES, HOP, DetectorSettings(0.25, 0, 0))
    assert detector.step([1.0, 0.25, 0.5, 0.25]).label == "b"
    assert detector.step([1.0, 0.25, 0.5, 0.5]).label == "b"


def test_the_pause_is_of_all_classes_and_counts_hops():
    detector = Detector(NAMES, HOP, DetectorSettings(0.5, 0, 3 * HOP))
    found = [detector.step([0, 1, 0, 0])] + [detector.step([0, 0, 1, 0]) for _ in range(5)]
    assert [each and (each.hop, each.label) for each in found] == [
        (0, "a"), None, None, None, (4, "b"), None,
    ]  # fmt: skip


def test_a_sum_does_not_drift():
    """A running sum would be wrong in the last digits."""
    settings = DetectorSettings(0.25, 10 * HOP, 0)
    stream = np.random.default_rng(0).random((20_000, 2), np.float32)
    stream[-10:] = 0.3
    detector = Detector(["a", "b"], HOP, settings)
    *_, last = map(detector.step, stream)
    again = Detector(["a", "b"], HOP, settings)
    *_, alone = map(again.step, stream[-10:])
    assert last.score == alone.score


def test_what_is_listened_for_must_be_there():
    with pytest.raises(UserError, match="No class d"):
        Detector(NAMES, HOP, DetectorSettings({"d": 0.5}))
