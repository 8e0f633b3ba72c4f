"""What a .keras file asks for, looked at before Keras opens it.

It is a zip of config.json and model.weights.h5. Both may be damaged, and both may claim what no memory holds.
"""

from __future__ import annotations

import heapq
import io
import json
import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf

from tfspec.models.classifier import untaught

CONFIG, WEIGHTS, CLASSIFIER = "config.json", "model.weights.h5", "tfspec>Classifier"
NO_SIZES = ("seed", "shared_object_id")
LARGEST_EXPANSION = 20
"""How many times as large as the file what is in it may be; Keras does not compress."""
GREATEST_NUMBER = 10_000_000
"""Greatest whole number among a front end's options, such as a sample rate or a frame length."""
FEWEST_BYTES = 2
"""Bytes of a weight, in half precision."""


def check_keras_file(path: str | os.PathLike) -> None:
    """Look for damage, for another kind of model, and for one that is not in proportion to its file.

    Args:
        path: a .keras file.

    Raises:
        ValueError: the zip is damaged or lacks a part, it would unpack to far more than it is, or its config
            is not a Classifier's or asks for more weights than it holds. Other exceptions, too, say that
            it is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save(f"{folder}/a.keras")
        ...     check_keras_file(f"{folder}/a.keras")
        Traceback (most recent call last):
        ValueError: it holds a Sequential, and not a tfspec Classifier
    """
    if not zipfile.is_zipfile(path):
        raise ValueError("it is not a .keras file")
    with zipfile.ZipFile(path) as archive:
        if missing := {CONFIG, WEIGHTS}.difference(archive.namelist()):
            raise ValueError(f"it holds no {' and no '.join(sorted(missing))}")
        largest = LARGEST_EXPANSION * Path(path).stat().st_size
        if (claimed := sum(member.file_size for member in archive.infolist())) > largest:
            raise ValueError(f"it claims to hold {claimed:,} bytes")
        if damaged := archive.testzip():
            raise ValueError(f"its {damaged} is damaged")
        config, weights = json.loads(archive.read(CONFIG)), archive.read(WEIGHTS)
    if config["registered_name"] != CLASSIFIER:
        raise ValueError(f"it holds a {config['class_name']}, and not a tfspec Classifier")
    _check_proportions(config["config"], _num_bytes(weights))


def _num_bytes(weights: bytes) -> int:
    """Count the bytes of all arrays in an HDF5 file, which can claim more than it holds."""
    with h5py.File(io.BytesIO(weights)) as file:
        arrays: list[h5py.Dataset] = []
        file.visititems(lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
        num_bytes = sum(array.nbytes for array in arrays)
    if num_bytes > LARGEST_EXPANSION * len(weights):
        raise ValueError(f"its weights claim {num_bytes:,} bytes")
    return num_bytes


def _check_proportions(config: dict[str, Any], num_bytes: int) -> None:
    """Compare what a Classifier's config asks for with the weights that are there."""
    greatest = max(_whole_numbers(config["front_end"]), default=0)
    if greatest > GREATEST_NUMBER:
        raise ValueError(f"its front end asks for {greatest:,}")
    backbone = untaught(config["backbone"])  # a schedule of many steps makes no weights
    # Counting takes as long as loading, and no two numbers of an ordinary model's can make more than it has
    if math.prod(heapq.nlargest(2, _whole_numbers(backbone))) * FEWEST_BYTES > num_bytes:
        asked = _num_weights(backbone)
        if asked * FEWEST_BYTES > num_bytes:
            raise ValueError(f"its config asks for {asked:,} weights, and it holds {num_bytes:,} bytes")


def _whole_numbers(config: Any) -> Iterator[int]:
    """Find all whole numbers in a config that may be sizes."""
    if isinstance(config, dict):
        config = [value for key, value in config.items() if key not in NO_SIZES]
    if isinstance(config, list):
        for value in config:
            yield from _whole_numbers(value)
    elif isinstance(config, int):
        yield config


def _num_weights(config: dict[str, Any]) -> int:
    """Count a model's weights in a graph, where variables take no memory."""
    with tf.Graph().as_default():
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        return sum(math.prod(variable.shape) for variable in model.variables)
