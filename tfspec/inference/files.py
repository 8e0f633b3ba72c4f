"""Classifying files: recordings, or pictures of spectra."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from tfspec.audio.decoding import load_beginning
from tfspec.audio.opening import RecordingError
from tfspec.base.errors import UserError, unusable
from tfspec.base.model import FIRST_PICTURES, Model, check_model
from tfspec.base.progress import track
from tfspec.base.threads import ahead
from tfspec.inference.arrays import predict_windows
from tfspec.inference.inputs import Inputs, find_inputs
from tfspec.inference.long_recordings import recordings_rate, window_probabilities
from tfspec.scores.predictions import predictions_table

BATCH = 32
"""Files that are classified at once."""


def predict_files(
    model: Model, files: Sequence[str | os.PathLike], hop_seconds: float | None = None
) -> pd.DataFrame:
    """Classify recordings of any sample rate and length, pictures of any size, or arrays of windows.

    Args:
        model: from `load_model`.
        files: the recordings; or PNG and JPEG files for a model that takes pictures, or .npy files for one
            that takes windows, of which `predict_windows` says more. Folders and patterns stand for what
            `find_inputs` finds.
        hop_seconds: None classifies the beginning of each recording, cut or padded as in training. A number
            classifies a whole long recording, as `window_probabilities` does.

    Returns:
        One row a file or window: `file`, `start` in seconds, `predicted`, `p_<class>` for every class, and
        `problem`, which is None. Where several classes can hold, `predicted` has those that reach their
        thresholds, joined by ";". A file that cannot be used has one row with its problem, without a class,
        and with NaN for probabilities. Of arrays, what `predict_windows` returns, one after another.

    Raises:
        UserError: none of the files can be used, all of which are listed, or the model takes neither, or is
            none.
    """
    check_model(model)
    inputs = find_inputs(files, model.takes)
    inputs.tell()
    if inputs.problems.keys() == inputs.files.keys():
        raise unusable("files", inputs.problems.items(), len(inputs.files), most=len(inputs.files))
    if model.takes == "windows" and any(file.lower().endswith(".npy") for file in inputs.files):
        return _array_rows(model, inputs)
    results = _beginnings(model, inputs) if hop_seconds is None else _windows(model, inputs, hop_seconds)
    names, starts, probabilities, problems = [], [], [], []
    for file, first_seconds, scores, problem in track(results, "Classifying", len(inputs.files)):
        names += [file] * len(scores)
        starts.append(first_seconds)
        probabilities.append(scores)
        problems += [problem] * len(scores)
    if all(problems):
        raise unusable("files", zip(names, map(str, problems), strict=True), len(names), most=len(names))
    return scores_table(model, names, np.concatenate(starts), np.concatenate(probabilities), problems)


def scores_table(
    model: Model, names: Sequence[str], starts: np.ndarray, scores: np.ndarray, problems: Sequence[str | None]
) -> pd.DataFrame:
    """Make the table that `predict_files` returns.

    Args:
        model: what scored.
        names: (rows,) files.
        starts: (rows,) seconds.
        scores: (rows, classes) probabilities.
        problems: (rows,) why there is no score; None where there is one.
    """
    table = predictions_table(
        pd.Series(names, name="file"), scores, model.class_names, None, model.thresholds
    )
    table.insert(1, "start", starts)
    table["problem"] = pd.Series(problems, dtype=object)
    table["predicted"] = table["predicted"].astype(object).where(table["problem"].isna(), None)
    return table


def _array_rows(model: Model, inputs: Inputs) -> pd.DataFrame:
    """Classify arrays one after another; one that cannot be used has one row, without a window."""
    tables, errors = {}, {}
    for file in inputs.files:
        try:
            if file in inputs.problems:
                raise UserError(inputs.problems[file])
            tables[file] = predict_windows(model, file)
        except UserError as error:
            errors[file] = error
    if not tables:
        raise next(iter(errors.values()))
    columns = [*next(iter(tables.values()))]
    for file, refused in errors.items():
        row = {"file": file, "predicted": None, "problem": str(refused)}
        tables[file] = pd.DataFrame([row], columns=columns)
    table = pd.concat([tables[file] for file in inputs.files], ignore_index=True)
    if "time" in table and table["time"].dtype == object:  # dates, and what is none
        table["time"] = table["time"].map(str, na_action="ignore")
    whole = table["window"].astype("Int64").astype(object)  # not the floats that a missing one would make
    return table.assign(window=whole.where(table["window"].notna(), None)) if errors else table


Scores = tuple[str, np.ndarray, np.ndarray, str | None]
"""A file, where its windows begin, in seconds, their (windows, classes) probabilities, why there are none."""
Signal = tuple[np.ndarray | None, str | None]
"""A signal, or why there is none."""


def _beginnings(model: Model, inputs: Inputs) -> Iterator[Scores]:
    """Classify the beginning of each file, which threads read, or each picture, many at a time."""
    read = _read_picture if model.takes == "picture" else _read_recording
    if model.takes != "picture":
        recordings_rate(model)

    def read_usable(file: str) -> Signal:
        return (None, inputs.problems[file]) if file in inputs.problems else read(model, file)

    files = iter(inputs.files)
    signals = ahead(read_usable, inputs.files)
    while batch := list(itertools.islice(signals, BATCH)):
        scores = np.full((len(batch), len(model.class_names)), np.nan, np.float32)
        good = [signal for signal, _ in batch if signal is not None]
        if good:
            scores[[signal is not None for signal, _ in batch]] = model.probabilities(np.stack(good))
        for row, (_, problem) in zip(scores, batch, strict=True):
            yield next(files), np.zeros(1), row[np.newaxis], problem


def _windows(model: Model, inputs: Inputs, hop_seconds: float) -> Iterator[Scores]:
    """Classify each recording window by window."""
    recordings_rate(model)
    for file in inputs.files:
        try:
            if file in inputs.problems:
                raise RecordingError(file, inputs.problems[file])
            yield file, *window_probabilities(model, file, hop_seconds), None
        except RecordingError as error:
            yield file, np.zeros(1), np.full((1, len(model.class_names)), np.nan, np.float32), error.problem


def _read_recording(model: Model, file: str) -> Signal:
    """Read the beginning of a recording, which is decoded once and to its end."""
    try:
        return load_beginning(file, recordings_rate(model), model.signal_shape[0]), None
    except RecordingError as error:
        return None, error.problem


def _read_picture(model: Model, file: str) -> Signal:
    """Read a picture, for which TensorFlow decodes."""
    from tfspec.data.sources.picture_files import PictureError, load_picture

    shape = model.signal_shape
    is_first = tuple(shape) == FIRST_PICTURES
    try:
        return load_picture(file, shape, is_first), None
    except PictureError as error:
        return None, error.problem
