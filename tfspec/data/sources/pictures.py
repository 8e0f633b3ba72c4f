"""Pictures of spectrograms: rows of a CSV table, or image files in class folders."""

from __future__ import annotations

import csv
import dataclasses
import functools
import hashlib
import json
import os
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.audio.recordings import counted
from tfspec.base.errors import UserError, listed
from tfspec.base.files import file_problem, walk_files, written_beside
from tfspec.base.progress import Tracker, untracked
from tfspec.base.text import excerpt, normalized, shown
from tfspec.base.threads import threads
from tfspec.data.problems import with_problems
from tfspec.data.sources.class_folders import ClassFolders, class_folders, list_files
from tfspec.data.sources.simulate import PICTURE_SHAPE
from tfspec.data.tables import bounded_lines, not_csv, open_table

NUM_PIXELS = PICTURE_SHAPE[0] * PICTURE_SHAPE[1]
LABELS = "labels"
LISTED = 5
"""Bad rows or columns that an error names: there may be thousands."""
LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""
FINGERPRINT_BYTES = 1 << 16
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
"""How every PNG file begins; its width and height come next."""
MAX_PIXELS = 2**24
MAX_BYTES = 2**28
"""Twice what that many pixels take when nothing is compressed."""
DAMAGED = "not a PNG file, or damaged"
MOST_BAD = 1000
"""Bad rows after which a table is not read on."""


def read_table(
    path: str | os.PathLike,
    classes: Sequence[str],
    cache: str | os.PathLike,
    progress: Tracker = untracked,
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
    open_table(path).close()
    name = hashlib.sha256(os.fspath(path.resolve()).encode()).hexdigest()[:16]
    kept = Path(cache) / f"{path.stem}-{name}"
    fingerprint = [*_fingerprint(path), *classes]
    labels = _kept_labels(kept, fingerprint)
    if labels is None:
        with written_beside(kept) as temporary:
            temporary.mkdir()
            labels = _parse(path, classes, temporary / "pixels.f32", progress)
            index = {"fingerprint": fingerprint, "labels": labels}
            (temporary / "index.json").write_text(json.dumps(index))
    return np.memmap(kept / "pixels.f32", np.float32, "r", shape=(len(labels), *PICTURE_SHAPE)), labels


def read_tables(
    paths: Sequence[str | os.PathLike],
    classes: Sequence[str],
    cache: str | os.PathLike,
    progress: Tracker = untracked,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Read a CSV table of pictures, or one of those that train and one of those that validate.

    Args:
        paths: one table, or both.
        classes: as in `read_table`.
        cache: as in `read_table`.
        progress: as in `read_table`.

    Returns:
        (pictures, 64, 128) float32, those of both in memory; and their `table_manifest`, for both with the
        column `part`.

    Raises:
        UserError: as in `read_table`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paths = [Path(folder, "train.csv"), Path(folder, "valid.csv")]
        ...     for path in paths:
        ...         write_table(path, [(np.zeros([1, 64, 128]), ["a"])])
        ...     pictures, manifest = read_tables(paths, ["A"], folder)
        >>> pictures.shape, manifest["part"].tolist()
        ((2, 64, 128), ['train', 'validation'])
    """
    pictures, labels = zip(*(read_table(path, classes, cache, progress) for path in paths), strict=True)
    train, *validation = map(table_manifest, labels, [Path(paths[0]).stem, "validation table"])
    if not validation:
        return pictures[0], train
    tables = [train.assign(part="train"), validation[0].assign(part="validation")]
    return np.concatenate(pictures), pd.concat(tables, ignore_index=True).rename_axis("index")


def _fingerprint(path: Path) -> list:
    """Return what changes when the table does, without reading all of it."""
    status, digest = path.stat(), hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(FINGERPRINT_BYTES))
        file.seek(max(0, status.st_size - FINGERPRINT_BYTES))
        digest.update(file.read())
    return [status.st_size, status.st_mtime_ns, digest.hexdigest()]


def _kept_labels(kept: Path, fingerprint: list) -> list[str] | None:
    """Return the labels of a table that was parsed before; None if it was not, or has changed since."""
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
        with open_table(path) as table, pixels.open("wb") as file:
            lines = bounded_lines(table, path)
            label_column, order = _columns(path, next(lines, ""))
            parse = functools.partial(_parse_row, label_column=label_column, order=order, classes=classes)
            for number, line in enumerate(_rows(lines, path.stat().st_size, progress), start=1):
                try:
                    label, picture = parse(line)
                except (ValueError, csv.Error) as problem:
                    problems.append(f"row {number} ({problem})")
                    if len(problems) == MOST_BAD:
                        break
                    continue
                labels.append(label)
                file.write(picture.tobytes())
    except UnicodeDecodeError:
        raise UserError(f"{shown(path)} is not a text file in UTF-8.") from None
    if problems:
        raise UserError(
            f"{len(problems)} of {len(problems) + len(labels)} rows of {shown(path)} cannot be used: "
            f"{_listed(problems)}. Rows count from 1 below the header."
        )
    if not labels:
        raise UserError(f"{shown(path)} has no rows.")
    return labels


def _columns(path: Path, header: str) -> tuple[int, np.ndarray | None]:
    """Return the place of the labels, and those of the pixels if they are not in order."""
    try:
        names = [normalized(name.strip()) for name in next(csv.reader([header]), [])]
    except csv.Error as error:
        raise not_csv(path, f"line 1: {error}") from None
    expected = [str(i) for i in range(NUM_PIXELS)]
    missing = sorted({LABELS, *expected} - set(names), key=lambda name: (name != LABELS, len(name), name))
    unknown = sorted(set(names) - {LABELS, *expected})
    if missing or unknown or len(names) != NUM_PIXELS + 1:
        wrong = [f"{_listed(missing)} missing"] if missing else []
        wrong += [f"{_listed([repr(excerpt(name)) for name in unknown])} unknown"] if unknown else []
        raise UserError(
            f"{shown(path)} must have the columns 0 to {NUM_PIXELS - 1} and {LABELS}. Received: "
            f"{len(names)} columns, {', '.join(wrong) or 'some of them twice'}."
        )
    label_column = names.index(LABELS)
    names.pop(label_column)
    return label_column, None if names == expected else np.argsort([int(name) for name in names])


def _rows(lines: Iterator[str], size: int, progress: Tracker) -> Iterator[str]:
    """Go through the lines, blank ones left out, a hundredth of the file at a time for the bar."""

    def chunks():
        wanted = max(1, min(size // 100, 1 << 24))
        while chunk := list(_worth(lines, wanted)):
            yield chunk

    for chunk in progress(chunks(), 100):
        yield from (line for line in chunk if not line.isspace())


def _worth(lines: Iterator[str], characters: int) -> Iterator[str]:
    """Take so many characters of lines, or a few more."""
    for line in lines:
        yield line
        if (characters := characters - len(line)) <= 0:
            return


def _parse_row(
    line: str, label_column: int, order: np.ndarray | None, classes: Sequence[str]
) -> tuple[str, np.ndarray]:
    """Return a row's label and its pixels; a ValueError says what is wrong."""
    spelt = _spelt(classes)
    if label_column == NUM_PIXELS and order is None:  # the usual table, in two thirds of pandas' time
        text, _, label = line.rpartition(",")
        pixels = _numbers(text)
        if len(pixels) == NUM_PIXELS and _in_range(pixels).all() and _key(label) in spelt:
            return spelt[_key(label)], pixels
    cells = next(csv.reader([line])) if '"' in line else line.split(",")
    if len(cells) != NUM_PIXELS + 1:
        raise ValueError(f"{len(cells)} columns, not {NUM_PIXELS + 1}")
    label = cells.pop(label_column).strip()
    if not label:
        raise ValueError("no label")
    if _key(label) not in spelt:
        raise ValueError(f"unknown class {excerpt(label)!r}, not one of {', '.join(classes)}")
    pixels = np.array([_number(cell, place) for place, cell in enumerate(cells)], np.float32)
    if not _in_range(pixels).all():
        place = int(np.argmin(_in_range(pixels)))
        raise ValueError(
            f"{excerpt(cells[place].strip(), 20) or 'nothing'} at the {_ordinal(place)} pixel, not 0 to 1"
        )
    return spelt[_key(label)], pixels if order is None else pixels[order]


def _key(name: str) -> str:
    """Return what a name is compared by."""
    return normalized(normalized(name.strip()).casefold())


def _spelt(classes: Sequence[str]) -> dict[str, str]:
    return {_key(name): name for name in classes}


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
    with written_beside(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
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
    return list_picture_folders(folder, classes).manifest


def list_picture_folders(folder: str | os.PathLike, classes: Sequence[str]) -> ClassFolders:
    """List the PNG files in a folder of class folders, and count what is passed over.

    Args:
        folder: as in `list_pictures`.
        classes: as in `list_pictures`.

    Returns:
        The manifest is what `list_pictures` gives.

    Raises:
        UserError: as in `list_pictures`.
    """
    spelt = _spelt(classes)
    found = class_folders(folder, lambda name: spelt.get(_key(name), name))
    if unknown := [excerpt(name) for name in found if name not in classes]:
        raise UserError(
            f"{shown(folder)} has folders of no known class: {_listed(unknown)}. Known: {', '.join(classes)}."
        )
    listing = list_files(Path(folder), found, _pictures)
    if listing.manifest.empty:
        passed_over = f" Passed over: {counted(listing.passed_over)}." if listing.passed_over else ""
        raise UserError(
            f"{shown(folder)} holds no PNG files in folders named {', '.join(classes)}.{passed_over}"
        )
    return dataclasses.replace(listing, manifest=listing.manifest.assign(group=listing.manifest["path"]))


def inspect_picture_folders(
    folder: str | os.PathLike,
    classes: Sequence[str],
    progress: Tracker = untracked,
) -> pd.DataFrame:
    """List a folder of class folders, tell what is passed over, and decode every PNG file.

    Args:
        folder: as in `list_pictures`.
        classes: as in `list_pictures`.
        progress: wraps the iteration over so many files, to draw a bar.

    Returns:
        The manifest of `list_pictures` with the column `problem`: why a file cannot be used, None for a good
        one.

    Raises:
        UserError: as in `list_pictures`.
    """
    listing = list_picture_folders(folder, classes)
    listing.tell()

    def problems(rows: pd.DataFrame) -> list[str | None]:
        paths = [Path(folder, path) for path in rows["path"]]
        return list(progress(threads().map(picture_problem, paths), len(paths)))

    return with_problems(listing.manifest, problems)


def table_manifest(labels: Iterable[str], source: str) -> pd.DataFrame:
    """Make the manifest of pictures that lie in one array: of a table, or simulated.

    Args:
        labels: (pictures,).
        source: what they come from; each picture is a group of its own, named by it and its number.

    Returns:
        Columns `label`, `group` and `problem`, None for all. Its index, called "index", is the picture's
        place in the array.

    Example:
        >>> table_manifest(["Noises", "Squiggle"], "some")["group"].tolist()
        ['some, 0', 'some, 1']
    """
    labels = [*labels]
    index = pd.RangeIndex(len(labels), name="index")
    manifest = pd.DataFrame(
        {"label": labels, "group": [f"{source}, {i}" for i in index]}, index, dtype=object
    )
    return with_problems(manifest, lambda rows: [None] * len(rows))


def _pictures(folder: Path) -> tuple[list[Path], list[Path]]:
    """Part the PNG files in a folder and those below it from the others."""
    pictures: list[Path] = []
    others: list[Path] = []
    for path in walk_files(folder):
        (pictures if is_picture(path) else others).append(path)
    return pictures, others


def is_picture(path: Path) -> bool:
    """Tell pictures from other files: by their suffix, else by their content.

    Args:
        path: a file, which is opened only where its suffix does not tell.

    Example:
        >>> is_picture(Path("missing.PNG")), is_picture(Path("missing.txt"))
        (True, False)
    """
    return path.suffix.lower() == ".png" or (file_problem(path) is None and _starts_as_png(path))


def _starts_as_png(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(PNG)) == PNG
    except OSError:
        return False


def load_picture(path: str | os.PathLike) -> np.ndarray:
    """Read a PNG file of any size, 8 or 16 bits, grey or colour, as a picture.

    Colours give their luminance, transparency is left out. Each pixel is the mean of the area that it covers.
    The size is read before the pixels are: a small file can ask for gigabytes.

    Args:
        path: the file; time runs down and frequency across.

    Returns:
        (64, 128) float32 from 0 to 1.

    Raises:
        UserError: the file is missing or damaged, or the picture is taller than wide, or has over 2²⁴ pixels.
    """
    try:
        content = _checked(Path(path))
        pixels = tf.io.decode_png(content, dtype=tf.uint16).numpy()
    except _PictureError as error:
        raise UserError(f"{shown(path)}: {error}") from None
    except tf.errors.OpError:
        raise UserError(f"{shown(path)}: {DAMAGED}") from None
    channels = pixels.shape[-1]
    grey = pixels[..., 0] if channels < 3 else pixels[..., :3] @ np.array(LUMINANCE, np.float32)
    grey = grey.astype(np.float32) / 65535
    return tf.image.resize(grey[..., np.newaxis], PICTURE_SHAPE, "area")[..., 0].numpy()


class _PictureError(Exception):
    """Why a file is no picture that can be read."""


def _checked(path: Path) -> bytes:
    """Read a PNG file whose header asks for a size that is allowed."""
    if problem := file_problem(path):
        raise _PictureError(problem)
    try:
        with path.open("rb") as file:
            header = file.read(24)
            if len(header) < 24 or not header.startswith(PNG):
                raise _PictureError(DAMAGED)
            width, height = struct.unpack(">II", header[16:])
            if not 0 < width * height <= MAX_PIXELS or file.seek(0, os.SEEK_END) > MAX_BYTES:
                raise _PictureError(
                    f"{width} pixels wide and {height} high in {file.tell()} bytes: a picture has 1 to "
                    f"{MAX_PIXELS} pixels, and at most {MAX_BYTES} bytes"
                )
            file.seek(0)
            content = file.read()
    except OSError as error:
        raise _PictureError(error.strerror or str(error)) from None
    if height > width:
        raise _PictureError(
            f"{width} pixels wide and {height} high, but frequency runs across; turn it by 90 degrees"
        )
    return content


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
        return str(error).removeprefix(f"{shown(path)}: ")
    return None


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
        """Return (rows, 64, 128) float32."""
        return np.stack(list(threads().map(load_picture, [self.folder / path for path in rows["path"]])))
