"""Windows on disk: what is read is what is there, in little memory and in long stretches."""

import contextlib
import shutil
import types
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
from agreement import some_examples
from hypothesis import strategies as st

from tfspec.base.errors import UserError
from tfspec.data import make_dataset
from tfspec.data.epochs import Epochs
from tfspec.data.sources import windows
from tfspec.data.sources.windows import (
    DICTIONARY,
    WindowReader,
    inspect_windows,
    list_windows,
    shuffled_runs,
)

COLUMN = "label:simple"
ANNOTATIONS = ["7030 sleeping;MET 0.95", "bicycling, slow", "walking"]


def arrays(windows: int = 6, dtype=np.float32) -> dict[str, np.ndarray]:
    """Make what the four files hold; every sample of a window is the window's number."""
    return {
        "X": np.tile(np.arange(windows, dtype=dtype)[:, None, None], (1, 20, 3)),
        "Y": np.resize(ANNOTATIONS, windows),
        "T": np.datetime64("2016-11-13T02:18:00.000", "ms") + 30_000 * np.arange(windows),
        "pid": np.where(np.arange(windows) < windows // 2, "P001", "P002"),
    }


def write(folder: Path, **changes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, array in (arrays() | changes).items():
        np.save(folder / f"{name}.npy", array)
    labels = ["sleep", "bicycling", "walking"]
    table = pd.DataFrame(
        {"annotation": ANNOTATIONS, COLUMN: labels, "label:two": ["rest", "active", "active"]}
    )
    table.to_csv(folder / DICTIONARY, index=False)
    return folder


def test_manifest_names_labels_people_and_times(tmp_path):
    manifest = list_windows(write(tmp_path), COLUMN)
    assert (manifest.index.name, list(manifest.index)) == ("window", [*range(6)])
    assert list(manifest["label"]) == ["sleep", "bicycling", "walking"] * 2
    assert list(manifest["group"]) == ["P001"] * 3 + ["P002"] * 3
    assert list(np.diff(manifest["time"])) == [30] * 5
    assert pd.to_datetime(manifest["time"][0], unit="s") == pd.Timestamp("2016-11-13T02:18:00")
    assert set(list_windows(tmp_path, "label:two")["label"]) == {"rest", "active"}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_windows_are_read_in_any_order_and_precision(tmp_path, dtype):
    reader = WindowReader(write(tmp_path, X=arrays(dtype=dtype)["X"]) / "X.npy", 100)
    manifest = list_windows(tmp_path, COLUMN)
    windows = reader(manifest.iloc[[4, 0, 5, 4]])
    assert windows.dtype == np.float32
    assert windows.shape == (4, *reader.signal_shape) == (4, 20, 3)
    assert windows[:, 7, 1].tolist() == [4, 0, 5, 4]
    assert reader.window_bytes == 60 * np.dtype(dtype).itemsize
    with pytest.raises(UserError, match=r"X\.npy ends before window 6"):
        reader(pd.DataFrame(index=[5, 6]))


def test_a_file_that_gives_less_than_asked_for_is_read_on(tmp_path, monkeypatch):
    monkeypatch.setattr(windows, "CHUNK_BYTES", 100)  # as Linux does of over 2 GiB
    path = write(tmp_path, X=arrays()["X"]) / "X.npy"
    np.testing.assert_array_equal(WindowReader(path)(pd.DataFrame(index=range(6))), np.load(path))
    with pytest.raises(UserError, match=r"X\.npy ends before window 6"):
        WindowReader(path)(pd.DataFrame(index=range(7)))


def test_neighbours_are_read_together(tmp_path, monkeypatch):
    np.save(tmp_path / "X.npy", np.zeros((40, 5, 3)))
    reader, seeks = WindowReader(tmp_path / "X.npy"), []
    assert reader.signal_shape == (5, 3)  # which is read but once
    opened = Path.open

    def counting(path, *arguments, **options):
        file = opened(path, *arguments, **options)
        return types.SimpleNamespace(
            seek=lambda place: seeks.append(place) or file.seek(place), readinto=file.readinto
        )

    monkeypatch.setattr(Path, "open", lambda *a, **o: contextlib.nullcontext(counting(*a, **o)))
    reader(pd.DataFrame(index=[7, 21, 6, 20, 5, 39]))
    assert [(place - seeks[0]) // reader.window_bytes for place in seeks] == [0, 15, 34]


@pytest.mark.parametrize(
    "changes",
    [
        {"T": np.arange(6), "pid": np.arange(6) // 3},
        {"T": np.arange(6.0), "Y": np.array(ANNOTATIONS * 2, "S"), "pid": np.repeat([b"a", b"b"], 3)},
    ],
)
def test_numbers_and_bytes_will_do(tmp_path, changes):
    manifest = list_windows(write(tmp_path, **changes), COLUMN)
    assert list(manifest["time"]) == [0, 1, 2, 3, 4, 5]
    assert manifest["group"].map(type).eq(str).all()
    assert set(manifest["label"]) == {"sleep", "bicycling", "walking"}


def test_all_that_is_wrong_is_named_at_once(tmp_path):
    changes = {
        "X": arrays(7)["X"],
        "Y": np.array([*ANNOTATIONS, "dancing", "dancing", "swimming"]),
        "T": np.array([*arrays()["T"][:5], "NaT"], "datetime64[ms]"),
    }
    folder = write(tmp_path / "data", **changes)
    (folder / "pid.npy").unlink()
    with pytest.raises(UserError) as error:
        list_windows(folder, COLUMN)
    for said in (
        "data cannot be used: ",
        "7 in X.npy, 6 in Y.npy, 6 in T.npy",
        "pid.npy is missing",
        "has no label for 'dancing', 'swimming'",
        "T.npy has no time for 1 window",
    ):
        assert said in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"X": np.zeros((6, 20))}, r"X.npy must hold float16, .* and holds float64 of shape \(6, 20\)"),
        ({"X": np.zeros((6, 20, 3), int)}, "X.npy must hold float16, .* and holds int64"),
        ({"X": np.zeros((0, 20, 3))}, r"X.npy must hold .* shape \(0, 20, 3\)"),
        ({"X": np.asfortranarray(arrays()["X"])}, "X.npy is in Fortran's order"),
        ({"Y": np.array([*ANNOTATIONS * 2], object)}, "Y.npy cannot be read .*save it as text"),
        ({"Y": np.arange(6)}, "Y.npy must hold text"),
        ({"T": arrays()["T"].astype(str)}, "T.npy must hold dates or seconds"),
        ({"pid": arrays()["pid"][:5]}, "6 in X.npy, 6 in Y.npy, 6 in T.npy, 5 in pid.npy"),
    ],
)
def test_what_the_files_must_hold(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        list_windows(write(tmp_path, **changes), COLUMN)


def test_a_truncated_file_is_noticed(tmp_path):
    path = write(tmp_path) / "X.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"X\.npy cannot be read"):
        list_windows(tmp_path, COLUMN)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("annotation,label:other\na,b\n", "no column label:simple. It has: annotation, label:other"),
        (
            "annotation,label:simple\nwalking,\n",
            "no label for '7030 sleeping;MET 0.95', 'bicycling, slow', 'walk",
        ),
        ("annotation,label:simple\nwalking,a\nwalking,b\n", "several labels to 'walking'"),
        ("", "cannot be read"),
    ],
)
def test_a_dictionary_that_does_not_fit(tmp_path, table, said):
    (write(tmp_path) / DICTIONARY).write_text(table)
    with pytest.raises(UserError, match=said):
        list_windows(tmp_path, COLUMN)


def test_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match=r"No such folder: .*nowhere"):
        list_windows(tmp_path / "nowhere", COLUMN)


def test_windows_that_are_no_numbers_are_found(tmp_path):
    folder = write(tmp_path, **arrays(2500))
    signals = np.zeros((2500, 4, 3), np.float16)
    signals[[0, 1023, 1024, 2499], 2, 1] = [np.nan, np.inf, -np.inf, np.nan]
    np.save(tmp_path / "X.npy", signals)
    problem = inspect_windows(folder, list_windows(folder, COLUMN))["problem"]
    assert [*problem.index[problem.notna()]] == [0, 1023, 1024, 2499]
    assert (problem[0], problem[1]) == ("holds NaN or infinity in float32", None)


@some_examples
@hypothesis.given(
    present=st.lists(st.booleans(), min_size=1, max_size=300).filter(any),
    run=st.integers(1, 40),
    runs=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_runs_are_shuffled_and_stay_together(present, run, runs, seed):
    index = np.flatnonzero(present)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfspec.data.sources.windows.RUNS", runs)
        order = shuffled_runs(index, run, seed)
        np.testing.assert_array_equal(order, shuffled_runs(index, run, seed))
    assert sorted(order) == [*range(len(index))]
    # One after the other, so many whole runs
    left = list(index[order])
    while left:
        numbers = list(dict.fromkeys(place // run for place in left))[:runs]
        whole = {place for place in left if place // run in numbers}
        received = left[: len(whole)]
        assert len({place // run for place in received}) <= runs
        assert {place // run for place in received} == {place // run for place in whole}
        assert set(received) == whole
        del left[: len(whole)]


def test_batches_of_shuffled_runs_are_as_mixed_as_those_of_a_full_shuffle():
    """Of 20,000 windows of five activities that last two hours each."""
    labels = np.arange(20_000) // 240 % 5
    shuffled = labels[shuffled_runs(np.arange(20_000), run=14, seed=0)]
    fully = labels[np.random.default_rng(0).permutation(20_000)]
    spread, full_spread = (
        np.mean([np.bincount(batch, minlength=5).std() for batch in order.reshape(-1, 32)])
        for order in (shuffled, fully)
    )
    assert spread < 1.3 * full_spread


def sparse(path: Path, windows: int) -> Path:
    """Write an X.npy of zeros that takes no place on the disk."""
    array = np.lib.format.open_memmap(path, "w+", np.float32, (windows, 3000, 3))
    del array
    assert path.stat().st_blocks * 512 < 2**20
    return path


def peak_kilobytes(path: Path, windows: int) -> int:
    """Measure what reading 300 training batches adds to the memory in use, at its highest."""
    index = np.arange(windows)
    manifest = pd.DataFrame({"label": np.resize(["a", "b"], windows)})
    epochs = Epochs(0, order=lambda seed: shuffled_runs(index, 14, seed))
    data = make_dataset(manifest, WindowReader(path), ["a", "b"], 32, None, epochs, batches_per_read=28)
    status = Path("/proc/self/status")
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is what it is now

    def field(name):
        return int(status.read_text().split(f"{name}:")[1].split()[0])

    before = field("VmRSS")
    seen = sum(len(signals) for signals, _ in data.repeat().take(300))
    assert seen >= 300 * 16
    return field("VmHWM") - before


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measured as Linux does")
def test_twenty_gigabytes_take_no_more_memory_than_two_hundred_megabytes(tmp_path):
    if shutil.disk_usage(tmp_path).free < 2**30:
        pytest.skip("no disk space")
    small, large = sparse(tmp_path / "small.npy", 5_556), sparse(tmp_path / "large.npy", 555_556)
    assert large.stat().st_size > 20e9
    peak_kilobytes(small, 5_556)  # what is only loaded once
    needed = peak_kilobytes(small, 5_556), peak_kilobytes(large, 555_556)
    # A hundredth of the file: what the allocator keeps differs by tens of megabytes from one time to the next
    assert needed[1] < needed[0] + 200_000
