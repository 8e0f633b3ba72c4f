"""Events are read from the files that Raven, Audacity and the competition write."""

from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from tfspec.base.errors import UserError
from tfspec.data.sources.selections import annotation_files, list_events
from tfspec.inference.events import write_audacity, write_raven

RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"
BOTH = HEADER = RAVEN + "\tAnnotation\n"
BOTH += "1\tWaveform 1\t1\t1.5\t2.5\t0\t8000\trobin\n1\tSpectrogram 1\t1\t1.5\t2.5\t1000\t3000\trobin\n"
BOTH += "2\tSpectrogram 1\t1\t4\t5\t500\t900\towl\n"
ROWS = ["path", "start", "end", "low_hz", "high_hz", "label"]


@pytest.fixture
def folder(tmp_path) -> Path:
    """Recordings, as far as names tell."""
    (tmp_path / "night").mkdir()
    for name in ("dawn.wav", "dusk.flac", "night/dawn.wav", "night/2.5.2024.wav"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def events(folder: Path, *arguments) -> list[list]:
    return list_events(folder, *arguments)[ROWS].values.tolist()


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ("dawn.Table.1.selections.txt", "dawn.wav"),
        ("dusk.selections.txt", "dusk.flac"),
        ("dusk.flac.txt", "dusk.flac"),
        ("night/dawn.BirdNET.selection.table.txt", "night/dawn.wav"),
        ("night/2.5.2024.Table.1.selections.txt", "night/2.5.2024.wav"),
        ("dawn/2.5.2024.txt", "night/2.5.2024.wav"),
    ],
)
def test_a_table_belongs_to_the_recording_that_it_is_called_after(folder, table, path):
    (folder / table).parent.mkdir(exist_ok=True)
    (folder / table).write_text(BOTH)
    assert events(folder) == [[path, 1.5, 2.5, 1000, 3000, "robin"], [path, 4, 5, 500, 900, "owl"]]
    assert list_events(folder)["problem"].isna().all()


def test_selections_without_a_view_of_the_spectrogram_count_once(folder):
    (folder / "dawn.txt").write_text(
        HEADER + "1\tWaveform 1\t1\t1\t2\t0\t1\ta\n1\tWaveform 2\t2\t1\t2\t0\t1\ta\n"
    )
    assert events(folder) == [["dawn.wav", 1, 2, 0, 1, "a"]]


def test_a_table_of_several_recordings_says_which_and_where(folder):
    header = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tSpecies\n"
    rows = "1\tSpectrogram 1\t1\t2\tdusk.flac\t1\towl\n2\tSpectrogram 1\t61\t63.5\t2.5.2024.wav\t0.5\trobin\n"
    (folder / "all.selections.txt").write_text(header + rows)
    nan = pytest.approx(np.nan, nan_ok=True)
    assert events(folder) == [
        ["dusk.flac", 1, 2, nan, nan, "owl"], ["night/2.5.2024.wav", 0.5, 3, nan, nan, "robin"],
    ]  # fmt: skip
    paths = header.replace("File\tFile Offset (s)", "Path") + "1\tS\t1\t2\tD:\\birds\\dusk.flac\towl\n"
    (folder / "all.selections.txt").write_text(paths)
    assert events(folder) == [["dusk.flac", 1, 2, nan, nan, "owl"]]
    without = (header + rows).replace("File Offset (s)", "Notes")
    (folder / "all.selections.txt").write_text(without)
    with pytest.raises(UserError, match=r"all\.selections\.txt is of several .*column File Offset"):
        list_events(folder)


def test_one_selection_in_two_recordings_or_with_two_labels_is_no_view_of_the_other(folder):
    header = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tBegin Path\tFile Offset (s)\tSpecies\n"
    rows = "1\tS\t1\t2\td\\dawn.wav\t1\towl\n1\tS\t1\t2\td\\dusk.flac\t1\towl\n"
    (folder / "all.txt").write_text(header + rows + rows.splitlines()[0].replace("owl", "wren"))
    told = [(path, label) for path, *_, label in events(folder)]
    assert told == [("dawn.wav", "owl"), ("dusk.flac", "owl"), ("dawn.wav", "wren")]
    (folder / "all.txt").write_text((header + rows).replace("File Offset (s)", "Notes"))
    with pytest.raises(UserError, match="is of several"):
        list_events(folder)


@pytest.mark.parametrize("suffix", ["txt", "csv"])
@pytest.mark.parametrize("between", [",", ";"])
def test_a_spreadsheet_may_have_put_something_else_than_tabs_between_cells(folder, suffix, between):
    cells = BOTH.replace("robin", '"robin, red"' if between == "," else "robin, red")
    (folder / f"dawn.Table.1.selections.{suffix}").write_text(cells.replace("\t", between))
    (folder / "dusk.txt").write_text(BOTH)
    red = ["dawn.wav", 1.5, 2.5, 1000, 3000, "robin, red"]
    assert red in events(folder) and len(events(folder)) == 4
    assert annotation_files(folder)[1] == []


def test_a_table_of_files_is_no_selection_table(folder):
    (folder / "dusk.txt").write_text(BOTH)
    (folder / "meta.csv").write_text("Selection,Begin Time (s),End Time (s),File,Label\n1,0,1,dawn.wav,owl\n")
    (folder / "dawn.csv").write_text("begin time,end time,label\n0,1,owl\n")
    assert annotation_files(folder) == ({"Raven": [folder / "dusk.txt"]}, [])


def test_numbers_may_have_decimal_commas(folder):
    row = "1\tSpectrogram 1\t1\t1,5\t2,25\t1000,5\t3000\trobin\n"
    (folder / "dawn.txt").write_text(HEADER + row)
    assert events(folder) == [["dawn.wav", 1.5, 2.25, 1000.5, 3000, "robin"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_annotations_may_be_in_any_unicode(folder, encoding):
    (folder / "dusk.txt").write_text("\n1e-05\t1.25\tmönch\n", encoding)
    (folder / "dawn.Table.1.selections.txt").write_text(BOTH.replace("owl", "mönch"), encoding)
    assert [(path, label) for path, *_, label in events(folder)] == [
        ("dawn.wav", "robin"), ("dawn.wav", "mönch"), ("dusk.flac", "mönch"),
    ]  # fmt: skip
    assert annotation_files(folder)[1] == []


def test_names_differ_by_capitals_only_where_both_are_there(folder):
    (folder / "DUSK.txt").write_text("1\t2\towl\n")
    assert events(folder)[0][0] == "dusk.flac"
    (folder / "Dusk.wav").write_bytes(b"")
    (folder / "dusk.txt").write_text("1\t2\twren\n")
    assert [(path, label) for path, *_, label in events(folder)] == [("dusk.flac", "wren")]
    assert [path.name for path in annotation_files(folder)[1]] == ["DUSK.txt"]


def test_texts_that_are_not_read_are_named(folder):
    (folder / "dusk.txt").write_text("1\t2\towl\n")
    (folder / "dawn.txt").write_text("1\t2\tmönch\n", "latin-1")
    (folder / "lost.txt").write_text("1\t2\towl\n")
    (folder / "notes.txt").write_text("It rained.\n")
    assert [path.name for path in annotation_files(folder)[1]] == ["dawn.txt", "lost.txt"]


def test_an_empty_track_of_audacity_says_that_nothing_is_heard(folder):
    (folder / "dusk.txt").write_text("1\t2\towl\n")
    (folder / "night" / "2.5.2024.txt").write_text("")
    found = list_events(folder)
    assert found["path"].tolist() == ["dusk.flac", "night/2.5.2024.wav"]
    assert found["label"].tolist() == ["owl", ""] and found["problem"].isna().all()


def test_labels_of_audacity_with_and_without_frequencies(folder):
    text = "0,5\t1,25\trobin\n\\\t1000.0\t2000\n3\t3\towl far\n\\\t-1\t-1\n"
    (folder / "dusk.txt").write_text(text, encoding="utf-8-sig")
    (folder / "notes.txt").write_text("1\t2\tof no recording\n")
    nan = pytest.approx(np.nan, nan_ok=True)
    assert events(folder) == [
        ["dusk.flac", 0.5, 1.25, 1000, 2000, "robin"], ["dusk.flac", 3, 3, nan, nan, "owl far"],
    ]  # fmt: skip


def test_what_tfspec_writes_is_read(folder):
    found = pd.DataFrame(
        {"start": [1.0, 2.5], "end": [2.0, 9.0], "label": ["owl", "robin"], "score": [0.9, 1]}
    )
    write_raven(found, folder / "dawn.selections.txt", 48_000)
    write_audacity(found, folder / "dusk.txt")
    for _, own in list_events(folder).groupby("path"):
        assert own[["start", "end", "label"]].values.tolist() == found.iloc[:, :3].values.tolist()


def test_boxes_of_the_competition(folder):
    (folder / "train").mkdir()
    (folder / "train_tp.csv").write_text(
        "recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max\n3a,14,1,4.5,2531,5.5,5531\n"
    )
    assert events(folder) == [["train/3a", 4.5, 5.5, 2531, 5531, "14"]]
    assert list_events(folder)["problem"][0] == f"train_tp.csv, no such recording in {folder / 'train'}"


def test_the_column_of_labels_is_found_or_given(folder):
    (folder / "dawn.txt").write_text(
        HEADER.replace("Annotation", "Common Name\tSort") + "1\tS\t1\t1\t2\t0\t1\ta\tb\n"
    )
    assert [row[-1] for row in events(folder)] == ["a"]
    assert [row[-1] for row in events(folder, "Sort")] == ["b"]
    with pytest.raises(UserError, match=r"dawn\.txt has no column 'Kind': give --label-column"):
        list_events(folder, "Kind")
    (folder / "dawn.txt").write_text(HEADER.replace("Annotation", "Notes"))
    with pytest.raises(UserError, match=r"no column that is called as one of labels: .*Notes"):
        list_events(folder)


def test_a_recording_in_whose_table_is_nothing_is_known_to_be_without_events(folder):
    (folder / "dawn.selections.txt").write_text(HEADER)
    (only,) = list_events(folder).itertuples()
    assert (only.path, only.label, only.problem) == ("dawn.wav", "", None)
    assert np.isnan(only.start)


def test_each_row_that_cannot_be_used_says_where_and_why(folder):
    rows = ["1\tS\t1\t1\t2\t0\t9\towl", "2\tS\t1\t1\tx\t0\t9\towl", "3\tS\t1\t-1\t2\t0\t9\towl"]
    rows += ["4\tS\t1\t3\t2\t0\t9\towl", "5\tS\t1\t1\t2\t0\t9\t "]
    (folder / "dawn.txt").write_text(HEADER + "\n".join(rows) + "\n")
    (folder / "gone.selections.txt").write_text(HEADER + rows[0])
    assert list_events(folder)["problem"].tolist() == [
        None,
        "dawn.txt, row 2: 1 to nan s: not two numbers",
        "dawn.txt, row 3: -1 to 2 s: begins before the recording",
        "dawn.txt, row 4: 3 to 2 s: ends before it begins",
        "dawn.txt, row 5: no label",
        "gone.selections.txt, row 1: no recording is called so, or several are",
    ]


def test_without_annotations_it_is_said_what_was_looked_for(folder):
    (folder / "readme.txt").write_text("Recorded in May\n")
    with pytest.raises(UserError, match=r"holds no annotations of its 4 recordings\. Looked for Raven's"):
        list_events(folder)


@hypothesis.settings(
    max_examples=80, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    st.sampled_from([BOTH.encode(), b"0.5\t1.25\trobin\n\\\t1000.0\t2000\n3\t3\towl\n"]),
    st.lists(
        st.tuples(
            st.integers(0, 200), st.binary(max_size=4) | st.sampled_from([b"\t", b"\n", b"\\\t", b"\x1b"])
        )
    ),
)
def test_whatever_stands_in_a_table_it_is_read_or_refused(folder, content, damages):
    for place, piece in damages:
        content = content[:place] + piece + content[place + len(piece) :]
    (folder / "dawn.txt").write_bytes(content)
    try:
        good = list_events(folder).query("problem.isna() and label != ''")
    except UserError as error:
        assert "\x1b" not in str(error)
        return
    assert ((good["start"] >= 0) & (good["start"] <= good["end"])).all()
    assert set(good["path"]) <= {"dawn.wav"}
