"""Front ends in C on single precision, against Keras."""

import keras
import numpy as np
import pytest
from keras import layers
from microcontroller import compiled_front_end, needs_gcc, streamed_features

from tfspec import UserError
from tfspec.audio.decoding import hops_of
from tfspec.dsp import spectral
from tfspec.export.micro.front_end import frame_function
from tfspec.export.micro.source_text import Source
from tfspec.export.streaming import StreamingClassifier
from tfspec.frontends import MFCC, PCEN, Decibel, Log, MelSpectrogram, MultiResolutionMel, Spectrogram
from tfspec.models import Classifier, SeparableBlock, ds_tc_resnet

pytestmark = needs_gcc
RATE, SAMPLES, LEAD = 16_000, 16_000, 400
WORDS = {"frame_length": 480, "frame_step": 160, "fft_length": 512, "center": False}
MEL = {**WORDS, "sample_rate": RATE, "num_mel_bins": 40}


def word_features():
    return [MelSpectrogram(**MEL), Log(offset=1e-6), layers.Rescaling(0.25, 2.0)]


def signals():
    """Recordings of 16 bits: a voice-like sum of harmonics, and what is hard."""
    random, time = np.random.default_rng(0), np.arange(SAMPLES) / RATE
    harmonics = sum(
        np.sin(2 * np.pi * 120 * (1 + 0.1 * np.sin(5 * time)) * k * time) / k for k in range(1, 30)
    )
    voice = 3000 * harmonics * np.sin(2 * np.pi * 2 * time) ** 2 + random.normal(0, 20, SAMPLES)
    return {
        "voice": voice,
        "silence": np.zeros(SAMPLES),
        "full scale": 32767 * np.sin(2 * np.pi * 1000 * time),
        "direct current": np.full(SAMPLES, 30_000),
        "extremes": np.where(np.arange(SAMPLES) // 40 % 2, 32767, -32768),
        "noise": random.normal(0, 5000, SAMPLES).clip(-32768, 32767),
        "faint noise": random.normal(0, 2, SAMPLES),
    }


PURE = ("full scale", "direct current")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    front_end = keras.Sequential(word_features())
    return front_end, compiled_front_end(front_end, LEAD, 320, tmp_path_factory.mktemp("words"))


def exact(front_end, samples):
    """Compute log mel features in double precision."""
    mel = front_end.layers[0]
    padded = np.pad(samples / 32768, (LEAD, 0))[16:]  # a frame is in the middle of its transform
    frames = np.lib.stride_tricks.sliding_window_view(padded, mel.frame_length)[:: mel.frame_step]
    frames = frames[: len(samples) // mel.frame_step] * spectral.window("hann", mel.frame_length).astype(
        np.float64
    )
    power = np.abs(np.fft.rfft(frames, mel.fft_length)) ** 2
    return np.log(power @ mel.filter_bank.astype(np.float64) + 1e-6) / 4 + 2


@pytest.mark.parametrize("name", signals())
def test_equals_keras(name, words):
    """Single precision ends 90 dB below a pure tone: there Keras, too, is off, and ours no further."""
    front_end, compute = words
    samples = np.rint(signals()[name]).astype(np.int16)
    features, by_keras = compute(samples), streamed_features(front_end, samples, LEAD)
    own_error = np.abs(by_keras - exact(front_end, samples)).max() if name in PURE else 0
    np.testing.assert_allclose(features, by_keras, rtol=0, atol=1e-5 + own_error)
    np.testing.assert_allclose(features, exact(front_end, samples), rtol=0, atol=1e-5 + own_error)


def test_frames_are_those_of_the_signal(words):
    front_end, compute = words
    samples = np.rint(signals()["voice"]).astype(np.int16)
    clip = np.asarray(front_end(samples[np.newaxis] / np.float32(32768)))[0, :, :, 0]
    lead_frames, more = divmod(LEAD, 160)
    shifted = compute(samples[more:])[lead_frames:]  # whose first frame lacks these samples
    np.testing.assert_allclose(shifted[1:], clip[1 : len(shifted)], rtol=0, atol=1e-5)


@pytest.mark.parametrize("compression", [Log(offset=1e-6), PCEN(RATE, 160, scale=2.0**31)])
def test_frames_are_those_of_a_stream(compression, tmp_path):
    """What the library computes of a hop is what the streaming classifier's front end does."""
    network = ds_tc_resnet((None, 40, 1), 2, [SeparableBlock(4, 3, stride=2)], padding="valid")
    front_end = keras.Sequential([MelSpectrogram(**MEL), compression, layers.Rescaling(0.25, 2.0)])
    streaming = StreamingClassifier(Classifier(front_end, network, ["no", "yes"], (8000,), RATE))
    compute = compiled_front_end(front_end, streaming.lead_samples, streaming.hop_samples, tmp_path)
    samples = np.rint(signals()["voice"]).astype(np.int16)
    states, expected = streaming.front_end.first_states, []
    for hop in hops_of([samples / np.float32(32768)], streaming.hop_samples):
        features, states = streaming.front_end.step(hop[np.newaxis], states)
        expected.append(features[0, :, :, 0])
    np.testing.assert_allclose(compute(samples), np.concatenate(expected), rtol=0, atol=1e-5)


OTHERS = {
    "magnitudes": [Spectrogram(256, 128)],
    "a power of 0.5": [Spectrogram(200, 100, 256, power=0.5, window="hamming"), layers.Rescaling(0.1)],
    "bins together": [Spectrogram(480, 160, 512, power=2), layers.AveragePooling2D((1, 8)), Log(offset=1e-6)],
    "bands together": [MelSpectrogram(**MEL), Log(offset=1e-6), layers.AveragePooling2D((1, 3))],
    "cepstra together": [
        MFCC(
            66,
            RATE,
            num_mel_bins=80,
            frame_length=128,
            frame_step=64,
            center=False,
            allow_empty_bands=True,
            compression="log",
        ),
        layers.AveragePooling2D((1, 2)),
        layers.AveragePooling2D((1, 3)),
        layers.Rescaling(0.01),
    ],
    "decibels": [MelSpectrogram(**MEL, power=1), Decibel(1e-3, None, 0.5, 1), layers.Rescaling(0.01, 0.5)],
    "htk": [MelSpectrogram(**MEL, mel_scale="htk", area_norm=False, window_place="start"), Log(1e-3)],
    "cepstra": [MFCC(13, **MEL, dynamic_range_db=None, lifter=22), layers.Rescaling(0.001)],
    "cepstra of logarithms": [MFCC(20, **MEL, compression="log", dct_norm="htk"), layers.Rescaling(0.1)],
    "steps with gaps": [Spectrogram(64, 160, 64, power=2), Log(1e-2)],
    "a small transform": [Spectrogram(3, 2, 4, power=2)],
    "the lower bins": [Spectrogram(400, 160, 512, power=2, max_bin=100), Log(1e-3)],
    "loudness apart": [MelSpectrogram(**MEL), PCEN(RATE, 160, scale=2.0**31)],
    "loudness apart, twice": [
        MelSpectrogram(**MEL),
        PCEN(RATE, 160, gain=0.8, bias=1.0, power=0.25, time_constant=0.06, floor=1e-4, scale=2.0**20),
        PCEN(RATE, 160),
    ],
    "empty bands": [
        MelSpectrogram(RATE, 80, frame_length=256, frame_step=160, center=False, allow_empty_bands=True)
    ],
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_front_ends_equal_keras(name, tmp_path):
    front_end = keras.Sequential(OTHERS[name])
    samples = np.rint(signals()["voice"]).astype(np.int16)
    features = compiled_front_end(front_end, LEAD, OTHERS[name][0].frame_step, tmp_path)(samples)
    expected = streamed_features(front_end, samples, LEAD)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("front_end", "remedy"),
    [
        ([MelSpectrogram(RATE)], r"MelSpectrogram\(center=True\) .* train with center=False"),
        ([Spectrogram(pad_end=True)], "pad_end=False"),
        ([Spectrogram(pad=3)], "pad=0"),
        ([Spectrogram(480)], r"Spectrogram\(fft_length=480\) .* a power of two"),
        ([MultiResolutionMel()], "MultiResolutionMel"),
        ([MFCC(**MEL)], r"MFCC\(dynamic_range_db=80.0\) .* train with dynamic_range_db=None"),
        ([Spectrogram(), Decibel()], "dynamic_range_db=None"),
        ([Spectrogram(), Decibel(dynamic_range_db=None, reference="max")], "reference=1.0"),
        ([Spectrogram(), PCEN(learnable=True)], r"learnable=True\) .* fixed parameters"),
        ([Spectrogram(), PCEN(floor=1e-37)], r"floor=1e-37\) .* a larger floor"),
        ([Spectrogram(), layers.AveragePooling2D(2)], r"AveragePooling2D\(2, 2\)"),
        ([Spectrogram(), layers.Rescaling([1.0, 2.0])], "one scale"),
    ],
)
def test_what_cannot_be_there_is_named(front_end, remedy):
    with pytest.raises(UserError, match=remedy):
        frame_function(keras.Sequential(front_end), Source())
