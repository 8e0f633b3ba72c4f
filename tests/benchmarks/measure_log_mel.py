"""Measures the ways to a log-mel spectrogram that were tried, for the table in README.md beside this file.

    python tests/benchmarks/measure_log_mel.py

256 one-second clips at 16 kHz, frames of 512, steps of 128, 40 bands; every way in turn, medians of 25
rounds. All are first compared with the chosen one.
"""

from __future__ import annotations

import statistics
import time
from functools import partial

import numpy as np
import tensorflow as tf

from tfspec.dsp import mel, spectral
from tfspec.frontends import MelSpectrogram

CLIPS, SAMPLES, LENGTH, STEP, BANDS, BATCHES = 256, 16000, 512, 128, 40, 8
BINS = LENGTH // 2 + 1
WINDOW = spectral.window("hann", LENGTH)
BANK = mel.mel_filter_bank(BANDS, LENGTH, 16000, 0, 8000)


def frames(clips):
    return tf.signal.frame(clips, LENGTH, STEP)


def ffts(clips):
    return tf.signal.rfft(frames(clips) * WINDOW)


def power(spectrum):
    return tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))


def at_once(clips):
    return tf.matmul(power(ffts(clips)), BANK)


def magnitudes(clips):
    return tf.matmul(tf.square(tf.abs(tf.signal.stft(clips, LENGTH, STEP))), BANK)


def blocks_of(block_frames, function=at_once):
    return lambda clips: spectral.in_blocks(function, clips, LENGTH, STEP, block_frames)


def sparse_mel(clips):
    bank = tf.sparse.from_dense(BANK.T)
    rows = tf.reshape(power(ffts(clips)), [-1, BINS])
    return tf.reshape(
        tf.transpose(tf.sparse.sparse_dense_matmul(bank, rows, adjoint_b=True)), [CLIPS, -1, BANDS]
    )


def two_frames_in_one_fft(clips):
    """Two clips as real and imaginary part; their spectra are the even and the odd part of the sum's."""
    windowed = frames(clips) * WINDOW
    both = tf.signal.fft(tf.complex(windowed[0::2], windowed[1::2]))
    mirrored = tf.math.conj(tf.roll(both[..., ::-1], 1, -1))[..., :BINS]
    both = both[..., :BINS]
    powers = tf.stack([power(both + mirrored), power(both - mirrored)], axis=1) / 4
    return tf.reshape(tf.matmul(powers, BANK), [CLIPS, -1, BANDS])


def _fourier():
    angle = 2 * np.pi * np.outer(np.arange(LENGTH), np.arange(BINS)) / LENGTH
    return (WINDOW[:, np.newaxis] * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)


def matrix_product(clips):
    real, imaginary = tf.split(tf.tensordot(frames(clips), _fourier(), 1), 2, -1)
    return tf.matmul(tf.square(real) + tf.square(imaginary), BANK)


def convolution(clips):
    both = tf.nn.conv1d(clips[..., tf.newaxis], _fourier()[:, np.newaxis], STEP, "VALID")
    real, imaginary = tf.split(both, 2, -1)
    return tf.matmul(tf.square(real) + tf.square(imaginary), BANK)


chosen = MelSpectrogram(16000, BANDS, frame_length=LENGTH, frame_step=STEP, center=False)
CHOSEN = "chosen: `MelSpectrogram`, blocks of 1024 frames"
WAYS = {
    CHOSEN: lambda clips: chosen(clips)[..., 0],
    "blocks of 256 frames": blocks_of(256),
    "blocks of 4096 frames": blocks_of(4096),
    "all at once": at_once,
    "all at once, sparse mel": sparse_mel,
    "all at once, |z|² by tf.abs (plain tf.signal)": magnitudes,
    "two real frames in one complex FFT": two_frames_in_one_fft,
    "DFT as a matrix product": matrix_product,
    "DFT as a convolution (oneDNN)": convolution,
}


def main() -> None:
    """Print the table."""
    clips = tf.constant(0.1 * np.random.default_rng(0).standard_normal((CLIPS, SAMPLES)), tf.float32)
    calls = {name: tf.function(way) for name, way in WAYS.items()}
    calls["all at once, XLA"] = tf.function(at_once, jit_compile=True)
    calls["blocks of 1024 frames, each by XLA"] = tf.function(
        blocks_of(1024, tf.function(at_once, jit_compile=True))
    )
    expected = chosen(clips)[..., 0]
    for name, call in calls.items():
        np.testing.assert_allclose(call(clips), expected, rtol=1e-2, atol=1e-4, err_msg=name)
    calls["framing and FFTs alone"] = tf.function(lambda clips: tf.signal.rfft(frames(clips)))
    batches = tf.data.Dataset.from_tensors(clips).repeat(BATCHES)
    for name in (CHOSEN, "all at once", "all at once, XLA"):
        calls[f"in a dataset: {name}"] = partial(consume, batches.map(calls[name]))
    seconds = medians({name: partial(call, clips) for name, call in calls.items()})
    for name, median in seconds.items():
        print(f"| {name} | {median * 1e3:.1f} ms | {median / seconds[CHOSEN]:.2f} |")


def consume(dataset, clips):
    """Go through a dataset of several batches; stands for as many calls."""
    for _ in dataset:
        pass


def medians(calls):
    """Return the median seconds a batch of each call."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(26):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            batches = BATCHES if name.startswith("in a dataset") else 1
            times[name].append((time.perf_counter() - start) / batches)
    return {name: statistics.median(seconds[1:]) for name, seconds in times.items()}


if __name__ == "__main__":
    main()
