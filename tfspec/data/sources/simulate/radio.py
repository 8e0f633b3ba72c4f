"""Simulated radio signals: four classes of narrow-band transmissions in noise, and their pictures.

The parameters are those of the public SETI signal generator: noise of σ = 13 in each component, 196,608
complex samples, rounded to 8 bits.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.base.options import Seed, SignalCount, check_options
from tfspec.base.progress import Tracker, untracked
from tfspec.base.threads import ahead

RADIO_CLASSES = ("Squiggle", "Narrowband", "Narrowbanddrd", "Noises")
PUBLISHED_SNR = {"Squiggle": (0.1, 0.5), "Narrowband": (0.05, 0.4), "Narrowbanddrd": (0.05, 0.4)}

NUM_SAMPLES = 196_608
NOISE_SIGMA = 13.0
FFT_LENGTH = 512
PICTURE_SHAPE = (64, 128)  # time, frequency

BATCH = 16


def radio_signals(
    labels: Sequence[str], seeds: np.ndarray, snr: tuple[float, float] | None = None
) -> tf.Tensor:
    """Simulate complex time series.

    The phase step of a signal starts anywhere in the band and drifts by a constant each sample. That is all
    that Narrowband does; in Narrowbanddrd the drift itself changes at a constant rate; in Squiggle the step
    takes a random walk as well; Noises have no signal.

    Args:
        labels: (batch,) of `RADIO_CLASSES`.
        seeds: (batch, 2) int32; the same seed and label give the same signal in any batch.
        snr: range of the signal's amplitude in units of the noise's σ, for all classes; the published
            range of each class if None.

    Returns:
        (batch, 196608, 2) int8, real and imaginary part.

    Raises:
        ValueError: a label is not known.

    Example:
        >>> radio_signals(["Noises"], np.array([[0, 0]])).shape
        TensorShape([1, 196608, 2])
    """
    if unknown := sorted(set(labels) - set(RADIO_CLASSES)):
        raise ValueError(f"`labels` must be among {RADIO_CLASSES}. Received: {unknown}")
    kinds = np.array([RADIO_CLASSES.index(label) for label in labels], np.int32)
    ranges = np.array(
        [(snr or PUBLISHED_SNR[label]) if label in PUBLISHED_SNR else (0, 0) for label in labels]
    )
    return _simulate(kinds, tf.constant(seeds, tf.int32), ranges.astype(np.float32))


@tf.function(reduce_retracing=True)
def _simulate(kinds, seeds, snr):
    return tf.map_fn(
        lambda args: _signal(*args),
        (kinds, seeds, snr),
        fn_output_signature=tf.TensorSpec([NUM_SAMPLES, 2], tf.int8),
        parallel_iterations=4,
    )


def _signal(kind, seed, snr):
    """Simulate one signal: (196608, 2) int8."""
    draw_seed, walk_seed, noise_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    draws = tf.random.stateless_uniform([6], draw_seed, dtype=tf.float64)
    amplitude = NOISE_SIGMA * _between(draws[0], *tf.unstack(tf.cast(snr, tf.float64)))
    start = _between(draws[1], -math.pi, math.pi)
    drift = _between(draws[2], -0.0075, 0.0075) / 1024
    drift_rate = tf.sign(draws[3] - 0.5) * _between(draws[4], 0.01, 0.08) * 1e-6 / 1024
    widest_step = _between(draws[5], 0.0001, 0.005)

    # What the phase step gains at each sample. Twice summed it is the phase, which needs float64.
    if kind == RADIO_CLASSES.index("Squiggle"):
        walk = tf.random.stateless_uniform([NUM_SAMPLES], walk_seed, -1, 1, tf.float64)
        steps = drift + widest_step * walk
    elif kind == RADIO_CLASSES.index("Narrowband"):
        steps = tf.fill([NUM_SAMPLES], drift)
    else:
        steps = drift + drift_rate * tf.range(NUM_SAMPLES, dtype=tf.float64)
    turns = tf.cumsum(start + tf.cumsum(steps)) / (2 * math.pi)
    phase = tf.cast(2 * math.pi * (turns - tf.floor(turns)), tf.float32)  # as `floormod`, and faster
    wave = tf.stack([tf.cos(phase), tf.sin(phase)], axis=-1) * tf.cast(amplitude, tf.float32)
    noise = tf.random.stateless_normal([NUM_SAMPLES, 2], noise_seed, stddev=NOISE_SIGMA)
    return tf.cast(tf.clip_by_value(tf.round(wave + noise), -128, 127), tf.int8)


def _between(draw, low, high):
    return low + (high - low) * draw


@tf.function(reduce_retracing=True)
def spectrogram_pictures(signals: tf.Tensor) -> tf.Tensor:
    """Draw time series as pictures of power over time and frequency.

    |FFT|² of 384 consecutive rows of 512 samples, zero frequency in the middle, averaged 6 × 4, in decibels,
    each picture scaled so that its smallest value is 0 and its largest 1.

    Args:
        signals: (batch, 196608, 2), real and imaginary part.

    Returns:
        (batch, 64, 128) float32: time, frequency.

    Example:
        >>> spectrogram_pictures(radio_signals(["Noises"], np.array([[0, 0]]))).shape
        TensorShape([1, 64, 128])
    """
    parts = tf.cast(tf.reshape(signals, [-1, NUM_SAMPLES // FFT_LENGTH, FFT_LENGTH, 2]), tf.float32)
    spectrum = tf.signal.fftshift(tf.signal.fft(tf.complex(parts[..., 0], parts[..., 1])), axes=-1)
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    rows, columns = PICTURE_SHAPE
    cells = tf.reshape(power, [-1, rows, NUM_SAMPLES // FFT_LENGTH // rows, columns, FFT_LENGTH // columns])
    picture = tf.math.log(tf.reduce_mean(cells, [2, 4]))
    low = tf.reduce_min(picture, [1, 2], keepdims=True)
    high = tf.reduce_max(picture, [1, 2], keepdims=True)
    return (picture - low) / (high - low)


def radio_pictures(
    labels: Sequence[str], seeds: np.ndarray, snr: tuple[float, float] | None = None
) -> np.ndarray:
    """Simulate signals and keep only their pictures, a few signals at a time.

    Args:
        labels: (examples,) of `RADIO_CLASSES`.
        seeds: (examples, 2) int32; the same seed and label give the same picture.
        snr: as in `radio_signals`.

    Returns:
        (examples, 64, 128) float32 in 0…1.

    Example:
        >>> radio_pictures(["Noises"], np.array([[0, 0]])).shape
        (1, 64, 128)
    """
    pictures = np.empty((len(labels), *PICTURE_SHAPE), np.float32)
    for first in range(0, len(labels), BATCH):
        batch = slice(first, first + BATCH)
        pictures[batch] = spectrogram_pictures(radio_signals(labels[batch], seeds[batch], snr))
    return pictures


def radio_batches(
    num: SignalCount, seed: Seed = 0, snr: tuple[float, float] | None = None
) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Simulate any number of pictures, a few at a time; the classes take turns.

    Args:
        num: number of signals.
        seed: same seed, same signals; the first ones whatever their number.
        snr: as in `radio_signals`.

    Returns:
        (signals, 64, 128) float32 pictures in 0…1 and their labels, batch by batch.

    Raises:
        UserError: the number or the seed is out of its range, or the range is none.

    Example:
        >>> [(pictures.shape, labels) for pictures, labels in radio_batches(2)]
        [((2, 64, 128), ['Squiggle', 'Narrowband'])]
    """
    check_options(radio_batches, {"num": num, "seed": seed})
    check_snr(snr)
    make = lambda first: _numbered(np.arange(first, min(first + BATCH, num)), seed, snr)  # noqa: E731
    return ahead(make, range(0, num, BATCH))  # as TensorFlow takes one core for most of it


def kept_radio_pictures(
    folder: str | os.PathLike,
    num: int,
    seed: int = 0,
    snr: tuple[float, float] | None = None,
    progress: Tracker = untracked,
) -> np.ndarray:
    """Simulate the pictures of `radio_batches` once, and keep them in a file for the next time.

    Args:
        folder: where the file is kept; its name tells what the pictures come from, this code included.
        num: as in `radio_batches`.
        seed: as in `radio_batches`.
        snr: as in `radio_batches`.
        progress: wraps the iteration over so many batches, to draw a bar.

    Returns:
        (num, 64, 128) float32 pictures in 0…1, mapped from the file.

    Raises:
        UserError: as in `radio_batches`.
        OSError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept_radio_pictures(folder, num=2).shape
        (2, 64, 128)
    """
    batches = radio_batches(num, seed, snr)
    source = f"{num} {seed} {snr} {tf.__version__} {Path(__file__).read_text('utf-8')}"
    path = Path(folder, f"radio-{hashlib.blake2b(source.encode(), digest_size=8).hexdigest()}.npy")
    if not path.is_file():
        with written_beside(path) as temporary:
            pictures = np.lib.format.open_memmap(temporary, "w+", np.float32, (num, *PICTURE_SHAPE))
            for number, (batch, _) in enumerate(progress(batches, -(-num // BATCH))):
                pictures[number * BATCH :][: len(batch)] = batch
            pictures.flush()
    return np.load(path, mmap_mode="r")


def _numbered(index: np.ndarray, seed: int, snr: tuple[float, float] | None) -> tuple[np.ndarray, list[str]]:
    labels = [RADIO_CLASSES[number % len(RADIO_CLASSES)] for number in index]
    return radio_pictures(labels, np.stack([np.full(len(index), seed), index], axis=1), snr), labels


def check_snr(snr: tuple[float, float] | None) -> None:
    """Refuse what is no range of signal-to-noise ratios.

    Args:
        snr: from low to high, or None for the published ones.

    Raises:
        UserError: it is no such range.

    Example:
        >>> check_snr((0.1, 0.5))
    """
    if snr and not 0 <= snr[0] <= snr[1] < math.inf:
        raise UserError(f"snr must be two numbers from low to high, not negative. Received: {snr}")
