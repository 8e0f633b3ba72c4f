"""Backbones with smaller weights, and with integer activations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfspec.base.options import Quantize
from tfspec.models import Classifier


def quantise(
    converter: tf.lite.TFLiteConverter, quantize: Quantize, features: Callable[[], Iterable[list[np.ndarray]]]
) -> None:
    """Have a converter quantise what it converts.

    Args:
        converter: of a backbone; it is changed.
        quantize: one of the modes of `tflite_model`.
        features: for "int8", what shows the range of each activation, one example at a time.
    """
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        converter.representative_dataset = features


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
