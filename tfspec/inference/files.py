"""Using what a run left: loading a model and classifying recordings or pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from tfspec.audio.decoding import load_beginning
from tfspec.audio.opening import RecordingError
from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.files import file_problem
from tfspec.base.text import shown
from tfspec.data.sources.pictures import load_picture, picture_problem
from tfspec.data.sources.simulate import PICTURE_SHAPE
from tfspec.export.exporting import NOT_OURS, TFLiteClassifier
from tfspec.inference.long_recordings import window_probabilities
from tfspec.models import Classifier
from tfspec.models.keras_file import check_keras_file
from tfspec.scores.predictions import predictions_table
from tfspec.training import Progress


def load_model(path: str | os.PathLike) -> Classifier | TFLiteClassifier:
    """Load what a run left: its best model, a .keras file or a .tflite file.

    Args:
        path: run folder or file.

    Returns:
        Something with `class_names`, `signal_shape`, `sample_rate` and `probabilities(signals)`.

    Raises:
        UserError: there is no such thing, or it was not made by tfspec.
    """
    path = Path(path)
    if path.is_dir():
        if not Progress.load(path).finished and (path / "config.json").exists():
            raise UserError(f"{path} is not finished: `tfspec resume {path}` goes on with it.")
        path = path / "best.keras"
    if not path.is_file():
        raise UserError(f"No model at {path}. Give a run folder, a .keras file or a .tflite file.")
    return TFLiteClassifier(path) if path.suffix == ".tflite" else load_keras(path)


def load_keras(path: Path) -> Classifier:
    """Load a `Classifier` in safe mode, which runs no code that the file may hold.

    Args:
        path: a .keras file.

    Returns:
        The model.

    Raises:
        UserError: the file is missing or damaged, or holds another kind of model.
    """
    problem = f"{path} cannot be loaded as a Keras model"
    if reason := file_problem(path):
        raise UserError(f"{problem}: {reason}")
    with in_one_line(problem, NOT_OURS):
        check_keras_file(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def predict_files(
    model: Classifier | TFLiteClassifier, files: Sequence[str | os.PathLike], hop_seconds: float | None = None
) -> pd.DataFrame:
    """Classify recordings of any sample rate and length, or pictures of any size.

    Args:
        model: from `load_model`.
        files: the recordings, or PNG files for a model that takes pictures.
        hop_seconds: None classifies the beginning of each recording, cut or padded as in training. A number
            classifies a whole long recording, as `detection.window_probabilities` does.

    Returns:
        One row a file or window: `file`, `start` in seconds, `predicted`, `p_<class>` for every class, and
        `problem`, which is None. A file that cannot be used has one row with its problem, without a class,
        and with NaN for probabilities.

    Raises:
        UserError: none of the files can be used, all of which are listed, or the model takes neither.
    """
    if model.sample_rate is None and tuple(model.signal_shape) == PICTURE_SHAPE and hop_seconds is None:
        score = _picture_scores
    elif model.sample_rate is None or len(model.signal_shape) != 1:
        raise UserError(f"This model takes signals of shape {model.signal_shape}, not recordings.")
    else:
        score = _recording_scores
    names, starts, probabilities, problems = [], [], [], []
    for file in files:
        first_seconds, scores, problem = score(model, file, hop_seconds)
        names += [os.fspath(file)] * len(scores)
        starts.append(first_seconds)
        probabilities.append(scores)
        problems += [problem] * len(scores)
    if all(problems):
        bad = [f"{shown(name)} ({problem})" for name, problem in zip(names, problems, strict=True)]
        raise UserError(f"{len(bad)} of {len(files)} files cannot be used: {'; '.join(bad)}.")
    scores = np.concatenate(probabilities)
    table = predictions_table(pd.Series(names, name="file"), scores, model.class_names)
    table.insert(1, "start", np.concatenate(starts))
    table["problem"] = pd.Series(problems, dtype=object)
    table["predicted"] = table["predicted"].astype(object).where(table["problem"].isna(), None)
    return table


Scores = tuple[np.ndarray, np.ndarray, str | None]
"""Where windows begin, in seconds; (windows, classes) probabilities; and why there are none."""


def _recording_scores(model: Classifier | TFLiteClassifier, file, hop_seconds: float | None) -> Scores:
    """Classify one recording, which is decoded once."""
    try:
        if hop_seconds is not None:
            return *window_probabilities(model, file, hop_seconds, padding="edge"), None
        assert model.sample_rate
        signal = load_beginning(file, model.sample_rate, model.signal_shape[0])
    except RecordingError as error:
        return _no_scores(model, error.problem)
    return np.zeros(1), model.probabilities(signal[np.newaxis]), None


def _picture_scores(model: Classifier | TFLiteClassifier, file, hop_seconds: float | None) -> Scores:
    """Classify one picture."""
    try:
        picture = load_picture(file)
    except UserError:
        return _no_scores(model, picture_problem(file) or "it has changed meanwhile")
    return np.zeros(1), model.probabilities(picture[np.newaxis]), None


def _no_scores(model: Classifier | TFLiteClassifier, problem: str) -> Scores:
    return np.zeros(1), np.full((1, len(model.class_names)), np.nan, np.float32), problem
