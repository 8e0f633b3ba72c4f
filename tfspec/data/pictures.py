"""Pictures of spectrograms: rows of a CSV table, or image files in class folders."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.base.errors import UserError, listed
from tfspec.base.files import written_beside
from tfspec.base.threads import threads
from tfspec.data.simulate import PICTURE_SHAPE

NUM_PIXELS = PICTURE_SHAPE[0] * PICTURE_SHAPE[1]
LABELS = "labels"
LISTED = 5
"""Bad rows or columns that an error names: there may be thousands."""
LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""
FINGERPRINT_BYTES = 1 << 16


def read_table(
    path: str | os.PathLike,
    classes: Sequence[str],
    cache: str | os.PathLike,
    progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
) -> tuple[np.ndarray, list[str]]:
    """Read a CSV table of pictures; what was parsed is kept, for the next time.

    A row is a picture: columns 0 to 8191, its pixels row by row, from 0 to 1, and `labels`. The table is read
    line by line and the pictures go to a file, so memory stays flat. That file is used again as long as the
    table has the same size, time of change, beginning and end.

    Args:
        path: the table.
        classes: allowed labels, in any case.
        cache: folder to keep the parsed tables in.
        progress: wraps the iteration over so many bytes of lines, to draw a bar.

    Returns:
        (rows, 64, 128) float32, mapped from the file, and (rows,) labels, spelt as `classes`.

    Raises:
        UserError: the table is missing, has other columns, or has rows that cannot be used: of another
            length, without a known label, with what is no number from 0 to 1. Rows count from 1.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "some.csv")
        ...     write_table(path, [(np.zeros([2, 64, 128]), ["a", "b"])])
        ...     pictures, labels = read_table(path, ["A", "B"], folder)
        >>> pictures.shape, labels
        ((2, 64, 128), ['A', 'B'])
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"No such file: {path}")
    name = hashlib.sha256(os.fspath(path.resolve()).encode()).hexdigest()[:16]
    kept = Path(cache) / f"{path.stem}-{name}"
    fingerprint = [*_fingerprint(path), *classes]
    labels = _kept_labels(kept, fingerprint)
    if labels is None:
        with written_beside(kept) as part:
            part.mkdir()
            labels = _parse(path, classes, part / "pixels.f32", progress)
            index = {"fingerprint": fingerprint, "labels": labels}
            (part / "index.json").write_text(json.dumps(index))
    return np.memmap(kept / "pixels.f32", np.float32, "r", shape=(len(labels), *PICTURE_SHAPE)), labels


def _fingerprint(path: Path) -> list:
    """Give what changes when the table does, without reading all of it."""
    status, digest = path.stat(), hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(FINGERPRINT_BYTES))
        file.seek(max(0, status.st_size - FINGERPRINT_BYTES))
        digest.update(file.read())
    return [status.st_size, status.st_mtime_ns, digest.hexdigest()]


def _kept_labels(kept: Path, fingerprint: list) -> list[str] | None:
    """Give the labels of a table that was parsed before; None if it was not, or has changed since."""
    try:
        index = json.loads((kept / "index.json").read_text())
        size = (kept / "pixels.f32").stat().st_size
    except (OSError, ValueError):
        return None
    fits = index["fingerprint"] == fingerprint and size == 4 * NUM_PIXELS * len(index["labels"])
    return index["labels"] if fits else None


def _parse(path: Path, classes: Sequence[str], pixels: Path, progress: Callable) -> list[str]:
    """Write the pixels to a file and give the labels."""
    labels, problems = [], []
    try:
        with path.open(encoding="utf-8-sig") as table, pixels.open("wb") as file:
            label_column, order = _columns(path, next(table, ""))
            parse = functools.partial(_parse_row, label_column=label_column, order=order, classes=classes)
            for number, line in enumerate(_lines(table, path.stat().st_size, progress), start=1):
                try:
                    label, picture = parse(line)
                except ValueError as problem:
                    problems.append(f"row {number} ({problem})")
                    continue
                labels.append(label)
                file.write(picture.tobytes())
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file in UTF-8.") from None
    if problems:
        raise UserError(
            f"{len(problems)} of {len(problems) + len(labels)} rows of {path} cannot be used: "
            f"{_listed(problems)}. Rows count from 1 below the header."
        )
    if not labels:
        raise UserError(f"{path} has no rows.")
    return labels


def _columns(path: Path, header: str) -> tuple[int, np.ndarray | None]:
    """Give the place of the labels, and those of the pixels if they are not in order."""
    names = [name.strip() for name in next(csv.reader([header]), [])]
    expected = [str(i) for i in range(NUM_PIXELS)]
    missing = sorted({LABELS, *expected} - set(names), key=lambda name: (name != LABELS, len(name), name))
    unknown = sorted(set(names) - {LABELS, *expected})
    if missing or unknown or len(names) != NUM_PIXELS + 1:
        wrong = [f"{_listed(missing)} missing"] if missing else []
        wrong += [f"{_listed([repr(name) for name in unknown])} unknown"] if unknown else []
        raise UserError(
            f"{path} must have the columns 0 to {NUM_PIXELS - 1} and {LABELS}. Received: "
            f"{len(names)} columns, {', '.join(wrong) or 'some of them twice'}."
        )
    label_column = names.index(LABELS)
    names.pop(label_column)
    return label_column, None if names == expected else np.argsort([int(name) for name in names])


def _lines(table: TextIO, size: int, progress: Callable[[Iterable, int], Iterable]) -> Iterator[str]:
    """Go through the lines, blank ones left out, a hundredth of the file at a time for the bar."""

    def chunks():
        while lines := table.readlines(max(1, min(size // 100, 1 << 24))):
            yield lines

    for lines in progress(chunks(), 100):
        yield from (line for line in lines if not line.isspace())


def _parse_row(
    line: str, label_column: int, order: np.ndarray | None, classes: Sequence[str]
) -> tuple[str, np.ndarray]:
    """Give a row's label and its pixels; a ValueError says what is wrong."""
    spelt = {name.casefold(): name for name in classes}
    if label_column == NUM_PIXELS and order is None:  # the usual table, in two thirds of pandas' time
        text, _, label = line.rpartition(",")
        pixels = _numbers(text)
        if len(pixels) == NUM_PIXELS and _in_range(pixels).all() and label.strip().casefold() in spelt:
            return spelt[label.strip().casefold()], pixels
    cells = next(csv.reader([line])) if '"' in line else line.split(",")
    if len(cells) != NUM_PIXELS + 1:
        raise ValueError(f"{len(cells)} columns, not {NUM_PIXELS + 1}")
    label = cells.pop(label_column).strip()
    if not label:
        raise ValueError("no label")
    if label.casefold() not in spelt:
        raise ValueError(f"unknown class {label!r}, not one of {', '.join(classes)}")
    pixels = np.array([_number(cell, place) for place, cell in enumerate(cells)], np.float32)
    if not _in_range(pixels).all():
        place = int(np.argmin(_in_range(pixels)))
        raise ValueError(f"{cells[place].strip() or 'nothing'} at the {_ordinal(place)} pixel, not 0 to 1")
    return spelt[label.casefold()], pixels if order is None else pixels[order]


def _numbers(text: str) -> np.ndarray:
    """Parse numbers between commas, up to what is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # where it stops before the end
        try:
            return np.fromstring(text, np.float32, sep=",")
        except ValueError:  # as the warning says it will be
            return np.empty(0, np.float32)


def _number(cell: str, place: int) -> float:
    try:
        return float(cell)
    except ValueError:
        what = repr(cell.strip()[:20]) if cell.strip() else "nothing"
        raise ValueError(f"{what} at the {_ordinal(place)} pixel, not a number") from None


def _in_range(pixels: np.ndarray) -> np.ndarray:
    return (pixels >= 0) & (pixels <= 1)


def _ordinal(place: int) -> str:
    number = place + 1
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _listed(items: Sequence[str]) -> str:
    return listed(items, LISTED, "; ")


def write_table(path: str | os.PathLike, batches: Iterable[tuple[np.ndarray, Sequence[str]]]) -> None:
    """Write a CSV table that `read_table` reads, batch by batch; it is there once it is whole.

    Args:
        path: the table.
        batches: (rows, 64, 128) pictures in 0…1, and (rows,) labels.
    """
    with written_beside(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join([*map(str, range(NUM_PIXELS)), LABELS]) + "\n")
        row = ",".join(["%.6f"] * NUM_PIXELS) + ",%s\n"  # finer than the 8 bits of image files
        for pictures, labels in batches:
            for picture, label in zip(pictures, labels, strict=True):
                file.write(row % (*np.ravel(picture).tolist(), label))


def list_pictures(folder: str | os.PathLike, classes: Sequence[str]) -> pd.DataFrame:
    """List the PNG files in a folder of class folders.

    Args:
        folder: holds a folder a class, named as the class in any case.
        classes: allowed names.

    Returns:
        Columns `path` (relative to `folder`, with forward slashes), `label`, spelt as `classes`, and `group`,
        which is the path; ordered by path.

    Raises:
        UserError: the folder is missing, holds no such files, or folders of another name.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "noises").mkdir()
        ...     _ = Path(folder, "noises", "1.png").write_bytes(b"")
        ...     list_pictures(folder, ["Noises"]).values.tolist()
        [['noises/1.png', 'Noises', 'noises/1.png']]
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"No such folder: {folder}. Give one that holds a folder of PNG files per class.")
    found = sorted(
        p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__MACOSX"))
    )
    spelt = {name.casefold(): name for name in classes}
    if unknown := [name for name in found if name.casefold() not in spelt]:
        raise UserError(
            f"{folder} has folders of no known class: {_listed(unknown)}. Known: {', '.join(classes)}."
        )
    rows = [
        (path.relative_to(folder).as_posix(), spelt[name.casefold()])
        for name in found
        for path in (folder / name).rglob("*")
        if path.suffix.lower() == ".png" and not path.name.startswith(".")
    ]
    if not rows:
        raise UserError(f"{folder} holds no PNG files in folders named {', '.join(classes)}.")
    table = pd.DataFrame(rows, columns=["path", "label"]).sort_values("path", ignore_index=True)
    return table.assign(group=table["path"])


def load_picture(path: str | os.PathLike) -> np.ndarray:
    """Read a PNG file of any size, 8 or 16 bits, grey or colour, as a picture.

    Colours give their luminance, transparency is left out. Each pixel is the mean of the area that it covers.

    Args:
        path: the file; time runs down and frequency across.

    Returns:
        (64, 128) float32 from 0 to 1.

    Raises:
        UserError: the file is missing or damaged, or the picture is taller than wide.
    """
    try:
        pixels = tf.io.decode_png(Path(path).read_bytes(), dtype=tf.uint16).numpy()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except tf.errors.InvalidArgumentError:
        raise UserError(f"{path}: not a PNG file, or damaged") from None
    height, width, channels = pixels.shape
    if height > width:
        raise UserError(
            f"{path}: {width} pixels wide and {height} high, but frequency runs across; turn it by 90 degrees"
        )
    pixels = pixels.astype(np.float32) / 65535
    grey = pixels[..., 0] if channels < 3 else pixels[..., :3] @ np.array(LUMINANCE, np.float32)
    return tf.image.resize(grey[..., np.newaxis], PICTURE_SHAPE, "area")[..., 0].numpy()


def picture_problem(path: str | os.PathLike) -> str | None:
    """Say why a PNG file cannot be used.

    Args:
        path: the file.

    Returns:
        The reason, None for a good file.

    Example:
        >>> picture_problem("missing.png")
        'no such file'
    """
    try:
        load_picture(path)
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")
    return None


def picture_problems(
    paths: Sequence[Path], progress: Callable[[Iterable], Iterable] = iter
) -> list[str | None]:
    """Find what is wrong with PNG files, several at a time.

    Args:
        paths: the files.
        progress: wraps the iteration, to draw a bar.

    Returns:
        As `picture_problem`, in order.

    Example:
        >>> picture_problems([Path("missing.png")])
        ['no such file']
    """
    return list(progress(threads().map(picture_problem, paths)))


@dataclass(frozen=True)
class TableReader:
    """Reads the pictures of a manifest's rows from a table, by the column `index`.

    Args:
        pictures: (rows, 64, 128), as `read_table` gives them.
    """

    pictures: np.ndarray
    signal_shape = PICTURE_SHAPE
    sample_rate = None

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Give (rows, 64, 128) float32."""
        return np.asarray(self.pictures[rows["index"].to_numpy()])


@dataclass(frozen=True)
class PictureReader:
    """Reads the PNG files that the column `path` of a manifest's rows names, several at a time.

    Args:
        folder: what the paths are relative to.
    """

    folder: Path
    signal_shape = PICTURE_SHAPE
    sample_rate = None

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Give (rows, 64, 128) float32."""
        return np.stack(list(threads().map(load_picture, [self.folder / path for path in rows["path"]])))
