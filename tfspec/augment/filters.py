"""Augmentations by filters: microphones and lines that pass a band, shelves, rooms."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfspec.audio.decoding import load_audio
from tfspec.audio.opening import RecordingError
from tfspec.augment.base import for_each, integers, part_of, split, uniform
from tfspec.augment.recordings import kept, recordings_in
from tfspec.augment.waveform import WaveformLayer
from tfspec.base import arguments
from tfspec.dsp import filtering, noise

RINGING_PERIODS = 4
"""So many periods of its frequency a second-order section rings until nothing is left in float32."""
DECAY_DB = 60.0
"""By so much sound has fallen after the reverberation time."""
KINDS = ("low", "high")


def _samples_last(x: tf.Tensor) -> tf.Tensor:
    """Put (batch, samples[, channels]) samples last, or (batch[, channels], samples) back."""
    return tf.transpose(x, [0, 2, 1]) if len(x.shape) == 3 else x


def _log_uniform(batch: int | tf.Tensor, seed: tf.Tensor, lower: float, upper: float) -> tf.Tensor:
    return tf.exp(uniform([batch], seed, float(np.log(lower)), float(np.log(upper))))


class _SectionLayer(WaveformLayer):
    """Base: second-order sections, which a subclass makes of what is drawn (`sections`)."""

    def __init__(self, sample_rate: int, lowest_hz: float, highest_hz: float, **kwargs):
        super().__init__(**kwargs)
        self.sample_rate = arguments.integer("sample_rate", sample_rate)
        if not lowest_hz > 0 or not highest_hz < sample_rate / 2:
            raise ValueError(
                "Frequencies must be above 0 and below half of `sample_rate`. "
                f"Received: {lowest_hz} to {highest_hz} Hz, sample_rate={sample_rate}"
            )
        self._ringing = int(np.ceil(RINGING_PERIODS * sample_rate / lowest_hz))

    def sections(self, params) -> tf.Tensor:
        """Return (batch, count, 6) sections."""
        raise NotImplementedError

    def transform(self, x, params):
        """Filter each signal."""
        filtered = filtering.sections_applied(_samples_last(x), self.sections(params), self._ringing)
        return _samples_last(filtered)


@keras.saving.register_keras_serializable("tfspec")
class BandPass(_SectionLayer):
    """Passes a band, as telephones, small microphones and distance do.

    A high-pass and a low-pass of second order (Butterworth) after the formulas of R. Bristow-Johnson's Audio
    EQ Cookbook, applied by their exact response in the frequency domain: what `scipy.signal.sosfilt` gives.

    Args:
        sample_rate: samples per second.
        min_low_hz: least frequency below which 12 dB an octave are lost.
        max_low_hz: greatest one; drawn evenly on a scale of octaves, like the others.
        min_high_hz: least frequency above which they are lost.
        max_high_hz: greatest one.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: a least frequency is above its greatest, or one is not between 0 and half the sample rate.

    Example:
        >>> x = tf.sin(2 * np.pi * 50 * tf.range(8000.0) / 8000)[tf.newaxis]
        >>> level = tf.math.reduce_std(BandPass(8000, 200.0, 200.0, 3000.0, 3000.0)(x)[:, 2000:])
        >>> print(np.round(20 * np.log10(level / tf.math.reduce_std(x)), 1))
        -24.1
    """

    def __init__(
        self,
        sample_rate: int,
        min_low_hz: float = 50.0,
        max_low_hz: float = 400.0,
        min_high_hz: float = 2000.0,
        max_high_hz: float = 3900.0,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        arguments.ends("min_low_hz", min_low_hz, "max_low_hz", max_low_hz)
        arguments.ends("min_high_hz", min_high_hz, "max_high_hz", max_high_hz)
        lowest, highest = min(min_low_hz, min_high_hz), max(max_low_hz, max_high_hz)
        super().__init__(sample_rate, lowest, highest, probability=probability, seed=seed, **kwargs)
        self.min_low_hz, self.max_low_hz = float(min_low_hz), float(max_low_hz)
        self.min_high_hz, self.max_high_hz = float(min_high_hz), float(max_high_hz)

    def draw(self, batch, seed):
        """Draw each signal's `low_hz` and `high_hz`."""
        low, high = split(seed)
        return {
            "low_hz": _log_uniform(batch, low, self.min_low_hz, self.max_low_hz),
            "high_hz": _log_uniform(batch, high, self.min_high_hz, self.max_high_hz),
        }

    def sections(self, params):
        """Return the high-pass and the low-pass."""
        above = filtering.high_pass(params["low_hz"], self.sample_rate)
        below = filtering.low_pass(params["high_hz"], self.sample_rate)
        return tf.stack([above, below], axis=1)


@keras.saving.register_keras_serializable("tfspec")
class Shelf(_SectionLayer):
    """Raises or lowers all below a frequency, or all above it, as tone controls and microphones do.

    Low and high shelves of slope 1 of R. Bristow-Johnson's Audio EQ Cookbook, applied as in `BandPass`. Which
    of the two is drawn for each signal.

    Args:
        sample_rate: samples per second.
        min_gain_db: least gain in dB.
        max_gain_db: greatest gain in dB; drawn uniformly.
        min_hz: least frequency, at which half of the decibels are reached.
        max_hz: greatest one; drawn evenly on a scale of octaves.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: a least number is above its greatest, or a frequency not between 0 and half the rate.

    Example:
        >>> Shelf(8000, -6.0, 6.0)(tf.ones([2, 800])).shape
        TensorShape([2, 800])
    """

    def __init__(
        self,
        sample_rate: int,
        min_gain_db: float = -12.0,
        max_gain_db: float = 12.0,
        min_hz: float = 200.0,
        max_hz: float = 3000.0,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        arguments.ends("min_gain_db", min_gain_db, "max_gain_db", max_gain_db)
        arguments.ends("min_hz", min_hz, "max_hz", max_hz)
        super().__init__(sample_rate, min_hz, max_hz, probability=probability, seed=seed, **kwargs)
        self.min_gain_db, self.max_gain_db = float(min_gain_db), float(max_gain_db)
        self.min_hz, self.max_hz = float(min_hz), float(max_hz)

    def draw(self, batch, seed):
        """Draw each signal's `gain_db`, `hz` and `kind`, its place in KINDS."""
        gain, frequency, kind = split(seed, 3)
        return {
            "gain_db": uniform([batch], gain, self.min_gain_db, self.max_gain_db),
            "hz": _log_uniform(batch, frequency, self.min_hz, self.max_hz),
            "kind": integers([batch], kind, 0, len(KINDS) - 1),
        }

    def sections(self, params):
        """Return the shelf."""
        is_high = params["kind"] == KINDS.index("high")
        return filtering.shelf(params["hz"], params["gain_db"], is_high, self.sample_rate)[:, tf.newaxis]


class _ResponseLayer(WaveformLayer):
    """Base: impulse responses, which a subclass makes of what is drawn (`impulses`)."""

    def impulses(self, params) -> tf.Tensor:
        """Return (batch, taps) impulse responses."""
        raise NotImplementedError

    def transform(self, x, params):
        """Convolve each signal with its own response."""
        impulses = self.impulses(params)
        rows = impulses if len(x.shape) == 2 else impulses[:, tf.newaxis]
        return _samples_last(filtering.convolved(_samples_last(x), rows))


@keras.saving.register_keras_serializable("tfspec")
class Reverberation(_ResponseLayer):
    """Puts each signal into a room of its own: the direct sound, and noise that dies away behind it.

    The impulse response is 1 at once, and then white noise that falls exponentially, by 60 dB in the
    reverberation time T60 (J. D. Polack's model of a diffuse room, 1988). It has no single reflections and
    the same decay at all frequencies, unlike a measured one: see `ImpulseResponse`.

    Args:
        sample_rate: samples per second.
        min_seconds: least T60.
        max_seconds: greatest one; drawn uniformly.
        min_direct_db: least energy of the direct sound over that of all that follows, in dB.
        max_direct_db: greatest one; drawn uniformly.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels); channels have one room.

    Output shape:
        That of the input: what rings on behind the end is cut.

    Raises:
        ValueError: a least number is above its greatest, or a time is not positive.

    Example:
        >>> Reverberation(8000, 0.2, 0.5)(tf.ones([2, 800])).shape
        TensorShape([2, 800])
    """

    def __init__(
        self,
        sample_rate: int,
        min_seconds: float = 0.1,
        max_seconds: float = 1.0,
        min_direct_db: float = 0.0,
        max_direct_db: float = 15.0,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(probability, seed, **kwargs)
        self.sample_rate = arguments.integer("sample_rate", sample_rate)
        arguments.ends("min_seconds", min_seconds, "max_seconds", max_seconds)
        arguments.ends("min_direct_db", min_direct_db, "max_direct_db", max_direct_db)
        self.min_seconds, self.max_seconds = (
            arguments.positive("min_seconds", min_seconds),
            float(max_seconds),
        )
        self.min_direct_db, self.max_direct_db = float(min_direct_db), float(max_direct_db)

    def draw(self, batch, seed):
        """Draw each signal's `seconds`, `direct_db` and `room_seed`, (batch, 2)."""
        time, level, own = split(seed, 3)
        return {
            "seconds": uniform([batch], time, self.min_seconds, self.max_seconds),
            "direct_db": uniform([batch], level, self.min_direct_db, self.max_direct_db),
            "room_seed": tf.random.split(own, batch, alg="philox"),
        }

    def impulses(self, params):
        """Make the impulse responses, as long as the longest reverberation time."""
        taps = int(np.ceil(self.max_seconds * self.sample_rate))
        seconds = tf.range(1, taps + 1, dtype=tf.float32) / self.sample_rate
        decay = tf.exp(-DECAY_DB / 20 * np.log(10) * seconds / params["seconds"][:, tf.newaxis])

        def room(seed):
            return noise.colored(seed, [taps], 0.0)

        tail = decay * for_each(room, params["room_seed"], decay, params["applied"])
        energy = tf.reduce_sum(tail**2, axis=1) + 1e-20
        tail *= tf.sqrt(10 ** (-params["direct_db"] / 10) / energy)[:, tf.newaxis]
        return tf.concat([tf.ones_like(tail[:, :1]), tail], axis=1)


@keras.saving.register_keras_serializable("tfspec")
class ImpulseResponse(_ResponseLayer):
    """Puts each signal into a room that was measured: one of a folder of impulse responses.

    Responses of loudspeakers, telephones and lines do as well. A response begins with its direct sound, which
    is taken to be its largest sample and gets a gain of 1: the signal itself comes neither later nor louder,
    and what follows is added. What is before the direct sound, such as the way from the loudspeaker, is left
    out. (T. Ko et al., "A study on data augmentation of reverberant speech for robust speech recognition",
    ICASSP 2017, compare measured rooms with simulated ones.)

    The responses are decoded to one channel, the mean of theirs, and resampled when a signal is changed for
    the first time, and then kept in memory. What is saved is the folder's path, not the responses, and a
    model that is loaded to predict never looks for them.

    Args:
        folder: where the responses are, one a file, in subfolders too; of any kind that libsndfile reads.
        sample_rate: samples per second of the signals.
        max_seconds: how much of each response is kept, from the direct sound on.
        max_responses: how many are kept, of more a random choice, the same every time: a thousand of two
            seconds at 16 kHz are 128 MB.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels); channels have one response.

    Output shape:
        That of the input: what rings on behind the end is cut.

    Raises:
        ValueError: a number is not positive.
        UserError: when first called: the folder is missing, holds no recordings, or one cannot be used, such
            as one that is silent.

    Example:
        >>> import soundfile
        >>> soundfile.write("hall.wav", [0.0, 0.4, 0.0, 0.2], 8000)
        >>> ImpulseResponse(".", 8000)(tf.constant([[1.0, 0.0, 0.0, 0.0]])).numpy().round(3).tolist()
        [[1.0, 0.0, 0.5, 0.0]]
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        sample_rate: int,
        max_seconds: float = 2.0,
        max_responses: int = 1000,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(probability, seed, **kwargs)
        self.folder = os.fspath(folder)
        self.sample_rate = arguments.integer("sample_rate", sample_rate)
        self.max_seconds = arguments.positive("max_seconds", max_seconds)
        self.max_responses = arguments.integer("max_responses", max_responses)

    def draw(self, batch, seed):
        """Draw which `response` each signal gets, as a part of all there are, 0…1."""
        return {"response": uniform([batch], seed)}

    def impulses(self, params):
        """Take the impulse responses, as long as the longest of the folder."""
        return tf.gather(self._responses, part_of(len(self._responses), params["response"]))

    @functools.cached_property
    def _responses(self) -> tf.Tensor:
        """Return (responses, taps), zeros behind those that are shorter."""
        paths = recordings_in(self.folder)
        chosen = np.random.default_rng(0).permutation(len(paths))[: self.max_responses]
        taps = int(np.ceil(self.max_seconds * self.sample_rate))
        responses = [_from_direct_sound(paths[i], self.sample_rate)[:taps] for i in chosen]
        longest = max(map(len, responses))
        return kept(np.stack([np.pad(each, (0, longest - len(each))) for each in responses]))


def _from_direct_sound(path: Path, sample_rate: int) -> np.ndarray:
    """Decode an impulse response from its largest sample on, and make that 1."""
    samples = load_audio(path, sample_rate)
    direct = np.abs(samples).argmax()
    if samples[direct] == 0:
        raise RecordingError(path, "it is silent", "is no impulse response:")
    return samples[direct:] / samples[direct]
