import contextlib
import errno
import os
import socket
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tfspec.base.errors import UserError
from tfspec.base.files import check_place, clear_temporaries, file_problem, held, walk_files, written_beside
from tfspec.base.text import shown, text_problem


def contents(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def write_folder(folder: Path, **files: str):
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)


def test_file_is_written_and_nothing_else(tmp_path):
    with written_beside(tmp_path / "a.txt") as part:
        part.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert contents(tmp_path) == {"a.txt": "new"}
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_part_is_a_hidden_neighbour_with_the_same_suffix(tmp_path):
    with written_beside(tmp_path / "best.keras") as part:
        assert part.parent == tmp_path
        assert part.suffix == ".keras"
        assert part.name.startswith(".")
        part.touch()


def test_missing_folders_are_made(tmp_path):
    with written_beside(str(tmp_path / "deep" / "deeper" / "a.txt")) as part:
        part.write_text("new")
    assert contents(tmp_path) == {"deep/deeper/a.txt": "new"}


def test_file_is_replaced_at_the_end_only(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with written_beside(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert contents(tmp_path) == {"a.txt": "new"}


def test_folder_is_written(tmp_path):
    with written_beside(tmp_path / "model") as part:
        write_folder(part, a="1", b="2")
        assert not (tmp_path / "model").exists()
    assert contents(tmp_path) == {"model/a": "1", "model/b": "2"}


def test_folder_is_replaced_whole(tmp_path):
    write_folder(tmp_path / "model", a="old", only_old="old")
    with written_beside(tmp_path / "model") as part:
        write_folder(part, a="new")
        assert contents(tmp_path / "model") == {"a": "old", "only_old": "old"}
    assert contents(tmp_path) == {"model/a": "new"}
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [True, False])
def test_failing_block_leaves_no_trace_of_a_file(tmp_path, old, error):
    if old:
        (tmp_path / "a.txt").write_text("old")
    with pytest.raises(error), written_beside(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise error
    assert contents(tmp_path) == ({"a.txt": "old"} if old else {})


@pytest.mark.parametrize("old", [True, False])
def test_failing_block_leaves_no_trace_of_a_folder(tmp_path, old):
    if old:
        write_folder(tmp_path / "model", a="old")
    with pytest.raises(ValueError), written_beside(tmp_path / "model") as part:
        write_folder(part, a="half")
        raise ValueError
    assert contents(tmp_path) == ({"model/a": "old"} if old else {})
    assert len(list(tmp_path.iterdir())) == old


def test_an_error_that_names_no_file_names_it(tmp_path):
    """Such as of what writes archives, whose own files are open already."""
    with pytest.raises(OSError, match="No space left") as error, written_beside(tmp_path / "a.npz"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(tmp_path / "a.npz")


def test_block_that_writes_nothing_is_an_error_and_keeps_the_old(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileNotFoundError), written_beside(tmp_path / "a.txt"):
        pass
    assert contents(tmp_path) == {"a.txt": "old"}


def test_old_folder_comes_back_where_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    write_folder(tmp_path / "model", a="old")
    rename = Path.replace

    def fails_for_the_new(path, target):
        if ".part" in path.name:
            raise PermissionError("in use")
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", fails_for_the_new)
    with pytest.raises(PermissionError), written_beside(tmp_path / "model") as part:
        write_folder(part, a="new")
    assert contents(tmp_path) == {"model/a": "old"}


def test_link_to_a_folder_is_replaced_and_the_folder_stays(tmp_path):
    write_folder(tmp_path / "elsewhere", a="old")
    (tmp_path / "model").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with written_beside(tmp_path / "model") as part:
        write_folder(part, a="new")
    assert contents(tmp_path) == {"elsewhere/a": "old", "model/a": "new"}


def test_folder_of_another_owner_of_the_name(tmp_path):
    """A folder cannot take a file's place: the file stays."""
    (tmp_path / "model").write_text("a file")
    with pytest.raises(OSError), written_beside(tmp_path / "model") as part:
        write_folder(part, a="new")
    assert contents(tmp_path) == {"model": "a file"}


HERE = f"{zlib.crc32(socket.gethostname().encode()):08x}"


def test_what_killed_processes_left_is_cleared_and_what_living_ones_write_stays(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        f".model.{HERE}-{gone.pid}.part.keras": True,
        f".model.{HERE}-{os.getppid()}.part.keras": False,
        f".model.00000000-{gone.pid}.part.keras": False,  # of another machine, which nobody here can ask
        ".model.123.part.keras": False,  # of an earlier version
        "model.keras": False,
        ".hidden": False,
    }
    (tmp_path / "below").mkdir()
    for name in names:
        (tmp_path / "below" / name).write_text("some")
    cleared = clear_temporaries(tmp_path)
    assert {path.name for path in cleared} == {name for name, is_gone in names.items() if is_gone}
    clear_temporaries(tmp_path, of_all_processes=True)
    assert set(contents(tmp_path)) == {"below/model.keras", "below/.hidden"}


@pytest.mark.parametrize("name", ["export", "model.v2"])
def test_a_folder_whose_replacement_was_killed_half_way_gets_its_name_back(tmp_path, name):
    path = tmp_path / name
    old = tmp_path / f".{path.stem}.{HERE}-1.old{path.suffix}"
    write_folder(old, a="old")
    write_folder(tmp_path / f".{path.stem}.{HERE}-1.part{path.suffix}", a="new")
    clear_temporaries(tmp_path, of_all_processes=True)
    assert contents(tmp_path) == {f"{name}/a": "old"}
    write_folder(old, a="older")
    clear_temporaries(tmp_path, of_all_processes=True)
    assert contents(tmp_path) == {f"{name}/a": "old"}


def test_what_is_no_file_is_told_without_being_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.wav").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "good").write_text("some")
    (tmp_path / "link").symlink_to(tmp_path / "good")
    found = {path.name: file_problem(path) for path in tmp_path.iterdir()}
    assert found == {
        "pipe.wav": "a pipe, not a file",
        "folder.png": "a folder, not a file",
        "empty.wav": "empty file",
        "dangling": "no such file",
        "good": None,
        "link": None,
    }
    assert file_problem("/dev/zero") == "a device, not a file"
    assert file_problem("x" * 300) == "File name too long"
    assert file_problem("a\0b") is not None


def test_folders_that_hold_one_another_are_walked_once(tmp_path):
    write_folder(tmp_path / "a", one="1")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "a" / ".hidden").touch()
    assert [path.relative_to(tmp_path).as_posix() for path in walk_files(tmp_path)] == ["a/one"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Zaunkönig 日本", None),
        ("a\nb", "\\n"),
        ("a\x1b[31m", "\\x1b"),
        ("\x9b31m", "\\x9b"),
        ("line\u2028", "\\u2028"),
        (os.fsdecode(b"caf\xe9"), "not UTF-8"),
    ],
)
def test_names_that_cannot_be_written(name, problem):
    found = text_problem(name)
    assert (found is None) if problem is None else (problem in found)
    assert text_problem(shown(name)) is None
    assert shown(name).encode()


@pytest.mark.parametrize("others", [[], ["other.txt"]])
def test_what_is_not_written_leaves_no_empty_folders(tmp_path, others):
    with pytest.raises(ValueError), written_beside(tmp_path / "runs" / ".kept" / "a.txt") as temporary:
        temporary.write_text("half")
        for name in others:
            (tmp_path / "runs" / name).write_text("whole")
        raise ValueError("refused")
    assert [path.name for path in (tmp_path / "runs").glob("*")] == others
    assert (tmp_path / "runs").exists() == bool(others)


def test_runs_among_data_are_passed_over(tmp_path):
    for name in ("a/1.wav", "run/figures/1.png", "own/config.json", "own/split.csv", "own/2.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "run" / "config.json").write_text('{"tfspec": "0.2.0"}')
    (tmp_path / "run" / "split.csv").write_text("path,part\n")
    found = [path.relative_to(tmp_path).as_posix() for path in walk_files(tmp_path)]
    assert found == ["a/1.wav", "own/2.wav", "own/config.json", "own/split.csv"]


@pytest.mark.parametrize("inside", ["", "new/"])
def test_a_name_that_is_too_long_is_told_beforehand(tmp_path, inside):
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    folder = tmp_path / inside / ("n" * longest)
    check_place(folder, "folder")
    for path, kind in ((f"{folder}n", "folder"), (f"{folder}n/a.csv", "file"), (folder, "file")):
        with pytest.raises(UserError, match=r"cannot be written: .*too long\. Give a shorter name"):
            check_place(path, kind)
    for room in range(60):  # what is let pass can be written
        path = tmp_path / inside / ("n" * (longest - room))
        with contextlib.suppress(UserError):
            check_place(path)
            break
    with written_beside(path) as temporary:
        temporary.touch()
    assert path.exists() and 10 < room < 30


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_a_folder_is_held_by_one_process(tmp_path):
    with held(tmp_path), pytest.raises(UserError, match="Another process works on"), held(tmp_path):
        pass
    with held(tmp_path):
        pass


@pytest.mark.parametrize(("name", "kind"), [("a.csv", "file"), ("new/a.csv", "file"), ("", "folder")])
def test_a_folder_that_may_not_be_written_to_is_told_beforehand(tmp_path, monkeypatch, name, kind):
    check_place(tmp_path / name, kind)
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # as root may write anywhere
    with pytest.raises(UserError, match=r"cannot be written: .* may not be written to"):
        check_place(tmp_path / name, kind)
