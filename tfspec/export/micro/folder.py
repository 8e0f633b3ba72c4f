"""The folder for a microcontroller: C, the network, a test of both, and what it takes of a device."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from tfspec.audio.decoding import hops_of
from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.export.micro import interpreter
from tfspec.export.micro.front_end import FULL_SCALE
from tfspec.export.micro.graph import Tensor, read_graph
from tfspec.export.micro.measuring import on_cortex_m4f
from tfspec.export.micro.micro_model import MicroModel
from tfspec.export.micro.model_code import model_files
from tfspec.export.micro.network import multiplications
from tfspec.export.micro.signal_ops import with_signal_operators
from tfspec.export.micro.source_text import array, number

SOURCE = files("tfspec.export.micro") / "source"
TESTED_HOPS = 50
"""Most hops that the folder's test looks at: each is about 4 kB of text."""
FEATURE_TOLERANCE = 0.05
"""Root mean square, in steps of the network's input, by which C may differ from Keras, which both compute in
single precision. Rounding to whole steps is 0.29 off."""
PROBABILITY_TOLERANCE = 1e-6
LITERT_TOLERANCE = 8
"""Steps of a logit by which LiteRT's kernels, which round once, may differ after all hops."""


def write_micro(
    folder: str | os.PathLike, model: MicroModel, samples: np.ndarray, whole: bytes | None = None
) -> dict[str, Any]:
    """Write what a microcontroller needs of a streaming classifier, whole or not at all.

    Args:
        folder: where to; what is there is replaced.
        model: the classifier.
        samples: (samples,) int16, a second of real sound or more, which the folder's test is made of.
        whole: the classifier as `streaming_tflite` makes it; front end and network are then in
            model_signal.tflite, too, for firmware that has TensorFlow Lite for Microcontrollers with its
            signal library.

    Returns:
        What stands in micro.json: flash, memory, products and instructions, each None where it could not be
        measured, and why.

    Raises:
        UserError: something of the classifier is not there on microcontrollers, or the samples are fewer than
            a hop.
        ValueError: front end, network, hop and names do not fit together.
        OSError: the folder cannot be written.
    """
    hops = min(len(samples) // model.hop_samples, TESTED_HOPS)
    if not hops:
        raise UserError(
            f"A microcontroller's code is tested on a hop of {model.hop_samples} samples or more. "
            f"Received: {len(samples)}"
        )
    contents = {
        **model_files(model),
        "test_vectors.h": _vectors(model, samples[: hops * model.hop_samples]),
    }
    contents["model_tflite.cc"] = _network_array(model.network)
    with written_beside(folder) as temporary:
        temporary.mkdir()
        for source in SOURCE.iterdir():
            (temporary / source.name).write_bytes(source.read_bytes())
        for name, content in contents.items():
            (temporary / name).write_text(content, "utf-8")
        (temporary / "model.tflite").write_bytes(model.network)
        if whole is not None:
            (temporary / "model_signal.tflite").write_bytes(with_signal_operators(whole))
        facts = _facts(model, temporary)
        (temporary / "micro.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return facts


def quantized(features: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Round features to the integers of a tensor, halves away from zero, as the library does.

    Args:
        features: float32, any shape.
        tensor: what they go into.

    Returns:
        int8, the same shape.
    """
    scaled = np.clip(features / tensor.scale, -128 - tensor.zero, 127 - tensor.zero)
    return (np.trunc(scaled + np.copysign(np.float32(0.5), scaled)) + tensor.zero).astype(np.int8)


def probabilities(logits: np.ndarray, tensor: Tensor, several_at_once: bool) -> np.ndarray:
    """Compute probabilities in double precision.

    Args:
        logits: (hops, classes) int8.
        tensor: what they are of.
        several_at_once: whether each class has a sigmoid.

    Returns:
        (hops, classes) float32.
    """
    real = tensor.scale * (logits.astype(np.float64) - tensor.zero)
    if several_at_once:
        return (1 / (1 + np.exp(-real))).astype(np.float32)
    powers = np.exp(real - real.max(1, keepdims=True))
    return (powers / powers.sum(1, keepdims=True)).astype(np.float32)


def _vectors(model: MicroModel, samples: np.ndarray) -> str:
    """Write what Keras and an interpreter say of some hops."""
    graph = read_graph(model.network)
    by_hop = _features(model, samples)
    logits = interpreter.run(model.network, quantized(by_hop, graph.features))
    expected = probabilities(logits, graph.logits, model.several_at_once)
    definitions = {
        "HOPS": len(by_hop),
        "FEATURE_TOLERANCE": number(FEATURE_TOLERANCE),
        "LOGIT_TOLERANCE": 0 if interpreter.is_there() else LITERT_TOLERANCE,
        "PROBABILITY_TOLERANCE": number(PROBABILITY_TOLERANCE),
    }
    tables = {
        "int16_t test_samples": samples,
        "float test_features": by_hop,
        "int8_t test_logits": logits,
        "float test_probabilities": expected,
    }
    lines = [
        "/* Real hops, and what Keras and TensorFlow Lite say of them. */",
        "",
        "#include <stdint.h>",
        "",
    ]
    lines += [f"#define TEST_{name} {value}" for name, value in definitions.items()]
    lines += [f"static const {name}{array(name.split()[0], values)}" for name, values in tables.items()]
    return "\n".join([*lines, ""])


def _features(model: MicroModel, samples: np.ndarray) -> np.ndarray:
    """Compute (hops, features) float32 with Keras, hop by hop."""
    states, features = model.streamed.first_states, []
    for hop in hops_of([samples.astype(np.float32) / FULL_SCALE], model.hop_samples):
        given, states = model.streamed.step(hop[np.newaxis], states)
        features.append(np.ravel(given))
    return np.stack(features)


def _network_array(network: bytes) -> str:
    """Write the network's file as C++ for TensorFlow Lite for Microcontrollers."""
    content = array("int8_t", np.frombuffer(network, np.int8)).partition(" = ")[2]
    return "\n".join(
        [
            "// model.tflite, for TensorFlow Lite for Microcontrollers.",
            "",
            "extern const signed char tfspec_model_tflite[];",
            "extern const unsigned int tfspec_model_tflite_size;",
            f"alignas(16) const signed char tfspec_model_tflite[] = {content}",
            f"const unsigned int tfspec_model_tflite_size = {len(network)};",
            "",
        ]
    )


def _facts(model: MicroModel, folder: Path) -> dict[str, Any]:
    measured = on_cortex_m4f(folder, model.sample_rate / model.hop_samples)
    if (arena := interpreter.arena_bytes(model.network)) is None:
        reason = {"tflite_micro_arena_bytes": "it takes tflite-micro: pip install tfspec[micro], on Linux"}
        measured["not_measured"] = measured.get("not_measured", {}) | reason
    return {
        "classes": list(model.class_names),
        "sample_rate": model.sample_rate,
        "hop_samples": model.hop_samples,
        "network_bytes": len(model.network),
        "multiplications_per_hop": multiplications(read_graph(model.network)),
        "tflite_micro_arena_bytes": arena,
        **measured,
    }
