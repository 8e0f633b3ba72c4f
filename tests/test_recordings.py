"""Which files are recordings, and what is passed over."""

import os
import socket

import numpy as np
import pytest
import soundfile
from checking import check_folder

from tfspec.audio.recordings import AUDIO_SUFFIXES, count_suffixes, is_recording, list_recordings
from tfspec.base.errors import UserError
from tfspec.data.sources.class_folders import from_class_folders, list_class_folders

SIGNAL = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)


def sound(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, SIGNAL, 16000, **options)


@pytest.mark.parametrize(
    "kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64", "RF64", "VOC", "NIST"]
)
@pytest.mark.parametrize("name", ["a.dat", "a", "a.m4a", "a.raw", "a.gsm"])
def test_what_libsndfile_reads_is_a_recording_whatever_it_is_called(tmp_path, kind, name):
    sound(tmp_path / name, format=kind)
    assert is_recording(tmp_path / name)


@pytest.mark.parametrize("suffix", [*AUDIO_SUFFIXES, ".WAV", ".Opus"])
def test_a_damaged_recording_is_one_and_not_passed_over(tmp_path, suffix):
    for name, content in {"empty": b"", "text": b"no sound"}.items():
        (tmp_path / f"{name}{suffix}").write_bytes(content)
    (tmp_path / f"link{suffix}").symlink_to("nowhere")
    os.mkfifo(tmp_path / f"pipe{suffix}")
    assert len(list_recordings(tmp_path)[0]) == 4


def test_texts_and_noise_are_no_recordings(tmp_path, rng, capfd):
    contents = [
        b"",
        b"a,b\n1,2\n",
        "\ufeffä,b\n".encode("utf-16"),
        b"ID3\4\0\0\0\0\0\0" + b"text" * 500,
        bytes(9999),
    ]
    contents += [rng.bytes(size) for size in (10, 1000, 50_000) * 20]
    contents += [b"\1\4" + rng.bytes(5000)]  # what libsndfile takes for an Akai MPC 2000
    for number, content in enumerate(contents):
        for suffix in (".txt", ".raw", ".gsm", ""):
            (tmp_path / f"{number}{suffix}").write_bytes(content)
    assert list_recordings(tmp_path)[0] == []
    assert capfd.readouterr().err == ""


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    (tmp_path / "b.txt").symlink_to("/dev/zero")
    (tmp_path / "c.txt").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "d.sock"))
        recordings, others = list_recordings(tmp_path)
    assert recordings == []
    assert count_suffixes(others) == {".txt": 3, ".sock": 1}


def test_all_kinds_beside_one_another_are_listed_and_the_rest_is_counted(tmp_path, capsys):
    sound(tmp_path / "robin" / "a.opus", format="OGG", subtype="OPUS")
    sound(tmp_path / "robin" / "b.aiff")
    sound(tmp_path / "wren" / "c.unknown", format="FLAC")
    for name in ("robin/d.m4a", "wren/e.M4A", "wren/notes.txt", "LICENSE"):
        (tmp_path / name).write_bytes(b"what libsndfile cannot read")
    (tmp_path / "empty").mkdir()
    listing = list_class_folders(tmp_path)
    assert listing.manifest["path"].tolist() == ["robin/a.opus", "robin/b.aiff", "wren/c.unknown"]
    assert listing.passed_over == {".m4a": 2, ".txt": 1, "no suffix": 1}
    listing.tell()
    said = capsys.readouterr()
    assert said.err == ("Passed over: 2 .m4a, 1 .txt, 1 no suffix\nClass folders that hold nothing: empty\n")
    assert said.out == ""
    assert check_folder(tmp_path)["classes"] == {"robin": 2, "wren": 1}


@pytest.mark.parametrize("files", [[], ["a.m4a"], ["a.txt", "b.m4a"]])
def test_a_named_class_without_recordings_is_an_error(tmp_path, files):
    for name in ("yes", "no"):
        sound(tmp_path / name / "a.wav")
    (tmp_path / "robin").mkdir()
    for name in files:
        (tmp_path / "robin" / name).write_text("no sound")
    with pytest.raises(UserError, match=r"has no recordings of robin\." + (".*1 .m4a" if files else "")):
        from_class_folders(tmp_path, ("yes", "no", "robin"))
