"""Weights, products, files and latency of the networks for short sounds, as docs/networks.md has them.

    python tests/benchmarks/measure_networks.py [NAME …]

Each takes 98 frames of 40 bins and tells twelve classes apart. Files hold the network alone, as tfspec
exports it. Latency is the median of 300 calls of LiteRT with one thread. The networks are not trained, but
their norms have statistics, as these may become operators of their own.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from machine import give_table

from tfspec import models
from tfspec.base.options import Quantize
from tfspec.export.quantization import quantised
from tfspec.export.saved_model import weights_of

SHAPE, CLASSES, CALLS = (98, 40, 1), 12, 300
COLUMNS = ("network", "weights", "that train", "MACs", "float32", "int8", "ms, float32", "ms, int8")
SMALL = [
    models.SeparableBlock(64, 5, stride=2),
    *[models.SeparableBlock(64, k, residual=True) for k in (5, 7, 7)],
]
NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "ds_cnn": lambda: models.ds_cnn(SHAPE, CLASSES),
    "ds_tc_resnet": lambda: models.ds_tc_resnet(SHAPE, CLASSES),
    "ds_tc_resnet, small, valid": lambda: models.ds_tc_resnet(SHAPE, CLASSES, SMALL, "valid"),
    "matchboxnet 3×1×64": lambda: models.matchboxnet(SHAPE, CLASSES),
    "matchboxnet 3×2×64": lambda: models.matchboxnet(SHAPE, CLASSES, repeats=2),
    "tc_resnet 8": lambda: models.tc_resnet(SHAPE, CLASSES),
    "tc_resnet 14, width 1.5": lambda: models.tc_resnet(SHAPE, CLASSES, depth=14, width=1.5),
    "conv2d": lambda: models.conv2d(SHAPE, CLASSES),
    "residual": lambda: models.residual(SHAPE, CLASSES),
    "lstm": lambda: models.lstm(SHAPE, CLASSES),
    "bc_resnet, tau 1": lambda: models.bc_resnet(SHAPE, CLASSES),
    "bc_resnet, tau 2": lambda: models.bc_resnet(SHAPE, CLASSES, tau=2),
    "bc_resnet, tau 8": lambda: models.bc_resnet(SHAPE, CLASSES, tau=8),
}


def main(names: list[str]) -> None:
    """Print the table."""
    give_table("networks_3", COLUMNS, [row(name) for name in names or NETWORKS])


def row(name: str) -> list[str]:
    """Measure a network."""
    model = with_statistics(NETWORKS[name]())
    trained = sum(weights.shape.num_elements() for weights in model.trainable_weights)
    has_loop = any(isinstance(layer, layers.LSTM) for layer in model.layers)
    kinds: list[Quantize] = ["none"] if has_loop else ["none", "int8"]
    files = [file(model, quantize) for quantize in kinds]
    cells = [f"{products(model) / 1e6:.2f} M", *_cells([f"{len(f) / 1000:.0f} kB" for f in files])]
    cells += _cells([f"{milliseconds(f):.2f}" for f in files])
    return [name, f"{model.count_params():,}", f"{trained:,}", *cells]


def _cells(values: list[str]) -> list[str]:
    """Return two cells; what loops over frames has no integers."""
    return [*values, "–"][:2]


def with_statistics(model: keras.Model) -> keras.Model:
    """Draw the weights of all norms."""
    draw = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("gamma", "beta", "moving_mean", "moving_variance"):
            weight.assign(draw.uniform(0.5, 1.5, weight.shape))
    return model


def products(model: keras.Model) -> int:
    """Count the products of convolutions, dense layers and LSTMs for one example; norms go into these."""
    return sum(_products(layer) for layer in model.layers)


def _products(layer: layers.Layer) -> int:
    if isinstance(layer, layers.LSTM):
        return layer.input.shape[1] * sum(weights.shape.num_elements() for weights in layer.weights[:2])
    if not isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)):
        return 0
    places = math.prod(layer.output.shape[1:-1])
    return places * layer.weights[0].shape.num_elements()


def file(model: keras.Model, quantize: Quantize) -> bytes:
    """Convert a network as an export does; random features calibrate."""
    traced = tf.function(lambda features: model(features, training=False))
    traced = traced.get_concrete_function(tf.TensorSpec((1, *SHAPE), tf.float32, "features"))

    def converter() -> tf.lite.TFLiteConverter:
        made = tf.lite.TFLiteConverter.from_concrete_functions([traced], weights_of(model))
        made.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        return made

    features = np.random.default_rng(0).normal(0, 1, (16, 1, *SHAPE)).astype(np.float32)
    return quantised(converter, quantize, features)


def milliseconds(content: bytes) -> float:
    """Time one thread of LiteRT; median."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (features,) = interpreter.get_input_details()
    interpreter.set_tensor(features["index"], np.ones((1, *SHAPE), np.float32))
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


if __name__ == "__main__":
    main(sys.argv[1:])
