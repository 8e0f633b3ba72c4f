import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import strategies as st

from tfspec.audio import inspection
from tfspec.base.errors import UserError
from tfspec.data.readers import AudioReader
from tfspec.data.sources.annotations import list_annotations, list_slices
from tfspec.experiment.splitting import usable

SHARED = Path(__file__).parents[2] / "shared" / "data"
HEADER = "recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max"
RATE = 4000


@pytest.fixture
def folder(tmp_path) -> Path:
    """Recordings of 60, 20 and 3 s."""
    folder = tmp_path / "train"
    folder.mkdir()
    for name, seconds in {"long.flac": 60, "middle.wav": 20, "short.ogg": 3}.items():
        soundfile.write(folder / name, np.linspace(-0.5, 0.5, seconds * RATE), RATE)
    return folder


def annotate(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder.parent / "train_tp.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def good_slices(csv: Path | str, folder: Path | str, seconds: float) -> pd.DataFrame:
    """List annotations all of which can be used."""
    manifest = list_annotations(csv, folder, seconds)
    assert manifest["problem"].isna().all()
    return manifest.drop(columns="problem")


def times(folder: Path, name: str, begin: float, end: float, seconds: float = 10) -> list[float]:
    csv = annotate(folder, f"{name},3,1,{begin},100,{end},900")
    return good_slices(csv, folder, seconds)[["start", "end"]].iloc[0].tolist()


def problems(folder: Path, *rows: str) -> list[str | None]:
    return list(list_annotations(annotate(folder, *rows), folder, 10)["problem"])


def test_manifest_has_the_slices_and_the_annotations(folder):
    csv = annotate(folder, "long,14,1,44.5,2531.25,45.5,5531.25", "middle,007,4,5,7235,7,11283")
    manifest = good_slices(csv, folder, 10)
    assert list(manifest.columns) == ["path", "start", "end", "label", "group", *HEADER.split(",")]
    assert manifest.values.tolist() == [
        ["long.flac", 40, 50, "14", "long", "long", "14", "1", 44.5, 2531.25, 45.5, 5531.25],
        ["middle.wav", 1, 11, "007", "middle", "middle", "007", "4", 5, 7235, 7, 11283],
    ]
    pd.testing.assert_frame_equal(manifest, good_slices(str(csv), str(folder), 10))


@pytest.mark.parametrize(
    ("name", "begin", "end", "expected"),
    [
        ("long", 29, 31, [25, 35]),  # in the middle
        ("long", 1, 2, [0, 10]),  # as near to it as the recording's ends allow
        ("long", 58, 59.5, [50, 60]),
        ("long", 20, 50, [30, 40]),  # a box longer than the slice
        ("long", 30, 30, [25, 35]),  # a point in time
        ("short", 1, 2.5, [0, 10]),  # a recording shorter than the slice
        ("long", 59, 60.0049, [50, 60]),  # a rounded end
    ],
)
def test_slice_is_centred_on_its_box_inside_the_recording(folder, name, begin, end, expected):
    assert times(folder, name, begin, end) == expected


@hypothesis.settings(
    max_examples=50, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(st.floats(0, 60), st.floats(0, 60), st.floats(0.01, 100))
def test_slice_is_inside_and_holds_what_it_can_of_the_box(folder, begin, end, seconds):
    begin, end = sorted([begin, end])
    start, stop = times(folder, "long", begin, end, seconds)
    assert stop - start == pytest.approx(seconds)
    assert start >= 0
    assert stop <= max(60, seconds) + 1e-9
    held = min(stop, end) - max(start, begin)
    assert held == pytest.approx(min(end - begin, seconds), abs=1e-6)


def test_each_row_that_cannot_be_used_says_why(folder):
    (folder / "broken.flac").write_bytes(b"nothing")
    (folder / "empty.flac").write_bytes(b"")
    (folder / "folder.flac").mkdir()
    assert problems(
        folder,
        "long,1,1,1,0,2,9",
        "nowhere,1,1,1,0,2,9",
        "long,1,1,,0,2,9",
        "long,1,1,1,0,two,9",
        "long,1,1,-1,0,2,9",
        "long,1,1,3,0,2,9",
        "long,1,1,59,0,60.5,9",
        "long,1,1,1,0,inf,9",
        "long,,1,1,0,2,9",
        "broken,1,1,1,0,2,9",
        "empty,1,1,1,0,2,9",
        "folder,1,1,1,0,2,9",
        "long,1",
        "middle,1,1,1,0,2,9",
    ) == [
        None,
        f"no such recording in {folder}",
        "row 3, nan to 2.0 s: not two numbers",
        "row 4, 1.0 to nan s: not two numbers",
        "row 5, -1.0 to 2.0 s: begins before the recording",
        "row 6, 3.0 to 2.0 s: ends before it begins",
        "row 7, 59.0 to 60.5 s: ends behind the recording",
        "row 8, 1.0 to inf s: ends behind the recording",
        "row 9, 1.0 to 2.0 s: no species_id",
        "Format not recognised",
        "empty file",
        "a folder, not a file",
        "row 13, nan to nan s: not two numbers",
        None,
    ]


def test_bad_rows_have_no_slice_and_good_ones_keep_theirs(folder):
    csv = annotate(folder, "long,1,1,29,0,31,9", "long,1,1,9,0,3,9", "gone,2,1,9,0,3,9")
    manifest = list_annotations(csv, folder, 10)
    assert manifest["start"].tolist()[0] == 25
    assert manifest.loc[1:, ["start", "end"]].isna().all(axis=None)
    assert manifest["path"].tolist() == ["long.flac", "long.flac", "gone"]


def test_windows_cover_recordings_whatever_their_length(folder):
    (folder / "broken.flac").write_bytes(b"nothing")
    windows = list_slices(folder, 8)
    assert windows["problem"].dropna().to_dict() == {0: "Format not recognised"}
    good = windows[windows["problem"].isna()]
    assert set(good["label"]) == {""}
    for name, seconds in {"long": 60, "middle": 20, "short": 3}.items():
        own = good[good["group"] == name]
        assert own["start"].iloc[0] == 0
        assert (own["start"].diff().dropna() <= 4).all()
        assert own["end"].iloc[-1] == max(seconds, 8)
        assert (own["end"] - own["start"] == 8).all()


def test_all_bad_rows_are_listed_at_once(folder):
    csv = annotate(folder, "long,1,1,9,0,3,9", "long,1,1,1,0,3,9", "gone,2,1,9,0,3,9")
    steps = SimpleNamespace(manifest=lambda: list_annotations(csv, folder, 10), on_bad_file="stop")
    with pytest.raises(
        UserError, match=r"2 of 3 examples cannot be used: long\.flac.* \(row 1.*; gone.* \(no such"
    ):
        usable(steps)


@pytest.mark.parametrize(
    "name", ["../secret", "{folder}/../secret", "..", ".", "", "sub/inside", "secret\0", "a" * 5000, "~"]
)
def test_no_recording_id_leads_out_of_the_folder(folder, name):
    soundfile.write(folder.parent / "secret.flac", np.zeros(60 * RATE), RATE)
    (folder / "sub").mkdir()
    soundfile.write(folder / "sub" / "inside.flac", np.zeros(60 * RATE), RATE)
    (problem,) = problems(folder, f"{name.format(folder=folder)},1,1,1,0,2,9")
    unprintable = "the name holds the character \\x00; rename it"
    assert problem == (unprintable if "\0" in name else f"no such recording in {folder}")


@pytest.mark.parametrize("text", ["NA", "nan", "None", "001", "1e5", "grün", '"a,b"', "はい", "="])
def test_ids_stay_the_text_they_are(folder, text):
    name = text.strip('"')
    soundfile.write(folder / f"{name}.wav", np.zeros(20 * RATE), RATE)
    manifest = good_slices(annotate(folder, f"{text},{text},1,1,0,2,9"), folder, 10)
    assert manifest[["path", "label", "group"]].values.tolist() == [[f"{name}.wav", name, name]]


def test_columns_in_any_order_more_of_them_and_a_byte_order_mark(folder):
    header = "\ufeffpath," + ",".join(reversed(HEADER.split(","))) + ",observer"
    manifest = good_slices(annotate(folder, "elsewhere,900,31,100,29,1,3,long,me", header=header), folder, 10)
    assert manifest[["path", "start", "observer"]].values.tolist() == [["long.flac", 25, "me"]]


def test_annotations_that_cannot_be_read(folder):
    def message(csv):
        with pytest.raises(UserError) as raised:
            list_annotations(csv, folder, 10)
        return str(raised.value)

    path = folder.parent / "a.csv"
    assert "no such file" in message(path)
    assert "a folder, not a file" in message(folder)
    path.write_bytes(b"")
    assert "a.csv cannot be read: empty file" in message(path)
    for content in (b"esp\xe9cies", b"\xff\xfe\x00species,"):  # in Latin-1, and half a character of UTF-16
        path.write_bytes(content)
        assert "a.csv is not a CSV file in UTF-8" in message(path)
    path.write_text(HEADER + '\n"never closed')
    assert "a.csv is not a CSV file in UTF-8" in message(path)
    path.write_text(HEADER)
    assert "a.csv has no rows" in message(path)
    path.write_text("recording_id,t_min\nlong,1")
    assert "has no column species_id, songtype_id, f_min, t_max, f_max. It has: recording_id, t_min" in (
        message(path)
    )


def test_no_folder_and_no_length(folder):
    csv = annotate(folder, "long,1,1,1,0,2,9")
    with pytest.raises(UserError, match=r"No such folder: .*nowhere"):
        list_annotations(csv, folder / "nowhere", 10)
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UserError, match="longer than 0 seconds"):
            list_annotations(csv, folder, seconds)


def test_each_length_is_read_once(folder, monkeypatch):
    opened = []
    monkeypatch.setattr(
        inspection, "opened", lambda path, _open=inspection.opened: opened.append(path.name) or _open(path)
    )
    good_slices(annotate(folder, *["long,1,1,1,0,2,9", "middle,1,1,1,0,2,9"] * 20), folder, 10)
    assert sorted(opened) == ["long.flac", "middle.wav"]


def test_slices_of_soundscapes_in_the_competition_s_layout(tmp_path):
    script = SHARED / "make_soundscapes.py"
    if not script.is_file():
        pytest.skip("needs the shared make_soundscapes.py")
    subprocess.run([sys.executable, script, tmp_path, "--train", "3", "--test", "1"], check=True)
    manifest = good_slices(tmp_path / "train_tp.csv", tmp_path / "train", 10)
    assert len(manifest) == 15
    assert manifest["group"].nunique() == 3
    assert (manifest["start"] <= manifest["t_min"]).all()
    assert (manifest["t_max"] <= manifest["end"]).all()
    signals = AudioReader(tmp_path / "train", 48000, 480_000, "silence")(manifest)
    for row, signal in zip(manifest.itertuples(), signals, strict=True):
        whole, _ = librosa.load(tmp_path / "train" / row.path, sr=None)
        np.testing.assert_array_equal(signal, whole[round(row.start * 48000) :][:480_000])
