"""The generated C files of a classifier: its numbers and names, its tables, and what is called."""

from __future__ import annotations

from collections.abc import Mapping

from tfspec.export.micro.front_end import Frames, frame_function
from tfspec.export.micro.graph import Graph, read_graph
from tfspec.export.micro.micro_model import MicroModel
from tfspec.export.micro.network import network_functions
from tfspec.export.micro.source_text import Source, array, number, string

UNREACHED = 2.0
"""Threshold of what is not listened for, in C."""


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
    lead = model.streamed.lead
    if lead + frames.frame_step < frames.seen:
        raise ValueError(f"A frame is made of {frames.seen} samples: a lead of {lead} is too short")
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
        "SKIPPED_SAMPLES": frames.skipped + max(0, -lead),
        "LEAD_SAMPLES": max(0, lead),
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
