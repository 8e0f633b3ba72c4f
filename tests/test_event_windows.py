"""Windows over whole recordings know what is heard in them, and that nothing is."""

import hypothesis
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import strategies as st

from tfspec.base.errors import UserError
from tfspec.data.sources.event_windows import (
    inspect_events,
    usual_window,
    windows_of_events,
    with_statements,
)


def events_of(rows: list[tuple]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["path", "start", "end", "label"])
    return table.assign(problem=pd.Series([None] * len(rows), dtype=object))


def opensoundscape_says(window: tuple[float, float], event: tuple[float, float], share: float) -> bool:
    """Its rule with `min_label_overlap=share * window, min_label_fraction=share`: either is enough."""
    heard = max(0.0, min(window[1], event[1]) - max(window[0], event[0]))
    return heard >= share * (window[1] - window[0]) or heard / (event[1] - event[0]) >= share


TIMES = st.integers(0, 240).map(lambda eighths: eighths / 8)  # exact, as are all sums of them
EVENTS = st.lists(
    st.tuples(st.sampled_from(["a.wav", "b.wav"]), TIMES, TIMES, st.sampled_from(["owl", "robin"])),
    min_size=1,
)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    EVENTS,
    st.integers(1, 40).map(lambda eighths: eighths / 8),
    st.sampled_from([0.25, 0.5, 1]),
    st.sampled_from([0.125, 0.25, 0.5, 1]),
)
def test_as_opensoundscape_has_it(rows, window, hop, share):
    rows = [(path, min(a, b), max(a, b) + 0.125, label) for path, a, b, label in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfspec.data.sources.event_windows.LEAST_SHARED", share)
        windows = windows_of_events(events_of(rows), {"a.wav": 31, "b.wav": 30.5}, window, window * hop)
    for label in {row[3] for row in rows}:
        expected = [
            any(
                path == w.path
                and name == label
                and opensoundscape_says((w.start, w.end), (begin, end), share)
                for path, begin, end, name in rows
            )
            for w in windows.itertuples()
        ]
        np.testing.assert_array_equal(windows[label], expected)


def test_windows_cover_recordings_and_quiet_ones_are_negative():
    rows = [("a.wav", 1, 2, "owl"), ("b.wav", np.nan, np.nan, "")]
    windows = windows_of_events(events_of(rows), {"a.wav": 7.5, "b.wav": 3, "c.wav": 9}, 3, 3)
    assert windows.drop(columns="problem").values.tolist() == [
        ["a.wav", 0, 3, "a.wav", 1], ["a.wav", 3, 6, "a.wav", 0], ["a.wav", 4.5, 7.5, "a.wav", 0],
        ["b.wav", 0, 3, "b.wav", 0],
    ]  # fmt: skip


def test_a_point_in_time_is_heard_where_it_is():
    windows = windows_of_events(events_of([("a.wav", 2.5, 2.5, "owl")]), {"a.wav": 6}, 2, 2)
    assert windows["owl"].tolist() == [0, 1, 0]


def test_where_an_event_has_no_label_nobody_knows_what_is_heard():
    rows = [("a.wav", 0, 2, "owl"), ("a.wav", 2.9, 4, ""), ("a.wav", 8, 9, "robin")]
    rows += [("gone.wav", 0, 1, "owl")]
    events = events_of(rows).assign(problem=[None, "no label", None, "bad"])
    windows = windows_of_events(events, {"a.wav": 10}, 2, 2).iloc[:5]
    nan = np.nan
    np.testing.assert_array_equal(windows["owl"].astype(float), [1, nan, 0, 0, 0])
    np.testing.assert_array_equal(windows["robin"].astype(float), [0, nan, 0, 0, 1])


def test_an_event_of_no_time_may_be_at_any(tmp_path):
    rows = [("a.wav", 0, 2, "owl"), ("a.wav", np.nan, 3, "owl"), ("b.wav", 0, 2, "owl")]
    events = events_of(rows).assign(problem=[None, "not two numbers", None])
    windows = windows_of_events(events, {"a.wav": 4, "b.wav": 4}, 2, 2)
    told = with_statements(windows, events)["events"]
    np.testing.assert_array_equal(windows["owl"][:4].astype(float), [1, np.nan, 1, 0])
    assert '[-2.0, 2.0, "owl", null]' in told[1]
    assert "null]" not in told[3]


@pytest.mark.parametrize(
    ("start", "end", "unknown"),
    [
        *([(5, 3, [2, 4]), (7, 20, [6, 8]), (-1, 1, [0])]),
        *([(20, 21, [0, 2, 4, 6, 8]), (-3, -2, [0, 2, 4, 6, 8]), (5, np.inf, [0, 2, 4, 6, 8])]),
    ],
)
def test_of_what_cannot_be_used_nobody_knows_where_it_may_be(start, end, unknown):
    rows = [("a.wav", 0, 0, "robin"), ("b.wav", 0, 0, "owl"), ("a.wav", start, end, "owl")]
    events = events_of([*rows, ("b.wav", 1, 1, "owl")]).assign(problem=[None, None, "bad", "bad"])
    windows = windows_of_events(events, {"a.wav": 10, "b.wav": 2}, 2, 2)
    told = with_statements(windows, events)[:5]
    assert told["start"][told["owl"].isna()].tolist() == unknown
    assert told["start"][told["events"].str.contains('"owl", null')].tolist() == unknown
    assert told["robin"].tolist() == [1, 0, 0, 0, 0]
    for label in ("", "unheard of"):
        events.loc[2, "label"] = label
        windows = windows_of_events(events, {"a.wav": 10, "b.wav": 2}, 2, 2)
        told = with_statements(windows, events)[1:5]
        assert told["start"][told[["owl", "robin"]].isna().all(axis=1)].tolist() == [*filter(None, unknown)]
        assert told["start"][told["events"].str.contains("null, null")].tolist() == [*filter(None, unknown)]


def test_the_usual_window_holds_nine_of_ten_events():
    rows = [("a.wav", 0, length, "owl") for length in (*np.linspace(0.1, 1.2, 9), 60)]
    window = usual_window(events_of(rows))
    assert window % 0.5 == 0
    assert np.mean([row[2] <= window for row in rows]) == 0.9
    assert usual_window(events_of([("a.wav", 0, 0.01, "owl")])) == 0.5
    assert usual_window(events_of([("a.wav", 0, 90, "owl")])) == 10
    bad = events_of([("a.wav", 0, 1, "owl")] * 7).assign(problem=[f"row {row}: bad" for row in range(7)])
    said = (
        "None of the 7 annotations is an event that can be used: row 0: bad; row 1.* row 4: bad and 2 more."
    )
    with pytest.raises(UserError, match=said):
        usual_window(bad)


def test_bad_recordings_and_ends_keep_their_events(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 4000)
    (tmp_path / "b.wav").write_bytes(b"")
    rows = [("a.wav", 0, 1, "owl"), ("a.wav", 1, 3, "owl"), ("b.wav", 0, 1, "robin")]
    events, lengths = inspect_events(events_of(rows), tmp_path)
    said = ["a.wav: 1 to 3 s: the recording ends at 2 s", "b.wav: empty file"]
    assert events["problem"].tolist() == [None, *said]
    assert lengths == {"a.wav": 2}
    windows = windows_of_events(events, lengths, 1, 1)
    assert windows["problem"].tolist() == [None, None, *said]
    np.testing.assert_array_equal(windows["owl"].astype(float)[:2], [1, np.nan])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((2, 3), "a hop of 3 s and windows of 2 s"),
        ((2, 0), "a hop of 0 s"),
        ((np.inf, 1), "windows of inf s"),
        ((2, 1e-7), "of which 16777216 may be"),
    ],
)
def test_numbers_out_of_their_range(arguments, said):
    with pytest.raises(UserError, match=said):
        windows_of_events(events_of([("a.wav", 0, 1, "owl")]), {"a.wav": 10}, *arguments)


def test_classes_are_no_columns_of_manifests():
    with pytest.raises(UserError, match=r"No class may be called .*Received: 'group'"):
        windows_of_events(events_of([("a.wav", 0, 1, "group")]), {"a.wav": 10}, 2, 1)
