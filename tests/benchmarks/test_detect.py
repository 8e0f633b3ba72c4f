"""A long recording scored second by second, against real time and against the model alone."""

import keras
import numpy as np
import pytest
import soundfile

from tfspec.audio.decoding import windows_of
from tfspec.audio.opening import opened
from tfspec.frontends import Decibel, MelSpectrogram, MinMax, Resize
from tfspec.inference.long_recordings import detect
from tfspec.models import Classifier

RATE, SECONDS, WINDOW = 48000, 60, 480_000


@pytest.fixture(scope="module")
def model():
    """Make MobileNetV2 on 563 × 128 pictures of 10 s, with random weights."""
    mel = MelSpectrogram(RATE, 128, 84.0, 15056.0, frame_length=2048, frame_step=512)
    front_end = keras.Sequential([mel, Decibel(), MinMax(), Resize(563, 128)])
    features = keras.Input(front_end.compute_output_shape((None, WINDOW))[1:])
    network = keras.applications.MobileNetV2(
        input_tensor=features, include_top=False, weights=None, pooling="avg"
    )
    backbone = keras.Model(features, keras.layers.Dense(24)(network.output))
    return Classifier(front_end, backbone, [f"s{i}" for i in range(24)], (WINDOW,), RATE)


def test_a_minute_of_rainforest(model, medians, tmp_path, capsys):
    """Over 30 times as fast as real time: 60 s at 48 kHz in flac, windows of 10 s every 5 s."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE * SECONDS)
    soundfile.write(tmp_path / "a.flac", noise, RATE)
    with opened(tmp_path / "a.flac") as recording:
        windows = np.stack([window for _, window in windows_of(recording, RATE, WINDOW, WINDOW // 2)])
    assert windows.shape == (11, WINDOW)
    seconds = medians(
        rounds=5,
        ours=lambda: detect(model, tmp_path / "a.flac"),
        model_alone=lambda: model.probabilities(windows),
    )
    with capsys.disabled():
        print(f"{SECONDS / seconds['ours']:.0f} times real time")
    assert seconds["ours"] < SECONDS / 30
    assert seconds["ours"] < 1.2 * seconds["model_alone"]
