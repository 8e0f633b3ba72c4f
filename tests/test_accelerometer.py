"""Recordings are cut into windows as Capture-24's authors cut them, and all or nothing is written."""

import warnings

import numpy as np
import pandas as pd
import pytest

from tfspec.audio.opening import RecordingError
from tfspec.base.errors import UserError
from tfspec.cli.main import main
from tfspec.data.sources import accelerometer, window_files
from tfspec.data.sources.accelerometer import LEFT_OUT, Cut, Cutter
from tfspec.data.sources.window_files import make_windows
from tfspec.data.sources.windows import DICTIONARY, list_windows

WALKING, SLEEPING = "walking;MET 3.5", "7030 sleeping;MET 0.95"
SHORT = Cutter(sample_rate=10, seconds=3)


def recording(seconds, rate=10, seed=0, begin="2016-11-13 02:18:00.000"):
    """Make up an hour of somebody's life, or less."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    times = pd.Timestamp(begin) + pd.to_timedelta(np.arange(count) * 1000 // rate, "ms")
    table = pd.DataFrame(rng.normal(0, 1, (count, 3)).round(6), columns=["x", "y", "z"])
    table.insert(0, "time", times.strftime("%Y-%m-%d %H:%M:%S.%f"))
    return table.assign(annotation=rng.choice([WALKING, SLEEPING], -(-count // 40)).repeat(40)[:count])


def written(table, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    return path


def together(cuts) -> Cut:
    *arrays, left_out = zip(*cuts, strict=True)
    return Cut(*map(np.concatenate, arrays), pd.DataFrame(left_out).sum().to_dict())


def as_published(path, seconds, rate):
    """Cut by the formula of the public preparation: pandas resamples, and takes the mode."""
    data = pd.read_csv(
        path, parse_dates=["time"], dtype={**dict.fromkeys("xyz", "f4"), "annotation": "string"}
    )
    signals, names, times = [], [], []
    for time, window in data.set_index("time").resample(f"{seconds}s", origin="start"):
        if not len(window):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            name = window["annotation"].mode(dropna=False).iloc[0]
        values = window[["x", "y", "z"]].to_numpy()
        if pd.isna(name) or len(values) != seconds * rate or np.isnan(values).any():
            continue
        signals.append(values), names.append(name), times.append(time)
    return np.stack(signals), np.array(names), np.array(times, "M8[ns]")


@pytest.mark.parametrize("rows", [70, 10**6])
def test_windows_are_the_published_ones(tmp_path, monkeypatch, rng, rows):
    """With gaps, jumps, holes, missing values, missing annotations and all that is equally frequent."""
    monkeypatch.setattr(accelerometer, "ROWS", rows)
    table = recording(400)
    table["annotation"] = rng.choice([WALKING, "bicycling", None], len(table) // 5).repeat(5)
    table.loc[rng.integers(0, len(table), 5), "x"] = np.nan
    table = table.drop(index=[*rng.integers(0, len(table), 8), *range(1800, 2111)])
    path = written(table, tmp_path / "P001.csv.gz")
    signals, names, times = as_published(path, 3, 10)
    received = together(SHORT(path))
    np.testing.assert_array_equal(received.signals, signals)
    assert received.signals.dtype == np.float32 and 40 < len(signals) < 133
    assert received.annotations.tolist() == names.tolist() and set(names) == {WALKING, "bicycling"}
    np.testing.assert_array_equal(received.times, times)
    # every window in which there is anything, which 133 are but those in the gap
    assert len(signals) + sum(received.left_out.values()) == 133 + 1 - 10
    assert all(received.left_out[name] for name in LEFT_OUT)


def test_windows_without_annotation_are_kept_on_request(tmp_path):
    path = written(recording(60).drop(columns="annotation"), tmp_path / "P001.csv")
    assert len(together(Cutter(10, 3, annotated=False)(path)).signals) == 20
    with pytest.raises(RecordingError, match=r"P001.csv .*no column 'annotation'; give --no-annotated"):
        list(SHORT(path))


def test_times_may_be_seconds(tmp_path):
    table = recording(60)
    dates = together(SHORT(written(table, tmp_path / "P1.csv")))
    seconds = together(SHORT(written(table.assign(time=np.arange(600) / 10), tmp_path / "P2.csv")))
    np.testing.assert_array_equal(seconds.signals, dates.signals)
    assert np.diff(seconds.times).tolist() == np.diff(dates.times).tolist() == [3 * 10**9] * 19


@pytest.mark.parametrize("new_rate", [20, 50, 150])
def test_resampled_windows_hold_the_same_movement(tmp_path, new_rate):
    """A sine of 2 Hz stays one; one of 30 Hz is gone where the new rate is too low for it."""
    at = np.arange(3000) / 100
    table = recording(30, rate=100).assign(x=np.sin(4 * np.pi * at), y=np.sin(60 * np.pi * at), z=1 + at / 30)
    (signals, *_), *_ = Cutter(100, 30, new_rate=new_rate)(written(table, tmp_path / "P1.csv"))
    assert signals.shape == (1, 30 * new_rate, 3)
    at = np.arange(30 * new_rate) / new_rate
    inside = slice(new_rate, -new_rate)
    np.testing.assert_allclose(signals[0, inside, 0], np.sin(4 * np.pi * at)[inside], atol=0.01)
    np.testing.assert_allclose(signals[0, :, 2], 1 + at / 30, atol=0.01)
    kept = np.sin(60 * np.pi * at)[inside] * (new_rate > 60)
    np.testing.assert_allclose(signals[0, inside, 1], kept, atol=0.01)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda table: table.iloc[[*range(300), *range(100, 300)]],
            "times go back after 2016-11-13T02:18:29",
        ),
        (lambda table: table.assign(time="2016-11-13"), "3 s have over"),
        (lambda table: table.assign(x="far"), "could not convert string to float"),
        (lambda table: table.assign(time="yesterday"), "yesterday"),
        (lambda table: table.assign(time=table["time"].where(table.index != 5)), "row 6 has no time"),
        (lambda table: table.drop(columns=["x", "time"]), "no column 'time' and no 'x'"),
        (lambda table: table.iloc[:0], "no rows"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, change, said):
    with pytest.raises(RecordingError, match=rf"P1.csv.gz cannot be cut into windows: .*{said}"):
        list(Cutter(1, 3)(written(change(recording(60)), tmp_path / "P1.csv.gz")))


@pytest.fixture
def raw(tmp_path):
    """Three people with a minute each, in Capture-24's layout; of the third half is missing."""
    folder = tmp_path / "raw"
    for number in (1, 2, 3):
        written(recording(60, seed=number), folder / f"P00{number}.csv.gz")
    damaged = folder / "P003.csv.gz"
    damaged.write_bytes(damaged.read_bytes()[:-3000])
    pd.DataFrame({"annotation": [WALKING, SLEEPING], "label:simple": ["walk", "sleep"]}).to_csv(
        folder / DICTIONARY, index=False
    )
    (folder / "metadata.csv").write_text("pid,age\nP001,38-52\n")
    return folder


def test_many_recordings_become_four_files(raw, tmp_path):
    table = make_windows(raw, tmp_path / "out", SHORT)
    assert table["windows"].tolist() == [20, 20, 0]
    assert "Compressed file ended" in table["problem"][2]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "recordings.csv"), table, check_dtype=False)
    manifest = list_windows(tmp_path / "out", "label:simple")
    assert manifest["group"].tolist() == ["P001"] * 20 + ["P002"] * 20
    expected = [together(SHORT(raw / f"P00{number}.csv.gz")) for number in (1, 2)]
    for name, arrays in zip("XTY", zip(*(cut[:3] for cut in expected), strict=True), strict=True):
        np.testing.assert_array_equal(np.load(tmp_path / "out" / f"{name}.npy"), np.concatenate(arrays))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]


def test_what_is_cut_is_not_cut_again(raw, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(window_files, "_join", full)
        with pytest.raises(OSError, match="No space"):
            make_windows(raw, tmp_path / "out", SHORT)
    assert not (tmp_path / "out").exists()
    written(recording(30, seed=5), raw / "P002.csv.gz")  # another one
    cut, call = [], Cutter.__call__
    monkeypatch.setattr(Cutter, "__call__", lambda cutter, path: cut.append(path.name) or call(cutter, path))
    assert make_windows(raw, tmp_path / "out", SHORT)["windows"].tolist() == [20, 10, 0]
    assert cut == ["P002.csv.gz", "P003.csv.gz"]
    with pytest.raises(UserError, match="out is there already"):
        make_windows(raw, tmp_path / "out", SHORT)


@pytest.mark.parametrize("name", ["a.txt/out", "n" * 300])
def test_a_place_where_nothing_can_be_is_told_before_the_work(raw, tmp_path, monkeypatch, name):
    (tmp_path / "a.txt").touch()
    monkeypatch.setattr(Cutter, "__call__", lambda *_: pytest.fail("cut"))
    with pytest.raises(UserError, match="cannot be written"):
        make_windows(raw, tmp_path / name, SHORT)


def test_the_command_names_bad_recordings_and_does_the_others_in_several_processes(raw, tmp_path, capsys):
    options = ["--sample-rate", "10", "--window-seconds", "3"]
    with pytest.raises(SystemExit) as stop:
        main(["windows", str(raw), str(tmp_path / "out"), *options, "--processes", "2"])
    out, err = capsys.readouterr()
    assert stop.value.code == 1
    assert "2 recordings: 40 windows; left out: 0 without annotation, 0 incomplete, 0 not finite" in out
    assert "P003.csv.gz cannot be used: EOFError: Compressed file ended" in err
    make_windows(raw, tmp_path / "one", SHORT)
    for name in ("X", "Y", "T", "pid"):
        one, several = ((tmp_path / folder / f"{name}.npy").read_bytes() for folder in ("one", "out"))
        assert one == several


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"metadata.csv": "", "readme.txt": ""}, r"holds no recordings \(\*.csv or \*.csv.gz\)"),
        ({"P1.csv": "", "more/P1.csv.gz": ""}, "several recordings of P1"),
        (
            {"P1.csv": "time,x,y,z,annotation\n2020-01-01,0,0,0,\n"},
            "1 of 1 .*: 1 without annotation, 0",
        ),
    ],
)
def test_folders_that_cannot_be(tmp_path, files, said):
    for name, text in files.items():
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_text(text)
    with pytest.raises(UserError, match=said):
        make_windows(tmp_path / "raw", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_folder_of_recordings_is_told_how_to_become_windows(raw):
    with pytest.raises(UserError, match=r"holds recordings: `tfspec windows .*raw OUT` cuts them"):
        list_windows(raw, "label:simple")
