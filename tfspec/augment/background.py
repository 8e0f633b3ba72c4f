"""Noise from recordings."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfspec.audio.decoding import read_slice
from tfspec.audio.opening import opened
from tfspec.augment.base import for_each, part_of, split, uniform
from tfspec.augment.recordings import kept, recordings_in
from tfspec.augment.waveform import NoiseLayer
from tfspec.base import arguments

LEAST_SHARE_SECONDS = 10.0


@keras.saving.register_keras_serializable("tfspec")
class BackgroundNoise(NoiseLayer):
    """Adds recordings from a folder, such as rain, traffic or voices: to each signal a random part of one.

    The recordings are decoded to one channel and resampled when a signal is changed for the first time, and
    then kept in memory: of each at most an equal share of `max_seconds`, no share under ten seconds; of very
    many recordings a random choice, the same every time. What is saved is the folder's path, not the
    recordings, and a model that is loaded to predict never looks for them.

    Args:
        folder: where the recordings are, in subfolders too; of any kind that libsndfile reads.
        sample_rate: samples per second of the signals.
        min_snr_db: as in `GaussianNoise`.
        max_snr_db: as in `GaussianNoise`.
        measure: "peak" or "rms", as in `GaussianNoise`, of the part that is added.
        max_seconds: how much is kept in memory: ten minutes at 48 kHz are 115 MB.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels), of which all get the same noise. Where a recording is
        shorter than the signal it is repeated.

    Output shape:
        That of the input. Silent signals stay silent, and silent parts of a recording change nothing.

    Raises:
        ValueError: the least ratio is above the greatest, the measure unknown, or a number not positive.
        UserError: when first called: the folder is missing, holds no recordings, or one cannot be used.

    Example:
        >>> import soundfile
        >>> soundfile.write("hum.wav", np.sin(np.arange(8000)), 8000)
        >>> BackgroundNoise(".", 16000)(tf.ones([2, 16000]), seed=[0, 1]).shape
        TensorShape([2, 16000])
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        sample_rate: float,
        min_snr_db: float = 5.0,
        max_snr_db: float = 20.0,
        measure: str = "peak",
        max_seconds: float = 600.0,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(min_snr_db, max_snr_db, measure, probability, seed, **kwargs)
        self.folder = os.fspath(folder)
        self.sample_rate = arguments.positive("sample_rate", sample_rate)
        self.max_seconds = arguments.positive("max_seconds", max_seconds)

    def draw_noise(self, batch, seed):
        """Draw which `recording` and which `place` in it, both as parts of all there are, 0…1."""
        recording, place = split(seed)
        return {"recording": uniform([batch], recording), "place": uniform([batch], place)}

    def noise_for(self, x, params):
        """Take a part of a recording for each signal, one after another to spare memory."""
        samples, first, length = self._recordings
        _, wanted, *channels = tf.unstack(tf.shape(x))

        def one(drawn):
            recording = part_of(len(first), drawn[0])
            choices = tf.where(length[recording] >= wanted, length[recording] - wanted + 1, length[recording])
            index = (part_of(choices, drawn[1]) + tf.range(wanted)) % length[recording]
            part = tf.gather(samples, first[recording] + index)
            return tf.repeat(part[:, tf.newaxis], channels[0], axis=1) if channels else part

        return for_each(one, (params["recording"], params["place"]), x, params["applied"])

    @functools.cached_property
    def _recordings(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return all samples in a row, and where each recording begins and how long it is."""
        paths = recordings_in(self.folder)
        rng = np.random.default_rng(0)
        share = max(self.max_seconds / len(paths), LEAST_SHARE_SECONDS)
        parts: list[np.ndarray] = []
        missing = round(self.max_seconds * self.sample_rate)
        for i in rng.permutation(len(paths)):
            if missing > 0:
                part = _random_part(paths[i], self.sample_rate, share, rng.random())[:missing]
                missing -= len(part)
                parts.append(part)
        lengths = [len(part) for part in parts]
        first = np.cumsum([0, *lengths[:-1]])
        return kept(np.concatenate(parts)), kept(first, tf.int32), kept(np.array(lengths), tf.int32)


def _random_part(path: Path, sample_rate: float, seconds: float, place: float) -> np.ndarray:
    """Decode as much of a recording, from a place that is 0…1 of all that there are."""
    with opened(path) as recording:
        later = recording.frames / recording.sample_rate - seconds
        if later <= 0:
            return read_slice(recording, round(sample_rate), None, 0.0)
        return read_slice(recording, round(sample_rate), round(seconds * sample_rate), place * later)
