"""An epoch of the same batches by either loader: tf.data, and a `keras.utils.Sequence`."""

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile

from tfspec.augment import Augmentation, Compose, Gain, PitchShift
from tfspec.data import AudioReader, Epochs, SignalSequence, make_dataset, precompute
from tfspec.frontends import Decibel, MelSpectrogram

CLIPS, BATCH, RATE, NAMES = 256, 32, 16000, ["a", "b"]
MEL = keras.Sequential([MelSpectrogram(RATE, 40, frame_length=512, frame_step=128), Decibel()])
CHANGES = Augmentation(Compose([PitchShift(-2, 2, 640), Gain(-6.0, 6.0)]))
WORKERS = {"a Sequence": {}, "with two threads": {"workers": 2}}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Recordings of a second."""
    folder, rng = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    manifest = pd.DataFrame({"label": np.resize(NAMES, CLIPS), "path": [f"{i}.wav" for i in range(CLIPS)]})
    for path in manifest["path"]:
        soundfile.write(folder / path, 0.1 * rng.standard_normal(RATE), RATE)
    return manifest, AudioReader(folder, RATE, RATE)


def epochs_of(**loaders) -> dict:
    """Make functions that train a network that takes no time for one epoch on batches of features."""

    def epoch(data):
        model = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
        return lambda: model.fit(data, shuffle=False, verbose=0)

    return {name: epoch(data) for name, data in loaders.items()}


@pytest.mark.parametrize("what", ["kept", "read", "augmented"])
def test_a_sequence_is_about_as_fast_as_a_dataset(medians, recordings, what):
    """Features kept in memory; made of recordings; made of recordings that are augmented."""
    manifest, read = recordings
    kept = precompute(manifest, read, MEL)
    options = {
        "kept": (kept, NAMES, BATCH, None),
        "read": (read, NAMES, BATCH, MEL),
        "augmented": (read, NAMES, BATCH, MEL),
    }[what]
    changes = {"augmentation": CHANGES} if what == "augmented" else {}
    loaders = {"tf.data": make_dataset(manifest, *options, Epochs(0), **changes)}
    for name, workers in WORKERS.items():
        loaders[name] = SignalSequence(manifest, *options, Epochs(0), **changes, **workers)
    times = medians(rounds=5, **epochs_of(**loaders))
    assert times["a Sequence"] < 2 * times["tf.data"]
