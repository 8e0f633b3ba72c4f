"""Events an hour against pandas, their intervals against scipy's bootstrap."""

from datetime import datetime, timedelta

import hypothesis
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import strategies as st

from tfspec.scores.activity import HOURS, Activity

NOON = datetime(2021, 3, 5, 12)


def events(*starts_and_labels) -> pd.DataFrame:
    return pd.DataFrame(starts_and_labels, columns=["start", "label"]).astype({"start": float})


def test_hours_of_the_day_go_on_behind_midnight():
    activity = Activity(["owl", "wren"])
    late = datetime(2021, 3, 5, 23, 30)
    activity.add(events((0, "owl"), (1900, "owl"), (1901, "wren")), 3600, late)
    rates, low, high = activity.hourly()
    assert np.flatnonzero(np.isfinite(rates[0])).tolist() == [0, 23]
    assert rates[:, [23, 0]].tolist() == [[2, 2], [0, 2]]
    assert np.isnan(low).all() and np.isnan(high).all()  # of one recording
    assert np.isnan(activity.total().low).all() and activity.total().rates[:, 0].tolist() == [2, 1]


@hypothesis.given(
    st.lists(
        st.tuples(st.integers(1, 200_000), st.integers(0, 86_399), st.lists(st.floats(0, 0.999), max_size=5)),
        min_size=1,
        max_size=5,
    )
)
@hypothesis.settings(max_examples=30, deadline=None)
def test_counts_and_hours_are_those_that_pandas_counts_second_by_second(recordings):
    activity, times, heard = Activity(["owl"]), [], []
    for seconds, of_day, places in recordings:
        began = NOON.replace(hour=0) + timedelta(seconds=of_day)
        activity.add(events(*((place * seconds, "owl") for place in places)), seconds, began)
        times.append(np.bincount((of_day + np.arange(seconds)) // 3600 % HOURS, minlength=HOURS) / 3600)
        heard += [(began + timedelta(seconds=place * seconds)).hour for place in places]
    hours, counts = np.sum(times, 0), np.bincount(heard, minlength=HOURS)
    expected = [count / each if each else np.nan for count, each in zip(counts, hours, strict=True)]
    np.testing.assert_allclose(activity.hourly().rates[0], expected, rtol=1e-9)
    np.testing.assert_allclose(activity.total().rates, counts.sum() / hours.sum(), rtol=1e-9)


def test_what_has_no_clock_is_counted_from_its_beginning():
    activity = Activity(["owl"])
    activity.add(events((30 * 3600, "owl")), 40 * 3600)
    rates = activity.hourly().rates[0]
    assert rates[0] == 0 and rates[23] == pytest.approx(1 / 17)


def test_the_interval_is_that_of_scipy_s_bootstrap_over_recordings(monkeypatch):
    monkeypatch.setattr("tfspec.scores.activity.RESAMPLES", 4000)
    rng = np.random.default_rng(0)
    counts, seconds = rng.poisson(rng.gamma(2, 3, 60)), rng.uniform(600, 3600, 60)
    activity = Activity(["owl"])
    for count, length in zip(counts, seconds, strict=True):
        activity.add(events(*((1.0, "owl") for _ in range(count))), length, NOON)

    def rate(count, length):
        return count.sum(-1) / (length.sum(-1) / 3600)

    expected = scipy.stats.bootstrap(
        (counts, seconds), rate, paired=True, method="percentile", n_resamples=4000, rng=rng
    ).confidence_interval
    found = activity.total()
    width = expected.high - expected.low
    assert found.low[0, 0] == pytest.approx(expected.low, abs=0.08 * width)
    assert found.high[0, 0] == pytest.approx(expected.high, abs=0.08 * width)
    np.testing.assert_allclose(activity.hourly().low[0, 12], found.low[0, 0])


def test_what_was_never_heard_has_no_interval():
    activity = Activity(["owl", "wren"])
    for _ in range(3):
        activity.add(events((1, "owl")), 3600, NOON)
    assert np.isfinite(activity.total().low[:, 0]).tolist() == [True, False]


def test_the_same_seed_draws_the_same(monkeypatch):
    ends = []
    for seed in (0, 0, 1):
        monkeypatch.setattr("tfspec.scores.activity.SEED", seed)
        activity = Activity(["owl"])
        for count in range(9):
            activity.add(events(*((1.0, "owl") for _ in range(count))), 3600, NOON)
        ends.append(activity.total().high[0, 0])
    assert ends[0] == ends[1] != ends[2]
