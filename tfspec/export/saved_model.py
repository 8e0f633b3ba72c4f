"""SavedModels that take the raw signal, written and loaded."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfspec.models import Classifier


def write_saved_model(classifier: Classifier, folder: str | os.PathLike) -> None:
    """Write a SavedModel from raw signals to `logits`, `probabilities` and `class_names`.

    Args:
        classifier: the model.
        folder: where it is to be, with any characters; nothing is there yet.

    Raises:
        OSError: it cannot be written.

    Example:
        >>> import tempfile
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_saved_model(model, f"{folder}/saved [1]")
        ...     Path(folder, "saved [1]", "saved_model.pb").exists()
        True
    """

    @tf.function(input_signature=[tf.TensorSpec((None, *classifier.signal_shape), tf.float32, "signal")])
    def serve(signal):
        logits = classifier(signal, training=False)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "class_names": tf.constant(classifier.class_names),
        }

    with _plainly_named() as plain:
        tf.saved_model.save(weights_of(classifier), str(plain), signatures=serve)
        shutil.move(plain, folder)


def load_saved_model(folder: str | os.PathLike) -> Callable[[np.ndarray], np.ndarray]:
    """Load a SavedModel that `write_saved_model` wrote.

    Args:
        folder: where it is, with any characters.

    Returns:
        From (batch, *signal_shape) float32 signals to (batch, classes) probabilities.
    """
    with _plainly_named() as plain:
        plain.symlink_to(Path(folder).absolute())
        serve = tf.saved_model.load(str(plain)).signatures["serving_default"]
    return lambda signals: serve(signal=tf.constant(signals))["probabilities"].numpy()


def weights_of(*layers: keras.Layer) -> tf.Module:
    """Hold layers' weights alone, so that what is saved with them needs no Keras.

    Args:
        *layers: built layers or models.

    Returns:
        A module that tracks the weights.

    Example:
        >>> len(weights_of(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])).weights)
        2
    """
    module = tf.Module()
    module.weights = [variable.value for layer in layers for variable in layer.variables]
    return module


@contextlib.contextmanager
def _plainly_named() -> Iterator[Path]:
    """Return a path for a SavedModel: TensorFlow takes one with [, ], * or ? as a pattern."""
    with tempfile.TemporaryDirectory(prefix="tfspec-") as folder:
        yield Path(folder, "saved_model")
