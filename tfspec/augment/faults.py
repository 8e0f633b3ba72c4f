"""Augmentations by what recorders and lines do wrong: gain that drifts, clipping, gaps, swapped wires."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfspec.augment.base import along, for_each, split, uniform
from tfspec.augment.waveform import WaveformLayer
from tfspec.base import arguments

FILLS = ("zeros", "repeat")


@keras.saving.register_keras_serializable("tfspec")
class GainDrift(WaveformLayer):
    """Changes each signal's gain slowly, as somebody does who turns away, or an automatic gain.

    Gains are drawn at some points, evenly spread from the first sample to the last one; between two of them
    the gain in dB goes along half a cosine.

    Args:
        max_gain_db: gains are drawn uniformly from −max_gain_db to this.
        points: how many there are, at least 2.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: the gain is not positive, or there are fewer than two points.

    Example:
        >>> GainDrift(6.0)(tf.ones([2, 800])).shape
        TensorShape([2, 800])
    """

    def __init__(
        self,
        max_gain_db: float = 6.0,
        points: int = 4,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(probability, seed, **kwargs)
        self.max_gain_db = arguments.positive("max_gain_db", max_gain_db)
        self.points = arguments.integer("points", points, 2)

    def draw(self, batch, seed):
        """Draw each signal's `gains_db`, (batch, points)."""
        return {"gains_db": uniform([batch, self.points], seed, -self.max_gain_db, self.max_gain_db)}

    def transform(self, x, params):
        """Multiply each signal by its gains."""
        samples = tf.shape(x)[1]
        last = tf.cast(tf.maximum(samples - 1, 1), tf.float32)
        place = tf.cast(tf.range(samples), tf.float32) / last * (self.points - 1)
        before = tf.minimum(tf.cast(place, tf.int32), self.points - 2)
        share = (1 - tf.cos(np.pi * (place - tf.cast(before, tf.float32)))) / 2
        left, right = (tf.gather(params["gains_db"], before + side, axis=1) for side in (0, 1))
        gain = tf.exp(np.log(10) / 20 * (left + (right - left) * share))
        return x * tf.reshape(gain, [-1, samples, *[1] * (len(x.shape) - 2)])


@keras.saving.register_keras_serializable("tfspec")
class Clipping(WaveformLayer):
    """Cuts each signal off at a share of its own peak, as an overdriven recorder does.

    Args:
        min_share: least share of the peak that is left, the hardest clipping.
        max_share: greatest one; drawn uniformly.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels); the peak is that of all channels.

    Output shape:
        That of the input.

    Raises:
        ValueError: a share is not in 0…1, or the least is above the greatest.

    Example:
        >>> Clipping(0.5, 0.5)(tf.constant([[0.2, -0.8, 0.3]])).numpy().round(3).tolist()
        [[0.20000000298023224, -0.4000000059604645, 0.30000001192092896]]
    """

    def __init__(
        self,
        min_share: float = 0.2,
        max_share: float = 0.9,
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(probability, seed, **kwargs)
        arguments.ends("min_share", min_share, "max_share", max_share)
        self.min_share = arguments.between("min_share", min_share, 0, 1)
        self.max_share = arguments.between("max_share", max_share, 0, 1)

    def draw(self, batch, seed):
        """Draw each signal's `share`."""
        return {"share": uniform([batch], seed, self.min_share, self.max_share)}

    def transform(self, x, params):
        """Cut off what is beyond."""
        peak = tf.reduce_max(tf.abs(x), axis=list(range(1, len(x.shape))), keepdims=True)
        limit = peak * along(params["share"], x)
        return tf.minimum(tf.maximum(x, -limit), limit)


@keras.saving.register_keras_serializable("tfspec")
class PacketLoss(WaveformLayer):
    """Loses packets, each for itself, as a bad line does.

    Args:
        packet_samples: samples of a packet; 20 ms are usual.
        min_share: least share of packets that is lost.
        max_share: greatest one; drawn uniformly.
        fill: what is heard of a lost packet: "zeros", or "repeat", the last one that came, once more.
        probability: how likely each signal is changed.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Raises:
        ValueError: a packet has no samples, a share is not in 0…1, or the filling is unknown.

    Example:
        >>> PacketLoss(160, 1.0, 1.0)(tf.ones([1, 800])).numpy().max()
        np.float32(0.0)
    """

    def __init__(
        self,
        packet_samples: int,
        min_share: float = 0.0,
        max_share: float = 0.2,
        fill: str = "zeros",
        probability: float = 1.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(probability, seed, **kwargs)
        self.packet_samples = arguments.integer("packet_samples", packet_samples)
        arguments.ends("min_share", min_share, "max_share", max_share)
        self.min_share = arguments.between("min_share", min_share, 0, 1)
        self.max_share = arguments.between("max_share", max_share, 0, 1)
        self.fill = arguments.one_of("fill", fill, FILLS)

    def draw(self, batch, seed):
        """Draw each signal's `share`, and the `packet_seed`, (batch, 2), that says which ones."""
        share, own = split(seed)
        return {
            "share": uniform([batch], share, self.min_share, self.max_share),
            "packet_seed": tf.random.split(own, batch, alg="philox"),
        }

    def transform(self, x, params):
        """Fill the gaps, one signal after another."""
        samples = tf.shape(x)[1]
        packets = -(-samples // self.packet_samples)
        place = tf.range(samples)

        def one(example):
            signal, share, seed = example
            packet = self._heard_instead(uniform([packets], seed) >= share, packets)
            source = tf.gather(packet, place // self.packet_samples)
            index = tf.maximum(source, 0) * self.packet_samples + place % self.packet_samples
            heard = tf.gather(signal, tf.minimum(index, samples - 1))
            gap = tf.reshape(source < 0, [-1, *[1] * (len(x.shape) - 2)])
            return tf.where(gap, 0.0, heard)

        return for_each(one, (x, params["share"], params["packet_seed"]), x, params["applied"])

    def _heard_instead(self, came, packets):
        """Return (packets,) numbers of the packets that are heard in each one's place, −1 for none."""
        number = tf.where(came, tf.range(packets), -1)
        if self.fill == "zeros":
            return number
        return tf.scan(tf.maximum, number)


@keras.saving.register_keras_serializable("tfspec")
class Polarity(WaveformLayer):
    """Turns signals upside down, as swapped wires do.

    Args:
        probability: how likely each signal is turned.
        seed: as in `RandomLayer`.

    Input shape:
        (batch, samples) or (batch, samples, channels).

    Output shape:
        That of the input.

    Example:
        >>> Polarity(probability=1.0)(tf.constant([[1.0, -2.0]])).numpy().tolist()
        [[-1.0, 2.0]]
    """

    def __init__(self, probability: float = 0.5, seed: int | None = None, **kwargs):
        super().__init__(probability, seed, **kwargs)

    def draw(self, batch, seed):
        """Draw nothing: which signals are turned is drawn for every layer."""
        return {}

    def transform(self, x, params):
        """Turn each signal."""
        return -x
