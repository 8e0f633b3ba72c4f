"""Compression of powers: decibels, logarithm, per-channel energy normalisation."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfspec.base import arguments
from tfspec.base.float_layer import FloatLayer
from tfspec.base.reach import Reach, check_streams
from tfspec.dsp import compression


class Compression(FloatLayer):
    """Base: what one value becomes leaves the shape as it is."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.InputSpec(ndim=4)

    def compute_output_shape(self, input_shape):
        return input_shape


def _floor(floor: float) -> float:
    if not np.finfo(np.float32).tiny <= arguments.number("floor", floor) < np.inf:
        raise ValueError(f"`floor` must be positive in float32, and finite. Received: floor={floor}")
    return floor


@keras.saving.register_keras_serializable("tfspec")
class Decibel(Compression):
    """Level in decibels, with a floor below each example's own peak.

    Equal to `librosa.power_to_db(x, ref=reference, amin=floor, top_db=dynamic_range_db)` of each example by
    itself, to `librosa.amplitude_to_db` with power 1 and floor 1e-5, and to
    `torchaudio.transforms.AmplitudeToDB("power", 80)`, which takes one floor for a whole batch.

    Args:
        floor: smallest value told apart from zero, in the unit of the input.
        dynamic_range_db: values further below the example's largest are raised to that; None leaves them.
        reference: the value that becomes 0 dB; "max" for each example's largest.
        power: 2 if the input is a power, 1 if it is a magnitude.

    Input shape:
        (batch, frames, bins, channels), power or magnitude.

    Output shape:
        The same, float32.

    Raises:
        ValueError: floor, range or reference are not positive.

    Example:
        >>> Decibel()(tf.constant([[[[1.0], [0.01]]]])).numpy().round(3).ravel().tolist()
        [0.0, -20.0]
    """

    def __init__(
        self,
        floor: float = 1e-10,
        dynamic_range_db: float | None = 80.0,
        reference: float | str = 1.0,
        power: int = 2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.floor = _floor(floor)
        self.dynamic_range_db = arguments.positive_or_none("dynamic_range_db", dynamic_range_db)
        if reference != "max" and not (isinstance(reference, (int, float)) and reference > 0):
            raise ValueError(f'`reference` must be positive or "max". Received: reference={reference!r}')
        self.reference = reference
        self.power = arguments.one_of("power", power, (1, 2))

    def call(self, features):
        """Convert (batch, frames, bins, channels) powers or magnitudes."""
        return compression.decibels(
            tf.cast(features, tf.float32), self.power, self.reference, self.floor, self.dynamic_range_db
        )

    @property
    def reach(self) -> Reach:
        """One frame; with a range below the clip's peak, or the peak as reference, all of them."""
        streams = self.dynamic_range_db is None and self.reference != "max"
        remedy = "Train with dynamic_range_db=None and a number as reference."
        check_streams(streams, "Decibel with dynamic_range_db or the reference 'max'", remedy)
        return Reach()


@keras.saving.register_keras_serializable("tfspec")
class Log(Compression):
    """Natural logarithm, log(max(x + offset, floor)).

    Args:
        floor: smallest argument of the logarithm.
        offset: added before; tf.signal's and torchaudio's examples add 1e-6.

    Input shape:
        (batch, frames, bins, channels), ≥ 0.

    Output shape:
        The same, float32.

    Raises:
        ValueError: the floor is not positive, or the offset is negative.

    Example:
        >>> Log(offset=1.0)(tf.zeros([1, 1, 1, 1])).numpy().ravel().tolist()
        [0.0]
    """

    reach = Reach()
    """One frame."""

    def __init__(self, floor: float = 1e-10, offset: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.floor = _floor(floor)
        if not offset >= 0:
            raise ValueError(f"`offset` must not be negative. Received: offset={offset}")
        self.offset = offset

    def call(self, features):
        """Take the logarithm of (batch, frames, bins, channels) features."""
        return tf.math.log(tf.maximum(tf.cast(features, tf.float32) + self.offset, self.floor))


@keras.saving.register_keras_serializable("tfspec")
class PCEN(Compression):
    """Per-channel energy normalisation: each band divided by its own recent loudness, then compressed.

    Far-field speech and wildlife recordings gain from it (Wang et al., 2017; Lostanlen et al., 2019). Equal
    to `librosa.pcen`; as there, powers of audio in −1…1 want a scale of 2**31 first, and the running mean
    starts from 1.

    With `learnable`, gain, bias, power and smoothing coefficient train, one of each for every bin, from the
    values given, as in Wang et al. (2017), "Trainable frontend for robust and far-field keyword spotting".
    There the mean is a learnt mixture of fixed ones; here its coefficient itself is learnt, as in Zeghidour
    et al. (2021), "LEAF: a learnable frontend for audio classification". What trains are the logarithms of
    gain, bias and power, and the logit of the coefficient, so that no step leaves the range.

    Weights train in a model and not in a dataset. Give a pipeline a `front_end` that ends with powers, and
    begin its `backbone` with the layer, as in the example; `tfspec.data` and pipelines refuse it in their
    front ends. Export such a network in float: in integers it would be as coarse as a quantised front end.

    Args:
        sample_rate: samples per second of the signal.
        frame_step: samples from one frame to the next.
        gain: strength of the gain control, 0…1.
        bias: offset before the compression.
        power: exponent of the compression.
        time_constant: seconds over which loudness is averaged.
        floor: smallest loudness.
        scale: what the input is multiplied by first.
        learnable: train gain, bias, power and the coefficient that belongs to the time constant.

    Input shape:
        (batch, frames, bins, channels), ≥ 0.

    Output shape:
        The same, float32.

    Raises:
        ValueError: an argument is not positive, or the number of bins is not known that have parameters.

    Example:
        >>> PCEN(sample_rate=22050, frame_step=512)(np.ones([1, 50, 40, 1])).shape
        TensorShape([1, 50, 40, 1])
        >>> powers = keras.Input((50, 40, 1))
        >>> loudness = PCEN(sample_rate=16000, frame_step=160, learnable=True)(powers)
        >>> logits = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(loudness))
        >>> backbone = keras.Model(powers, logits)
        >>> [weight.name for weight in backbone.trainable_weights][:4]
        ['log_gain', 'log_bias', 'log_power', 'coefficient_logit']
    """

    def __init__(
        self,
        sample_rate: float = 22050,
        frame_step: int = 512,
        gain: float = 0.98,
        bias: float = 2.0,
        power: float = 0.5,
        time_constant: float = 0.4,
        floor: float = 1e-6,
        scale: float = 1.0,
        learnable: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.sample_rate = arguments.positive("sample_rate", sample_rate)
        self.frame_step = arguments.integer("frame_step", frame_step)
        self.gain = arguments.positive("gain", gain)
        self.bias = arguments.positive("bias", bias)
        self.power = arguments.positive("power", power)
        self.time_constant = arguments.positive("time_constant", time_constant)
        self.floor = _floor(floor)
        self.scale = arguments.positive("scale", scale)
        self.learnable = bool(learnable)

    def build(self, input_shape):
        """Make the weights, if there are any."""
        if not self.learnable:
            return
        if input_shape[2] is None:
            raise ValueError(
                f"A learnable PCEN must know how many bins there are. Received: input of shape {input_shape}"
            )
        coefficient = np.clip(self._coefficient, 1e-7, 1 - 1e-7)  # where float32 still tells it from 0 and 1
        starts = {
            "log_gain": np.log(self.gain),
            "log_bias": np.log(self.bias),
            "log_power": np.log(self.power),
            "coefficient_logit": np.log(coefficient / (1 - coefficient)),
        }
        for name, start in starts.items():
            initial = keras.initializers.Constant(start)
            setattr(self, name, self.add_weight(shape=(input_shape[2],), initializer=initial, name=name))

    @property
    def parameters(self) -> dict[str, float | tf.Tensor]:
        """Gain, bias, power and smoothing coefficient: numbers, or (bins, 1) where they are learnt."""
        if not self.learnable:
            return {
                "gain": self.gain,
                "bias": self.bias,
                "power": self.power,
                "coefficient": self._coefficient,
            }
        return {
            "gain": tf.exp(self.log_gain)[:, tf.newaxis],
            "bias": tf.exp(self.log_bias)[:, tf.newaxis],
            "power": tf.exp(self.log_power)[:, tf.newaxis],
            "coefficient": tf.sigmoid(self.coefficient_logit)[:, tf.newaxis],
        }

    @property
    def _coefficient(self) -> float:
        """Of the mean whose response has the time constant, as in librosa."""
        frames = self.time_constant * self.sample_rate / self.frame_step
        return (np.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)

    def call(self, energy):
        """Normalise (batch, frames, bins, channels) energies."""
        return self.go_on(energy, 1.0)[0]

    def go_on(self, energy, mean):
        """Normalise energies that follow on others.

        Args:
            energy: (batch, frames, bins, channels).
            mean: the running mean at the last frame before, (batch, 1, bins, channels); 1 at the beginning.

        Returns:
            The normalised energies, and the running mean at their last frame.
        """
        gain, bias, power, coefficient = self.parameters.values()
        energy = tf.cast(energy, tf.float32) * self.scale
        mean = compression.smoothed(energy, coefficient, mean)
        normalised = compression.pcen(energy, mean, gain, bias, power, self.floor)
        return normalised, mean[:, -1:]

    def first_memory(self, shape):
        """Return the running mean before the first of (batch, frames, bins, channels) energies."""
        return np.ones((shape[0], 1, *shape[2:]), np.float32)
