"""TFLite files whose backbone is quantised and whose front end stays in float32.

A converter quantises all that it is given, and a front end does not survive that: power spectra span ten
decades. So front end, backbone and softmax are converted one by one and then chained. What is quantised is
decided by where the parts meet, not by names of operations, which are the converter's own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args

import flatbuffers
import keras
import numpy as np
import tensorflow as tf

from tfspec.borrowed import tflite_schema
from tfspec.dsp import finite
from tfspec.export.metadata import write_metadata
from tfspec.models import Classifier

schema = tflite_schema()

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
    front_end, backbone, head = _parts(classifier)
    if quantize != "none":
        backbone.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        backbone.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        backbone.representative_dataset = functools.partial(_features, classifier, calibration)
    return write_metadata(
        _chain(part.convert() for part in (front_end, backbone, head)),
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
    graph = _backbone(classifier).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return any(node.op in ("While", "StatelessWhile") for node in nodes)


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


def _parts(classifier: Classifier) -> list[tf.lite.TFLiteConverter]:
    """Trace a file's three parts; NaN cannot pass through integers, so a flag goes round the backbone."""
    signal = tf.TensorSpec((1, *classifier.signal_shape), tf.float32, "signal")
    logits = tf.TensorSpec((1, len(classifier.class_names)), tf.float32, "logits")

    @tf.function(input_signature=[signal])
    def front_end(signal):
        features = classifier.front_end(finite.tamed(signal))
        return {"features": features, "finite": finite.all_finite(signal)}

    @tf.function(input_signature=[logits, tf.TensorSpec((1, 1), tf.bool, "finite")])
    def head(logits, finite_signal):
        return {"probabilities": finite.or_nan(tf.nn.softmax(logits), finite_signal)}

    return [
        _converter(front_end.get_concrete_function(), classifier.front_end),
        _converter(_backbone(classifier), classifier.backbone),
        _converter(head.get_concrete_function()),
    ]


def _backbone(classifier: Classifier):
    """Trace the backbone as it is in inference."""
    shape = classifier.front_end.compute_output_shape((1, *classifier.signal_shape))
    traced = tf.function(lambda x: {"logits": classifier.backbone(x, training=False)})
    return traced.get_concrete_function(tf.TensorSpec(shape, tf.float32, "features"))


def _converter(function, *layers: keras.Layer) -> tf.lite.TFLiteConverter:
    holder = weights_of(*layers)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], holder)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter


def _features(classifier: Classifier, signals: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Give features one by one, as the converter wants them."""
    batch = None
    for batch in signals:
        for features in classifier.front_end(finite.tamed(batch)).numpy():
            yield [features[np.newaxis]]
    if batch is None:
        raise ValueError("int8 needs signals to calibrate on. Received: no calibration batches")


def _chain(models: Iterable[bytes]) -> bytes:
    """Make one TFLite model of several, each of which takes, by its name, what those before it give.

    It gives what the last one does. Its buffers are not aligned; `write_metadata` does that.
    """
    trees = (schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)) for model in models)
    builder = flatbuffers.Builder()
    builder.Finish(functools.reduce(_append, trees).Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _append(first: Any, second: Any) -> Any:
    """Let the first model, which is changed, go on with the second."""
    _renumber(second, len(first.buffers), len(first.operatorCodes), len(first.subgraphs) - 1)
    (given,), (taken,) = first.signatureDefs, second.signatureDefs
    joints = {each.name: each.tensorIndex for each in given.outputs}
    places = {each.tensorIndex: joints[each.name] for each in taken.inputs}
    for each in taken.inputs:
        first.subgraphs[0].tensors[joints.pop(each.name)].name = each.name
    _join(first.subgraphs[0], second.subgraphs[0], places)
    for output in taken.outputs:
        output.tensorIndex = places[output.tensorIndex]
    given.outputs = [each for each in given.outputs if each.name in joints] + taken.outputs
    first.subgraphs[0].outputs = [output.tensorIndex for output in given.outputs]
    first.buffers += second.buffers
    first.operatorCodes += second.operatorCodes
    first.subgraphs += second.subgraphs[1:]
    first.metadata = []  # it says which runtime the first needs, and nothing of the second
    return first


def _join(head: Any, tail: Any, places: dict[int, int]) -> None:
    """Let the first graph, which is changed, go on with the second.

    The places say which tensors of the first the second one's inputs are; the second one's other tensors'
    new numbers are put there too.
    """
    places[-1] = -1  # an optional input that is not given
    for i, tensor in enumerate(tail.tensors):
        if i not in places:
            places[i] = len(head.tensors)
            head.tensors.append(tensor)
    for operator in tail.operators:
        for role in ("inputs", "outputs", "intermediates"):
            if (tensors := getattr(operator, role)) is not None:
                setattr(operator, role, [places[i] for i in tensors])
    head.operators += tail.operators


def _renumber(model: Any, buffers: int, codes: int, subgraphs: int) -> None:
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
