"""Some of a run's signals, kept with it: for what is asked of it once its data is somewhere else."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.data.readers import ArrayReader, Reader, read_checked

MOST_SIGNALS = 200
MOST_BYTES = 2**23
"""Of each part in half precision; one signal is kept however large it is."""


def keep_signals(
    path: str | os.PathLike,
    parts: Sequence[pd.DataFrame],
    read: Reader,
    seed: int,
) -> None:
    """Write a file with some signals of each part, drawn at random.

    They are kept in half precision where that holds their numbers: enough to compare two models on, or to see
    how far activations reach.

    Args:
        path: the file, called .npz; written whole or not at all.
        parts: rows of one manifest, each with an index of its own.
        read: reads their signals.
        seed: same seed, same signals.

    Raises:
        UserError: signals cannot be read.

    Example:
        >>> import tempfile
        >>> rows, signals = pd.DataFrame(index=[4, 7]), ArrayReader(np.eye(2), index=pd.Index([4, 7]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     keep_signals(f"{folder}/signals.npz", [rows], signals, seed=0)
        ...     open_signals(f"{folder}/signals.npz", rows.index)(rows.loc[[7]]).tolist()
        [[0.0, 1.0]]
    """
    signals, index = [], []
    for rows in parts:
        signal_bytes = np.dtype(np.float16).itemsize * int(np.prod(read.signal_shape))
        count = min(len(rows), MOST_SIGNALS, max(1, MOST_BYTES // signal_bytes))
        chosen = rows.sample(count, random_state=seed)
        signals.append(read_checked(read, chosen))
        index.append(chosen.index)
    kept = np.concatenate(signals)
    if np.abs(kept).max(initial=0) <= np.finfo(np.float16).max:
        kept = kept.astype(np.float16)
    names = np.concatenate(index)
    names = names.astype(str) if names.dtype == object else names  # objects would be pickled
    with written_beside(path) as temporary:
        np.savez(temporary, signals=kept, rows=names)


def open_signals(path: str | os.PathLike, index: pd.Index) -> ArrayReader:
    """Open what `keep_signals` wrote.

    Args:
        path: the file.
        index: that of the manifest. Earlier versions kept places in it, and not its own values.

    Returns:
        A reader of the rows whose signals were kept, which its `index` names.

    Raises:
        UserError: it is missing or damaged.

    Example:
        >>> open_signals("missing.npz", pd.Index([]))
        Traceback (most recent call last):
        tfspec.base.errors.UserError: missing.npz is missing: the run has kept no signals.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} is missing: the run has kept no signals.")
    try:
        with np.load(path, allow_pickle=False) as kept:
            rows = kept["rows"] if "rows" in kept else index[kept["index"]]
            return ArrayReader(kept["signals"], index=pd.Index(rows))
    except (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged: {error}") from None
