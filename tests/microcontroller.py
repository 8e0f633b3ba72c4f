"""Small int8 networks, what an interpreter for microcontrollers says of them, and C compiled for tests."""

import ctypes
import functools
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfspec.borrowed import tflite_tree
from tfspec.export.micro.front_end import frame_function
from tfspec.export.micro.graph import read_graph
from tfspec.export.micro.network import network_functions
from tfspec.export.micro.source_text import Source

SOURCE = Path(str(files("tfspec.export.micro") / "source"))
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wdouble-promotion", "-O2")
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


def int8_network(function, features, states=(), seed=0):
    """Convert a function of features and states, all int8 and without the batch's axis, calibrated on noise.

    It gives the logits and the next states.
    """
    names = ["features", *(f"state_{i}" for i in range(len(states)))]
    specs = [
        tf.TensorSpec((1, *shape), tf.float32, name)
        for name, shape in zip(names, [features, *states], strict=True)
    ]

    def named(*tensors):
        logits, *following = function(*tensors)
        return {"logits": logits, **dict(zip(names[1:], following, strict=True))}

    concrete = tf.function(named, input_signature=specs, autograph=False).get_concrete_function()
    holder = tf.Module()
    holder.variables_used = list(concrete.graph.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], holder)
    random = np.random.default_rng(seed)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter.representative_dataset = lambda: (
        {spec.name: random.normal(size=spec.shape).astype(np.float32) for spec in specs} for _ in range(20)
    )
    return converter.convert()


class OnMicrocontroller:
    """The network in the interpreter of TensorFlow Lite for Microcontrollers, the oracle."""

    def __init__(self, model):
        runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs tflite-micro")
        self._interpreter = runtime.Interpreter.from_bytes(model, arena_size=2_000_000)
        self._graph = read_graph(model)
        (graph,) = tflite_tree(model).subgraphs
        self._given, self._returned = list(graph.inputs), list(graph.outputs)
        self.states = [np.full(old.shape, old.zero, np.int8) for old, _ in self._graph.states]

    def step(self, features):
        self._set(self._graph.features, features)
        for (old, _), state in zip(self._graph.states, self.states, strict=True):
            self._set(old, state)
        self._interpreter.invoke()
        self.states = [self._get(new) for _, new in self._graph.states]
        return self._get(self._graph.logits)

    def _set(self, tensor, values):
        self._interpreter.set_input(values.reshape(tensor.shape), self._given.index(tensor.number))

    def _get(self, tensor):
        return self._interpreter.get_output(self._returned.index(tensor.number)).copy()


def compiled_network(model, folder, *flags):
    """Compile a network and return what makes of features int8 logits int8, with memory."""
    graph, source = read_graph(model), Source()
    functions = network_functions(graph, source)
    (folder / "network.c").write_text(
        f'#include <string.h>\n#include "kernels.h"\n'
        "void tfspec_reset_network(void);\nvoid tfspec_network(const int8_t *features, int8_t *logits);\n"
        f"{source.text}\n{functions}\n"
    )
    library = shared_library(folder, folder / "network.c", SOURCE / "kernels.c")
    library.tfspec_reset_network()

    def step(features):
        given, logits = np.ascontiguousarray(features, np.int8), np.zeros(graph.logits.shape, np.int8)
        library.tfspec_network(pointer(given), pointer(logits))
        return logits

    return step


def shared_library(folder, *sources, flags=()):
    path = folder / f"{len(list(folder.iterdir()))}.so"
    command = [
        "gcc",
        *STRICT,
        *flags,
        "-fPIC",
        "-shared",
        f"-I{SOURCE}",
        f"-I{folder}",
        "-o",
        path,
        *sources,
        "-lm",
    ]
    subprocess.run(list(map(str, command)), check=True)
    return ctypes.CDLL(str(path))


def pointer(values):
    return values.ctypes.data_as(ctypes.c_void_p)


def compiled_front_end(front_end, lead_samples, hop_samples, folder):
    """Compile a front end and return what makes of int16 samples, from silence on, (frames, bins)."""
    source = Source()
    frames = frame_function(front_end, source)
    count = hop_samples // frames.frame_step
    constants = {
        **{"HOP_SAMPLES": hop_samples, "FRAMES": count, "BINS": frames.bins, "FFT_LENGTH": frames.fft_length},
        **{"FRAME_LENGTH": frames.frame_length, "FRAME_STEP": frames.frame_step},
        **{"LEAD_SAMPLES": lead_samples, "SKIPPED_SAMPLES": frames.skipped},
    }
    (folder / "model_data.h").write_text("".join(f"#define TFSPEC_{k} {v}\n" for k, v in constants.items()))
    code = f'#include <string.h>\n#include "tfspec_internal.h"\n{source.text}\n{frames.function}\n'
    (folder / "frame.c").write_text(code)
    sources = (folder / "frame.c", SOURCE / "front_end.c", SOURCE / "mathematics.c")
    library = shared_library(folder, *sources)

    def compute(samples):
        library.tfspec_reset_front_end()
        hops = np.ascontiguousarray(samples[: len(samples) // hop_samples * hop_samples]).reshape(
            -1, hop_samples
        )
        size = len(hops) * count * frames.bins
        room = np.full(size + frames.fft_length, np.nan, np.float32)
        features = room[:size].reshape(len(hops), count, frames.bins)
        for hop, computed in zip(hops, features, strict=True):
            library.tfspec_front_end(pointer(hop), pointer(computed))
        assert np.isnan(room[size:]).all(), "something was written behind the features"
        return features.reshape(-1, frames.bins)

    return compute


def streamed_features(front_end, samples, lead_samples):
    """Compute (frames, bins) with Keras at once: those of int16 samples after so many of silence."""
    step = front_end.layers[0].frame_step
    padded = np.pad(samples.astype(np.float32) / 2**15, (lead_samples, 0))
    (features,) = np.asarray(front_end(padded[np.newaxis]))
    return features[: len(samples) // step, :, 0]


def with_biases(layer):
    keras.utils.set_random_seed(3)
    layer.bias_initializer = keras.initializers.RandomNormal(stddev=0.5)
    return layer


@functools.cache
def residual_network():
    """Convert a network with memory: two frames of 40 bins a hop, a late shortcut, a mean, four classes."""
    first, second = (
        with_biases(layers.Conv2D(16, (5, 1), (2, 1))),
        with_biases(layers.DepthwiseConv2D((5, 1))),
    )
    last = with_biases(layers.Dense(4))

    def step(x, *states):
        seen = tf.concat([states[0], tf.reshape(x, [1, 2, 1, 40])], 1)
        y = tf.nn.relu(first(seen))
        lately = tf.concat([states[1], y], 1)
        past = tf.concat([states[2], y], 1)
        ring = tf.concat([states[3][:, 1:], tf.nn.relu(second(lately) + past[:, :1])], 1)
        return last(tf.reduce_mean(ring, [1, 2])), seen[:, 2:], lately[:, 1:], past[:, 1:], ring

    return int8_network(step, (2, 40, 1), [(3, 1, 40), (4, 1, 16), (2, 1, 16), (9, 1, 16)])


def random_bytes(shape, count, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, (count, *shape), np.int8)
