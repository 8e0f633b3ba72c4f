"""Loading what a run left. A TFLite file is loaded without TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.files import file_problem
from tfspec.base.model import NOT_OURS, Model
from tfspec.export.tflite_file import TFLiteClassifier

if TYPE_CHECKING:
    from tfspec.models import Classifier


def load_model(path: str | os.PathLike) -> Model:
    """Load what a run left: its best model, a .keras file, a .tflite file or a SavedModel.

    Args:
        path: run folder, file, or folder of a SavedModel.

    Returns:
        The model: a `Classifier`, or a `TFLiteClassifier` or `SavedModelClassifier` that is used in the same
        way.

    Raises:
        UserError: there is no such thing, or it was not made by tfspec.

    Example:
        >>> load_model("missing.keras")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No model at missing.keras. Give a run folder, a .keras file or a ...
    """
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        from tfspec.export.saved_model import SavedModelClassifier

        return SavedModelClassifier(path)
    if path.is_dir():
        path = _best_of(path)
    if not path.is_file():
        raise UserError(f"No model at {path}. Give a run folder, a .keras file or a .tflite file.")
    return TFLiteClassifier(path) if path.suffix == ".tflite" else load_keras(path)


def _best_of(folder: Path) -> Path:
    """Name the model of a run that is finished, or of any other folder that holds one."""
    from tfspec.training import Progress

    if not Progress.load(folder).finished and (folder / "config.json").exists():
        raise UserError(f"{folder} is not finished: `tfspec resume {folder}` goes on with it.")
    return folder / "best.keras"


def load_keras(path: Path) -> Classifier:
    """Load a `Classifier` in safe mode, which runs no code that the file may hold.

    Args:
        path: a .keras file.

    Returns:
        The model.

    Raises:
        UserError: the file is missing or damaged, or holds another kind of model.
    """
    import keras

    from tfspec.models.keras_file import check_keras_file

    problem = f"{path} cannot be loaded as a Keras model"
    if reason := file_problem(path):
        raise UserError(f"{problem}: {reason}")
    with in_one_line(problem, NOT_OURS):
        check_keras_file(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
