"""Using what a run left: loading a model and classifying recordings or pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from tfspec import evaluation
from tfspec.audio.decoding import inspect_all, load_audio
from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.files import file_problem
from tfspec.data.pictures import load_picture, picture_problems
from tfspec.data.simulate import PICTURE_SHAPE
from tfspec.detection import window_probabilities
from tfspec.export import NOT_OURS, TFLiteClassifier
from tfspec.models import Classifier
from tfspec.models.keras_file import check_keras_file


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
        One row a file or window: `file`, `start` in seconds, `predicted`, `p_<class>` for every class.

    Raises:
        UserError: files cannot be used, all of which are listed, or the model takes neither.
    """
    if model.sample_rate is None and tuple(model.signal_shape) == PICTURE_SHAPE and hop_seconds is None:
        return _predict_pictures(model, files)
    if model.sample_rate is None or len(model.signal_shape) != 1:
        raise UserError(f"This model takes signals of shape {model.signal_shape}, not recordings.")
    if bad := [f"{i.path} ({i.problem})" for i in inspect_all(files) if i.problem]:
        raise UserError(f"{len(bad)} of {len(files)} files cannot be used: {'; '.join(bad)}.")
    names, starts, probabilities = [], [], []
    for file in files:
        if hop_seconds is None:
            signal = load_audio(file, model.sample_rate, model.signal_shape[0])
            first_seconds, scores = np.zeros(1), model.probabilities(signal[np.newaxis])
        else:
            first_seconds, scores = window_probabilities(model, file, hop_seconds, padding="edge")
        names += [os.fspath(file)] * len(scores)
        starts.append(first_seconds)
        probabilities.append(scores)
    table = evaluation.predictions_table(
        pd.Series(names, name="file"), np.concatenate(probabilities), model.class_names
    )
    table.insert(1, "start", np.concatenate(starts))
    return table


def _predict_pictures(
    model: Classifier | TFLiteClassifier, files: Sequence[str | os.PathLike]
) -> pd.DataFrame:
    problems = picture_problems([Path(file) for file in files])
    if bad := [f"{file} ({problem})" for file, problem in zip(files, problems, strict=True) if problem]:
        raise UserError(f"{len(bad)} of {len(files)} files cannot be used: {'; '.join(bad)}.")
    names = pd.Series([os.fspath(file) for file in files], name="file")
    probabilities = [model.probabilities(load_picture(file)[np.newaxis])[0] for file in files]
    table = evaluation.predictions_table(names, np.stack(probabilities), model.class_names)
    table.insert(1, "start", 0.0)
    return table
