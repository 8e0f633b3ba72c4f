"""TFLite files whose backbone is quantised and whose front end stays in float32.

A converter quantises all that it is given, and a front end does not survive that: power spectra span ten
decades. So front end, backbone and softmax are converted one by one and then chained. What is quantised is
decided by where the parts meet, not by names of operations, which are the converter's own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from tfspec.models import Classifier
from tfspec.tflite_metadata import write_metadata

Quantize = Literal["none", "float16", "dynamic", "int8"]


def tflite_model(
    classifier: Classifier, quantize: Quantize = "none", calibration: Iterable[np.ndarray] = ()
) -> bytes:
    """Convert a classifier to a TFLite file that takes one raw signal and gives its probabilities.

    Signal, front end, softmax and probabilities are float32 in every mode. The backbone has

    - "none": everything in float32;
    - "float16": weights in float16, which are widened before they are used;
    - "dynamic": weights in int8, activations in float32 that are rounded to int8 for each product;
    - "int8": weights and activations in int8, from end to end where TFLite has the integer operations.

    Args:
        classifier: the model.
        quantize: one of these modes. "int8" is not for backbones that loop over frames, see `has_loop`.
        calibration: for "int8", batches (batch, *signal_shape) float32 of signals such as the file will be
            given, best a thousand in all: what they reach is the range of each activation.

    Returns:
        The file. Its signature takes `signal`, (1, *signal_shape), and gives `probabilities`, (1, classes).
        It has builtin operators only, and labels and sample rate in its metadata. The tensors where the
        parts meet are named `features` and `logits`.

    Raises:
        ValueError: there is no such mode, or "int8" of a backbone with a loop or without signals to
            calibrate on.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> len(tflite_model(model, "dynamic")) < len(tflite_model(model)) / 2
        True
    """
    if quantize not in get_args(Quantize):
        raise ValueError(f"`quantize` must be one of {get_args(Quantize)}. Received: quantize={quantize!r}")
    if quantize == "int8" and has_loop(classifier):
        raise ValueError('`quantize="int8"` is not for a backbone with a loop: use "dynamic"')
    num_classes = len(classifier.class_names)
    front_end = _converter(classifier.front_end, (1, *classifier.signal_shape), "signal", "features")
    backbone = _converter(classifier.backbone, _feature_shape(classifier), "features", "logits")
    softmax = _converter(keras.layers.Softmax(dtype="float32"), (1, num_classes), "logits", "probabilities")
    if quantize != "none":
        backbone.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        backbone.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        backbone.representative_dataset = functools.partial(_features, classifier, calibration)
    return write_metadata(
        _chain(part.convert() for part in (front_end, backbone, softmax)),
        name=classifier.backbone.name,
        description="Classifies raw signals. Made by tfspec.",
        class_names=classifier.class_names,
        sample_rate=classifier.sample_rate,
    )


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
    backbone = _function(classifier.backbone, _feature_shape(classifier), "features", "logits")
    graph = backbone.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return any(node.op in ("While", "StatelessWhile") for node in nodes)


def weights_of(layer: keras.Layer) -> tf.Module:
    """Hold a layer's weights alone, so that what is saved with them needs no Keras.

    Args:
        layer: a built layer or model.

    Returns:
        A module that tracks the weights.

    Example:
        >>> len(weights_of(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])).weights)
        2
    """
    module = tf.Module()
    module.weights = [variable.value for variable in layer.variables]
    return module


def _feature_shape(classifier: Classifier) -> tuple[int, ...]:
    return classifier.front_end.compute_output_shape((1, *classifier.signal_shape))


def _function(layer: keras.Layer, shape: Sequence[int], source: str, result: str):
    """Trace a layer as it is in inference, from a tensor named `source` to one named `result`."""
    traced = tf.function(lambda x: {result: layer(x, training=False)})
    return traced.get_concrete_function(tf.TensorSpec(shape, tf.float32, source))


def _converter(layer: keras.Layer, shape: Sequence[int], source: str, result: str) -> tf.lite.TFLiteConverter:
    function = _function(layer, shape, source, result)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], weights_of(layer))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter


def _features(classifier: Classifier, signals: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Give features one by one, as the converter wants them."""
    batch = None
    for batch in signals:
        for features in classifier.front_end(batch).numpy():
            yield [features[np.newaxis]]
    if batch is None:
        raise ValueError("int8 needs signals to calibrate on. Received: no calibration batches")


def _chain(models: Iterable[bytes]) -> bytes:
    """Make one TFLite model of several, each of which takes what the one before it gives.

    Its buffers are not aligned; `write_metadata` does that.
    """
    trees = (schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)) for model in models)
    builder = flatbuffers.Builder()
    builder.Finish(functools.reduce(_append, trees).Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _append(first: schema.ModelT, second: schema.ModelT) -> schema.ModelT:
    """Let the first model, which is changed, go on with the second."""
    _renumber(second, len(first.buffers), len(first.operatorCodes), len(first.subgraphs) - 1)
    places = _join(first.subgraphs[0], second.subgraphs[0], second.signatureDefs[0].inputs[0].name)
    first.signatureDefs[0].outputs = second.signatureDefs[0].outputs
    for output in first.signatureDefs[0].outputs:
        output.tensorIndex = places[output.tensorIndex]
    first.buffers += second.buffers
    first.operatorCodes += second.operatorCodes
    first.subgraphs += second.subgraphs[1:]
    first.metadata = []  # it says which runtime the first needs, and nothing of the second
    return first


def _join(head: schema.SubGraphT, tail: schema.SubGraphT, name: bytes) -> dict[int, int]:
    """Let the first graph, which is changed, go on with the second.

    The first one's output becomes the second one's input, with this name. Returns the second one's tensors'
    new numbers.
    """
    (joint,), (source,) = head.outputs, tail.inputs
    head.tensors[joint].name = name
    places = {-1: -1, source: joint}  # -1 stands for an optional input that is not given
    for i, tensor in enumerate(tail.tensors):
        if i != source:
            places[i] = len(head.tensors)
            head.tensors.append(tensor)
    for operator in tail.operators:
        for role in ("inputs", "outputs", "intermediates"):
            if (tensors := getattr(operator, role)) is not None:
                setattr(operator, role, [places[i] for i in tensors])
    head.operators += tail.operators
    head.outputs = [places[i] for i in tail.outputs]
    return places


def _renumber(model: schema.ModelT, buffers: int, codes: int, subgraphs: int) -> None:
    """Raise a model's references to buffers, operator codes and subgraphs by so many."""
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer += buffers
        for operator in graph.operators:
            operator.opcodeIndex += codes
            options = vars(operator.builtinOptions) if operator.builtinOptions else {}
            for name in options:
                if name.endswith("SubgraphIndex"):  # a loop's condition and body, an initialiser
                    options[name] += subgraphs
