from pathlib import Path

import pytest

from tfspec.base.files import written_beside


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
