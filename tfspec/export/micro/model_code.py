"""The generated C files of a classifier: its numbers and names, its tables, and what is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import keras

from tfspec.base.errors import UserError
from tfspec.base.text import shown, text_problem
from tfspec.export.micro.front_end import Frames, frame_function
from tfspec.export.micro.graph import Graph, read_graph
from tfspec.export.micro.network import network_functions
from tfspec.export.micro.source_text import Source, array, number, string

UNREACHED = 2.0
"""Threshold of what is not listened for, in C."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MicroModel:
    """A streaming classifier, and when it tells of an event.

    Args:
        front_end: a layer from signals to features, or a `keras.Sequential` of some.
        network: a TFLite file, see `read_graph`.
        lead_samples: samples before a hop with which its first frame begins.
        hop_samples: samples from one call of the network to the next.
        sample_rate: samples per second.
        class_names: in the order of the logits.
        several_at_once: whether each class has a sigmoid, and not all of them one softmax.
        thresholds: by name, those of the classes that are listened for, in 0…1.
        warm_up_hops: hops at the beginning that make no event, as a clip is not yet full.
        smoothing_hops: hops over which probabilities are averaged, at least 1.
        refractory_hops: hops after an event without another one.

    Raises:
        UserError: a name cannot be printed.
    """

    front_end: keras.Layer
    network: bytes
    lead_samples: int
    hop_samples: int
    sample_rate: int
    class_names: Sequence[str]
    several_at_once: bool
    thresholds: Mapping[str, float]
    warm_up_hops: int
    smoothing_hops: int
    refractory_hops: int

    def __post_init__(self):
        for name in self.class_names:
            if problem := text_problem(name):
                raise UserError(f"Class {shown(name)}: {problem}")


def model_files(model: MicroModel) -> dict[str, str]:
    """Write a classifier's C.

    Args:
        model: the classifier.

    Returns:
        Contents by file name: "model_data.h" and "model_data.c".

    Raises:
        UserError: something of it is not there on microcontrollers.
        ValueError: front end, network, hop and names do not fit together.
    """
    source, graph = Source(), read_graph(model.network)
    frames = frame_function(model.front_end, source)
    functions = [frames.function, network_functions(graph, source)]
    header = _header(_constants(model, frames, graph))
    levels = [model.thresholds.get(name, UNREACHED) for name in model.class_names]
    tables = [
        f"const float tfspec_thresholds{array('float', levels)}",
        "const char *const tfspec_class_names[] = {",
        *(f"    {string(name)}," for name in model.class_names),
        "};",
    ]
    includes = ["#include <string.h>", "", '#include "kernels.h"', '#include "tfspec_internal.h"']
    body = "\n".join([*tables, source.text, "", *functions])
    return {"model_data.h": header, "model_data.c": "\n".join([*includes, "", body, ""])}


def _constants(model: MicroModel, frames: Frames, graph: Graph) -> dict[str, object]:
    count = model.hop_samples // frames.frame_step
    sizes = (count * frames.frame_step, count * frames.bins, len(model.class_names))
    if model.lead_samples + frames.frame_step < frames.seen:
        raise ValueError(
            f"A frame is made of {frames.seen} samples: a lead of {model.lead_samples} is too short"
        )
    if sizes != (model.hop_samples, graph.features.size, graph.logits.size):
        raise ValueError(
            f"A hop of {count} frames of {frames.bins} bins does not fit {model.hop_samples} samples, or "
            f"{graph.features.size} features and {graph.logits.size} logits those and {sizes[-1]} names"
        )
    return {
        "SAMPLE_RATE": model.sample_rate,
        "HOP_SAMPLES": model.hop_samples,
        "CLASSES": len(model.class_names),
        "SEVERAL_AT_ONCE": int(model.several_at_once),
        "WARM_UP_HOPS": model.warm_up_hops,
        "SMOOTHED_HOPS": model.smoothing_hops,
        "REFRACTORY_HOPS": model.refractory_hops,
        "FRAMES": count,
        "BINS": frames.bins,
        "FRAME_LENGTH": frames.frame_length,
        "FRAME_STEP": frames.frame_step,
        "FFT_LENGTH": frames.fft_length,
        "SKIPPED_SAMPLES": frames.skipped,
        "LEAD_SAMPLES": model.lead_samples,
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
            *(f"#define TFSPEC_{name} {value}" for name, value in constants.items()),
            "",
            "extern const char *const tfspec_class_names[];",
            "extern const float tfspec_thresholds[];",
            "",
            "#endif",
            "",
        ]
    )
