"""Tables of results, in the format that a file's name says."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.files import check_place, written_beside
from tfspec.base.text import shown

Writer = Callable[[pd.DataFrame], None]


def table_writer(
    path: str | os.PathLike, suffixes: Sequence[str] = (".csv", ".tsv", ".parquet", ".json")
) -> Writer:
    r"""Choose what writes a table, before there is one.

    Args:
        path: where it will be; its suffix says the format. In JSON, each row is an object.
        suffixes: the formats to choose from.

    Returns:
        What writes a table there, whole or not at all; a file that is there is replaced.

    Raises:
        UserError: the suffix is another one, a folder is there, or the format needs a package that is not.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table_writer(f"{folder}/a.tsv")(pd.DataFrame({"file": ["a.wav"], "p_yes": [0.5]}))
        ...     Path(folder, "a.tsv").read_text()
        'file\tp_yes\na.wav\t0.5\n'
    """
    path = Path(path)
    suffix = _known_suffix(path, suffixes)

    def write(table: pd.DataFrame) -> None:
        texts = table.select_dtypes(exclude=["number", "bool", "datetime"])
        table = table.assign(**{name: texts[name].map(_writable) for name in texts})
        with written_beside(path) as temporary:
            WRITERS[suffix](table, temporary)

    return write


def _writable(cell: Any) -> Any:
    """Spell out what of a file's name is no UTF-8, or would end a line."""
    return shown(cell) if isinstance(cell, str) and not cell.isprintable() else cell


def _known_suffix(path: Path, suffixes: Iterable[str]) -> str:
    """Return the suffix of a table that can be written, where nothing is in its way."""
    suffix = path.suffix.lower()
    *others, last = suffixes
    if suffix not in (*others, last):
        raise UserError(
            f"The name of a table must end in {', '.join(others)} or {last}. Received: {shown(path)}"
        )
    if suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UserError(
            f"Parquet needs pyarrow: pip install pyarrow, or give {shown(path.with_suffix('.csv'))}"
        )
    check_place(path)
    return suffix


def growing_table(path: str | os.PathLike) -> contextlib.AbstractContextManager[Writer]:
    r"""Choose what writes a table piece by piece, so that memory never holds all of it.

    Args:
        path: where it will be, .csv, .tsv or .parquet.

    Returns:
        A block in which pieces of the same columns are written one below the other. The table is there when
        the block ends, whole or not at all.

    Raises:
        UserError: as in `table_writer`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with growing_table(f"{folder}/a.csv") as write:
        ...         write(pd.DataFrame({"file": ["a.wav"]}))
        ...         write(pd.DataFrame({"file": ["b.wav"]}))
        ...     Path(folder, "a.csv").read_text()
        'file\na.wav\nb.wav\n'
    """
    path = Path(path)
    suffix = _known_suffix(path, GROWING)
    return _growing_parquet(path) if suffix == ".parquet" else _growing_text(path, GROWING[suffix])


@contextlib.contextmanager
def _growing_text(path: Path, separator: str) -> Iterator[Writer]:
    with written_beside(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:

        def write(piece: pd.DataFrame) -> None:
            piece.to_csv(file, sep=separator, index=False, header=file.tell() == 0)

        yield write


@contextlib.contextmanager
def _growing_parquet(path: Path) -> Iterator[Writer]:
    import pyarrow
    from pyarrow import parquet

    with written_beside(path) as temporary, contextlib.ExitStack() as stack:
        writers: list[parquet.ParquetWriter] = []

        def write(piece: pd.DataFrame) -> None:
            schema = writers[0].schema if writers else None
            table = pyarrow.Table.from_pandas(piece, schema, preserve_index=False)
            if not writers:
                writers.append(stack.enter_context(parquet.ParquetWriter(temporary, table.schema)))
            writers[0].write_table(table)

        yield write


def _write_arrays(table: pd.DataFrame, path: Path) -> None:
    """Write columns as NumPy's arrays, `files` and the like; those with numbers as one, `embeddings`."""
    numbered = table.filter(regex=r"^e_\d+$")
    arrays = {"embeddings": numbered.to_numpy(np.float32)}
    for name, column in table.drop(columns=numbered.columns).items():
        is_text = column.dtype.kind not in "fiM"
        arrays[f"{name}s"] = column.fillna("").to_numpy(str) if is_text else column.to_numpy()
    with path.open("wb") as file:
        np.savez(file, **arrays)


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".tsv": lambda table, path: table.to_csv(path, index=False, sep="\t"),
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
    ".json": lambda table, path: table.to_json(path, orient="records", indent=2, date_format="iso"),
    ".npz": _write_arrays,
}
GROWING = {".csv": ",", ".tsv": "\t", ".parquet": ""}
"""Formats of `growing_table`, and what stands between the cells of a row."""
