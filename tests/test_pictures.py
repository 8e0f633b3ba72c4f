"""Pictures from tables: what is read, refused and kept."""

import os
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from forked import run_code
from hypothesis import given, settings
from hypothesis import strategies as st

from tfspec import UserError
from tfspec.data.readers import ArrayReader
from tfspec.data.sources import pictures
from tfspec.data.sources.pictures import read_table, write_table

CLASSES = ("Squiggle", "Narrowband")
PIXELS = [str(i) for i in range(8192)]


def frame(num: int = 3, seed: int = 0) -> pd.DataFrame:
    values = np.random.default_rng(seed).uniform(0, 1, (num, 8192)).astype(np.float32)
    return pd.DataFrame(values, columns=PIXELS).assign(labels=np.resize(CLASSES, num))


def values(table: pd.DataFrame) -> np.ndarray:
    return table[PIXELS].to_numpy(np.float32).reshape(-1, 64, 128)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.csv"


def read(path):
    return read_table(path, CLASSES, path.parent / "cache")


def refused(path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read(path)
    assert not (path.parent / "cache").exists() or not list((path.parent / "cache").iterdir())
    assert "\n" not in str(error.value)
    return str(error.value)


def with_row(cells: list[str], num_good: int = 1) -> str:
    good = [",".join(["0.5"] * 8192) + ",Squiggle"] * num_good
    return "\n".join([",".join([*PIXELS, "labels"]), *good, ",".join(cells)])


# Tables


def test_pixels_are_read_row_by_row_as_pandas_reads_them(path):
    table = frame()
    table.to_csv(path, index=False)
    received, labels = read(path)
    expected = pd.read_csv(path)[PIXELS].to_numpy(np.float32).reshape(3, 64, 128)
    np.testing.assert_array_equal(received, expected)
    np.testing.assert_allclose(received, values(table), atol=1e-6)
    assert labels == ["Squiggle", "Narrowband", "Squiggle"]
    assert received.dtype == np.float32


@pytest.mark.parametrize("quoting", [0, 1])  # minimal, all
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_columns_may_stand_in_any_order_and_cells_in_quotes(path, quoting, line_end):
    table = frame()
    shuffled = table[np.random.default_rng(1).permutation(table.columns)]
    shuffled.to_csv(path, index=False, quoting=quoting, lineterminator=line_end, encoding="utf-8-sig")
    received, labels = read(path)
    np.testing.assert_allclose(received, values(table), atol=1e-6)
    assert labels == list(table["labels"])


def test_labels_may_be_in_any_case_and_blank_lines_anywhere(path):
    text = with_row(["1"] * 8192 + [" NARROWBAND "])
    path.write_text(text.replace("Squiggle\n", "squiggle\n\n") + "\n\n")
    received, labels = read(path)
    assert labels == ["Squiggle", "Narrowband"]
    assert (received[1] == 1).all()


def test_written_tables_are_read_as_they_were(path):
    table = frame(5)
    write_table(path, [(values(table)[:2], ["Squiggle"] * 2), (values(table)[2:], ["Narrowband"] * 3)])
    received, labels = read(path)
    np.testing.assert_allclose(received, values(table), atol=5.1e-7)
    assert labels == ["Squiggle"] * 2 + ["Narrowband"] * 3
    assert len(pd.read_csv(path).columns) == 8193


def test_a_table_that_is_not_finished_is_not_there(path):
    def batches():
        yield values(frame()), ["Squiggle"] * 3
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(path, batches())
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "Received: 0 columns, labels; 0; 1; 2; 3 and 8188 more missing"),
        (",".join(PIXELS), "Received: 8192 columns, labels missing"),
        (",".join([*PIXELS[:-1], "labels"]), "Received: 8192 columns, 8191 missing"),
        (",".join([*PIXELS, "label", "labels"]), "Received: 8194 columns, 'label' unknown"),
        (",".join([*PIXELS, "labels", "labels"]), "Received: 8194 columns, some of them twice"),
        (",".join(["", *PIXELS, "labels"]), "8194 columns, '' unknown"),
        ("no table", "'no table' unknown"),
    ],
)
def test_other_columns(path, header, said):
    assert said in refused(path, header + "\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c[:-1], "row 2 (8192 columns, not 8193)"),
        (lambda c: [*c, "0"], "row 2 (8194 columns, not 8193)"),
        (lambda c: [*c[:-1], ""], "row 2 (no label)"),
        (lambda c: [*c[:-1], "Martian"], "row 2 (unknown class 'Martian', not one of Squiggle, Narrowband)"),
        (lambda c: ["x", *c[1:]], "row 2 ('x' at the 1st pixel, not a number)"),
        (lambda c: [*c[:11], "0.5.5", *c[12:]], "row 2 ('0.5.5' at the 12th pixel, not a number)"),
        (lambda c: [*c[:1], "", *c[2:]], "row 2 (nothing at the 2nd pixel, not a number)"),
        (lambda c: [*c[:8191], "", *c[8192:]], "row 2 (nothing at the 8192nd pixel, not a number)"),
        (lambda c: [*c[:2], "nan", *c[3:]], "row 2 (nan at the 3rd pixel, not 0 to 1)"),
        (lambda c: [*c[:3], "1.001", *c[4:]], "row 2 (1.001 at the 4th pixel, not 0 to 1)"),
        (lambda c: [*c[:3], "-1e-3", *c[4:]], "row 2 (-1e-3 at the 4th pixel, not 0 to 1)"),
        (lambda c: [*c[:3], "255", *c[4:]], "row 2 (255 at the 4th pixel, not 0 to 1)"),
        (lambda c: [*c[:3], "inf", *c[4:]], "row 2 (inf at the 4th pixel, not 0 to 1)"),
    ],
)
def test_rows_that_cannot_be_used(path, change, said):
    message = refused(path, with_row(change(["0.5"] * 8192 + ["Squiggle"])))
    assert message.startswith(f"1 of 2 rows of {path} cannot be used: {said}.")


def test_all_bad_rows_are_counted_and_the_first_named(path):
    bad = "\n".join([",".join(["0.5"] * 8192) + ",Martian"] * 12)
    message = refused(path, with_row(["0.5"] * 8192 + ["Squiggle"]) + "\n" + bad + "\n")
    assert message.startswith("12 of 14 rows")
    assert "row 3 (" in message and "row 7 (" in message and "row 8 (" not in message
    assert "and 7 more. Rows count from 1 below the header" in message


def test_no_rows_no_file_and_no_text(path):
    assert "has no rows" in refused(path, ",".join([*PIXELS, "labels"]))
    path.unlink()
    with pytest.raises(UserError, match="no such file"):
        read(path)
    path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(UserError, match="not a text file in UTF-8"):
        read(path)


@settings(max_examples=60, deadline=None)
@given(
    place=st.integers(0, 8192),
    cell=st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x85\u2028\u2029"), max_size=12),
)
def test_any_cell_is_read_as_python_reads_it_or_refused(place, cell, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "some.csv"
    cells = ["0.25"] * 8192 + ["Squiggle"]
    cells[place] = cell
    path.write_text(with_row(cells), newline="", encoding="utf-8")
    try:
        received, labels = read(path)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert len(received) == len(labels) == 2
    if place == 8192:
        assert cell.strip().strip('"').strip().casefold() in [name.casefold() for name in CLASSES]
    else:
        assert received[1].ravel()[place] == np.float32(cell.strip().strip('"'))
        assert np.delete(received[1].ravel(), place).max() == 0.25


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300), after_header=st.booleans())
def test_any_bytes_are_refused_in_one_line(content, after_header, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "some.csv"
    header = ",".join([*PIXELS, "labels"]).encode() + b"\n"
    path.write_bytes(header + content if after_header else content)
    with pytest.raises(UserError):
        read(path)


# What is kept


@pytest.fixture
def parsed(path, monkeypatch):
    """Count how often a table is parsed."""
    frame().to_csv(path, index=False)
    counted, parse = [], pictures._parse
    monkeypatch.setattr(pictures, "_parse", lambda *args: counted.append(1) or parse(*args))
    read(path)
    return counted


def test_a_table_is_parsed_once(path, parsed):
    first, labels = read(path)
    again, same = read(path)
    assert len(parsed) == 1
    np.testing.assert_array_equal(first, again)
    assert labels == same
    assert isinstance(again, np.memmap)


def test_a_table_that_changed_is_parsed_again_and_takes_the_place_of_the_old(path, parsed):
    status = path.stat()
    frame(seed=1).to_csv(path, index=False)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    received, _ = read(path)
    np.testing.assert_allclose(received, values(frame(seed=1)), atol=1e-6)
    os.utime(path, ns=(0, 0))
    read(path)
    read_table(path, CLASSES[::-1], path.parent / "cache")
    assert len(parsed) == 4
    assert len(list((path.parent / "cache").iterdir())) == 1


@pytest.mark.parametrize("damage", ["index", "pixels", "shorter"])
def test_what_is_kept_but_damaged_is_parsed_again(path, parsed, damage):
    (kept,) = (path.parent / "cache").iterdir()
    if damage == "index":
        (kept / "index.json").write_text("{")
    elif damage == "pixels":
        (kept / "pixels.f32").unlink()
    else:
        os.truncate(kept / "pixels.f32", 100)
    received, _ = read(path)
    np.testing.assert_allclose(received, values(frame()), atol=1e-6)
    assert len(parsed) == 2


def test_tables_of_the_same_name_are_kept_apart(tmp_path):
    for seed, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        frame(seed=seed).to_csv(tmp_path / folder / "some.csv", index=False)
    both = [read_table(tmp_path / f / "some.csv", CLASSES, tmp_path / "cache")[0] for f in "ab"]
    assert (both[0] != both[1]).any()
    assert len(list((tmp_path / "cache").iterdir())) == 2


KILLED = """
import os, signal, sys
from tfspec.data.sources import pictures
parse = pictures._parse_row
rows = []
def kill(*args, **options):
    rows.append(1)
    if len(rows) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return parse(*args, **options)
pictures._parse_row = kill
pictures.read_table(sys.argv[1], ["Squiggle", "Narrowband"], sys.argv[2])
"""


def test_a_kill_while_parsing_leaves_nothing_that_is_taken_for_a_table(path):
    frame().to_csv(path, index=False)
    run_code(KILLED, path, path.parent / "cache", status=-9)
    received, labels = read(path)
    np.testing.assert_allclose(received, values(frame()), atol=1e-6)
    assert len(labels) == 3


@pytest.mark.slow
def test_memory_does_not_grow_with_the_table(path):
    peaks = []
    for num in (20, 20, 120):  # the first time loads modules
        frame(num).to_csv(path, index=False)
        tracemalloc.start()
        received, _ = read(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert received.shape == (num, 64, 128)
    assert peaks[2] < 1.3 * peaks[1]


# Image files


def test_readers_give_the_rows_that_are_asked_for():
    table = ArrayReader(values(frame(4)))
    np.testing.assert_array_equal(table(pd.DataFrame(index=[3, 1])), values(frame(4))[[3, 1]])
