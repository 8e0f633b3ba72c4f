"""Pictures in files, PNG or JPEG, of any size and colours."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.files import file_problem
from tfspec.base.model import FIRST_PICTURES
from tfspec.base.text import shown
from tfspec.base.threads import threads

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
"""How every PNG file begins; its width and height come next."""
JPEG = b"\xff\xd8\xff"
MAX_PIXELS = 2**24
MAX_BYTES = 2**28
"""Twice what that many pixels take when nothing is compressed."""
DAMAGED = "no PNG or JPEG file, or damaged"


def is_picture(path: Path) -> bool:
    """Tell pictures from other files: by their suffix, else by their content.

    Args:
        path: a file, which is opened only where its suffix does not tell.

    Example:
        >>> is_picture(Path("missing.PNG")), is_picture(Path("missing.txt"))
        (True, False)
    """
    return path.suffix.lower() in PICTURE_SUFFIXES or (file_problem(path) is None and _begins_as_one(path))


def _begins_as_one(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(PNG)).startswith((PNG, JPEG))
    except OSError:
        return False


class PictureError(UserError):
    """A picture that cannot be used.

    Args:
        path: the file; or the whole message, as Keras and pickle give it who make an error anew.
        problem: what is wrong with the file.
    """

    def __init__(self, path: str | os.PathLike, problem: str = ""):
        super().__init__(f"{shown(path)}: {problem}" if problem else path)
        self.problem = problem


@dataclass(frozen=True)
class PictureInspection:
    """What one picture is like.

    Args:
        problem: why it cannot be used, or None.
        height: rows of pixels.
        width: columns of pixels.
        channels: 1 where all pixels are grey, else 3; transparency is left out.
    """

    problem: str | None = None
    height: int = 0
    width: int = 0
    channels: int = 0


def inspect_picture(path: str | os.PathLike, frequency_across: bool = False) -> PictureInspection:
    """Decode a picture, and say what is wrong with it.

    Args:
        path: the file.
        frequency_across: as in `load_picture`.

    Returns:
        The inspection. Its `problem` is set, and the rest is not, where the file cannot be decoded.

    Example:
        >>> inspect_picture("missing.png").problem
        'no such file'
    """
    try:
        pixels = _decoded(path, frequency_across)
    except PictureError as error:
        return PictureInspection(error.problem)
    height, width, channels = pixels.shape
    is_grey = (pixels == pixels[..., :1]).all()
    return PictureInspection(None, height, width, 1 if is_grey else channels)


def load_picture(
    path: str | os.PathLike, shape: tuple[int, ...] = FIRST_PICTURES, frequency_across: bool = False
) -> np.ndarray:
    """Read a PNG or JPEG file of any size, 8 or 16 bits, grey or colour, as a picture of a shape.

    Where the shape has no colours, these give their luminance; transparency is left out. Each pixel is the
    mean of the area that it covers. What a camera says of how it was held (EXIF) is passed over. The size is
    read before the pixels are: a small file can ask for gigabytes.

    Args:
        path: the file.
        shape: (rows, columns), maybe with an axis of one channel; or (rows, columns, 3) for red, green, blue.
        frequency_across: refuse what is taller than wide, and so has been turned by somebody.

    Returns:
        (*shape,) float32 from 0 to 1.

    Raises:
        PictureError: the file is missing or damaged, or the picture has over 2²⁴ pixels, or is turned.

    Example:
        >>> load_picture("missing.png")
        Traceback (most recent call last):
        tfspec.data.sources.picture_files.PictureError: missing.png: no such file
    """
    import tensorflow as tf

    pixels = _decoded(path, frequency_across)
    in_colours = shape[2:] == (3,)
    if pixels.shape[-1] == 3 and not in_colours:
        pixels = (pixels @ np.array(LUMINANCE, np.float32))[..., np.newaxis]
    resized = tf.image.resize(pixels, shape[:2], "area").numpy()
    return np.broadcast_to(resized, shape) if in_colours else resized.reshape(shape)


def _decoded(path: str | os.PathLike, frequency_across: bool) -> np.ndarray:
    """Decode a file to (height, width, 1 or 3) float32 from 0 to 1."""
    import tensorflow as tf

    content = _content(path)
    try:
        width, height = _size(path, content)
        if not 0 < width * height <= MAX_PIXELS:
            raise PictureError(
                path, f"{width} pixels wide and {height} high: a picture has 1 to {MAX_PIXELS} pixels"
            )
        if frequency_across and height > width:
            raise PictureError(
                path,
                f"{width} pixels wide and {height} high, but frequency runs across; turn it by 90 degrees",
            )
        if content.startswith(PNG):
            pixels = tf.io.decode_png(content, dtype=tf.uint16).numpy().astype(np.float32) / 65535
        else:
            pixels = (
                tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE").numpy().astype(np.float32) / 255
            )
    except tf.errors.OpError:
        raise PictureError(path, DAMAGED) from None
    return pixels[..., :1] if pixels.shape[-1] < 3 else pixels[..., :3]


def _content(path: str | os.PathLike) -> bytes:
    """Read a file of a size that is allowed."""
    if problem := file_problem(path):
        raise PictureError(path, problem)
    try:
        if (size := Path(path).stat().st_size) > MAX_BYTES:
            raise PictureError(path, f"{size} bytes: a picture has at most {MAX_BYTES}")
        return Path(path).read_bytes()
    except OSError as error:
        raise PictureError(path, error.strerror or str(error)) from None


def _size(path: str | os.PathLike, content: bytes) -> tuple[int, int]:
    """Read a picture's width and height from its header."""
    import tensorflow as tf

    if content.startswith(PNG) and len(content) >= len(PNG) + 8:
        return struct.unpack_from(">II", content, len(PNG))
    if content.startswith(JPEG):
        height, width, _ = tf.io.extract_jpeg_shape(content).numpy().tolist()
        return width, height
    raise PictureError(path, DAMAGED)


@dataclass(frozen=True)
class PictureReader:
    """Reads the files that the column `path` of a manifest's rows names, several at a time.

    Args:
        folder: what the paths are relative to.
        signal_shape: of every picture, as in `load_picture`.
        frequency_across: as in `load_picture`.
    """

    folder: Path
    signal_shape: tuple[int, ...] = FIRST_PICTURES
    frequency_across: bool = False
    sample_rate = None

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Return (rows, *signal_shape) float32."""
        paths = [self.folder / path for path in rows["path"]]

        def load(path):
            return load_picture(path, self.signal_shape, self.frequency_across)

        return np.stack(list(threads().map(load, paths)))
