"""Pictures in files: what is read, in what shape, and what is refused."""

import struct
import zlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfspec import UserError
from tfspec.data.sources.picture_files import (
    PictureInspection,
    PictureReader,
    inspect_picture,
    is_picture,
    load_picture,
)


def save(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(path)
    return path


@pytest.fixture
def grey():
    return np.random.default_rng(0).integers(0, 256, (64, 128), dtype=np.uint8)


def test_grey_pictures_of_the_size_are_read_as_they_are(tmp_path, grey):
    received = load_picture(save(tmp_path / "8.png", grey))
    np.testing.assert_allclose(received, grey / 255, atol=1e-6)
    assert received.dtype == np.float32
    deep = grey.astype(np.uint16) * 200 + 7
    np.testing.assert_allclose(load_picture(save(tmp_path / "16.png", deep)), deep / 65535, atol=1e-6)


def test_colours_give_their_luminance_and_transparency_is_left_out(tmp_path, grey):
    rgb = np.stack([grey, grey[::-1], grey[:, ::-1]], -1)
    expected = np.asarray(Image.fromarray(rgb).convert("L")) / 255
    np.testing.assert_allclose(load_picture(save(tmp_path / "rgb.png", rgb)), expected, atol=0.003)
    rgba = np.concatenate([rgb, grey[..., np.newaxis]], -1)
    np.testing.assert_allclose(load_picture(save(tmp_path / "rgba.png", rgba)), expected, atol=0.003)
    la = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(grey[::-1])])
    la.save(tmp_path / "la.png")
    np.testing.assert_allclose(load_picture(tmp_path / "la.png"), grey / 255, atol=1e-6)


@pytest.mark.parametrize("size", [(384, 512), (64, 128), (100, 333), (5, 7), (64, 64)])
def test_other_sizes_are_averaged_over_areas(tmp_path, size):
    pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    received = load_picture(save(tmp_path / "x.png", pixels))
    assert received.shape == (64, 128)
    assert received.mean() == pytest.approx(pixels.mean() / 255, abs=0.01)
    if size == (384, 512):
        np.testing.assert_allclose(received, pixels.reshape(64, 6, 128, 4).mean((1, 3)) / 255, atol=1e-5)


def broken_files(folder, grey):
    """Return files and what is said of each."""
    good = save(folder / "good.png", grey).read_bytes()
    huge = bytearray(good)
    huge[16:24] = struct.pack(">II", 2**31 - 1, 2**31 - 1)
    huge[29:33] = struct.pack(">I", zlib.crc32(bytes(huge[12:29])))
    contents = {"empty": b"", "text": b"no picture", "cut": good[: len(good) // 2], "huge": bytes(huge)}
    for name, content in contents.items():
        (folder / f"{name}.png").write_bytes(content)
    save(folder / "tall.png", np.ascontiguousarray(grey.T))
    return [folder / f"{name}.png" for name in ("good", *contents, "tall", "missing")]


def test_what_is_wrong_with_files(tmp_path, grey):
    problems = [inspect_picture(path, frequency_across=True).problem for path in broken_files(tmp_path, grey)]
    assert problems[0] is None
    assert problems[1] == "empty file"
    assert set(problems[2:4]) == {"no PNG or JPEG file, or damaged"}
    assert problems[4].startswith("2147483647 pixels wide and 2147483647 high")
    assert problems[5] == "64 pixels wide and 128 high, but frequency runs across; turn it by 90 degrees"
    assert problems[6] == "no such file"


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=100), place=st.integers(0, 400))
def test_any_bytes_are_read_or_refused(content, place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("png")
    pixels = np.arange(200, dtype=np.uint8).reshape(10, 20)
    good = save(folder / "x.png", pixels).read_bytes()
    (folder / "x.png").write_bytes(good[:place] + content + good[place + len(content) :])
    try:
        received = load_picture(folder / "x.png")
    except UserError:
        return
    assert received.shape == (64, 128)
    assert 0 <= received.min() <= received.max() <= 1


def test_readers_give_the_rows_that_are_asked_for(tmp_path, grey):
    save(tmp_path / "a.png", grey)
    save(tmp_path / "b.png", grey[::-1].copy())
    received = PictureReader(tmp_path)(pd.DataFrame({"path": ["b.png", "a.png"]}))
    np.testing.assert_allclose(received, np.stack([grey[::-1], grey]) / 255, atol=1e-6)
    assert PictureReader(tmp_path).signal_shape == (64, 128)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3)])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pictures_of_any_shape_are_what_pillow_reads(tmp_path, shape, suffix):
    smooth = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)
    pixels = np.stack([smooth, 255 - smooth, smooth // 2], -1)
    path = save(tmp_path / f"x.{suffix}", pixels)
    read = Image.open(path) if len(shape) == 3 and shape[2] == 3 else Image.open(path).convert("L")
    expected = np.asarray(read.resize((30, 20), Image.Resampling.BOX), np.float32) / 255
    received = load_picture(path, shape)
    assert (received.shape, received.dtype) == (shape, np.float32)
    np.testing.assert_allclose(received, expected.reshape(shape), atol=0.01)


def test_grey_pictures_become_colours_where_others_have_some(tmp_path, grey):
    received = load_picture(save(tmp_path / "x.png", grey), (64, 128, 3))
    np.testing.assert_allclose(received, np.repeat(grey[..., np.newaxis], 3, -1) / 255, atol=1e-6)


def test_what_a_picture_is_like(tmp_path, grey):
    rgb = np.stack([grey, grey, grey], -1)
    found = {
        "grey.png": (grey, 1), "rgb.png": (rgb, 1), "grey.jpg": (grey, 1), "rgb.jpeg": (rgb, 1),
        "colour.png": (rgb // [1, 2, 3], 3), "tall.png": (grey.T.copy(), 1),
    }  # fmt: skip
    for name, (pixels, channels) in found.items():
        path = save(tmp_path / name, pixels.astype(np.uint8))
        assert inspect_picture(path) == PictureInspection(None, *pixels.shape[:2], channels)
    whole = (tmp_path / "grey.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    assert inspect_picture(tmp_path / "cut.jpg").problem == "no PNG or JPEG file, or damaged"


def test_pictures_are_told_by_name_or_content(tmp_path, grey):
    for name in ("a.png", "b.jpg"):
        save(tmp_path / name, grey).rename(tmp_path / name[0])
    assert [is_picture(tmp_path / name) for name in ("a", "b", "c.JPEG", "d.gif")] == [
        True,
        True,
        True,
        False,
    ]
