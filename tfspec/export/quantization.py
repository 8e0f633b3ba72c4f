"""Backbones with smaller weights, and with integer activations."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfspec.base.options import Quantize
from tfspec.export.bias_correction import corrected
from tfspec.export.converting import converted
from tfspec.models import Classifier

SHOWN = 64
"""Signals on which inputs' means are measured; on a trained MobileNetV2 20 do what is to be had."""


def quantised(
    converter_of: Callable[[], tf.lite.TFLiteConverter], quantize: Quantize, features: Iterable[np.ndarray]
) -> bytes:
    """Convert a backbone.

    Args:
        converter_of: makes a converter of the backbone; each converts once.
        quantize: one of the modes of `tflite_model`.
        features: (1, frames, bins, channels) each. For "int8" they show the range of each activation; in
            "int8" and "dynamic" they show by how much rounded weights shift the outputs of a layer, which
            its biases then make up for.

    Returns:
        The TFLite file.

    Raises:
        ValueError: "int8" without features.
    """
    converter = converter_of()
    if quantize == "none":
        return converted(converter)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return converted(converter)
    features = iter(features)
    shown = list(itertools.islice(features, SHOWN))
    if quantize == "int8":
        converter.representative_dataset = lambda: ([each] for each in itertools.chain(shown, features))
    if shown:
        return corrected(converted(converter), converted(converter_of()), shown)
    if quantize == "int8":
        raise ValueError("int8 needs signals to calibrate on. Received: no calibration batches")
    return converted(converter)


def has_loop(classifier: Classifier) -> bool:
    """Tell whether the backbone loops over frames, as an LSTM does.

    TensorFlow cannot calibrate activations inside a loop: it ends the process with a segmentation fault.

    Args:
        classifier: the model.

    Returns:
        Whether there is a loop.

    Example:
        >>> from tfspec.frontends import MFCC
        >>> from tfspec.models import lstm
        >>> has_loop(Classifier(MFCC(39), lstm((None, 39, 1), 2), ["no", "yes"], (8000,), 22050))
        True
    """
    graph = traced_backbone(classifier).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return any(node.op in ("While", "StatelessWhile") for node in nodes)


def traced_backbone(classifier: Classifier) -> Any:
    """Trace a classifier's backbone as it is in inference.

    Args:
        classifier: the model.

    Returns:
        The concrete function from (1, frames, bins, channels) `features` to `logits`.
    """
    shape = classifier.front_end.compute_output_shape((1, *classifier.signal_shape))
    traced = tf.function(lambda x: {"logits": classifier.backbone(x, training=False)})
    return traced.get_concrete_function(tf.TensorSpec(shape, tf.float32, "features"))
