"""TFLite files whose backbone may be quantised and whose front end stays in float32.

A converter quantises all that it is given, and a front end does not survive that: power spectra span ten
decades. So front end, backbone and softmax, or sigmoid, are converted one by one and then chained. What is
quantised is decided by where the parts meet, not by names of operations, which are the converter's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import get_args

import numpy as np
import tensorflow as tf

from tfspec.base.options import Quantize
from tfspec.base.quiet import hushed
from tfspec.dsp import finite
from tfspec.export.chaining import chain
from tfspec.export.converting import converted, converter_of
from tfspec.export.metadata import write_metadata
from tfspec.export.quantization import has_loop, quantised, traced_backbone
from tfspec.models import Classifier
from tfspec.models.classifier import check_classifier
from tfspec.models.events import of_frames, of_signal


def tflite_model(
    classifier: Classifier, quantize: Quantize = "none", calibration: Iterable[np.ndarray] = ()
) -> bytes:
    """Convert a classifier to a TFLite file that takes one raw signal and gives its probabilities.

    With an `event_head` it also gives those of its frames.

    Signal, front end, softmax or sigmoid and probabilities are float32 in every mode. The backbone has

    - "none": everything in float32;
    - "float16": weights in float16, which are widened before they are used;
    - "dynamic": weights in int8, activations in float32 that are rounded to int8 for each product;
    - "int8": weights and activations in int8, from end to end where TFLite has the integer operations.

    Biases make up for what rounded weights shift, see `bias_correction`.

    Args:
        classifier: the model.
        quantize: one of these modes. "int8" is not for backbones that loop over frames, see `has_loop`.
        calibration: for "int8", batches (batch, *signal_shape) float32 of signals such as the file will be
            given, best a thousand in all: what they reach is the range of each activation. The first of them
            also correct, for "int8" and "dynamic", what rounded weights shift; "dynamic" does without, less
            exactly.

    Returns:
        The file. Its signature takes `signal`, (1, *signal_shape), and gives `probabilities`, (1, classes),
        and maybe `frame_probabilities`, (1, frames, classes). It has builtin operators only, and labels,
        sample rate and times of frames in its metadata. The tensors where the parts meet are named `features`
        and `logits`.

    Raises:
        UserError: the model is no `Classifier`.
        ValueError: there is no such mode, or "int8" of a backbone with a loop or without signals to
            calibrate on.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> len(tflite_model(model, "dynamic")) < len(tflite_model(model)) / 2
        True
    """
    check_classifier(classifier)
    if quantize not in get_args(Quantize):
        raise ValueError(f"`quantize` must be one of {get_args(Quantize)}. Received: quantize={quantize!r}")
    if quantize == "int8" and has_loop(classifier):
        raise ValueError('`quantize="int8"` is not for a backbone with a loop: use "dynamic"')
    front_end, backbone, head = _parts(classifier)
    with hushed():
        middle = quantised(backbone, quantize, _features(classifier, calibration))
        parts = [converted(front_end()), middle, converted(head())]
    return write_metadata(
        chain(parts),
        name=classifier.backbone.name,
        description="Classifies raw signals. Made by tfspec.",
        class_names=classifier.class_names,
        sample_rate=classifier.sample_rate,
        takes=classifier.takes,
        thresholds=classifier.thresholds,
        frames=classifier.frames,
        event_rule=classifier.event_rule,
    )


def _parts(classifier: Classifier) -> list[Callable[[], tf.lite.TFLiteConverter]]:
    """Trace a file's three parts; NaN cannot pass through integers, so a flag goes round the backbone."""
    signal = tf.TensorSpec((1, *classifier.signal_shape), tf.float32, "signal")
    frames = () if classifier.frames is None else (1 + classifier.frames.num_frames,)
    logits = tf.TensorSpec((1, *frames, len(classifier.class_names)), tf.float32, "logits")

    @tf.function(input_signature=[signal])
    def front_end(signal):
        features = classifier.front_end(finite.tamed(signal))
        return {"features": features, "finite": finite.all_finite(signal)}

    @tf.function(input_signature=[logits, tf.TensorSpec((1, 1), tf.bool, "finite")])
    def head(logits, finite_signal):
        given = finite.or_nan(classifier.activation(logits), finite_signal)
        of_signals = {"probabilities": of_signal(given)}
        return (
            of_signals
            if classifier.frames is None
            else {**of_signals, "frame_probabilities": of_frames(given)}
        )

    return [
        functools.partial(converter_of, front_end.get_concrete_function(), classifier.front_end),
        functools.partial(converter_of, traced_backbone(classifier), classifier.backbone),
        functools.partial(converter_of, head.get_concrete_function()),
    ]


def _features(classifier: Classifier, signals: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Return features one by one, as the converter wants them."""
    for batch in signals:
        for features in classifier.front_end(finite.tamed(batch)).numpy():
            yield features[np.newaxis]
