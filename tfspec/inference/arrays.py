"""Classifying arrays of windows, such as those of an accelerometer."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.model import Model, check_model
from tfspec.base.progress import bar
from tfspec.base.text import shown
from tfspec.data.sources.arrays import unlabelled_arrays
from tfspec.data.sources.windows import NOT_FINITE, WindowReader
from tfspec.scores.predictions import predictions_table

BATCH = 1024
"""Windows that are in memory at a time."""


def predict_windows(model: Model, path: str | os.PathLike) -> pd.DataFrame:
    """Classify the windows of an array of any size; memory stays flat.

    Args:
        model: from `load_model`.
        path: .npy file, (windows, *signal_shape) of numbers at the model's sample rate. Beside an X.npy, or
            what else signals are called, pid.npy and T.npy name the windows.

    Returns:
        One row a window: `file`, `window`, its place in the array, `group` and `time` if they are known,
        `predicted`, `p_<class>` for every class, and `problem`, which is None. A window that is not finite
        has its problem, no class, and NaN for probabilities.

    Raises:
        UserError: the array cannot be used, its windows are not those of the model, or this is none.
    """
    check_model(model)
    path = Path(path)
    rows = unlabelled_arrays(path)
    reader = WindowReader(path)
    if reader.signal_shape != tuple(model.signal_shape):
        rate = f" at {model.sample_rate} Hz" if model.sample_rate else ""
        raise UserError(
            f"This model takes windows of shape {model.signal_shape}{rate}, and those of {shown(path)} have "
            f"{reader.signal_shape}."
        )
    batches = range(0, len(rows), BATCH)
    scores = np.concatenate(
        [
            model.probabilities(reader(rows[start : start + BATCH]))
            for start in bar("Classifying windows")(batches, len(batches))
        ]
    )
    table = predictions_table(rows.index.to_series(), scores, model.class_names, None, model.thresholds)
    finite = np.isfinite(scores).all(axis=1)
    table["predicted"] = table["predicted"].astype(object).where(finite, None)
    table["problem"] = pd.Series([None if good else NOT_FINITE for good in finite], dtype=object)
    table.insert(0, "file", os.fspath(path))
    for place, name in enumerate(rows, 2):
        table.insert(place, name, rows[name].to_numpy())
    return table
