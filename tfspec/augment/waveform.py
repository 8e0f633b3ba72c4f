"""Augmentations of (batch, samples[, channels]) signals."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from tfspec.augment.base import Parameters, RandomLayer, along, for_each, integers, split, uniform
from tfspec.base import arguments
from tfspec.dsp import noise, spectral, timing

Curve = Literal["constant", "fade", "cosine", "sine"]
CURVES: tuple[Curve, ...] = get_args(Curve)


class WaveformLayer(RandomLayer):
    """Base: takes one channel or several, and what is drawn holds for all of a signal's channels."""

    def __init__(self, probability: float = 1.0, seed: int | None = None, **kwargs):
        super().__init__(probability, seed, **kwargs)
        self.input_spec = keras.InputSpec(min_ndim=2, max_ndim=3)


class NoiseLayer(WaveformLayer):
    """Base: adds noise at a signal-to-noise ratio. A subclass says which (`draw_noise`, `noise_for`)."""

    def __init__(
        self,
        min_snr_db: float = 5.0,
        max_snr_db: float = 20.0,
        measure: str = "peak",
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(probability, seed, **kwargs)
        arguments.ends("min_snr_db", min_snr_db, "max_snr_db", max_snr_db)
        self.min_snr_db = float(min_snr_db)
        self.max_snr_db = float(max_snr_db)
        self.measure = arguments.one_of("measure", measure, noise.MEASURES)

    def draw_noise(self, batch: int | tf.Tensor, seed: tf.Tensor) -> Parameters:
        """Draw what `noise_for` needs."""
        raise NotImplementedError

    def noise_for(self, x: tf.Tensor, params: Parameters) -> tf.Tensor:
        """Return noise of any level, of the shape of x."""
        raise NotImplementedError

    def draw(self, batch, seed):
        """Draw each signal's `snr_db`, uniformly, and its noise."""
        ratio, own = split(seed)
        snr_db = uniform([batch], ratio, self.min_snr_db, self.max_snr_db)
        return {"snr_db": snr_db, **self.draw_noise(batch, own)}

    def transform(self, x, params):
        """Add the noise."""
        return noise.added(x, self.noise_for(x, params), params["snr_db"], self.measure)


class _SpectralNoise(NoiseLayer):
    """Noise whose power is proportional to 1 / f^exponent."""

    exponent: float

    def draw_noise(self, batch, seed):
        """Draw each signal's `noise_seed`, (batch, 2)."""
        return {"noise_seed": tf.random.split(seed, batch, alg="philox")}

    def noise_for(self, x, params):
        """Draw the noise, one example after another: in a loop it stays in the processor's cache."""
        samples, *channels = (spectral.axis_length(x, axis) for axis in range(1, len(x.shape)))

        def one(seed):
            return tf.transpose(noise.colored(seed, [*channels, samples], self.exponent))

        return for_each(one, params["noise_seed"], x, params["applied"])


@keras.saving.register_keras_serializable("tfspec")
class GaussianNoise(_SpectralNoise):
    """Adds white noise, equally strong at all frequencies.

    Args:
        min_snr_db: least signal-to-noise ratio in dB, the strongest noise.
        max_snr_db: greatest one; the ratio is drawn uniformly between.
        measure: what the ratio is of. "peak", as published for the rainforest recordings: the largest
            absolute sample of the noise is that of the signal divided by 10^(snr / 20). "rms", the usual
            definition: so are the root mean squares. Peaks of noise are some 13 dB above its RMS level, peaks
            of most recordings 10 to 25.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels). A signal's channels share one ratio, measured over
        all of them, and each gets noise of its own.

    Output shape:
        That of the input. A silent signal stays silent: nothing is so many dB below nothing.

    Raises:
        ValueError: the least ratio is above the greatest, or the measure unknown.

    Example:
        >>> x = tf.sin(tf.range(16000.0))[tf.newaxis]
        >>> noise = GaussianNoise(20.0, 20.0)(x) - x
        >>> print(np.abs(noise).max().round(3))
        0.1
    """

    exponent = 0.0


@keras.saving.register_keras_serializable("tfspec")
class PinkNoise(_SpectralNoise):
    """Adds pink noise: power proportional to 1 / f, equal in every octave, as of rain, wind and engines.

    Args:
        min_snr_db: as in `GaussianNoise`.
        max_snr_db: as in `GaussianNoise`.
        measure: "peak" or "rms", as in `GaussianNoise`.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the least ratio is above the greatest, or the measure unknown.

    Example:
        >>> PinkNoise(0.0, 10.0, measure="rms")(tf.ones([2, 16000]), seed=[0, 1]).shape
        TensorShape([2, 16000])
    """

    exponent = 1.0


@keras.saving.register_keras_serializable("tfspec")
class ColoredNoise(_SpectralNoise):
    """Adds noise of any colour.

    Args:
        exponent: power is proportional to 1 / f^exponent: 0 white, 1 pink, 2 brown, −1 blue, −2 violet.
        min_snr_db: as in `GaussianNoise`.
        max_snr_db: as in `GaussianNoise`.
        measure: "peak" or "rms", as in `GaussianNoise`.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the exponent is not from −4 to 4, the least ratio above the greatest, or the measure
            unknown.

    Example:
        >>> ColoredNoise(2.0)(tf.ones([2, 16000]), seed=[0, 1]).shape
        TensorShape([2, 16000])
    """

    def __init__(
        self,
        exponent: float,
        min_snr_db: float = 5.0,
        max_snr_db: float = 20.0,
        measure: str = "peak",
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(min_snr_db, max_snr_db, measure, probability, seed, **kwargs)
        self.exponent = arguments.between("exponent", exponent, -4, 4)


@keras.saving.register_keras_serializable("tfspec")
class Gain(WaveformLayer):
    """Makes each signal louder or quieter.

    Args:
        min_gain_db: least gain in dB.
        max_gain_db: greatest gain in dB.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the least gain is above the greatest.

    Example:
        >>> Gain(6.0206, 6.0206)(tf.ones([1, 3])).numpy().round(3)
        array([[2., 2., 2.]], dtype=float32)
    """

    def __init__(
        self,
        min_gain_db: float = -10.0,
        max_gain_db: float = 10.0,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(probability, seed, **kwargs)
        arguments.ends("min_gain_db", min_gain_db, "max_gain_db", max_gain_db)
        self.min_gain_db = float(min_gain_db)
        self.max_gain_db = float(max_gain_db)

    def draw(self, batch, seed):
        """Draw each signal's `gain_db`, uniformly."""
        return {"gain_db": uniform([batch], seed, self.min_gain_db, self.max_gain_db)}

    def transform(self, x, params):
        """Multiply each signal."""
        return x * along(10 ** (params["gain_db"] / 20), x)


@keras.saving.register_keras_serializable("tfspec")
class VolumeControl(Gain):
    """Makes each signal louder or quieter, evenly or more so in some places than in others.

    The gain in dB is multiplied by a curve over the N samples n of the signal: "constant", 1; "fade",
    1 − n / (N − 1), from all to nothing; "cosine", cos(2π n / N); "sine", sin(2π n / N). So a fade with
    −10 dB begins 10 dB quieter and ends unchanged.

    Args:
        min_gain_db: least gain in dB.
        max_gain_db: greatest gain in dB.
        curves: names of the curves that each signal's is drawn from.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the least gain is above the greatest, or a curve is not known.

    Example:
        >>> VolumeControl(20.0, 20.0, ["fade"])(tf.ones([1, 3])).numpy().round(3)
        array([[10.   ,  3.162,  1.   ]], dtype=float32)
    """

    def __init__(
        self,
        min_gain_db: float = -10.0,
        max_gain_db: float = 10.0,
        curves: Sequence[str] = CURVES,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(min_gain_db, max_gain_db, probability, seed, **kwargs)
        if isinstance(curves, str) or not curves or not set(curves) <= set(CURVES):
            raise ValueError(f"`curves` must be a list of some of {CURVES}. Received: curves={curves!r}")
        self.curves = tuple(curves)

    def draw(self, batch, seed):
        """Draw each signal's `gain_db`, uniformly, and `curve`, its place in CURVES."""
        gain, own = split(seed)
        choice = integers([batch], own, 0, len(self.curves) - 1)
        numbers = [CURVES.index(curve) for curve in self.curves]
        return {"curve": tf.gather(numbers, choice), **super().draw(batch, gain)}

    def transform(self, x, params):
        """Multiply each signal by its curve."""
        samples = tf.shape(x)[1]
        place = tf.cast(tf.range(samples), tf.float32)
        length = tf.cast(samples, tf.float32)
        turn = 2 * np.pi * place / length
        fade = 1 - place / tf.maximum(length - 1, 1)
        curves = tf.gather([tf.ones_like(place), fade, tf.cos(turn), tf.sin(turn)], params["curve"])
        gain = tf.exp(np.log(10) / 20 * params["gain_db"][:, tf.newaxis] * curves)
        return x * tf.reshape(gain, [-1, samples, *[1] * (len(x.shape) - 2)])


@keras.saving.register_keras_serializable("tfspec")
class TimeShift(WaveformLayer):
    """Moves each signal earlier or later.

    Args:
        max_shift_seconds: farthest move either way, included; whole numbers of samples are drawn uniformly.
        sample_rate: samples per second.
        wrap: what leaves at one end comes in at the other; False: zeros come in.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the farthest move is negative, or the sample rate not positive.

    Example:
        >>> shift = TimeShift(2.0, sample_rate=1)
        >>> params = {"applied": tf.constant([True]), "shift": tf.constant([1])}
        >>> shift.apply(tf.constant([[1.0, 2.0, 3.0]]), params).numpy()
        array([[3., 1., 2.]], dtype=float32)
    """

    keeps_time = False

    def __init__(
        self,
        max_shift_seconds: float,
        sample_rate: float,
        wrap: bool = True,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(probability, seed, **kwargs)
        self.max_shift_seconds = arguments.between("max_shift_seconds", max_shift_seconds, 0)
        self.sample_rate = arguments.positive("sample_rate", sample_rate)
        self.wrap = bool(wrap)

    def draw(self, batch, seed):
        """Draw each signal's `shift` in samples, positive for later."""
        farthest = round(self.max_shift_seconds * self.sample_rate)
        return {"shift": integers([batch], seed, -farthest, farthest)}

    def transform(self, x, params):
        """Move each signal."""
        return _each_channel(functools.partial(timing.shift, wrap=self.wrap), x, params["shift"])


class _VocoderLayer(WaveformLayer):
    """Base: a phase vocoder, of which a subclass says what is drawn, and what leaves a signal as it is."""

    drawn: ClassVar[str]
    """Name of the parameter."""
    unchanged: ClassVar[float]
    """Its value for signals that stay as they are, which costs nothing."""

    def __init__(self, frame_length: int, probability: float, seed: int | None, **kwargs):
        super().__init__(probability, seed, **kwargs)
        self.supports_jit = False
        self.frame_length = arguments.integer("frame_length", frame_length, 32)

    def vocode(self, x: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Change (batch, samples) signals by (batch,) values of the parameter."""
        raise NotImplementedError

    def apply(self, x, params):
        """Change what `sample` chose, the rest by nothing."""
        values = params[self.drawn]
        unchanged = tf.cast(self.unchanged, values.dtype)
        return self.transform(x, {self.drawn: tf.where(params["applied"], values, unchanged)})

    def transform(self, x, params):
        """Change each signal."""
        return _each_channel(self.vocode, x, params[self.drawn])


@keras.saving.register_keras_serializable("tfspec")
class PitchShift(_VocoderLayer):
    """Moves the pitch of each signal by a whole number of semitones, its length unchanged.

    XLA cannot compile it (see `tfspec.dsp.timing.pitch_shift`); Keras, which asks first, does without.

    Args:
        min_semitones: lowest, −12 or more.
        max_semitones: highest, 12 or less; all whole numbers from the lowest to the highest are as likely.
        frame_length: about how many samples are transformed at a time. The default is for 44.1 and 48 kHz; at
            other rates take 50 ms, for speech 30 to 40 ms.
        probability: how likely each signal is changed; what is not changed costs nothing.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the lowest is above the highest, or one not a whole number from −12 to 12, or the frame
            length not one of at least 32.

    Example:
        >>> PitchShift()(tf.ones([2, 16000]), seed=[0, 1]).shape
        TensorShape([2, 16000])
    """

    drawn = "semitones"
    unchanged = 0

    def __init__(
        self,
        min_semitones: int = -5,
        max_semitones: int = 4,
        frame_length: int = 2560,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(frame_length, probability, seed, **kwargs)
        self.min_semitones = arguments.integer("min_semitones", min_semitones, -12, 12)
        self.max_semitones = arguments.integer("max_semitones", max_semitones, -12, 12)
        arguments.ends("min_semitones", min_semitones, "max_semitones", max_semitones)

    def draw(self, batch, seed):
        """Draw each signal's `semitones`."""
        return {"semitones": integers([batch], seed, self.min_semitones, self.max_semitones)}

    def vocode(self, x, values):
        """Shift each signal."""
        return timing.pitch_shift(x, values, self.frame_length)


@keras.saving.register_keras_serializable("tfspec")
class TimeStretch(_VocoderLayer):
    """Makes each signal faster or slower, its pitch and its number of samples unchanged.

    XLA cannot compile it, as `PitchShift`.

    Args:
        min_rate: slowest, 0.5 or more; what becomes slower is cut at its end.
        max_rate: fastest, 2 or less; zeros follow on what becomes faster.
        frame_length: how many samples are transformed at a time, if even. The default is for 44.1 and 48
            kHz; at other rates take 20 ms, and more where low chords matter more than attacks.
        probability: how likely each signal is changed; what is not changed costs nothing.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the slowest is above the fastest, or one not from 0.5 to 2, or the frame length no whole
            number of at least 32.

    Example:
        >>> TimeStretch(0.9, 1.1)(tf.ones([2, 16000]), seed=[0, 1]).shape
        TensorShape([2, 16000])
    """

    keeps_time = False
    drawn = "rate"
    unchanged = 1.0

    def __init__(
        self,
        min_rate: float = 0.8,
        max_rate: float = 1.25,
        frame_length: int = 1024,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(frame_length, probability, seed, **kwargs)
        self.min_rate = arguments.between("min_rate", min_rate, 0.5, 2)
        self.max_rate = arguments.between("max_rate", max_rate, 0.5, 2)
        arguments.ends("min_rate", min_rate, "max_rate", max_rate)

    def draw(self, batch, seed):
        """Draw each signal's `rate`, uniformly."""
        return {"rate": uniform([batch], seed, self.min_rate, self.max_rate)}

    def vocode(self, x, values):
        """Stretch each signal."""
        return timing.time_stretch(x, values, self.frame_length)


def _each_channel(function: Callable, x: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Apply a function of (batch, samples) and (batch,) to every channel."""
    if len(x.shape) == 2:
        return function(x, values)
    _, samples, channels = tf.unstack(tf.shape(x))
    one_by_one = tf.reshape(tf.transpose(x, [0, 2, 1]), [-1, samples])
    changed = function(one_by_one, tf.repeat(values, channels))
    return tf.transpose(tf.reshape(changed, [-1, channels, samples]), [0, 2, 1])
