"""The networks for short sounds in TFLite files: the same in float32, nearly so in int8."""

import keras
import numpy as np
import pytest
from families import others_slow
from time_convolutions import with_statistics

from tfspec.export import TFLiteClassifier
from tfspec.export.tflite import tflite_model
from tfspec.frontends import Spectrogram
from tfspec.models import Classifier, bc_resnet, ds_cnn, ds_tc_resnet, matchboxnet, residual, tc_resnet

NETWORKS = [bc_resnet, ds_cnn, ds_tc_resnet, matchboxnet, residual, tc_resnet]


def relative_logits(probabilities):
    """Return logits but for what is common to all classes."""
    logits = np.log(probabilities)
    return logits - logits.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("make", others_slow(NETWORKS, ds_tc_resnet))
def test_files_give_what_keras_gives(make, rng, tmp_path):
    keras.utils.set_random_seed(0)
    signals = rng.normal(0, 1, (24, 658)).astype(np.float32) * np.linspace(0.2, 1, 658, dtype=np.float32)
    backbone = with_statistics(make((30, 40, 1), 4))
    classifier = Classifier(Spectrogram(78, 20), backbone, ["a", "b", "c", "d"], (658,), 8000)
    expected = relative_logits(classifier.probabilities(signals))
    for quantize, tolerance in (("none", 1e-4), ("int8", 0.2)):
        (tmp_path / "model.tflite").write_bytes(tflite_model(classifier, quantize, [signals]))
        received = relative_logits(TFLiteClassifier(tmp_path / "model.tflite").probabilities(signals))
        assert np.sqrt(np.mean((received - expected) ** 2)) < tolerance * expected.std()
