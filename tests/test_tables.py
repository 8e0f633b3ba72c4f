"""Tables of any dialect are read as the text that stands in them."""

import builtins
import csv

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from tfspec.base.errors import UserError
from tfspec.data.tables import as_text, read_any_table, read_cells

ROWS = [["file", "said"], ["a.wav", 'say "go"'], ["b.wav", "ja, gern; 5'"]]
CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=6)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_header_tells_the_delimiter(tmp_path, delimiter):
    with (tmp_path / "a.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(ROWS)
    assert read_cells(tmp_path / "a.csv").values.tolist() == ROWS[1:]


def test_between_tabs_quotes_are_text(tmp_path):
    (tmp_path / "a.tsv").write_text('path\tsentence\na.mp3\t"Go!" he said\nb.mp3\tan open " quote\n')
    assert read_any_table(tmp_path / "a.tsv")["sentence"].tolist() == ['"Go!" he said', 'an open " quote']


@hypothesis.settings(
    max_examples=60, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.sampled_from(",;"))
@hypothesis.example([("", ""), ("a", "")], ",")
def test_what_the_csv_module_writes_is_read(tmp_path, rows, delimiter):
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([("one", "two"), *rows])
    hypothesis.assume(any(rows[-1]))  # last rows without anything are left out
    assert [*map(tuple, read_any_table(tmp_path / "a.csv").values)] == rows


def test_what_a_spreadsheet_leaves_behind_is_left_out(tmp_path):
    (tmp_path / "a.csv").write_text("file,label,,\na.wav,x,,\n,,,\nb.wav,y,,\n,,,\n,,,\n")
    table = read_any_table(tmp_path / "a.csv")
    assert [*table] == ["file", "label"] and table["file"].tolist() == ["a.wav", "", "b.wav"]
    (tmp_path / "a.csv").write_text("file,label,,\na.wav,x,2,1\n")
    with pytest.raises(UserError, match="'' more than once"):
        read_any_table(tmp_path / "a.csv")


def test_a_table_may_be_empty_only_where_it_is_asked_for(tmp_path):
    (tmp_path / "a.txt").write_text("Selection\tBegin Time (s)\n")
    assert list(read_cells(tmp_path / "a.txt")) == ["Selection", "Begin Time (s)"]
    with pytest.raises(UserError, match=r"a\.txt has no rows"):
        read_any_table(tmp_path / "a.txt")


def test_any_frame_becomes_text():
    frame = pd.DataFrame(
        {"n": [1, 2], "x": [0.5, np.nan], "tags": [np.array(["a", "b"]), None]}, index=[7, 7]
    )
    assert as_text(frame).to_dict("list") == {"n": ["1", "2"], "x": ["0.5", ""], "tags": ["a;b", ""]}
    with pytest.raises(UserError, match="'a' more than once"):
        as_text(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_parquet_needs_pyarrow(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    imported = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] in ("pyarrow", "fastparquet"):
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="pip install pyarrow"):
        read_any_table(tmp_path / "a.parquet")


def test_parquet_is_read_as_text(tmp_path):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"file": ["a.wav"], "labels": [["owl", "cat"]], "n": [3]}).to_parquet(tmp_path / "a.parquet")
    assert read_any_table(tmp_path / "a.parquet").values.tolist() == [["a.wav", "owl;cat", "3"]]
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and what else")
    with pytest.raises(UserError, match=r"b\.parquet is no Parquet file"):
        read_any_table(tmp_path / "b.parquet")
