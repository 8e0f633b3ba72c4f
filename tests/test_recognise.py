"""What a user's data is told to be, and what is said of it."""

import subprocess
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import soundfile
from hypothesis import strategies as st

from tfspec.base.errors import UserError
from tfspec.cli.main import main
from tfspec.data.sources import recognise as recognising
from tfspec.data.sources.class_folders import list_class_folders
from tfspec.data.sources.columns import Columns
from tfspec.data.sources.recognise import looking_once, recognise

SHARED = Path(__file__).parents[2] / "shared" / "data"
RAVEN = "Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\n1\t0\t1\trobin\n2\t1\t2\towl\n"


def fill(folder: Path, *names: str, content: str = "") -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def said(data: Path, *arguments) -> str:
    found = recognise(data, *arguments)
    return f"{found.kind}: {found.said}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("esc10", "class folders: a folder of 10 class folders with 320 recordings"),
        ("spoken_digits", "class folders: a folder of 10 class folders with 1,000 recordings"),
        (
            "wrist_accelerometer",
            "windows: arrays: 3,924 windows of 600 samples × 3 channels in 18 classes of 36 groups",
        ),
    ],
)
def test_real_sets(name, expected):
    if not (SHARED / name).is_dir():
        pytest.skip(f"needs the shared {name}")
    assert said(SHARED / name) == expected


def test_a_class_folder_that_links_to_another_counts_as_it_is_listed(tmp_path):
    fill(tmp_path, "b/1.wav", "b/2.wav", "c/1.wav", "c/sub/1.wav")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "d").symlink_to("c/sub")
    assert said(tmp_path) == "class folders: a folder of 4 class folders with 7 recordings"
    assert len(list_class_folders(tmp_path).manifest) == 7


def test_the_layout_of_the_rainforest(tmp_path):
    if not (script := SHARED / "make_soundscapes.py").is_file():
        pytest.skip("needs the shared make_soundscapes.py")
    subprocess.run([sys.executable, script, tmp_path, "--train", "3", "--test", "1"], check=True)
    expected = "annotated recordings: 4 recordings with a table of boxes, 20 events of 8 classes"
    assert said(tmp_path) == expected


def test_a_table_by_itself_or_beside_its_files(tmp_path):
    fill(tmp_path, "audio/a.wav", "audio/b.wav")
    fill(tmp_path, "meta.csv", content="file,category,fold\naudio/a.wav,owl,1\naudio/b.wav,cat,2\n")
    fill(tmp_path, "other.csv", content="what,ever\n1,2\n")
    expected = (
        "table: a table of 2 recordings in 2 classes, columns file → path, category → label, fold → group"
    )
    assert said(tmp_path / "meta.csv") == said(tmp_path) == expected
    assert recognise(tmp_path).path == tmp_path / "meta.csv"
    fill(tmp_path, "more.tsv", content="id\tlabel\na\towl\n")
    with pytest.raises(UserError, match=r"Several tables .*: meta\.csv, more\.tsv\. Give one"):
        recognise(tmp_path)


def test_columns_may_be_given(tmp_path):
    fill(tmp_path, "a.csv", content="track,kind\na.wav,owl\na.wav,cat\n")
    expected = "table: a table of 2 rows of 1 recording in 2 classes, columns track → path, kind → label"
    assert said(tmp_path / "a.csv", Columns("track", "kind")) == expected
    with pytest.raises(UserError, match="give --path-column"):
        recognise(tmp_path / "a.csv")


def test_tables_of_several_labels_and_of_shares(tmp_path):
    fill(tmp_path, "a.csv", content='fname,labels\na,"owl,cat"\nb,cat\n')
    assert "2 recordings in 2 classes, of which several can hold at once, columns" in said(tmp_path / "a.csv")
    fill(tmp_path, "b.csv", content="file,yes,stop\na,0.5,0.5\nb,1,0\n")
    assert "2 recordings in shares of 2 classes, columns file → path, 2 → a class" in said(tmp_path / "b.csv")


def test_recordings_with_annotations(tmp_path):
    fill(tmp_path, "dawn.wav", "dusk.wav", "noon.wav")
    fill(tmp_path, "dawn.Table.1.selections.txt", content=RAVEN)
    one = "annotated recordings: 1 recording with Raven selection tables, 2 events of 2 classes"
    assert said(tmp_path) == f"{one}; 2 recordings without"
    fill(tmp_path, "dusk.txt", "noon.txt", content="1\t2\trobin\n")
    three = "3 recordings with Raven selection tables and Audacity labels, 4 events of 2 classes"
    assert said(tmp_path) == f"annotated recordings: {three}"


def test_a_table_without_a_recording_does_not_count_as_one(tmp_path):
    fill(tmp_path, "a.wav", "b.wav", "c.wav")
    fill(tmp_path, "a.selections.txt", "b.selections.txt", "ghost.selections.txt", content=RAVEN)
    expected = "2 recordings with Raven selection tables, 6 events of 2 classes; 1 recording without"
    assert said(tmp_path) == f"annotated recordings: {expected}"


def test_a_few_annotations_do_not_make_class_folders_something_else(tmp_path):
    fill(tmp_path, *(f"{label}/{i}.wav" for label in ("owl", "cat") for i in range(3)))
    fill(tmp_path, "owl/1.selections.txt", content=RAVEN)
    assert said(tmp_path) == "class folders: a folder of 2 class folders with 6 recordings"


@pytest.mark.parametrize("name", ["a.npz", "X.npy", ""])
def test_arrays(tmp_path, name):
    arrays = {"X": np.zeros((4, 9)), "y": np.eye(4)[:, :2]}
    if name == "a.npz":
        np.savez(tmp_path / name, **arrays)
    else:
        for each, array in arrays.items():
            np.save(tmp_path / f"{each}.npy", array)
    expected = "windows: arrays: 4 windows of 9 samples in 2 classes, of which several can hold at once"
    assert said(tmp_path / name) == expected


def test_arrays_that_are_not_used_are_named(tmp_path):
    names = ("X_train", "y_train", "X_test", "y_test")
    np.savez(tmp_path / "a.npz", **{name: np.zeros((4, 9) if name[0] == "X" else 4, int) for name in names})
    assert said(tmp_path / "a.npz").endswith("; not used: X_test.npy, y_test.npy")


def test_pictures_in_folders_or_in_a_table(tmp_path):
    fill(tmp_path, *(f"{label}/{i}.png" for label in ("a", "b") for i in range(3)), "b/4.JPG", "b/notes.txt")
    assert said(tmp_path) == "pictures: a folder of 2 class folders with 7 pictures"
    fill(tmp_path, "some.csv", content=",".join([*map(str, range(8192)), "labels"]) + "\n")
    assert said(tmp_path / "some.csv") == "pictures: a table of pictures, a pixel a column"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["a.wav", "b.wav", "c.txt"],
            "holds 2 .wav, 1 .txt, and nothing says what they are of. Give a folder",
        ),
        (["a/1.tif", "b/2.tif"], r"holds 2 .tif, .* recordings or pictures \(PNG, JPEG\) for each class"),
        ([], "holds no files"),
        (
            ["train/owl/a.wav", "test/owl/b.wav"],
            "are parts of a set and no classes: test, train. Give the one",
        ),
    ],
)
def test_a_folder_that_is_none_of_these(tmp_path, names, expected):
    with pytest.raises(UserError, match=expected):
        recognise(fill(tmp_path, *names))


def test_files_that_are_none_of_these(tmp_path):
    with pytest.raises(UserError, match=r"is one \.wav, and nothing to train on\. Give a folder"):
        recognise(fill(tmp_path, "a.wav") / "a.wav")
    with pytest.raises(UserError, match="No such file or folder"):
        recognise(tmp_path / "missing")


@hypothesis.settings(
    max_examples=100, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    st.sampled_from(
        ["a.csv", "a.tsv", "a.txt", "a.npz", "X.npy", "y.npy", "a/b.wav", "a.selections.txt", "train_tp.csv"]
    ),
    st.binary(max_size=60)
    | st.sampled_from([RAVEN.encode(), b"file,label\na,b\n", b"PK\3\4", b"\x93NUMPY\1\0"]),
    st.binary(max_size=5),
)
def test_whatever_is_in_files_they_are_recognised_or_refused(tmp_path, name, content, more):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content + more)
    for data in (tmp_path, tmp_path / name):
        try:
            found = recognise(data).said
        except UserError as error:
            found = str(error)
        assert "\x1b" not in found
        assert len(found) < 1500


def test_tensorflow_is_not_waited_for():
    code = "import sys, tfspec.data.sources.recognise as r; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_was_seen_holds_for_one_command(tmp_path):
    fill(tmp_path, "a/1.wav", "b/1.wav")
    with looking_once():
        before = said(tmp_path)
        fill(tmp_path, "c/1.wav")
        assert said(tmp_path) == before
    assert "3 class folders" in said(tmp_path)


@pytest.mark.parametrize("command", [["train", "--show"], ["check"]], ids=["train", "check"])
def test_a_command_looks_at_a_folder_once(tmp_path, monkeypatch, command):
    for place, name in enumerate(("a/1.wav", "a/2.wav", "b/1.wav", "b/2.wav")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.random.default_rng(place).uniform(-0.5, 0.5, 8000), 8000)
    looks, look = [], recognising._looked_at
    monkeypatch.setattr(recognising, "_looked_at", lambda *asked: looks.append(asked) or look(*asked))
    name, *options = command
    main([name, str(tmp_path), *options])
    assert len(looks) == 1
