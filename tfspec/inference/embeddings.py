"""Embeddings: what a network's last layer takes, in the place of classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.model import Labels, Model, check_model
from tfspec.inference.files import predict_files


def embed_files(
    model: Model, files: Sequence[str | os.PathLike], hop_seconds: float | None = None
) -> pd.DataFrame:
    """Compute the embeddings of files: what the network's last layer, which only weighs it, takes.

    Args:
        model: from `load_model`, of a run or a .keras file. Of an ensemble, the members' embeddings stand
            side by side.
        files: as in `predict_files`.
        hop_seconds: as in `predict_files`.

    Returns:
        The table that `predict_files` returns, with the columns `e_0`, `e_1` and so on in the place of
        classes and probabilities.

    Raises:
        UserError: as in `predict_files`, or the model is a TFLite file or a SavedModel, which has no such
            output.

    Example:
        >>> import tempfile
        >>> import soundfile
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import Classifier, conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.zeros(8000), 8000)
        ...     embed_files(model, [f"{folder}/a.wav"]).shape  # file, start, 32 numbers, problem
        (1, 35)
    """
    embedding = _Embedding(model)
    table = predict_files(embedding, files, hop_seconds)
    columns = {f"p_{name}": f"e_{name}" for name in embedding.class_names}
    return table.drop(columns="predicted").rename(columns=columns)


class _Embedding:
    """A model whose probabilities are embeddings, so that all kinds of files are read in one way."""

    labels: Labels = "one"
    thresholds: tuple[float, ...] | None = None

    def __init__(self, model: Model):
        check_model(model)
        if not hasattr(model, "backbone"):
            raise UserError(
                "TFLite files and SavedModels give no embeddings. Give the run or its .keras file."
            )
        from tfspec.models import Classifier, below_logits

        classifier = cast(Classifier, model)
        below = below_logits(classifier.backbone)
        self.class_names = tuple(map(str, range(below.output_shape[-1])))
        self.signal_shape, self.sample_rate, self.takes = model.signal_shape, model.sample_rate, model.takes
        self._classifier = Classifier(
            classifier.front_end, below, self.class_names, self.signal_shape, self.sample_rate, self.takes
        )

    def probabilities(self, signal: np.ndarray) -> np.ndarray:
        """Return (batch, size) embeddings; NaN for signals that are not finite."""
        return self._classifier.logits(signal)
