"""Front ends against Keras's, kapre's, tf.signal's, librosa's and torch's.

All get 256 one-second clips at 16 kHz in one tensor, frames of 512, steps of 128 and 40 mel bands; what is
TensorFlow is compiled to a graph. kapre and torch take part where they are installed.
"""

import importlib.util
import subprocess
import sys

import keras
import librosa
import numpy as np
import pytest
import tensorflow as tf

from tfspec.frontends import MFCC, Decibel, MelSpectrogram, MultiResolutionMel

CLIPS, RATE, LENGTH, STEP, BANDS = 256, 16000, 512, 128, 40
MEL = {"sample_rate": RATE, "num_mel_bins": BANDS, "lower_hz": 20.0}
TRANSFORM = {"frame_length": LENGTH, "frame_step": STEP, "center": False}


@pytest.fixture(scope="module")
def clips():
    return tf.constant(0.1 * np.random.default_rng(0).standard_normal((CLIPS, RATE)), tf.float32)


def log_mel() -> keras.Sequential:
    return keras.Sequential([MelSpectrogram(**MEL, **TRANSFORM), Decibel()])


def tf_signal_mel(clips):
    bank = tf.signal.linear_to_mel_weight_matrix(BANDS, LENGTH // 2 + 1, RATE, 20.0, RATE / 2)
    return tf.math.log(tf.matmul(tf.square(tf.abs(tf.signal.stft(clips, LENGTH, STEP))), bank) + 1e-6)


def tf_signal_mfcc(clips):
    return tf.signal.mfccs_from_log_mel_spectrograms(tf_signal_mel(clips))


def frames_and_ffts(clips):
    return tf.signal.rfft(tf.signal.frame(clips, LENGTH, STEP))


def keras_mel() -> keras.Layer:
    return keras.layers.MelSpectrogram(
        fft_length=LENGTH,
        sequence_length=LENGTH,
        sequence_stride=STEP,
        sampling_rate=RATE,
        num_mel_bins=BANDS,
        mag_exp=2.0,
    )


def kapre_mel():
    kapre = pytest.importorskip(
        "kapre", reason="pip install --no-deps kapre==0.4.1 beside a newer TensorFlow"
    )
    bank = {"sample_rate": RATE, "n_freq": LENGTH // 2 + 1, "n_mels": BANDS, "f_min": 20.0, "norm": "slaney"}
    layers = [
        kapre.STFT(n_fft=LENGTH, hop_length=STEP, input_data_format="channels_last"),
        kapre.Magnitude(),
        keras.layers.Lambda(tf.square),
        kapre.ApplyFilterbank(type="mel", filterbank_kwargs=bank, data_format="channels_last"),
        kapre.MagnitudeToDecibel(amin=1e-10, dynamic_range=80.0),
    ]
    return keras.Sequential([keras.Input((RATE, 1)), *layers])


def graph(function, *inputs):
    """Compile, and give a call without arguments."""
    compiled = tf.function(function)
    return lambda: compiled(*inputs)


def test_log_mel(clips, medians):
    """1.5 times as fast as the fastest peer; at most 1.6 times framing and FFTs alone."""
    peers = {"keras": graph(keras_mel(), clips), "tf_signal": graph(tf_signal_mel, clips)}
    if importlib.util.find_spec("kapre"):
        peers["kapre"] = graph(kapre_mel(), clips[..., tf.newaxis])
    floor = graph(frames_and_ffts, clips)
    seconds = medians(rounds=25, ours=graph(log_mel(), clips), frames_and_ffts=floor, **peers)
    assert min(seconds[peer] for peer in peers) > 1.5 * seconds["ours"]
    assert seconds["ours"] < 1.6 * seconds["frames_and_ffts"]


def test_log_mel_called_eagerly(clips, medians):
    """The same without a graph around it."""
    layer, peer = log_mel(), keras_mel()
    seconds = medians(
        rounds=25,
        ours=lambda: layer(clips),
        keras=lambda: peer(clips),
        tf_signal=lambda: tf_signal_mel(clips),
    )
    assert min(seconds["keras"], seconds["tf_signal"]) > 1.5 * seconds["ours"]


def test_mfcc(clips, medians):
    """1.5 times as fast as tf.signal; at most 1.6 times framing and FFTs alone; 5 times librosa."""
    options = {
        "n_mfcc": 13,
        "n_fft": LENGTH,
        "hop_length": STEP,
        "n_mels": BANDS,
        "fmin": 20,
        "center": False,
    }
    one_by_one = clips.numpy()
    seconds = medians(
        ours=graph(MFCC(13, **MEL, **TRANSFORM), clips),
        tf_signal=graph(tf_signal_mfcc, clips),
        frames_and_ffts=graph(frames_and_ffts, clips),
        librosa=lambda: [librosa.feature.mfcc(y=clip, sr=RATE, **options) for clip in one_by_one],
    )
    assert seconds["tf_signal"] > 1.5 * seconds["ours"]
    assert seconds["ours"] < 1.6 * seconds["frames_and_ffts"]
    assert seconds["librosa"] > 5 * seconds["ours"]


def test_multi_resolution_mel(clips, medians):
    """3 times as fast as torchaudio's four transforms, written with torch.stft."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(2)
    ours = MultiResolutionMel()
    waves, bank = torch.tensor(clips[:32].numpy()), torch.tensor(ours.filter_bank)

    def peer():
        views = []
        with torch.inference_mode():
            for length in ours.window_lengths:
                padded = torch.nn.functional.pad(waves, (50, 50))
                window = torch.hann_window(length)
                spectrum = torch.stft(padded, 2048, 100, length, window, return_complex=True)
                views.append(torch.matmul(spectrum.abs().pow(2).transpose(1, 2), bank).transpose(1, 2))
        return torch.stack(views, -1)

    received, expected = ours(clips[:1])[0], peer()[0, :, 1:-1].transpose(0, 1)
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-5 * float(expected.max()))
    seconds = medians(ours=graph(ours, clips[:32]), torch=peer)
    assert seconds["torch"] > 3 * seconds["ours"]


def test_in_a_dataset(clips, medians):
    """Mapped after batching: 0.9 of the throughput outside a dataset."""
    layer = log_mel()
    batches = tf.data.Dataset.from_tensors(clips).repeat(8)
    features = batches.map(layer)
    outside = tf.function(layer)
    seconds = medians(
        ours=lambda: [None for _ in features],
        outside=lambda: [outside(batch) for batch in batches],
    )
    assert seconds["outside"] > 0.9 * seconds["ours"]


PEAK_MEMORY = """
import resource, sys
import numpy as np, tensorflow as tf
from tfspec import frontends

layer = getattr(frontends, sys.argv[1])(**eval(sys.argv[2]))
layer(np.zeros([1, 48000 * 10], np.float32))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
signal = tf.random.stateless_uniform([1, 48000 * 600], [0, 0], -1, 1)
before = peak() - signal.shape[1] * 4
features = layer(signal)
size = 4 * (signal.shape[1] + np.prod(features.shape))
print((peak() - before) / size)
"""


@pytest.mark.skipif(not importlib.util.find_spec("resource"), reason="peak memory is read on Unix")
@pytest.mark.parametrize("name", ["Spectrogram", "MelSpectrogram", "MFCC"])
@pytest.mark.parametrize("frame_length", [512, 2048, 1200])
def test_memory_of_ten_minutes(name, frame_length, capsys, benchmark):
    """Ten minutes at 48 kHz in one call: at most 4 times input and output together."""
    options = {"frame_length": frame_length, "frame_step": frame_length // 4, "center": False}
    if name != "Spectrogram":
        options |= {"sample_rate": 48000, "num_mel_bins": BANDS}
    command = [sys.executable, "-c", PEAK_MEMORY, name, repr(options)]
    run = benchmark.pedantic(subprocess.run, [command], {"capture_output": True, "text": True}, rounds=1)
    times = float(run.stdout)
    with capsys.disabled():
        print(f"\n{name} {frame_length}: {times:.2f} times input and output")
    assert times < 4
