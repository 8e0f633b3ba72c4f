"""What is chosen from the recordings: rate, length, windows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspec.data.choices import described_fit, in_windows, usual_length, usual_rate
from tfspec.pipelines.small_data import BATCHES, MOST_BATCHES, usual_epochs


@pytest.mark.parametrize(
    ("rates", "chosen"),
    [([8000], 8000), ([16000, 8000, 16000], 16000), ([44100] * 3, 32000), ([8000, 16000], 16000)],
)
def test_the_commonest_rate_up_to_32_khz(rates, chosen):
    assert usual_rate(pd.Series(rates)) == chosen


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ([1.0] * 10, 1.0),
        ([0.3, 0.48, 0.501], 0.51),  # the longest, rounded up
        ([1.0] * 99 + [7.0], 1.0),  # one of a hundred is not what all others are padded to
        ([60.0, 61.0], 5.0),  # windows
    ],
)
def test_the_length_of_a_clip(seconds, chosen):
    assert usual_length(pd.Series(seconds)) == pytest.approx(chosen)


@given(st.integers(1, 10**6))
def test_few_examples_are_learnt_more_often_and_many_take_longer(batches):
    epochs = usual_epochs(batches)
    assert 10 <= usual_epochs(batches + 1) <= epochs <= 120
    assert epochs * batches >= 0.98 * BATCHES or epochs == 120
    assert epochs * batches <= MOST_BATCHES or epochs == 10


@given(st.lists(st.floats(0.01, 500), min_size=1, max_size=20), st.floats(0.1, 20))
def test_windows_cover_every_recording(seconds, window):
    recordings = pd.DataFrame({"path": [*map(str, range(len(seconds)))], "seconds": seconds})
    windows = in_windows(recordings, window)
    assert windows.index.tolist() == list(range(len(windows)))
    for path, rows in windows.groupby("path"):
        length = seconds[int(path)]
        assert rows["start"].iloc[0] == 0 and rows["end"].iloc[-1] >= length - 1e-5 * window
        assert (rows["start"].diff().dropna() <= window + 1e-9).all() and rows[
            "start"
        ].is_monotonic_increasing
        if length >= window:
            assert rows["end"].iloc[-1] <= length + 1e-5 * window


def test_what_cannot_be_read_is_one_window():
    rows = in_windows(pd.DataFrame({"path": ["a", "b"], "seconds": [np.nan, 4.0]}), 2.0)
    assert rows[["path", "start"]].values.tolist() == [["a", 0], ["b", 0], ["b", 2]]


def test_what_is_cut_or_padded_is_counted():
    assert described_fit(pd.Series(np.ones(3)), 1.0) == "none of 3 is cut or padded"
    assert described_fit(pd.Series([0.5, 1.0, 3.0, 2.0]), 1.0) == (
        "2 of 4 are cut by up to 2.00 s, 1 of 4 are padded by up to 0.50 s"
    )
