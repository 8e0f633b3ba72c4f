"""Files whose spectra are computed by TensorFlow Lite for Microcontrollers' own operator, against Keras."""

import keras
import numpy as np
import pytest
from families import others_slow
from test_micro_front_end import RATE, signals, word_features

from tfspec import UserError
from tfspec.audio.decoding import hops_of
from tfspec.borrowed import tflite_tree
from tfspec.export.micro.interpreter import MOST_ARENA
from tfspec.export.micro.signal_ops import with_signal_operators
from tfspec.export.streaming import StreamingClassifier
from tfspec.export.streaming_tflite import int8_network, states_of, streaming_tflite
from tfspec.models import Classifier, SeparableBlock, ds_tc_resnet


@pytest.fixture(scope="module")
def streaming():
    keras.utils.set_random_seed(0)
    blocks = [SeparableBlock(16, 5, stride=2), SeparableBlock(16, 7, residual=True)]
    network = ds_tc_resnet((None, 40, 1), 3, blocks, padding="valid")
    front_end = keras.Sequential(word_features())
    return StreamingClassifier(Classifier(front_end, network, ["a", "b", "c"], (8000,), RATE))


@pytest.mark.parametrize("quantize", others_slow(["none", "int8"], "int8"))
def test_equals_keras(streaming, quantize):
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs tflite-micro")
    sound = signals()["voice"] / 32768
    network = int8_network(streaming, [sound[np.newaxis]]) if quantize == "int8" else None
    model = with_signal_operators(streaming_tflite(streaming, network))
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=MOST_ARENA)
    tree = tflite_tree(model)
    (signature,), graph = tree.signatureDefs, tree.subgraphs[0]
    given, returned = (
        {each.name.decode(): list(there).index(each.tensorIndex) for each in side}
        for side, there in ((signature.inputs, graph.inputs), (signature.outputs, graph.outputs))
    )
    tolerance = {"none": 1e-6, "int8": 0.05}[quantize]
    names = [f"state_{i}" for i in range(len(given) - 1)]
    by_keras = streaming.first_states()
    ours = [np.full(each.shape, each.initial, each.type) for each in states_of(streaming, network)]
    for hop in hops_of([sound.astype(np.float32)], streaming.hop_samples):
        expected, by_keras = streaming.step(hop[np.newaxis], by_keras)
        for name, value in zip(["samples", *names], [hop[np.newaxis], *ours], strict=True):
            interpreter.set_input(value, given[name])
        interpreter.invoke()
        ours = [interpreter.get_output(returned[name]).copy() for name in names]
        np.testing.assert_allclose(
            interpreter.get_output(returned["probabilities"]), expected, atol=tolerance
        )


def test_a_file_without_spectra_is_refused(streaming):
    model = with_signal_operators(streaming_tflite(streaming))
    with pytest.raises(UserError, match="power of two"):
        with_signal_operators(model)
