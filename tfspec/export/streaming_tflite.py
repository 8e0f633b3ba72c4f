"""TFLite files of a stream: samples and states go in, probabilities and the next states come out.

The states are arguments and results like others, so that such a file has builtin operators only, and a device
may copy them from one place to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tfspec.audio.decoding import hops_of
from tfspec.base.errors import UserError
from tfspec.base.quiet import hushed
from tfspec.export.chaining import chain
from tfspec.export.conversions import conversion
from tfspec.export.converting import converted, converter_of
from tfspec.export.streamed import Streamed
from tfspec.export.streaming import StreamingClassifier
from tfspec.export.streaming_file import StreamingState

EVERY = 7
"""Of the hops of the calibration signals, every seventh shows the ranges: neighbours are much alike."""


class StreamingNetwork(NamedTuple):
    """A streaming classifier's network in int8, for files of a host and of a microcontroller.

    Args:
        model: a TFLite file with builtin operators. Its signature takes `features`, (1, frames, bins,
            channels), and states, and gives `logits`, (1, classes), and the next states, all in int8. States
            have the same scale where they go in and where they come out.
        features: scale and zero point of the features; as all of them, by `StreamingState`.
        logits: of the logits.
        states: in the order of the streaming classifier's, those of the front end left out.
    """

    model: bytes
    features: StreamingState
    logits: StreamingState
    states: tuple[StreamingState, ...]


def streaming_tflite(streaming: StreamingClassifier, network: StreamingNetwork | None = None) -> bytes:
    """Convert a streaming classifier.

    Args:
        streaming: the model.
        network: its network in int8, from `int8_network`; in float32 if None. The front end is in float32.

    Returns:
        The file. Its signature takes `samples`, (1, hop_samples[, channels]) float32, and the states
        `state_0` …, and gives `probabilities`, (1, classes) float32, and the next states by the same names.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import Classifier, conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> b"state_0" in streaming_tflite(StreamingClassifier(model))
        True
    """
    with hushed():
        front_end = converted(_front_end_converter(streaming))
        if network is None:
            middle = [converted(_network_converter(streaming))]
        else:
            ends = [(network.features, True), (network.logits, False)]
            before, after = (
                conversion(end.name, end.shape, end.scale, end.zero_point, to_int8) for end, to_int8 in ends
            )
            middle = [before, network.model, after]
        return chain([front_end, *middle, _head(streaming)])


def int8_network(streaming: StreamingClassifier, signals: Iterable[np.ndarray]) -> StreamingNetwork:
    """Quantise the network of a streaming classifier, from end to end.

    Args:
        streaming: the model.
        signals: batches (batch, samples[, channels]) float32 such as it will hear; joined to one stream they
            show the ranges of features, activations and states.

    Raises:
        UserError: the network has a loop, or there are no signals.
    """
    converter = _network_converter(streaming)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: _shown(streaming, signals)
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with hushed():
        model = converted(converter)
        interpreter = Interpreter(model_content=model)
    runner = interpreter.get_signature_runner()
    given, taken = ({**each} for each in (runner.get_output_details(), runner.get_input_details()))
    states = tuple(
        _as_state(name, taken[name]) for name in _state_names(streaming.network, _first(streaming))
    )
    if moved := [each.name for each in states if _as_state(each.name, given[each.name]) != each]:
        raise UserError(f"The states {', '.join(moved)} come out in another scale than they go in.")
    return StreamingNetwork(
        model, _as_state("features", taken["features"]), _as_state("logits", given["logits"]), states
    )


def states_of(streaming: StreamingClassifier, network: StreamingNetwork | None) -> tuple[StreamingState, ...]:
    """List the states of what `streaming_tflite` makes.

    Args:
        streaming: as there.
        network: as there.
    """
    first = streaming.front_end.first_states + (streaming.network.first_states if network is None else [])
    in_float = tuple(
        StreamingState(f"state_{number}", state.shape, initial=float(state.flat[0]))
        for number, state in enumerate(first)
    )
    return in_float + (network.states if network else ())


def _first(streaming: StreamingClassifier) -> int:
    """Return the number of the network's first state."""
    return len(streaming.front_end.first_states)


def _front_end_converter(streaming: StreamingClassifier) -> tf.lite.TFLiteConverter:
    samples = (1, streaming.hop_samples, *streaming.classifier.signal_shape[1:])
    return _converter(streaming.front_end, "samples", samples, "features", 0)


def _network_converter(streaming: StreamingClassifier) -> tf.lite.TFLiteConverter:
    features = streaming.front_end.model.output_shape
    return _converter(streaming.network, "features", features, "logits", _first(streaming))


def _converter(
    part: Streamed, takes: str, shape: Sequence[int], gives: str, first: int
) -> tf.lite.TFLiteConverter:
    """Trace one part of a streaming classifier, whose states are counted from a number."""
    names = _state_names(part, first)
    specs = [tf.TensorSpec(shape, tf.float32, takes)] + [
        tf.TensorSpec(state.shape, tf.float32, name)
        for name, state in zip(names, part.first_states, strict=True)
    ]

    def step(given, *states):
        out, after = part.step(given, states)
        return {gives: out, **dict(zip(names, map(tf.identity, after), strict=True))}

    traced = tf.function(step, autograph=False).get_concrete_function(*specs)
    return converter_of(traced, part.model)


def _head(streaming: StreamingClassifier) -> bytes:
    logits = tf.TensorSpec((1, len(streaming.classifier.class_names)), tf.float32, "logits")

    @tf.function(input_signature=[logits], autograph=False)
    def head(logits):
        return {"probabilities": streaming.classifier.activation(logits)}

    return converted(converter_of(head.get_concrete_function()))


def _state_names(part: Streamed, first: int) -> list[str]:
    return [f"state_{first + number}" for number in range(len(part.first_states))]


def _shown(streaming: StreamingClassifier, signals: Iterable[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Return what the network is given at some hops of a stream of signals, found by files in float32."""
    front_end, network = (
        Interpreter(model_content=converted(converter(streaming)), num_threads=1).get_signature_runner()
        for converter in (_front_end_converter, _network_converter)
    )
    parts = (streaming.front_end, 0), (streaming.network, _first(streaming))
    before, after = (
        dict(zip(_state_names(part, first), part.first_states, strict=True)) for part, first in parts
    )
    hops = hops_of((each for batch in signals for each in batch), streaming.hop_samples)
    number = -1
    for number, hop in enumerate(hops):
        before = front_end(samples=hop[np.newaxis].astype(np.float32), **before)
        given = {"features": before.pop("features"), **after}
        if number % EVERY == 0:
            yield given
        after = network(**given)
        del after["logits"]
    if number < 0:
        raise UserError("int8 needs signals to calibrate on. Received: no calibration batches")


def _as_state(name: str, details: Mapping[str, Any]) -> StreamingState:
    """Describe a tensor of an interpreter."""
    scale, zero_point = details["quantization"]
    shape = tuple(int(size) for size in details["shape"])
    return StreamingState(name, shape, "int8", float(scale), int(zero_point), int(zero_point))
