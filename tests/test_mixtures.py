import subprocess
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import strategies as st

from tfspec.audio.inspection import format_problems
from tfspec.base.errors import UserError
from tfspec.data.label_targets import targets
from tfspec.data.manifest import class_columns
from tfspec.data.readers import AudioReader
from tfspec.data.sources.mixtures import list_mixtures, write_predictions

MAKE = Path(__file__).parents[2] / "shared" / "data" / "make_overlapped_speech.py"
RATE = 4000


@pytest.fixture
def folder(tmp_path) -> Path:
    """Four recordings of a second."""
    folder = tmp_path / "train"
    folder.mkdir()
    for name in "abcd":
        soundfile.write(folder / f"{name}.wav", np.zeros(RATE), RATE)
    return folder


def table(folder: Path, *rows: str, header: str = "file_name,yes,no", name: str = "answer.csv") -> Path:
    path = folder.parent / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def listed(folder: Path, *rows: str, **options) -> pd.DataFrame:
    return list_mixtures(table(folder, *rows), folder, RATE, RATE, **options)


def problems(folder: Path, *rows: str, **options) -> dict[str, str]:
    bad = listed(folder, *rows, **options).dropna(subset="problem")
    return dict(zip(bad["path"], bad["problem"], strict=True))


def test_rows_keep_their_order_and_find_their_files_with_and_without_suffix(folder):
    manifest = listed(folder, "c,0.25,0.75", "a.wav,1,0", "d,0.5,0.5", "b.wav,0,1")
    assert manifest["path"].tolist() == ["c.wav", "a.wav", "d.wav", "b.wav"] == manifest["group"].tolist()
    assert manifest["problem"].isna().all()
    assert class_columns(manifest) == ["yes", "no"]
    np.testing.assert_array_equal(
        targets(manifest, ["no", "yes"]), [[0.75, 0.25], [0, 1], [0.5, 0.5], [1, 0]]
    )
    assert AudioReader(folder, RATE, RATE)(manifest).shape == (4, RATE)


def test_all_that_is_wrong_is_said_at_once_with_its_row(folder):
    soundfile.write(folder / "rate.wav", np.zeros(RATE), 2 * RATE)
    soundfile.write(folder / "short.wav", np.zeros((RATE - 1, 2)), RATE)
    (folder / "text.wav").write_text("no sound at all")
    (folder / "._a.wav").write_text("what macOS leaves")
    received = problems(
        folder, "a,0.5,0.4", "b,1.25,-0.25", "c,half,0.5", "missing,1,0", "../train/d,1,0", "rate,1,0",
        "short,1,0", "text,0.5,0.5", "d,nan,1",
    )  # fmt: skip
    assert received == {
        "a.wav": "row 1: sums to 0.9, not to 1",
        "b.wav": "row 2: '-0.25' in column no is negative",
        "c.wav": "row 3: 'half' in column yes is no finite number",
        "missing": "row 4: no such recording",
        "../train/d": "row 5: a path, not the name of a file in the folder",
        "rate.wav": "row 6: 8000 Hz instead of 4000",
        "short.wav": "row 7: 3999 samples instead of 4000, 2 channels instead of 1",
        "text.wav": "row 8: Format not recognised",
        "d.wav": "row 9: 'nan' in column yes is no finite number",
    }


def test_files_without_a_row_and_rows_for_the_same_file(folder):
    assert problems(folder, "a,1,0", "b,1,0", "a.wav,0,1") == {
        "a.wav": "row 3: not the file's only row",
        "c.wav": "no row in answer.csv",
        "d.wav": "no row in answer.csv",
    }
    manifest = listed(folder, "a,1,0", "b,1,0", "a.wav,0,1")
    assert manifest["problem"].notna().tolist() == [True, False, True, True, True]
    assert manifest[["yes", "no"]].iloc[3:].isna().to_numpy().all()


@pytest.mark.parametrize("shares", ["0.3333,0.6667", "0.3335,0.667", "1e0,0", "0.9991,0"])
def test_rounded_shares_pass(folder, shares):
    assert not problems(folder, *(f"{name},{shares}" for name in "abcd"))


@pytest.mark.parametrize("shares", ["inf,0", "-inf,inf", "1", ",1", "1 ,", "0x1,0", "0.9985,0", "1,1e-2"])
def test_shares_that_do_not_pass(folder, shares):
    assert set(problems(folder, f"a,{shares}", "b,1,0", "c,0,1", "d,1,0")) == {"a.wav"}


def test_a_table_to_be_filled_in_needs_no_shares(folder):
    assert not problems(folder, *(f"{name},0,0" for name in "abcd"), answered=False)
    assert set(problems(folder, *(f"{name},," for name in "abc"), "x,0,0", answered=False)) == {"x", "d.wav"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read: empty file"),
        ("file_name\na\n", "must name the file and then at least two classes. Received: 0 classes"),
        ("file_name,yes\na,1\n", "Received: 1 classes"),
        ("file_name,yes,no\n", "has no rows"),
        ("file_name,yes,yes\na,1,0\n", "each its own.*Received: 'yes'"),
        ("file_name,yes,\na,1,0\n", "must have names.*Received: ''"),
        ("file_name,path,problem\na,1,0\n", "Received: 'path', 'problem'"),
        ("file_name,yes,no\na,1,0,0\nb,1,0\n", "not a CSV file"),
        ("file_name,yes,no\na,1,0\nb,1,0,0\n", "not a CSV file in UTF-8: .*line 3"),
        ("file_name,yes,no\n\"a,1,0\n", "not a CSV file"),
        (b"file_name,yes,no\n\xff,1,0\n", "not a CSV file in UTF-8"),
        (None, "cannot be read: no such file"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_read(folder, text, message):
    path = folder.parent / "answer.csv"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=f"(?s)answer.csv.*{message}"):
        list_mixtures(path, folder, RATE, RATE)


def test_missing_and_empty_folders(folder, tmp_path):
    with pytest.raises(UserError, match=r"No such folder: .*nowhere"):
        list_mixtures(table(folder, "a,1,0"), tmp_path / "nowhere", RATE, RATE)
    (tmp_path / "empty").mkdir()
    manifest = list_mixtures(table(folder, "a,1,0"), tmp_path / "empty", RATE, RATE)
    assert manifest["problem"].tolist() == ["row 1: no such recording"]


NAMES = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(st.lists(NAMES, min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_untrusted_file_names_lead_to_no_file_but_the_folders(tmp_path_factory, names, seed):
    folder = tmp_path_factory.mktemp("any") / "train"
    folder.mkdir()
    soundfile.write(folder / "a.wav", np.zeros(RATE), RATE)
    soundfile.write(folder.parent / "outside.wav", np.zeros(RATE), RATE)
    ids = ["../outside.wav", "../outside", str(folder / "a.wav"), ".", "..", *names]
    rows = pd.DataFrame({"file_name": ids, "yes": 1, "no": 0}).sample(frac=1, random_state=seed)
    rows.to_csv(folder.parent / "answer.csv", index=False)
    manifest = list_mixtures(folder.parent / "answer.csv", folder, RATE, RATE)
    assert len(manifest) >= len(ids)
    assert set(manifest["path"][manifest["problem"].isna()]) <= {"a.wav"}


def test_headers_tell_what_decoding_tells(folder):
    soundfile.write(folder / "a.wav", np.zeros(3950), RATE)
    paths = [folder / f"{name}.wav" for name in "abx"]
    assert format_problems(paths, RATE, RATE) == ["3950 samples instead of 4000", None, "no such file"]


# The table of predictions


def test_predictions_keep_header_order_and_file_names(folder):
    submission = table(
        folder, '"c,""x""",0,0', "a.wav,0,0", "007,0,0", "NA,0,0", header='"file,name",no,"y,es"'
    )
    files = ["test/a.wav", "test/007.wav", "test/NA.wav", 'test/c,"x".wav']
    probabilities = np.float32([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    path = folder.parent / "PredictionFinal.csv"
    write_predictions(path, submission, files, ["y,es", "no"], probabilities)
    assert path.read_text().splitlines() == [
        '"file,name",no,"y,es"', '"c,""x""",0.6,0.4', "a.wav,0.9,0.1", "007,0.8,0.2", "NA,0.7,0.3",
    ]  # fmt: skip


def test_predictions_that_do_not_fit_the_table(folder):
    submission, path = table(folder, "a,0,0", "b,0,0"), folder.parent / "PredictionFinal.csv"
    with pytest.raises(UserError, match=r"answer.csv asks for 1 recording that cannot be used: 'b'"):
        write_predictions(path, submission, ["a.wav"], ["yes", "no"], np.eye(1, 2))
    with pytest.raises(UserError, match=r"has not the model's classes. They differ in: 'maybe', 'no'\."):
        write_predictions(path, submission, ["a.wav", "b.wav"], ["yes", "maybe"], np.eye(2))
    assert not path.exists()


@pytest.mark.skipif(not MAKE.exists(), reason="no shared/data beside the clone")
def test_the_published_layout(tmp_path):
    subprocess.run([sys.executable, MAKE, tmp_path, "--train", "30", "--test", "12"], check=True)
    for part, count in (("train", 30), ("test", 12)):
        manifest = list_mixtures(tmp_path / f"{part}_answer.csv", tmp_path / part, 16000, 16000)
        assert len(manifest) == count
        assert manifest["problem"].isna().all()
    to_fill = list_mixtures(tmp_path / "submission.csv", tmp_path / "test", 16000, 16000, answered=False)
    assert to_fill["problem"].isna().all()
    classes = class_columns(manifest)
    assert classes == class_columns(to_fill) and len(classes) == 10
    filled, shares = tmp_path / "filled.csv", targets(manifest, classes)
    write_predictions(filled, tmp_path / "submission.csv", manifest["path"], classes, shares)
    assert filled.read_text() == (tmp_path / "test_answer.csv").read_text()
