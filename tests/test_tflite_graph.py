"""TFLite files rebuilt in TensorFlow's operations, against LiteRT; TensorFlow's converter makes the files."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tfspec.models.tflite_graph import tflite_network
from tfspec.models.tflite_operations import OPERATIONS

SAMPLES = 48
WEIGHTS = np.random.default_rng(0)


PRELU = keras.layers.PReLU(alpha_initializer=keras.initializers.Constant(0.3), shared_axes=[1, 2])
PRELU.build([None, None, None, 8])


def weights(*shape):
    return tf.constant(WEIGHTS.normal(size=shape), tf.float32)


DENSE = weights(SAMPLES, 64)


def convolutions(x):
    x = tf.reshape(x, [-1, 6, 4, 2])
    x = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 2, 4), 1, "SAME") + weights(4))
    x = tf.nn.conv2d(x, weights(2, 3, 4, 4), 1, "VALID", dilations=[2, 1])
    x = tf.nn.relu6(tf.nn.depthwise_conv2d(x, weights(3, 3, 4, 1), [1, 1, 1, 1], "SAME") + weights(4))
    x = tf.concat([tf.nn.avg_pool2d(x, 3, 2, "SAME"), tf.nn.max_pool2d(x, 2, 2, "SAME")], axis=-1)
    x = PRELU(x)
    return tf.matmul(
        tf.reshape(x, [-1, x.shape[1] * x.shape[2] * 8]), weights(x.shape[1] * x.shape[2] * 8, 5)
    ) + weights(5)


def several_of_each_channel(x):
    return tf.nn.depthwise_conv2d(tf.reshape(x, [-1, 4, 4, 3]), weights(3, 3, 3, 2), [1, 2, 2, 1], "VALID")


def activations(x):
    given = [tf.sigmoid, tf.tanh, tf.nn.relu, tf.nn.relu6, tf.nn.elu, tf.nn.leaky_relu]
    given += [keras.activations.hard_swish, tf.nn.gelu, tf.nn.softmax, tf.nn.log_softmax]
    return tf.stack([function(4 * x) for function in given], axis=-1)


def arithmetic(x):
    y = tf.square(x) + 0.5
    made = [tf.sqrt(y), tf.math.rsqrt(y), tf.exp(x), tf.math.log(y), tf.sin(x), tf.cos(x), -x / y, x - y]
    made += [tf.abs(x), tf.floor(8 * x), tf.math.ceil(8 * x), tf.round(8 * x), tf.maximum(x, 0.1)]
    made += [tf.minimum(x, y), tf.pow(y, x), tf.math.squared_difference(x, y), x * y]
    made += [tf.math.floordiv(8 * x, 3.0), tf.math.floormod(8 * x, 3.0)]
    return tf.reduce_sum(tf.stack(made, axis=-1) * tf.range(1.0, 20.0), axis=-1)


def comparisons(x):
    y = tf.round(4 * x)
    where = tf.logical_and(tf.logical_or(x > 0.2, x < -0.2), tf.logical_and(x >= -0.4, x <= 0.45))
    where = tf.logical_and(where, tf.logical_not(tf.logical_and(y == 1.0, tf.not_equal(x, 0.25))))
    chosen = tf.raw_ops.Select(condition=where, x=x, y=y)
    rounded = tf.cast(tf.cast(9 * x, tf.int32), tf.float32) + tf.cast(tf.logical_not(where), tf.float32)
    return tf.where(y == 2.0, 3.0, chosen) + rounded


def reductions(x):
    x = tf.reshape(x, [-1, 6, 8])
    given = [tf.reduce_mean, tf.reduce_sum, tf.reduce_max, tf.reduce_min, tf.reduce_prod]
    return (
        tf.add_n([function(x, axis=1) for function in given]) * tf.reduce_mean(x, [1, 2], keepdims=True)[:, 0]
    )


def shapes(x):
    batch = tf.shape(x)[0]
    x = tf.transpose(tf.reshape(x, [batch, 6, 8]), [0, 2, 1])
    x = tf.reverse(tf.pad(x, [[0, 0], [1, 2], [0, 0]]), [1])
    x = tf.pad(x, [[0, 0], [0, 0], [1, 1]], constant_values=0.5)
    x = tf.pad(x, [[0, 0], [2, 0], [0, 0]], "REFLECT")
    first, second = tf.unstack(tf.reshape(x, [batch, 13, 2, 4]), axis=2)
    x = tf.concat([first, second, tf.broadcast_to(first[:, :1], [batch, 3, 4])], axis=1)
    x = tf.concat(tf.split(x, [9, 20], axis=1)[::-1], axis=1) + tf.cast(
        tf.range(29)[:, tf.newaxis], tf.float32
    )
    x = tf.concat(tf.split(x, 2, axis=2)[::-1], axis=2)
    x = tf.gather(x, [3, 1, 1], axis=1) + tf.slice(x, [0, 5, 0], [-1, 3, -1])
    x = tf.tile(tf.expand_dims(x, 1), [1, 2, 1, 1])
    return tf.squeeze(x[:, 1:2], 1) + tf.fill([batch, 3, 4], 2.0)


def spectra(x):
    frames = tf.signal.frame(x, 16, 8)
    spectrum = tf.signal.rfft(frames * tf.signal.hann_window(16))
    power = tf.matmul(tf.abs(spectrum), weights(9, 5))
    return tf.concat([power, tf.math.real(spectrum), tf.math.imag(spectrum)], axis=-1)


def squares(x):
    x = tf.reshape(x, [-1, 6, 8])
    return tf.matmul(x, x, transpose_b=True)


def dense(x):
    return tf.nn.relu(tf.matmul(x, DENSE) + 0.5)


GRAPHS = [
    convolutions,
    several_of_each_channel,
    activations,
    arithmetic,
    comparisons,
    reductions,
    shapes,
    spectra,
    squares,
    dense,
]


def converted(function, batch=None, **settings):
    """Make a TFLite file of a function of (batch, samples)."""
    signature = [tf.TensorSpec([batch, SAMPLES], tf.float32)]
    traced = tf.function(function, input_signature=signature).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
    for name, value in settings.items():
        setattr(converter, name, value)
    return converter.convert()


def half_precision(function):
    """Make a TFLite file with weights in float16."""
    spec = tf.lite.TargetSpec(supported_types=[tf.float16])
    return converted(function, optimizations=[tf.lite.Optimize.DEFAULT], target_spec=spec)


def litert(content):
    """Return what runs a file on one example after another."""
    interpreter = Interpreter(model_content=content)
    (taken,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.allocate_tensors()

    def run(examples):
        results = []
        for example in examples:
            interpreter.set_tensor(taken["index"], example.reshape(taken["shape"]))
            interpreter.invoke()
            results.append(interpreter.get_tensor(made["index"]))
        return np.concatenate(results)

    return run


def rebuilt(content):
    return tflite_network(content, 0, [SAMPLES], litert(content))


@functools.cache
def file_and_network(graph):
    content = converted(graph)
    return content, rebuilt(content)


def kinds(network):
    return {step["kind"] for step in json.loads(network.layers[-1].graph)["steps"]}


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_file_gives_the_numbers_of_litert(graph, rng, tmp_path):
    content, network = file_and_network(graph)
    windows = rng.uniform(-0.9, 0.9, (5, SAMPLES)).astype(np.float32)
    expected = litert(content)(windows)
    np.testing.assert_allclose(network(windows), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    network.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras", safe_mode=True)
    np.testing.assert_array_equal(again(windows), network(windows))
    assert not again.trainable_weights


def test_weights_in_half_precision_are_taken(rng):
    content = half_precision(dense)
    assert len(content) < 0.7 * len(file_and_network(dense)[0])
    network = rebuilt(content)
    assert "DEQUANTIZE" in kinds(network)
    windows = rng.uniform(-0.9, 0.9, (5, SAMPLES)).astype(np.float32)
    np.testing.assert_allclose(network(windows), litert(content)(windows), atol=1e-5)


def test_all_operations_are_tested():
    """Each is in one of the files above."""
    found = set().union(*(kinds(file_and_network(graph)[1]) for graph in GRAPHS))
    assert found | kinds(rebuilt(half_precision(dense))) == OPERATIONS.keys()


@pytest.mark.parametrize("batch", [1, None])
def test_windows_that_a_file_cannot_take_together_go_one_by_one(batch, rng):
    """One file is made for one window; in the other, all windows are scaled by the loudest of them."""

    def loudest(x):
        y = tf.reshape(x, [batch or -1, 6, 8])
        return tf.reduce_sum(y, axis=2) / tf.reduce_max(tf.abs(x))

    content = converted(loudest, batch)
    network = rebuilt(content)
    assert network.layers[-1].one_by_one
    windows = rng.uniform(-0.9, 0.9, (5, SAMPLES)).astype(np.float32)
    expected = litert(content)(windows)
    np.testing.assert_allclose(network(windows), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(network.predict(windows, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_rebuilt_says_why():
    with pytest.raises(ValueError, match="its operations CUMSUM, TOPK_V2 are not known"):
        rebuilt(converted(lambda x: tf.math.top_k(tf.cumsum(x, axis=1), 3).values))
    with pytest.raises(ValueError, match="it is quantised: take the file in float32 or float16"):
        rebuilt(converted(dense, optimizations=[tf.lite.Optimize.DEFAULT]))
    content, _ = file_and_network(dense)
    with pytest.raises(ValueError, match="do not give the same numbers in TensorFlow"):
        tflite_network(content, 0, [SAMPLES], lambda windows: 1.01 * litert(content)(windows))
