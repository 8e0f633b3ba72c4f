"""A hop of a stream, in TFLite and in C, against classifying the last clip anew."""

import ctypes
import subprocess

import numpy as np
import pytest

from tfspec.export import StreamingClassifier, TFLiteClassifier, export
from tfspec.export.micro.folder import write_micro
from tfspec.export.micro.micro_model import micro_model_of
from tfspec.export.streaming_file import DetectorSettings
from tfspec.export.streaming_runner import load_streaming
from tfspec.export.streaming_tflite import int8_network
from tfspec.models import Classifier
from tfspec.pipelines import SpeechCommands

HOPS = 100
SECONDS = HOPS * 0.02


@pytest.fixture(scope="module")
def classifier():
    """Make what `speech_commands --streaming` trains, with random weights."""
    steps = SpeechCommands(streaming=True)
    front_end = steps.front_end()
    backbone = steps.backbone(front_end.compute_output_shape((1, steps.num_samples))[1:], 10)
    return Classifier(front_end, backbone, [f"w{i}" for i in range(10)], (steps.num_samples,), 16000)


@pytest.fixture(scope="module")
def sound():
    return np.random.default_rng(0).normal(0, 0.1, 320 * HOPS).astype(np.float32)


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_a_hop_by_tflite(classifier, sound, quantize, medians, tmp_path):
    """At least five times as fast as the clip, and under a hundredth of real time."""
    clips = [sound[: 2 * 16000].reshape(2, 16000)]
    export(classifier, tmp_path / "export", clips, quantize, clips, streaming=True)
    stream = load_streaming(tmp_path / "export")
    clip = TFLiteClassifier(tmp_path / "export" / "model.tflite")
    hops = sound.reshape(HOPS, stream.hop_samples)
    seconds = medians(
        hops=lambda: [stream.step(hop) for hop in hops],
        clips=lambda: [clip.probabilities(clips[0][:1]) for _ in hops],
    )
    assert seconds["hops"] < seconds["clips"] / 5
    assert seconds["hops"] < SECONDS / 100


def test_a_hop_in_c(classifier, sound, medians, tmp_path):
    """Front end, int8 network and probabilities in at most 0.1 ms."""
    streaming = StreamingClassifier(classifier)
    network = int8_network(streaming, [sound[np.newaxis]])
    samples = np.round(sound * 2**15).astype(np.int16)
    write_micro(tmp_path / "micro", micro_model_of(streaming, network, DetectorSettings()), samples)
    sources = [
        f"{each}.c"
        for each in ("classifier", "detector", "front_end", "kernels", "mathematics", "model_data")
    ]
    command = ["gcc", "-std=c99", "-O2", "-fPIC", "-shared", *sources, "-lm", "-o", "library.so"]
    subprocess.run(command, cwd=tmp_path / "micro", check=True)
    library = ctypes.CDLL(str(tmp_path / "micro" / "library.so"))
    given = np.zeros(10, np.float32)
    places = [samples.ctypes.data + 2 * 320 * hop for hop in range(HOPS)]
    library.tfspec_reset()
    seconds = medians(
        hops=lambda: [
            library.tfspec_step(ctypes.c_void_p(place), ctypes.c_void_p(given.ctypes.data))
            for place in places
        ],
    )
    assert seconds["hops"] < 0.1e-3 * HOPS
