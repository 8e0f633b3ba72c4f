"""A table of recordings: its columns are found, its rows are checked, each file is decoded once."""

from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import strategies as st

from tfspec.audio import inspection
from tfspec.base.errors import UserError
from tfspec.data.label_targets import labels_of
from tfspec.data.problems import Faults
from tfspec.data.readers import AudioReader
from tfspec.data.sources.columns import Columns, found_columns
from tfspec.data.sources.file_tables import inspect_file_table
from tfspec.data.sources.labels import read_labels
from tfspec.data.tables import read_any_table

RATE = 4000


@pytest.fixture
def folder(tmp_path) -> Path:
    """Recordings of 1, 2 and 3 s."""
    (tmp_path / "audio").mkdir()
    for name, seconds in {"a.wav": 1, "b.wav": 2, "audio/c.flac": 3}.items():
        soundfile.write(tmp_path / name, np.linspace(-0.5, 0.5, seconds * RATE), RATE)
    return tmp_path


def inspected(folder: Path, text: str, given: Columns | None = None) -> pd.DataFrame:
    (folder / "table.csv").write_text(text, encoding="utf-8")
    table = read_any_table(folder / "table.csv")
    return inspect_file_table(table, found_columns(table, given), folder)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        # ESC-50, UrbanSound8K, FSD50K, Common Voice, DESED, BirdCLEF, the competition's
        ("filename,fold,target,category,esc10,src_file,take", "filename, category, src_file, , , "),
        ("slice_file_name,fsID,start,end,fold,classID,class", "slice_file_name, class, fsID, , , "),
        ("fname,labels,mids,split", "fname, labels, , , , split"),
        ("client_id,path,sentence,word", "path, word, client_id, , , "),
        ("filename,onset,offset,event_label", "filename, event_label, , onset, offset, "),
        ("primary_label,secondary_labels,author,filename", "filename, primary_label, author, , , "),
        ("recording_id,species_id,t_min,t_max,species", "recording_id, species, , t_min, t_max, "),
        ("Path,LABEL,Speaker ID,Begin Time (s),Offset", "Path, LABEL, Speaker ID, Begin Time (s), Offset, "),
    ],
)  # fmt: skip
def test_columns_of_well_known_sets_are_found(header, expected):
    cells = {name: ["train", "test"] for name in header.split(",")}
    times = ("start", "end", "onset", "offset", "Offset", "t_min", "t_max", "Begin Time (s)")
    cells |= {name: ["0.5", "1"] for name in times if name in cells}
    found = found_columns(pd.DataFrame(cells))
    roles = (found.path, found.label, found.group, found.start, found.end, found.part)
    assert ", ".join(map(str, roles)) == expected


def test_given_columns_count_and_may_be_none():
    table = pd.DataFrame([["a.wav", "x", "y", "z"]], columns=["file", "label", "kind", "speaker"])
    found = found_columns(table, Columns(label="kind", group=""))
    assert (found.label, found.group) == ("kind", "")
    with pytest.raises(
        UserError, match=r"no column 'sort' for label\. The table's columns: file, label, kind"
    ):
        found_columns(table, Columns(label="sort"))


def test_columns_that_hold_something_else_are_not_taken():
    table = pd.DataFrame(
        [["a", "x", "here", "10:30:00", "easy"], ["b", "y", "here", "23:15:00", "hard"]],
        columns=["file", "label", "site", "start_time", "set"],
    )
    unused = ("start_time ('10:30:00' is no time in seconds)",)
    assert found_columns(table) == Columns("file", "label", (), "", "", "", "", "", unused)
    assert found_columns(table).described().endswith(f"; not used: {unused[0]}")
    alone = pd.DataFrame({"file": ["a", "b"], "label": ["x", "y"], "stop": ["1:30", "0,5"]})
    assert found_columns(alone).passed_over == ()  # it is a time, but nothing begins


@pytest.mark.parametrize(
    ("start", "end"), [("0,5", "1"), ("00:00.5", "0:01"), ("0 days 00:00:00.5", "0 days 00:00:01")]
)
def test_times_are_seconds_or_minutes_and_seconds(folder, start, end):
    manifest = inspected(folder, f'file,label,start,end\na.wav,x,"{start}",{end}\n')
    assert manifest[["start", "end", "problem"]].values.tolist() == [[0.5, 1, None]]


def test_a_class_may_be_told_by_words(folder):
    manifest = inspected(folder, "file,owl,cat\na.wav,Yes,FALSE\nb.wav,no,\naudio/c.flac,1,True\n")
    np.testing.assert_array_equal(manifest[["owl", "cat"]], [[1, 0], [0, np.nan], [1, 1]])
    assert manifest["problem"].isna().all()


def test_rows_that_say_the_same_count_once(folder, capsys):
    manifest = inspected(folder, "file,label\na.wav,x\nb.wav,y\na.wav,x\na.wav,x\n")
    assert manifest[["path", "problem"]].values.tolist() == [["a.wav", None], ["b.wav", None]]
    assert "2 rows say again what another one says" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "option"), [("sound_of,label", "--path-column"), ("file,what", "--label-column")]
)
def test_what_is_not_found_names_its_option(header, option):
    with pytest.raises(UserError, match=rf"{option}\. The table's columns: {header.replace(',', ', ')}"):
        found_columns(pd.DataFrame([["x", "y"]], columns=header.split(",")))


def test_classes_are_columns_of_0_and_1_or_shares():
    table = pd.DataFrame(
        [["a", "1", "-1", "3.5", "0", "0.25"], ["b", "0", "1", "1", "1", "1"]],
        columns=["file", "owl", "cat", "seconds", "dog", "quality"],
    )
    assert found_columns(table).classes == ("owl", "cat", "dog")
    shares = table.assign(owl=["0.25", "0"], cat=["0.75", "1"])[["file", "owl", "cat"]]
    assert found_columns(shares).classes == ("owl", "cat")
    words = shares.rename(columns={"owl": "go", "cat": "stop"})
    assert found_columns(words).classes == ("go", "stop")


@pytest.mark.parametrize("odd", ["?", "maybe", "0,5"])
def test_an_odd_cell_does_not_take_a_class_away(odd):
    cells = ["0", "1"] * 15
    table = pd.DataFrame({"file": ["a.wav"] * 31, "owl": [*cells, "0"], "cat": [*cells, odd]})
    columns, faults = found_columns(table, Columns()), Faults(31)
    assert columns.classes == ("owl", "cat")
    told = faults.told_in(read_labels(table, columns, faults))["problem"]
    assert told[:30].isna().all() and "in column cat is not 0 to 1" in told[30]
    few = found_columns(pd.DataFrame({"file": ["a"] * 4, "owl": [*"0101"], "calls": [*"0123"]}), Columns())
    assert few.classes == ("owl",)


def test_a_row_is_an_example(folder):
    manifest = inspected(folder, "file,word,speaker,split\na.wav,yes,ann,train\nb.wav, no ,,val\n")
    assert not manifest[["silent", "clipped"]].any().any() and manifest["digest"].nunique() == 2
    assert manifest.drop(columns=["silent", "clipped", "digest"]).to_dict("list") == {
        "path": ["a.wav", "b.wav"], "label": ["yes", "no"], "group": ["ann", ""],
        "part": ["train", "validation"], "problem": [None, None],
    }  # fmt: skip
    assert AudioReader(folder, RATE, RATE)(manifest).shape == (2, RATE)


def test_files_are_found_by_name_below_the_folder(folder):
    manifest = inspected(folder, "id,label\nc,x\nD:\\all\\audio\\c.flac,y\n/elsewhere/a,y\n")
    assert manifest["path"].tolist() == ["audio/c.flac", "audio/c.flac", "a.wav"]
    (problem,) = inspected(folder, "id,label\ntrain/c.flac,x\n")["problem"]  # which may be another c.flac
    assert problem == "row 1: no such file; elsewhere there is audio/c.flac"
    (folder / "audio" / "a.flac").write_bytes(b"another")
    problem = inspected(folder, "id,label\na,y\nb,x\n")["problem"]
    assert problem.tolist() == ["row 1: several files have this name: a.wav, audio/a.flac", None]


def test_labels_that_hold_at_once_become_columns(folder):
    manifest = inspected(folder, 'fname,labels\na,"owl,cat"\nb,cat\nc,\n')
    assert manifest[["cat", "owl"]].values.tolist() == [[1, 1], [1, 0], [0, 0]]
    assert "label" not in manifest
    assert manifest["problem"].isna().all()
    assert inspected(folder, "fname,label\na,slow; steady|dog\nb,dog\n")["slow"].tolist() == [1, 0]


def test_one_column_may_use_both_signs_between_labels(folder):
    rows = "file,label\na.wav,owl|cat\nb.wav,owl;cat\naudio/c.flac,owl\n"
    assert inspected(folder, rows)[["cat", "owl"]].values.tolist() == [[1, 1], [1, 1], [0, 1]]


def test_a_comma_in_a_single_label_is_part_of_it(folder):
    assert inspected(folder, 'file,label\na.wav,"bicycling, slow"\n')["label"].tolist() == ["bicycling, slow"]


def test_what_pandas_writes_for_nothing_is_neither_a_label_nor_a_group(folder):
    found = inspected(folder, "file,label,speaker\na.wav,nan,x\nb.wav,owl,nan\naudio/c.flac,cat|<NA>,y\n")
    assert found["label"].tolist() == ["", "owl", "cat"]
    assert found["problem"].tolist() == ["row 1: no label", None, None]
    assert found["group"].tolist() == ["x", "", "y"]


def test_columns_a_class_know_what_nobody_knows(folder):
    manifest = inspected(folder, "file,owl,cat\na.wav,1,\nb.wav,-1,0\n")
    np.testing.assert_array_equal(manifest[["owl", "cat"]], [[1, np.nan], [np.nan, 0]])


def test_a_row_of_shares_of_which_nothing_is_known_has_no_label(folder):
    manifest = inspected(folder, "file,owl,cat\na.wav,0.25,0.75\nb.wav,,\n")
    assert manifest["problem"].tolist() == [None, "row 2: no label"]
    assert labels_of(manifest[:2], ["owl", "cat"]) == "one"


def test_ends_that_are_not_given_are_the_recording_s(folder):
    manifest = inspected(folder, "file,label,start,end\na.wav,x,,0.5\nb.wav,x,1.5,\n")
    assert manifest[["start", "end"]].values.tolist() == [[0, 0.5], [1.5, 2]]


def test_a_duration_beside_a_start_says_where_the_end_is(folder):
    manifest = inspected(folder, "file,label,start,duration (s)\na.wav,x,0.5,0.25\nb.wav,x,0,\n")
    assert manifest[["start", "end"]].values.tolist() == [[0.5, 0.75], [0, 2]]
    assert "end" not in inspected(folder, "file,label,duration\na.wav,x,1\nb.wav,x,2\n")
    problems = inspected(folder, "file,label,begin,length\na.wav,x,0,1\nb.wav,x,0,long\n")["problem"]
    assert problems.tolist() == [None, "row 2: the duration 'long' is no time in seconds"]


def test_each_row_that_cannot_be_used_says_why(folder):
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_bytes(b"RIFF or not")
    assert inspected(
        folder,
        "file,label,start,end\n"
        "b.wav,x,0,1\nmissing.wav,x,0,1\n,x,0,1\nb.wav,,1,2\nb.wav,x,one,2\nb.wav,x,-1,2\nb.wav,x,1,0.5\n"
        "b.wav,x,2,\nb.wav,x,1,3\nempty.wav,x,,\ntext.wav,x,,\nb.wav,x,0.5,1\nb.wav,y,0.5,1\naudio,x,0,1\n",
    )["problem"].tolist() == [
        None,
        "row 2: no such file",
        "row 3: no path",
        "row 4: no label",
        "row 5: the start 'one' is no time in seconds",
        "row 6: -1 to 2 s: begins before the recording",
        "row 7: 1 to 0.5 s: ends before it begins",
        "row 8: 2 to nan s: the recording ends at 2 s",
        "row 9: 1 to 3 s: the recording ends at 2 s",
        "row 10: empty file",
        "row 11: Format not recognised",
        "row 12: several rows are of this stretch; keep one, with all its labels joined by ;",
        "row 13: several rows are of this stretch; keep one, with all its labels joined by ;",
        "row 14: a folder, not a file",
    ]  # fmt: skip


def test_bad_numbers_parts_and_names_of_classes(folder):
    columns = Columns("file", "", ("owl", "cat"))
    manifest = inspected(folder, "file,owl,cat\na.wav,0,2\nb.wav,maybe,1\naudio/c.flac,0,1\n", columns)
    assert manifest["problem"].tolist() == [
        "row 1: '2' in column cat is not 0 to 1", "row 2: 'maybe' in column owl is not 0 to 1", None,
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"Parts are train, .*Received: 'later'"):
        inspected(folder, "file,label,split\na.wav,x,later\nb.wav,x,train\n")
    with pytest.raises(UserError, match=r"No class may be called .*Received: 'start'"):
        inspected(folder, "file,labels\na.wav,start;b\n")


def test_each_recording_is_decoded_once(folder, monkeypatch):
    opened = []
    monkeypatch.setattr(
        inspection, "opened", lambda path, _open=inspection.opened: opened.append(path.name) or _open(path)
    )
    rows = [f"{name},x,{start / 10},\n" for name in ("a.wav", "b.wav") for start in range(9)]
    assert inspected(folder, "file,label,start,end\n" + "".join(rows))["problem"].isna().all()
    assert sorted(opened) == ["a.wav", "b.wav"]


HOSTILE = st.one_of(
    st.sampled_from(
        ["a.wav", "b", "", "../a.wav", "/dev/zero", "nan", "inf", "-1", "1e999", "0.5", "x;y", "\\"]
    ),
    st.text(max_size=8),
)


@hypothesis.settings(
    max_examples=40, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    st.lists(st.lists(HOSTILE, min_size=6, max_size=6), min_size=1, max_size=4),
    st.sampled_from(["label", "labels", "owl"]),
)
def test_whatever_the_cells_say_rows_are_good_or_say_why(folder, rows, label):
    table = pd.DataFrame(rows, columns=["file", label, "speaker", "start", "end", "split"], dtype=object)
    try:
        columns = found_columns(table, Columns(start="start", end="end"))
        manifest = inspect_file_table(table, columns, folder)
    except UserError as error:
        assert "\x1b" not in str(error)
        return
    assert len({*map(tuple, rows)}) >= len(manifest) > 0
    good = manifest[manifest["problem"].isna()]
    assert ((good["start"] >= 0) & (good["start"] < good["end"])).all()
    assert all((folder / path).is_file() for path in good["path"])
