"""TensorFlow's converter to TFLite files."""

from __future__ import annotations

import tempfile
from typing import Any

import keras
import tensorflow as tf

from tfspec.base.errors import UserError
from tfspec.export.saved_model import weights_of


def converter_of(traced: Any, *layers: keras.Layer) -> tf.lite.TFLiteConverter:
    """Make a converter to a TFLite file of builtin operators.

    Args:
        traced: concrete function, whose results have names.
        *layers: built layers or models whose weights it uses.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], weights_of(*layers))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter


def converted(converter: tf.lite.TFLiteConverter) -> bytes:
    """Convert, by way of a SavedModel.

    Where that cannot be written, TensorFlow goes on without a word, and its file has no signature.

    Args:
        converter: of `converter_of`.

    Returns:
        The TFLite file.

    Raises:
        UserError: the folder for temporary files cannot be written to.
    """
    model = converter.convert()
    if not converter.saved_model_dir:
        raise UserError(
            f"TensorFlow could not write to {tempfile.gettempdir()}, by way of which it exports: it may be "
            "full. TMPDIR=FOLDER names another folder for temporary files."
        )
    return model
