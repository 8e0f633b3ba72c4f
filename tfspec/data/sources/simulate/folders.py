"""The folder that a simulation writes, and the sounds in it."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from tfspec.base.errors import UserError
from tfspec.base.files import check_place, written_beside
from tfspec.base.text import shown

PARTS = ("train", "test")


@contextlib.contextmanager
def new_folder(out: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary folder, which is renamed to `out` once the block succeeds.

    Args:
        out: where the finished folder is to be; nothing is there yet, or an empty folder.

    Yields:
        The folder to write to.

    Raises:
        UserError: something is there, or nothing can be.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     with new_folder(f"{parent}/data") as folder:
        ...         _ = (folder / "a.txt").write_text("whole")
        ...     [path.name for path in Path(parent, "data").iterdir()]
        ['a.txt']
    """
    path = Path(os.path.abspath(out))  # noqa: PTH100  which leaves links as they are, and gives "." a name
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{shown(out)} exists and is not empty. Give another folder, or remove it.")
    check_place(path, "folder")
    with written_beside(path) as temporary:
        temporary.mkdir()
        yield temporary


def numbered(folder: Path, num_train: int, num_test: int) -> list[tuple[str, int]]:
    """Make train/, and test/ if it is not to be empty, and number what is to stand there.

    Args:
        folder: what holds them.
        num_train: how many recordings train.
        num_test: how many test.

    Returns:
        Part and number of each recording.

    Example:
        >>> numbered(Path(), 2, 1)
        [('train', 0), ('train', 1), ('test', 0)]
    """
    items = [(part, each) for part, n in zip(PARTS, (num_train, num_test), strict=True) for each in range(n)]
    for part in dict(items):
        (folder / part).mkdir()
    return items


def write_sound(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write 16 bits a sample, as what the suffix says.

    Args:
        path: the file.
        samples: (samples,) in −1…1.
        sample_rate: samples per second.

    Raises:
        OSError: the file cannot be written, of which libsndfile would not tell the reason.

    Example:
        >>> write_sound(Path("a.flac"), np.zeros(8000), 8000)
        >>> soundfile.info("a.flac").duration
        1.0
    """
    content = io.BytesIO()
    soundfile.write(content, samples, sample_rate, "PCM_16", format=path.suffix[1:].upper())
    path.write_bytes(content.getbuffer())
