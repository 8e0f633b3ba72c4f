"""Names from outside: one text in two spellings is one name, and what cannot be printed is told."""

import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from checking import check_folder

from tfspec.base.errors import UserError
from tfspec.base.text import text_problem
from tfspec.data.label_targets import label_indices, targets
from tfspec.data.manifest import class_columns
from tfspec.data.problems import name_problems
from tfspec.data.sources.annotations import list_annotations
from tfspec.data.sources.class_folders import from_class_folders
from tfspec.data.sources.mixtures import list_mixtures, write_predictions
from tfspec.data.sources.picture_folders import list_picture_folders
from tfspec.data.sources.windows import DICTIONARY, list_windows
from tfspec.data.splits import draw_groups
from tfspec.experiment.splitting import usable
from tfspec.pipelines import SpeechCommands

FORMS = [("NFC", "NFD"), ("NFD", "NFC")]
two_spellings = pytest.mark.parametrize(("form", "other"), FORMS)
BAD_NAMES = [b"gr\xfcn", b"a\rb", b"a\nb", b"a\x1b[2Jb", b"\x7f", b"\xed\xa0\x80", "a\u2028b".encode()]


def spelt(form, name="Zaunkönig"):
    return unicodedata.normalize(form, name)


def sound(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        os.fsencode(path),
        np.random.default_rng(0).uniform(-0.1, 0.1, 4000),
        4000,
        format="WAV",
    )
    return path


@two_spellings
def test_class_folders_and_speakers_are_one_in_two_spellings(tmp_path, form, other):
    for number, its in enumerate((form, other)):
        sound(tmp_path / spelt(its) / f"{spelt(its, 'Jörg')}_{number}.wav")
    sound(tmp_path / "wren" / "a_1.wav")
    manifest = from_class_folders(tmp_path, (spelt(other), "wren"))
    assert set(manifest["label"]) == {spelt("NFC"), "wren"}
    assert set(manifest["group"]) == {spelt("NFC", "Jörg"), "a"}
    assert all((tmp_path / path).is_file() for path in manifest["path"])
    assert draw_groups(manifest, [spelt("NFD", "Jörg")], 0) == [spelt("NFC", "Jörg")]


@two_spellings
def test_a_model_knows_labels_and_columns_in_the_other_spelling(form, other):
    assert label_indices(pd.Series([spelt(form), "a"]), ["a", spelt(other)]).tolist() == [1, 0]
    shares = targets(pd.DataFrame({"a": [0.25], spelt(form): [0.75]}), ["a", spelt(other)])
    assert shares.tolist() == [[0.25, 0.75]]


def test_a_model_of_an_earlier_version_may_have_both_spellings():
    names = [spelt("NFD"), spelt("NFC")]
    assert label_indices(pd.Series(names), names).tolist() == [0, 1]


@two_spellings
def test_ids_in_tables_find_their_files_in_the_other_spelling(tmp_path, form, other):
    name = sound(tmp_path / "train" / f"{spelt(other)}.wav").name
    csv = tmp_path / "a.csv"
    csv.write_text(
        f"recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max\n{spelt(form)},ö,1,0,0,1,9\n"
    )
    row = list_annotations(csv, tmp_path / "train", 1).iloc[0]
    assert (row["path"], row["group"], row["problem"]) == (name, spelt("NFC"), None)
    csv.write_text(f"file,{spelt(form)},wren\n{spelt(form)},1,0\n")
    manifest = list_mixtures(csv, tmp_path / "train", 4000, 4000)
    assert manifest["path"].tolist() == [name]
    assert manifest["problem"].tolist() == [None]
    assert class_columns(manifest) == [spelt("NFC"), "wren"]
    write_predictions(tmp_path / "b.csv", csv, [name], [spelt(other), "wren"], np.array([[1.0, 0.0]]))
    assert (tmp_path / "b.csv").read_text().splitlines()[0] == f"file,{spelt(form)},wren"


@two_spellings
def test_dictionaries_and_pictures_know_the_other_spelling(tmp_path, form, other):
    for name, array in {"X": np.zeros([1, 4, 3]), "Y": [spelt(form)], "T": [0], "pid": [spelt(form)]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / DICTIONARY).write_text(f"annotation,{spelt(form, 'für')}\n{spelt(other)},ä\n")
    manifest = list_windows(tmp_path, spelt(other, "für"))
    assert manifest[["label", "group"]].values.tolist() == [["ä", spelt("NFC")]]
    (tmp_path / spelt(form).upper()).mkdir()
    (tmp_path / spelt(form).upper() / "a.png").write_bytes(b"")
    assert list_picture_folders(tmp_path, [spelt(other)]).manifest["label"].tolist() == [spelt(other)]


# What cannot be printed


@pytest.fixture(params=BAD_NAMES, ids=repr)
def bad(request, tmp_path):
    """A folder of two classes, one bad file name in it."""
    for name in ("yes/a_1.wav", "no/a_2.wav", "yes/b_1.wav", "no/b_2.wav"):
        sound(tmp_path / name)
    path = Path(os.fsdecode(os.fsencode(tmp_path / "yes") + b"/" + request.param + b".wav"))
    try:
        path.write_bytes((tmp_path / "yes" / "a_1.wav").read_bytes())
    except OSError:
        pytest.skip("the file system does not allow the name")
    return path


def is_printable(text: str) -> bool:
    return all(text_problem(line) is None for line in text.splitlines())


def test_bad_names_are_told_and_can_be_skipped(bad, tmp_path, capsys):
    pipeline = SpeechCommands(data=tmp_path, on_bad_file="skip")
    good, told = usable(pipeline)
    assert good["path"].tolist() == ["no/a_2.wav", "no/b_2.wav", "yes/a_1.wav", "yes/b_1.wav"]
    assert "rename it" in told["problem"].item()
    assert is_printable(told.to_csv())
    with pytest.raises(UserError, match=r"1 of 5 examples cannot be used.*rename it") as error:
        usable(SpeechCommands(data=tmp_path))
    assert is_printable(str(error.value))


def test_check_lists_bad_names_and_goes_on(bad, tmp_path):
    found = check_folder(tmp_path)
    (line,) = found["problems"]["unreadable"]
    assert "rename it" in line
    assert is_printable(json.dumps(found, ensure_ascii=False))
    assert found["recordings"] == 5
    assert found["seconds"] == 4


def test_a_bad_class_folder_makes_its_files_bad(bad, tmp_path):
    folder = tmp_path / bad.stem
    bad.rename(tmp_path / "moved.wav")
    sound(tmp_path / "moved" / "c_1.wav")
    (tmp_path / "moved").rename(folder)
    pipeline = SpeechCommands(data=tmp_path, on_bad_file="skip")
    good, told = usable(pipeline)
    assert pipeline.class_names(good) == ["no", "yes"]
    assert len(told) == 1
    assert is_printable(json.dumps(check_folder(tmp_path), ensure_ascii=False))
    with pytest.raises(UserError) as error:
        from_class_folders(tmp_path, ("maybe",))
    assert is_printable(str(error.value))


@pytest.mark.parametrize("name", ["a\x1bb", "a\x00b", "a\x7f"])
def test_bad_cells_are_told_and_bad_columns_refused(tmp_path, name):
    sound(tmp_path / "train" / "a.wav")
    csv = tmp_path / "a.csv"
    header = "recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max\n"
    csv.write_text(f"{header}a,{name},1,0,0,1,9\n{name},1,1,0,0,1,9\n")
    assert name_problems(list_annotations(csv, tmp_path / "train", 1)).notna().all()
    csv.write_text(f"file,{name},b\na,1,0\n")
    with pytest.raises(UserError, match=r"Columns of .*a\.csv cannot be printed") as error:
        list_mixtures(csv, tmp_path / "train", 4000, 4000)
    assert is_printable(str(error.value))
