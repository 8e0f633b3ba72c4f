"""Sets in the layout of the Rainforest Connection competition: tables of boxes, folders of recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.files import written_beside
from tfspec.data.sources.annotations import list_annotations, list_slices
from tfspec.data.splits import UNANSWERED

UNKNOWN_SPECIES = "train_tp.csv has no box of this species"


def list_set(folder: str | os.PathLike, slice_seconds: float, negatives: bool = False) -> pd.DataFrame:
    r"""List the annotations of a set as slices, and slices of all test recordings.

    Args:
        folder: holds train_tp.csv and train/, maybe test/ and test_tp.csv, train_fp.csv.
        slice_seconds: length of every slice.
        negatives: whether to list train_fp.csv as well, boxes in which the species is not.

    Returns:
        What `list_annotations` and `list_slices` return, paths relative to the folder, with the columns
        `part`: "train", "test", or "unanswered" for slices of test recordings; and `is_absent`: whether the
        row's species is known not to be there.

    Raises:
        UserError: a table or its folder is missing or cannot be read. Of train_tp.csv and test_tp.csv one is
            enough.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for part in ("train", "test"):
        ...         Path(folder, part).mkdir()
        ...         soundfile.write(f"{folder}/{part}/{part}0.flac", np.zeros(10 * 8000), 8000)
        ...     row = "train0,14,1,4.5,2531,5.5,5531"
        ...     header = "recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max"
        ...     for table in ("train_tp", "train_fp"):
        ...         _ = Path(folder, f"{table}.csv").write_text(f"{header}\n{row}\n")
        ...     manifest = list_set(folder, 10, negatives=True)
        >>> manifest[["label", "part", "is_absent"]].values.tolist()
        [['14', 'train', False], ['14', 'train', True], ['', 'unanswered', False]]
    """
    folder = Path(folder)
    there = [part for part in ("train", "test") if (folder / f"{part}_tp.csv").exists()]
    tables = [_boxes(folder, part, "tp", slice_seconds) for part in there or ["train"]]
    if negatives:
        absent = _boxes(folder, "train", "fp", slice_seconds).assign(is_absent=True)
        is_unknown = absent["problem"].isna() & ~absent["label"].isin(tables[0]["label"])
        tables.append(absent.assign(problem=absent["problem"].mask(is_unknown, UNKNOWN_SPECIES)))
    if (folder / "test").is_dir():
        tables.append(_in_folder(list_slices(folder / "test", slice_seconds), "test", UNANSWERED))
    return pd.concat(tables, ignore_index=True)


def _boxes(folder: Path, part: str, kind: str, slice_seconds: float) -> pd.DataFrame:
    table = list_annotations(folder / f"{part}_{kind}.csv", folder / part, slice_seconds)
    return _in_folder(table, part, part)


def _in_folder(table: pd.DataFrame, name: str, part: str) -> pd.DataFrame:
    return table.assign(part=part, is_absent=False, path=[f"{name}/{path}" for path in table["path"]])


def write_submission(
    path: str | os.PathLike,
    recordings: pd.Series,
    class_names: Sequence[str],
    predictions: Iterable[np.ndarray],
) -> None:
    r"""Write what the competition asks for: a row a recording, a column a species.

    A species' score in a recording is the highest of all slices, and the mean of this over the models.

    Args:
        path: the table.
        recordings: (slices,) names of their recordings.
        class_names: species in the order of the probabilities.
        predictions: (slices, classes) probabilities by each model.

    Example:
        >>> import tempfile
        >>> of_models = [np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([[1.0, 0.0], [1.0, 0.0]])]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_submission(f"{folder}/s.csv", pd.Series(["3a", "3a"]), ["0", "1"], of_models)
        ...     Path(folder, "s.csv").read_text()
        'recording_id,s0,s1\n3a,0.75,0.375\n'
    """
    columns = [f"s{name}" for name in class_names]
    ids = recordings.rename("recording_id").to_numpy()
    highest = [pd.DataFrame(each, ids, columns).groupby(level=0).max() for each in predictions]
    table = sum(highest) / len(highest)
    with written_beside(path) as temporary:
        table.rename_axis("recording_id").to_csv(temporary, lineterminator="\n")
