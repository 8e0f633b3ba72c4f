"""Seeded damage to model files: nothing but UserErrors, and no answer of a damaged file but the right one."""

import keras
import numpy as np
import pytest

from tfspec.base.errors import UserError
from tfspec.export import TFLiteClassifier
from tfspec.export.metadata import CHECKSUM_BYTES
from tfspec.export.tflite import tflite_model
from tfspec.frontends import Decibel, Spectrogram, Standardize
from tfspec.inference import load_model
from tfspec.models import Classifier, conv2d

SIGNALS = np.random.default_rng(0).uniform(-1, 1, (1, 1500)).astype(np.float32)
SEEDS = {"few": range(150), "many": range(150, 2000)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return each kind of file: its content and what the model in it answers."""
    keras.utils.set_random_seed(0)
    front_end = keras.Sequential([Spectrogram(128, 64, power=2), Decibel(), Standardize()])
    classifier = Classifier(front_end, conv2d((None, 65, 1), 2), ["no", "yes"], (1500,), 8000)
    path = tmp_path_factory.mktemp("whole") / "model.keras"
    classifier.save(path)
    tflite = tflite_model(classifier)
    foreign = tflite[: -CHECKSUM_BYTES - 2] + bytes(2)  # as another program writes it: without a checksum
    contents = {"keras": path.read_bytes(), "tflite": tflite, "foreign.tflite": foreign}
    return {name: (content, classifier.probabilities(SIGNALS)) for name, content in contents.items()}


def _damaged(content, seed):
    """Change, cut off, insert, leave out or repeat some bytes, often near an end, where most structure is."""
    rng = np.random.default_rng(seed)
    data = bytearray(content)
    size = int(rng.choice([1, 4, 50, 2000]))
    start = int(rng.choice([rng.integers(len(data)), rng.integers(4000), len(data) - 1 - rng.integers(4000)]))
    kind = rng.integers(6)
    if kind == 0:
        data[start : start + size] = rng.bytes(size)
    elif kind == 1:
        del data[start:]
    elif kind == 2:
        data[start:start] = rng.bytes(size)
    elif kind == 3:
        del data[start : start + size]
    elif kind == 4:
        data[start] ^= 1 << int(rng.integers(8))
    else:
        data[start : start + size] = bytes([rng.choice([0, 127, 255])]) * size
    return bytes(data)


@pytest.mark.parametrize("kind", ["keras", "tflite", "foreign.tflite"])
@pytest.mark.parametrize("seeds", ["few", pytest.param("many", marks=pytest.mark.slow)])
def test_damaged_models_are_refused_or_right(files, tmp_path, kind, seeds):
    content, expected = files[kind]
    path = tmp_path / f"model.{kind}"
    refused = 0
    for seed in SEEDS[seeds]:
        path.write_bytes(_damaged(content, seed))
        try:
            model = load_model(path)
            received = model.probabilities(SIGNALS)
        except UserError as error:
            assert "\n" not in str(error), seed
            refused += 1
            continue
        if kind != "foreign.tflite":  # whose weights nothing protects
            np.testing.assert_allclose(received, expected, atol=1e-5, err_msg=str(seed))
    assert refused > len(SEEDS[seeds]) * (0.3 if kind == "foreign.tflite" else 0.9)
    path.write_bytes(content)
    assert isinstance(load_model(path), Classifier if kind == "keras" else TFLiteClassifier)
