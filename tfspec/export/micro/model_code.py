"""The generated C files of a classifier: its numbers and names, its tables, and what is called in which order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import keras

from tfspec.export.micro.front_end import Frames, frame_function
from tfspec.export.micro.graph import Graph, read_graph
from tfspec.export.micro.network import network_functions
from tfspec.export.micro.source_text import Source, array, number, string

UNHEARD = 2.0
"""Threshold of what is not listened for, in C."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listener:
    """A streaming classifier, and when it tells of an event.

    Args:
        front_end: a layer from signals to features, or a `keras.Sequential` of some.
        network: a TFLite file, see `read_graph`.
        hop_samples: samples from one call of the network to the next.
        sample_rate: samples per second.
        class_names: in the order of the logits.
        several_at_once: whether each class has a sigmoid, and not all of them one softmax.
        thresholds: by name, those of the classes that are listened for.
        smoothing_seconds: time over which probabilities are averaged.
        refractory_seconds: time after an event without another one.
    """

    front_end: keras.Layer
    network: bytes
    hop_samples: int
    sample_rate: int
    class_names: tuple[str, ...]
    several_at_once: bool = False
    thresholds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    smoothing_seconds: float = 0.5
    refractory_seconds: float = 1.0

    @property
    def smoothed_hops(self) -> int:
        """Hops over which probabilities are averaged."""
        return max(1, round(self.smoothing_seconds * self.sample_rate / self.hop_samples))

    @property
    def refractory_hops(self) -> int:
        """Hops after an event without another one."""
        return round(self.refractory_seconds * self.sample_rate / self.hop_samples)


def model_files(listener: Listener) -> dict[str, str]:
    """Write a classifier's C.

    Args:
        listener: the classifier.

    Returns:
        Contents by file name: "model_data.h" and "model_data.c".

    Raises:
        UserError: something of it is not there on microcontrollers.
        ValueError: front end, network, hop and names do not fit together.
    """
    source, graph = Source(), read_graph(listener.network)
    frames = frame_function(listener.front_end, source)
    functions = [frames.function, network_functions(graph, source)]
    header = _header(_constants(listener, frames, graph))
    levels = [listener.thresholds.get(name, UNHEARD) for name in listener.class_names]
    tables = [
        f"const float tfspec_thresholds{array('float', levels)}",
        "const char *const tfspec_class_names[] = {",
        *(f"    {string(name)}," for name in listener.class_names),
        "};",
    ]
    includes = ["#include <string.h>", "", '#include "kernels.h"', '#include "tfspec_internal.h"']
    body = "\n".join([*tables, source.text, "", *functions])
    return {"model_data.h": header, "model_data.c": "\n".join([*includes, "", body, ""])}


def _constants(listener: Listener, frames: Frames, graph: Graph) -> dict[str, object]:
    count = listener.hop_samples // frames.frame_step
    sizes = (count * frames.frame_step, count * frames.bins, len(listener.class_names))
    if sizes != (listener.hop_samples, graph.features.size, graph.logits.size):
        raise ValueError(
            f"A hop of {count} frames of {frames.bins} bins does not fit {listener.hop_samples} samples, or "
            f"{graph.features.size} features and {graph.logits.size} logits those and {sizes[-1]} names"
        )
    return {
        "SAMPLE_RATE": listener.sample_rate,
        "HOP_SAMPLES": listener.hop_samples,
        "CLASSES": len(listener.class_names),
        "SEVERAL_AT_ONCE": int(listener.several_at_once),
        "SMOOTHED_HOPS": listener.smoothed_hops,
        "REFRACTORY_HOPS": listener.refractory_hops,
        "FRAMES": count,
        "BINS": frames.bins,
        "FRAME_LENGTH": frames.frame_length,
        "FRAME_STEP": frames.frame_step,
        "FFT_LENGTH": frames.fft_length,
        "KEPT_SAMPLES": max(0, frames.frame_length - frames.frame_step),
        "FEATURE_SCALE": number(graph.features.scale),
        "FEATURE_ZERO": f"({graph.features.zero})",
        "LOGIT_SCALE": number(graph.logits.scale),
        "LOGIT_ZERO": f"({graph.logits.zero})",
    }


def _header(constants: Mapping[str, object]) -> str:
    return "\n".join(
        [
            "/* Numbers of this classifier. */",
            "",
            "#ifndef TFSPEC_MODEL_DATA_H",
            "#define TFSPEC_MODEL_DATA_H",
            "",
            *_definitions(constants),
            "",
            "extern const char *const tfspec_class_names[];",
            "extern const float tfspec_thresholds[];",
            "",
            "#endif",
            "",
        ]
    )


def _definitions(constants: Mapping[str, object]) -> Iterable[str]:
    return (f"#define TFSPEC_{name} {value}" for name, value in constants.items())
