"""SavedModels that take the raw signal, written and loaded."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfspec.base.boundary import in_one_line
from tfspec.base.files import plainly_named
from tfspec.base.frames import EventRule, Frames, event_facts, read_event_facts
from tfspec.base.model import NOT_OURS, Labels, Takes, checked_signals, usually_takes
from tfspec.models import Classifier
from tfspec.models.events import of_frames, of_signal

SIGNAL = Path("assets.extra", "signal.json")
"""What a SavedModel's signature does not say of its signal, in the folder that is for such things."""


def write_saved_model(classifier: Classifier, folder: str | os.PathLike) -> None:
    """Write a SavedModel from raw signals to `logits`, `probabilities` and `class_names`.

    Where several classes can hold at once, also to `thresholds`, the lowest probability at which each does;
    with an `event_head` also to `frame_probabilities`, whose times stand in the file below.
    Sample rate and what the signals come from stand in `assets.extra/signal.json`.

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
        all_logits = classifier.all_logits(signal, training=False)
        logits = of_signal(all_logits)
        given = {
            "logits": logits,
            "probabilities": classifier.activation(logits),
            "class_names": tf.constant(classifier.class_names),
        }
        if classifier.thresholds is not None:
            given["thresholds"] = tf.constant(classifier.thresholds, tf.float64)
        if classifier.frames is not None:
            given["frame_probabilities"] = classifier.activation(of_frames(all_logits))
        return given

    with plainly_named() as plain:
        tf.saved_model.save(weights_of(classifier), str(plain), signatures=serve)
        (plain / SIGNAL).parent.mkdir()
        signal: dict[str, Any] = {"sample_rate": classifier.sample_rate, "takes": classifier.takes}
        if classifier.frames is not None and classifier.event_rule is not None:
            signal["events"] = event_facts(classifier.frames, classifier.event_rule)
        (plain / SIGNAL).write_text(json.dumps(signal), encoding="utf-8")
        shutil.move(plain, folder)


class SavedModelClassifier:
    """A SavedModel written by `export`, used like a `Classifier`.

    One of an earlier version does not know its sample rate.

    Args:
        folder: where it is, with any characters.

    Raises:
        UserError: it is damaged, or was not made by tfspec.

    Example:
        >>> SavedModelClassifier("missing")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: missing cannot be used as a SavedModel: ...
    """

    def __init__(self, folder: str | os.PathLike):
        with in_one_line(f"{folder} cannot be used as a SavedModel", NOT_OURS), plainly_named() as plain:
            plain.symlink_to(Path(folder).absolute())
            signal = json.loads((plain / SIGNAL).read_text("utf-8")) if (plain / SIGNAL).exists() else {}
            self.sample_rate: int | None = signal.get("sample_rate")
            self._serve = tf.saved_model.load(str(plain)).signatures["serving_default"]
            self.signal_shape = tuple(self._serve.structured_input_signature[1]["signal"].shape[1:])
            given = self._serve(signal=tf.zeros((1, *self.signal_shape)))
            self.class_names = tuple(name.decode() for name in given["class_names"].numpy())
            several = "thresholds" in given
            self.thresholds = tuple(given["thresholds"].numpy().tolist()) if several else None
            self.labels: Labels = "several" if several else "one"
            self.frames: Frames | None = None
            self.event_rule: EventRule | None = None
            if "frame_probabilities" in given:
                self.frames, self.event_rule = read_event_facts(signal["events"], len(self.class_names))
        self.takes: Takes = signal.get("takes") or usually_takes(self.signal_shape, self.sample_rate)

    def probabilities(self, signal: np.ndarray) -> np.ndarray:
        """Classify (batch, *signal_shape) float32 signals: (batch, classes)."""
        return self._run(signal, "probabilities")

    def frame_probabilities(self, signal: np.ndarray) -> np.ndarray:
        """Say of each frame what is heard in it, where `frames` is not None: (batch, frames, classes)."""
        return self._run(signal, "frame_probabilities")

    def _run(self, signal: np.ndarray, output: str) -> np.ndarray:
        checked = checked_signals(signal, self.signal_shape, self.takes)
        return self._serve(signal=tf.constant(checked))[output].numpy()


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
