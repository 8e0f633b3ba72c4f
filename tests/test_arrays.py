"""Arrays of windows: an archive or files, whatever they are called, in little memory."""

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tfspec.base.errors import UserError
from tfspec.data.label_targets import labels_of
from tfspec.data.sources.arrays import array_reader, inspect_arrays, list_arrays
from tfspec.data.sources.windows import DICTIONARY, list_windows

SHARED = Path(__file__).parents[2] / "shared" / "data" / "wrist_accelerometer"
X = np.arange(60, dtype=np.float32).reshape(6, 5, 2)
Y = np.array(["sit", "walk"] * 3)


def save(folder: Path, kind: str, **arrays) -> Path:
    """Write arrays in one of the ways in which they may be on disk."""
    if kind in ("savez", "savez_compressed"):
        getattr(np, kind)(folder / "a.npz", **arrays)
        return folder / "a.npz"
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder / "X.npy" if kind == "file" else folder


@pytest.mark.parametrize("kind", ["savez", "savez_compressed", "folder", "file"])
def test_every_kind_of_file_has_the_same_windows(tmp_path, kind):
    path = save(tmp_path, kind, X=X, y=Y, groups=[1, 1, 1, 2, 2, 2], times=np.arange(6) * 30)
    manifest = inspect_arrays(path, tmp_path / "kept")
    assert manifest.to_dict("list") == {
        "label": ["sit", "walk"] * 3, "group": ["1"] * 3 + ["2"] * 3, "time": [0, 30, 60, 90, 120, 150],
        "problem": [None] * 6,
    }  # fmt: skip
    assert (manifest.index.name, [*manifest.index]) == ("window", [*range(6)])
    reader = array_reader(path, tmp_path / "kept", 20)
    assert (reader.signal_shape, reader.sample_rate) == ((5, 2), 20)
    np.testing.assert_array_equal(reader(manifest.iloc[[4, 0, 5]]), X[[4, 0, 5]])


@pytest.mark.parametrize("names", [("x", "labels", "subject", "time"), ("Data", "Target", "PID", "T")])
def test_arrays_go_by_many_names(tmp_path, names):
    path = save(tmp_path, "savez", **dict(zip(names, (X, Y, Y, np.arange(6)), strict=True)))
    assert [*list_arrays(path)] == ["label", "group", "time"]


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float64", ">f4"])
def test_signals_of_one_channel_and_any_numbers(tmp_path, dtype):
    path = save(tmp_path, "savez", X=X[..., 0].astype(dtype), y=Y)
    np.testing.assert_array_equal(array_reader(path, tmp_path)(list_arrays(path)), X[..., 0])


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([3, 1], ["3", "1"]),
        ([[3], [1]], ["3", "1"]),
        ([3.0, np.nan], ["3", ""]),
        ([True, False], ["True", "False"]),
        ([b"a ", b"b"], ["a", "b"]),
        (["a", np.nan], ["a", ""]),
        (["<NA>", "NaT"], ["", ""]),
    ],
)
def test_one_label_a_window(tmp_path, y, expected):
    manifest = inspect_arrays(save(tmp_path, "savez", X=X[:2], y=y), tmp_path)
    assert manifest["label"].tolist() == expected
    assert manifest["problem"].tolist() == [None if label else "no label" for label in expected]


@pytest.mark.parametrize("groups", [[1.0, np.nan], ["1", np.nan], np.array([1.0, np.nan], "float32")])
def test_groups_may_be_unknown(tmp_path, groups):
    manifest = list_arrays(save(tmp_path, "savez", X=X[:2], y=Y[:2], groups=groups))
    assert [group.removesuffix(".0") for group in manifest["group"]] == ["1", ""]


def test_several_labels_or_shares_are_columns(tmp_path):
    y = np.array([[1, -1], [0, 1], [np.nan, 0]])
    manifest = list_arrays(save(tmp_path, "savez", X=X[:3], y=y, class_names=["owl", "cat"]))
    np.testing.assert_array_equal(manifest[["owl", "cat"]], [[1, np.nan], [0, 1], [np.nan, 0]])
    assert [*list_arrays(save(tmp_path, "savez", X=X[:3], y=np.abs(y)))] == ["0", "1", "group"]
    named = list_arrays(save(tmp_path, "savez", X=X[:2], y=[1, 0], names=["owl", "cat"]))
    assert named["label"].tolist() == ["cat", "owl"]


def test_a_window_of_which_nothing_is_known_has_no_label_among_those_of_one_class_each(tmp_path):
    y = np.array([[1, 0], [0, 1], [np.nan, np.nan]])
    manifest = inspect_arrays(save(tmp_path, "savez", X=X[:3], y=y, names=["owl", "cat"]), tmp_path)
    assert manifest["problem"].tolist() == [None, None, "no label"]
    assert labels_of(manifest, ["owl", "cat"]) == "one"
    several = inspect_arrays(save(tmp_path, "savez", X=X[:3], y=np.vstack([y[1:], [1, 1]])), tmp_path)
    assert several["problem"].isna().all() and labels_of(several, ["0", "1"]) == "several"


def test_names_say_what_true_and_false_are(tmp_path):
    named = list_arrays(save(tmp_path, "savez", X=X[:2], y=[True, False], names=["owl", "cat"]))
    assert named["label"].tolist() == ["cat", "owl"]


def test_windows_that_are_no_numbers_are_told(tmp_path):
    bad = X.astype(np.float64)
    bad[0, 0, 0] = 3e38  # float32 has it, and not what follows
    bad[1, 2, 1], bad[2, 0, 0], bad[4, 0, 0] = np.nan, 1e39, np.inf
    for kind in ("savez", "savez_compressed", "folder"):
        problem = inspect_arrays(save(tmp_path, kind, X=bad, y=Y), tmp_path / "kept")["problem"]
        assert problem.dropna().to_dict() == dict.fromkeys([1, 2, 4], "holds NaN or infinity in float32")


def test_what_was_unpacked_is_used_until_the_archive_changes(tmp_path):
    path = save(tmp_path, "savez_compressed", X=X, y=Y)
    first = array_reader(path, tmp_path / "kept").path
    written = first.stat().st_mtime_ns
    assert array_reader(path, tmp_path / "kept").path.stat().st_mtime_ns == written
    save(tmp_path, "savez_compressed", X=X[::-1], y=Y)
    second = array_reader(path, tmp_path / "kept")
    np.testing.assert_array_equal(second(list_arrays(path)), X[::-1])


def test_memory_does_not_grow_with_the_arrays(tmp_path):
    big = np.zeros((20_000, 500), np.float32)
    for kind in ("savez", "savez_compressed"):
        path = save(tmp_path, kind, X=big, y=np.arange(20_000) % 2)
        tracemalloc.start()
        inspect_arrays(path, tmp_path / "kept")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < big.nbytes / 3


def test_the_layout_of_capture24_is_read_by_its_dictionary():
    if not SHARED.is_dir():
        pytest.skip("needs the shared wrist_accelerometer")
    assert list_arrays(SHARED, "label:coarse").equals(list_windows(SHARED, "label:coarse"))
    manifest = list_arrays(SHARED)
    assert (len(manifest), manifest["label"].nunique(), manifest["group"].nunique()) == (3924, 18, 36)
    assert (SHARED / DICTIONARY).is_file()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"y": Y}, "has no array of signals, called X. Received: y.npy"),
        ({"X": X}, r"called y, beside X.npy in a.npz. Received: no other array"),
        ({"X": X, "activity": Y}, r"called y, beside X.npy in a.npz. Received: activity.npy"),
        (
            {"X": X, "y": Y[:5]},
            r"y.npy in a.npz must have one entry for each of 6 windows. Its shape: \(5,\)",
        ),
        ({"X": X[0, 0], "y": Y}, r"X.npy in a.npz must hold numbers of shape .* shape \(2,\)"),
        ({"X": Y[:, None], "y": Y}, "must hold numbers of shape .* <U4"),
        ({"X": np.asfortranarray(X), "y": Y}, "in Fortran's order"),
        ({"X": X, "y": np.arange(6) / 2}, "numbers that are not whole"),
        ({"X": X, "y": np.full((6, 2), 1.5)}, "numbers from 0 to 1, or NaN. It does not in row 0"),
        (
            {"X": X, "y": [1, 2, 3] * 2, "names": ["a", "b", "c"]},
            "y.npy in a.npz holds numbers that have no name, 3: the first of 3 names is that of 0",
        ),
        ({"X": X, "y": [-1.0, 0.0, 1.0] * 2, "names": ["a", "b"]}, "have no name, -1"),
        ({"X": X, "y": np.ones((6, 2)), "names": ["a"]}, "has 2 classes, and there are names of 1"),
        ({"X": X, "y": np.ones((6, 2)), "names": ["a", "a"]}, "different names. Received twice: a"),
        ({"X": X, "y": np.ones((6, 2)), "names": ["start", "b"]}, "No class may be called .*'start'"),
        ({"X": X, "y": Y, "groups": np.ones(6) / 3}, "groups.npy in a.npz must hold text or whole numbers"),
        ({"X": X, "y": Y, "groups": np.ones((6, 2))}, r"must hold text or whole numbers, .* shape \(6, 2\)"),
        ({"X": X, "y": Y, "t": np.full(6, np.nan)}, "t.npy in a.npz has no time for 6 windows"),
        ({"X": X, "y": Y, "t": ["2020-01-01"] * 6}, "t.npy in a.npz must hold dates or seconds, .* <U10"),
        ({"X": X, "y": Y, "t": np.ones((6, 2))}, r"must hold dates or seconds, .* shape \(6, 2\)"),
    ],
)
@pytest.mark.parametrize("kind", ["savez", "savez_compressed"])
def test_what_does_not_fit_is_named(tmp_path, kind, arrays, said):
    with pytest.raises(UserError, match=said):
        list_arrays(save(tmp_path, kind, **arrays))


@pytest.mark.parametrize("kind", ["savez", "savez_compressed", "folder"])
def test_nothing_is_unpickled(tmp_path, kind):
    path = save(tmp_path, kind, X=X, y=np.array([1, None, "a", 2, 3, 4], object))
    with pytest.raises(UserError, match=r"y.npy.* cannot be read \(.*save it as text or numbers"):
        list_arrays(path)


@pytest.mark.parametrize("kind", ["savez", "savez_compressed"])
def test_damaged_archives_are_read_or_refused(tmp_path, kind):
    whole = save(tmp_path, kind, X=X, y=Y, groups=np.arange(6)).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            content[place] = rng.integers(256)
        (tmp_path / "a.npz").write_bytes(content[: rng.integers(len(whole) // 2, 2 * len(whole))])
        try:
            inspect_arrays(tmp_path / "a.npz", tmp_path / "kept")
        except UserError as error:
            assert "\x1b" not in str(error)


def test_a_damaged_archive_says_so(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\3\4 and nothing")
    for name, said in {
        "a.npz": "is no .npz archive",
        "b.npz": "No such file",
        "b.npy": "No such file",
    }.items():
        with pytest.raises(UserError, match=said):
            list_arrays(tmp_path / name)
    path = save(tmp_path, "savez_compressed", X=X, y=Y)
    with zipfile.ZipFile(path) as archive:
        begin = archive.getinfo("X.npy").header_offset + 60
    content = bytearray(path.read_bytes())
    content[begin : begin + 40] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a.npz is no .npz archive, or damaged"):
        inspect_arrays(path, tmp_path / "kept")
    assert not [*tmp_path.glob("kept/*")]


@pytest.mark.parametrize("gone", ["data", "signals.npy", "data.npz"])
def test_arrays_beside_data_that_is_gone_do_not_stand_for_it(tmp_path, gone):
    np.save(tmp_path / "X.npy", np.zeros([4, 8], np.float32))
    np.save(tmp_path / "y.npy", np.arange(4) % 2)
    with pytest.raises(UserError, match=f"^No such file or folder: .*{gone}$"):
        list_arrays(tmp_path / gone)
    with pytest.raises(UserError, match=f"^No such file or folder: .*{gone}$"):
        array_reader(tmp_path / gone, None)
