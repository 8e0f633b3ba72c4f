"""Pictures in class folders: of the published classes and size, or of any."""

import numpy as np
import pytest
from PIL import Image

from tfspec import UserError
from tfspec.data.sources.picture_files import PictureReader
from tfspec.data.sources.picture_folders import common_shape, inspect_pictures, list_picture_folders

CLASSES = ("Squiggle", "Narrowband")


def save(path, shape, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels, mode).save(path)


def test_a_folder_of_folders_named_as_the_classes(tmp_path):
    for name in ("narrowband/b.png", "narrowband/deep/a.PNG", "SQUIGGLE/c.png", "narrowband/.hidden.png"):
        save(tmp_path / name, (64, 128))
    (tmp_path / "narrowband" / "notes.txt").write_text("")
    (tmp_path / ".git").mkdir()
    listed = list_picture_folders(tmp_path, CLASSES).manifest
    assert listed["path"].tolist() == ["SQUIGGLE/c.png", "narrowband/b.png", "narrowband/deep/a.PNG"]
    assert listed["label"].tolist() == ["Squiggle", "Narrowband", "Narrowband"]
    (tmp_path / "martian").mkdir()
    with pytest.raises(UserError, match=r"no known class: martian\. Known: Squiggle, Narrowband"):
        list_picture_folders(tmp_path, CLASSES)


def test_a_folder_without_pictures(tmp_path):
    (tmp_path / "squiggle").mkdir()
    with pytest.raises(UserError, match="holds no PNG or JPEG files in folders named Squiggle, Narrowband"):
        list_picture_folders(tmp_path, CLASSES)
    with pytest.raises(UserError, match="No such folder"):
        list_picture_folders(tmp_path / "nowhere", CLASSES)


def test_any_folders_of_any_pictures_in_the_commonest_size(tmp_path, capsys):
    shapes = {
        "owl/a.png": (30, 40),
        "owl/b.jpg": (30, 40),
        "cat/c.png": (50, 20, 3),
        "cat/deep/d.JPG": (30, 40),
    }
    for name, shape in shapes.items():
        save(tmp_path / name, shape)
    (tmp_path / "cat" / "e.png").write_bytes(b"no picture")
    (tmp_path / "cat" / "notes.txt").write_text("")
    manifest = inspect_pictures(tmp_path)
    assert manifest["path"].tolist() == ["cat/c.png", "cat/deep/d.JPG", "cat/e.png", "owl/a.png", "owl/b.jpg"]
    assert manifest["label"].tolist() == ["cat"] * 3 + ["owl"] * 2
    assert manifest["problem"].tolist() == [None, None, "no PNG or JPEG file, or damaged", None, None]
    assert "1 .txt" in capsys.readouterr().err
    assert common_shape(manifest) == (30, 40, 3)
    assert common_shape(manifest.iloc[3:]) == (30, 40)
    reader = PictureReader(tmp_path, common_shape(manifest))
    assert reader(manifest[manifest["problem"].isna()]).shape == (4, 30, 40, 3)
    with pytest.raises(UserError, match="None of 1 pictures can be decoded"):
        common_shape(manifest.iloc[[2]])
