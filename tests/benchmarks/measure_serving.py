"""Print how fast each pipeline's default answers: latency of one signal, and signals a second in batches.

    python tests/benchmarks/measure_serving.py [NAME …]

Networks are not trained. A SavedModel is called as TensorFlow alone calls it, with all cores, one signal at
a time and 32 at once; a TFLite file with one thread, its network in float32 and in int8. Medians, from raw
signal to probabilities.
"""

import functools
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from defaults import give_measured

from tfspec import Pipeline
from tfspec.experiment.members import members_of
from tfspec.experiment.splitting import checked_split
from tfspec.export.saved_model import write_saved_model
from tfspec.export.tflite import tflite_model
from tfspec.models import Classifier

AT_ONCE, LEAST_CALLS, LEAST_SECONDS = 32, 10, 1.0


def milliseconds(call: Callable[[], object]) -> float:
    """Time a call, at least ten times; median."""
    call()
    times: list[float] = []
    while len(times) < LEAST_CALLS or sum(times) < LEAST_SECONDS:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * median(times)


def measure(pipeline: Pipeline) -> dict[str, str]:
    """Time what a pipeline exports, of one network."""
    steps, split, _ = checked_split(pipeline)
    steps = next(iter(members_of(steps, split).values())).steps
    read, front_end, names = steps.reader(), steps.front_end(), steps.class_names(split)
    features = front_end.compute_output_shape((None, *read.signal_shape))[1:]
    model = Classifier(
        front_end,
        steps.backbone(features, len(names)),
        names,
        read.signal_shape,
        read.sample_rate,
        labels=steps.labels,
    )
    draw = np.random.default_rng(0)
    signals = draw.uniform(0, 1, (AT_ONCE, *read.signal_shape)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(model, saved := f"{folder}/saved")
        serve = tf.saved_model.load(saved).signatures["serving_default"]
        given = tf.constant(signals[:1]), tf.constant(signals)
        one, many = (milliseconds(functools.partial(serve, signal=each)) for each in given)
    files = {"float32": _lite(tflite_model(model), signals[:1])}
    try:
        files["int8"] = _lite(tflite_model(model, "int8", [signals]), signals[:1])
    except ValueError:  # what loops over frames has no integers
        files["int8"] = float("nan")
    return {
        "signal": " × ".join(map(str, read.signal_shape)),
        "network": model.backbone.name,
        "SavedModel, ms": f"{one:.2f}",
        "signals a second, 32 at once": f"{1e3 * AT_ONCE / many:.0f}",
        **{f"TFLite {name}, ms": "–" if np.isnan(ms) else f"{ms:.2f}" for name, ms in files.items()},
    }


def _lite(content: bytes, signal: np.ndarray) -> float:
    run = Interpreter(model_content=content, num_threads=1).get_signature_runner()
    return milliseconds(lambda: run(signal=signal))


def main(names: list[str]) -> None:
    """Print the table."""
    give_measured("scale_1", measure, names)


if __name__ == "__main__":
    main(sys.argv[1:])
