"""Networks in C on 8-bit integers, against TensorFlow Lite for Microcontrollers, bit for bit."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from agreement import few_examples
from families import others_slow
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from microcontroller import (
    OnMicrocontroller,
    compiled_network,
    int8_network,
    needs_gcc,
    random_bytes,
    residual_network,
    with_biases,
)

from tfspec import UserError
from tfspec.export.micro.arena import Need, planned
from tfspec.export.micro.graph import read_graph
from tfspec.export.micro.network import network_functions
from tfspec.export.micro.operators import OPERATORS
from tfspec.export.micro.source_text import Source

pytestmark = needs_gcc


ONE_INPUT = {
    "convolution": (with_biases(layers.Conv2D(7, (3, 2), activation="relu")), (6, 5, 3)),
    "padded convolution": (with_biases(layers.Conv2D(5, (5, 3), (2, 1), "same")), (9, 6, 2)),
    "dilated convolution": (with_biases(layers.Conv2D(6, (3, 3), dilation_rate=(2, 2))), (7, 8, 4)),
    "dilated and padded": (
        with_biases(layers.Conv2D(4, (3, 1), padding="same", dilation_rate=(2, 1))),
        (7, 1, 4),
    ),
    "whole convolution": (with_biases(layers.Conv2D(9, (5, 4), activation="relu6")), (5, 4, 3)),
    "whole rows": (with_biases(layers.Conv2D(9, (3, 4), activation="relu6")), (5, 4, 3)),
    "pointwise": (with_biases(layers.Conv2D(13, 1)), (2, 3, 10)),
    "depthwise": (with_biases(layers.DepthwiseConv2D((3, 2), activation="relu")), (6, 5, 7)),
    "strided depthwise": (with_biases(layers.DepthwiseConv2D(3, 2, "same")), (7, 5, 6)),
    "dilated depthwise": (with_biases(layers.DepthwiseConv2D((3, 1), dilation_rate=(2, 1))), (7, 1, 6)),
    "repeated depthwise": (with_biases(layers.DepthwiseConv2D(3, depth_multiplier=3)), (4, 4, 3)),
    "dense": (with_biases(layers.Dense(11)), (20,)),
    "dense rows": (with_biases(layers.Dense(6, activation="relu")), (3, 20)),
    "average pooling": (layers.AveragePooling2D((3, 2), (2, 1), "same"), (7, 5, 3)),
    "pooling of all bins": (layers.AveragePooling2D((1, 5)), (3, 5, 4)),
    "max pooling": (layers.MaxPooling2D((2, 3), 2, "same"), (7, 5, 3)),
    "every second": (layers.MaxPooling2D(1, (1, 2)), (3, 6, 3)),
    "mean": (layers.GlobalAveragePooling2D(), (5, 3, 6)),
    "mean with axes": (layers.GlobalAveragePooling2D(keepdims=True), (5, 3, 6)),
    "padding": (layers.ZeroPadding2D(((2, 0), (1, 3))), (3, 4, 2)),
    "silu": (layers.Activation("silu"), (4, 3, 5)),
    "relu": (lambda x: tf.nn.relu(x[:, ::2]), (4, 3, 5)),
    "sigmoid": (layers.Activation("sigmoid"), (4, 3, 5)),
    "mean of bins": (lambda x: tf.reduce_mean(x, 2, keepdims=True), (4, 6, 5)),
    "mean of time": (lambda x: tf.reduce_mean(x, 1), (4, 6, 5)),
    "doubled": (lambda x: tf.concat([x, tf.nn.relu(x)], 2) * 1.5, (4, 3, 2)),
    "broadcast sum": (lambda x: x + tf.reduce_mean(x, 2, keepdims=True), (4, 6, 5)),
    "broadcast product": (lambda x: x * tf.constant([0.5, -1.0, 2.0]), (4, 2, 3)),
    "sum with a constant": (lambda x: tf.nn.relu(x + tf.constant([0.5, -1.0, 2.0])), (4, 2, 3)),
    "another scale": (lambda x: tf.concat([x, tf.sigmoid(x)], 2), (4, 3, 2)),
    "slice": (lambda x: tf.slice(x, [0, 1, 0, 1], [1, 2, 2, -1]), (4, 2, 3)),
    "backwards": (lambda x: x[:, ::-2, 1:, -1], (5, 3, 4)),
    "another shape": (lambda x: tf.reshape(x, [1, 12]) * 0.3, (3, 4)),
}

OF_A_KIND = (
    "padded convolution",
    "dilated and padded",
    "whole convolution",
    "pointwise",
    "strided depthwise",
    "dilated depthwise",
    "dense",
    "average pooling",
    "max pooling",
    "mean",
    "padding",
    "silu",
    "backwards",
)


@pytest.mark.parametrize("name", others_slow(ONE_INPUT, *OF_A_KIND))
def test_equals_the_oracle(name, tmp_path):
    layer, shape = ONE_INPUT[name]
    check(one_input(layer, shape), shape, tmp_path)


@functools.cache
def one_input(layer, shape):
    return int8_network(lambda x: (layer(x),), shape)


def check(model, shape, folder):
    oracle, ours = OnMicrocontroller(model), compiled_network(model, folder)
    for features in random_bytes((1, *shape), 20):
        np.testing.assert_array_equal(ours(features), oracle.step(features))


def test_states_are_carried_over(tmp_path):
    model = residual_network()
    oracle, ours = OnMicrocontroller(model), compiled_network(model, tmp_path)
    for features in random_bytes((1, 2, 40, 1), 60):
        np.testing.assert_array_equal(ours(features), oracle.step(features))


def test_all_operators_are_tested():
    kinds = set()
    for layer, shape in ONE_INPUT.values():
        kinds |= {each.kind for each in read_graph(one_input(layer, shape)).operators}
    assert kinds >= OPERATORS.keys() - {"RELU6"}


@pytest.mark.slow
@few_examples
@given(data=st.data())
def test_convolutions_of_any_shape_equal_the_oracle(data, tmp_path_factory):
    size = st.integers(1, 6)
    kernel, dilation = ((data.draw(size), data.draw(size)) for _ in range(2))
    strides = 1 if max(dilation) > 1 else data.draw(size)
    padding = data.draw(st.sampled_from(["valid", "same"]))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    shape = (spans[0] + data.draw(size), spans[1] + data.draw(size), data.draw(size))
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    layer = data.draw(
        st.sampled_from(
            [
                layers.Conv2D(data.draw(size), kernel, **options),
                layers.DepthwiseConv2D(kernel, depth_multiplier=data.draw(size), **options),
            ]
        )
    )
    check(one_input(with_biases(layer), shape), shape, tmp_path_factory.mktemp("shape"))


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda x: tf.nn.elu(x), "ELU"),
        (lambda x: tf.transpose(x, [0, 2, 1, 3]), "TRANSPOSE"),
        (with_biases(layers.Conv2D(10, 2, groups=5)), "groups"),
        (lambda x: tf.reduce_mean(x, [1, 3]), r"axes \[1, 3\]"),
    ],
)
def test_what_is_not_there_is_named(function, named):
    with pytest.raises(UserError, match=named):
        network_functions(read_graph(one_input(function, (3, 4, 5))), Source())


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9), st.integers(0, 4)), max_size=12))
def test_tensors_lie_beside_each_other(drawn):
    needs = {i: Need(size, first, first + more) for i, (size, first, more) in enumerate(drawn)}
    places, total = planned(needs)
    for i, one in needs.items():
        assert places[i] % 4 == 0 and places[i] + one.size <= total
        for j, other in needs.items():
            if i != j and one.first <= other.last and other.first <= one.last:
                assert places[i] + one.size <= places[j] or places[j] + other.size <= places[i]
