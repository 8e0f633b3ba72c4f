"""Tables of pictures of spectrograms: a row a picture, a column a pixel."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.files import check_place, written_beside
from tfspec.base.progress import Tracker, untracked
from tfspec.base.text import excerpt, normalized, shown
from tfspec.data.problems import NO_LABEL, with_problems
from tfspec.data.sources.simulate import PICTURE_SHAPE
from tfspec.data.tables import bounded_lines, not_csv, open_table

NUM_PIXELS = PICTURE_SHAPE[0] * PICTURE_SHAPE[1]
LABELS = "labels"
LISTED = 5
"""Bad rows or columns that an error names: there may be thousands."""
FINGERPRINT_BYTES = 1 << 16
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
    spelt = spellings(classes)
    if label_column == NUM_PIXELS and order is None:  # the usual table, in two thirds of pandas' time
        text, _, label = line.rpartition(",")
        pixels = _numbers(text)
        if len(pixels) == NUM_PIXELS and _in_range(pixels).all() and spelling_key(label) in spelt:
            return spelt[spelling_key(label)], pixels
    cells = next(csv.reader([line])) if '"' in line else line.split(",")
    if len(cells) != NUM_PIXELS + 1:
        raise ValueError(f"{len(cells)} columns, not {NUM_PIXELS + 1}")
    label = cells.pop(label_column).strip()
    if not label:
        raise ValueError(NO_LABEL)
    if spelling_key(label) not in spelt:
        raise ValueError(f"unknown class {excerpt(label)!r}, not one of {', '.join(classes)}")
    pixels = np.array([_number(cell, place) for place, cell in enumerate(cells)], np.float32)
    if not _in_range(pixels).all():
        place = int(np.argmin(_in_range(pixels)))
        raise ValueError(
            f"{excerpt(cells[place].strip(), 20) or 'nothing'} at the {_ordinal(place)} pixel, not 0 to 1"
        )
    return spelt[spelling_key(label)], pixels if order is None else pixels[order]


def spelling_key(name: str) -> str:
    """Return what the name of a class is compared by.

    Args:
        name: as it stands in a table, or as a folder's name.

    Example:
        >>> spelling_key(" Squiggle") == spelling_key("SQUIGGLE")
        True
    """
    return normalized(normalized(name.strip()).casefold())


def spellings(classes: Sequence[str]) -> dict[str, str]:
    """Say how each class is spelt, by the `spelling_key` of its name.

    Args:
        classes: their names.

    Example:
        >>> spellings(["Noises"])
        {'noises': 'Noises'}
    """
    return {spelling_key(name): name for name in classes}


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

    Raises:
        UserError: the table cannot be there.
    """
    check_place(path)
    with written_beside(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join([*map(str, range(NUM_PIXELS)), LABELS]) + "\n")
        row = ",".join(["%.6f"] * NUM_PIXELS) + ",%s\n"  # finer than the 8 bits of image files
        for pictures, labels in batches:
            for picture, label in zip(pictures, labels, strict=True):
                file.write(row % (*np.ravel(picture).tolist(), label))


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
