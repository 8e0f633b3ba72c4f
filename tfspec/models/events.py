"""Sound-event heads: networks that say of each frame what is heard in it, and so of the whole signal.

A backbone with such a head gives (batch, 1 + frames, classes) logits: those of the whole signal, and behind
them those of its frames. As one tensor they go wherever logits go: through a temperature, into an ensemble,
into a quantised file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import keras
import tensorflow as tf
from keras import layers

from tfspec.base import arguments
from tfspec.base.errors import UserError
from tfspec.base.frames import Frames
from tfspec.base.model import SMALLEST

Pooling = Literal["attention", "linear", "max"]
"""How a signal's logits come from its frames: weighted by what the network has learnt to attend to; each
frame weighted by its own probability; or the highest one."""
MOST_ATTENTION = 10.0
"""Between the negative of this and this are the logits of attention, as in PANNs."""
LONGER = 1024
"""Frames by which a signal is lengthened to see how many more a network gives; a multiple of all strides."""


def event_head(
    backbone: keras.Model, pooling: Pooling = "attention", dropout: float = 0.3, recurrent_units: int = 0
) -> keras.Model:
    """Backbone that says of each frame what is heard in it, on all of another backbone but its head.

    What the other one averages over time and bins at last goes, averaged and maximised over bins alone, into
    a dense layer for each frame. Its frames are as far apart as that network's strides make them. From the
    frames' probabilities p comes the signal's:

    - "attention": Σ a · p with weights a, of the sum 1, from a softmax over time of a second dense layer
      (Kong et al., "PANNs: large-scale pretrained audio neural networks for audio pattern recognition",
      2020);
    - "linear": Σ p² / Σ p, the linear softmax, which has the best gradients of what has no weights of its own
      (Wang et al., "A comparison of five multiple instance learning pooling functions for sound event
      detection with weak labeling", 2019);
    - "max": the highest p.

    Args:
        backbone: from (batch, frames, bins, channels) features to (batch, classes) logits, which averages
            over time and bins before its last layers, as most of `tfspec.models` do. Its weights up to there
            are the new one's, too.
        pooling: from frames to the signal.
        dropout: share of what a frame's logits are made of that is left out in training.
        recurrent_units: of a gated recurrent unit each way, which tells each frame what comes before and
            after it, beyond what the backbone sees at once (E. Çakır et al., "Convolutional recurrent neural
            networks for polyphonic sound event detection", 2017); 0 for none.

    Returns:
        A `keras.Model` from the same features to (batch, 1 + frames, classes) float32 logits: the signal's,
        then each frame's.

    Raises:
        ValueError: there is no such pooling, the dropout is no share, or the units are a negative number.
        UserError: the backbone has no layer that averages over time and bins.

    Example:
        >>> from tfspec.models import ds_cnn
        >>> event_head(ds_cnn((100, 40, 1), num_classes=3)).output_shape
        (None, 51, 3)
    """
    arguments.one_of("pooling", pooling, get_args(Pooling))
    arguments.between("dropout", dropout, 0, 1)
    arguments.integer("recurrent_units", recurrent_units, 0)
    num_classes = backbone.output_shape[-1]
    x = _before_average(backbone)
    x = layers.Concatenate()([keras.ops.mean(x, axis=2), keras.ops.max(x, axis=2)])
    if recurrent_units:
        both_ways = layers.Bidirectional(layers.GRU(recurrent_units, return_sequences=True))
        x = layers.Concatenate()([x, both_ways(layers.Dropout(dropout)(x))])
    x = layers.Dropout(dropout)(x)
    made = [layers.Dense(num_classes, dtype="float32", name="frame_logits")(x)]
    if pooling == "attention":
        made.append(layers.Dense(num_classes, dtype="float32", name="attention")(x))
    logits = FramePooling(pooling, name="logits")(made)
    return keras.Model(backbone.inputs[0], logits, name=f"{backbone.name}_events")


def _before_average(backbone: keras.Model) -> keras.KerasTensor:
    """Return what a backbone averages over time and bins at last."""
    averages = [layer for layer in backbone.layers if isinstance(layer, layers.GlobalAveragePooling2D)]
    if not averages:
        raise UserError(
            f"The network {backbone.name} does not average over time before its last layers, so it has no "
            "frames to hear events in: take residual, ds_cnn, tc_resnet, conv2d or one of keras.applications."
        )
    return averages[-1].input


@keras.saving.register_keras_serializable("tfspec")
class BothWays(layers.Bidirectional):
    """Keras's `Bidirectional`, as some models of November 2026 were saved with it."""


@keras.saving.register_keras_serializable("tfspec")
class FramePooling(layers.Layer):
    """Joins logits of frames to those of the signal, and puts these before them.

    Args:
        pooling: as of `event_head`.

    Input shape:
        A list of (batch, frames, classes) logits and, for "attention", as many to attend by.

    Output shape:
        (batch, 1 + frames, classes) float32.

    Raises:
        ValueError: there is no such pooling.

    Example:
        >>> FramePooling("max")([tf.constant([[[1.0], [3.0]]])]).numpy().ravel().tolist()
        [3.0, 1.0, 3.0]
    """

    def __init__(self, pooling: Pooling = "attention", **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.pooling: Pooling = arguments.one_of("pooling", pooling, get_args(Pooling))

    def call(self, logits):
        """Pool the frames."""
        frames = tf.cast(logits[0], tf.float32)
        signal = tf.reduce_max(frames, 1, keepdims=True) if self.pooling == "max" else self._mean(*logits)
        return tf.concat([signal, frames], axis=1)

    def _mean(self, frames: tf.Tensor, attention: tf.Tensor | None = None) -> tf.Tensor:
        """Return the log odds of a weighted mean; 1 − p would lose the digits of what is small."""
        holds, holds_not = tf.nn.sigmoid(frames), tf.nn.sigmoid(-frames)
        if attention is None:
            weights = holds
        else:
            weights = tf.nn.softmax(tf.clip_by_value(attention, -MOST_ATTENTION, MOST_ATTENTION), axis=1)
        yes, no = (tf.reduce_sum(weights * each, 1, keepdims=True) for each in (holds, holds_not))
        return tf.math.log(tf.maximum(yes, SMALLEST)) - tf.math.log(tf.maximum(no, SMALLEST))

    def compute_output_shape(self, input_shape):
        """Return (batch, 1 + frames, classes)."""
        batch, frames, classes = input_shape[0]
        return (batch, None if frames is None else 1 + frames, classes)

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling}


def of_signal(logits: tf.Tensor) -> tf.Tensor:
    """Return a signal's logits, or what has their shape, without those of its frames.

    Args:
        logits: (batch, classes); or (batch, 1 + frames, classes) from a backbone with an `event_head`.

    Returns:
        (batch, classes).

    Example:
        >>> of_signal(tf.zeros([2, 1 + 50, 3])).shape, of_signal(tf.zeros([2, 3])).shape
        (TensorShape([2, 3]), TensorShape([2, 3]))
    """
    return logits[:, 0] if len(logits.shape) == 3 else logits


def of_frames(logits: tf.Tensor) -> tf.Tensor:
    """Return the logits of a signal's frames, or what has their shape.

    Args:
        logits: (batch, 1 + frames, classes) from a backbone with an `event_head`.

    Returns:
        (batch, frames, classes).

    Example:
        >>> of_frames(tf.zeros([2, 1 + 50, 3])).shape
        TensorShape([2, 50, 3])
    """
    return logits[:, 1:]


def frames_of(
    front_end: keras.Layer, backbone: keras.Model, signal_shape: Sequence[int], sample_rate: float | None
) -> Frames | None:
    """Tell where the frames lie of which a backbone says what is heard in them.

    A network with a stride of s frames of features gives every s-th; all that it gives lie symmetrically over
    the features, as padding by "same" and "valid" has it.

    Args:
        front_end: layer from signals to features.
        backbone: model from features to logits.
        signal_shape: (samples,), or (samples, channels).
        sample_rate: samples per second.

    Returns:
        The frames; None where the backbone has no `event_head`.

    Raises:
        ValueError: it has one, and the signal is not sampled in time.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import conv2d
        >>> spectrogram, backbone = Spectrogram(256, 80), event_head(conv2d((None, 129, 1), 2))
        >>> frames_of(spectrogram, backbone, (8000,), 8000)
        Frames(first=0.116, step=0.04, num_frames=20)
    """
    if len(backbone.output_shape) != 3:
        return None
    if sample_rate is None:
        raise ValueError("Events need signals that are sampled in time. Received: sample_rate=None")
    features = front_end.compute_output_shape((None, *signal_shape))
    count = _num_frames(backbone, features)
    of_any_length = backbone
    if backbone.input_shape[1] is not None:
        of_any_length = keras.models.clone_model(backbone, keras.Input((None, *features[2:])))
    longer = (None, features[1] + LONGER, *features[2:])
    stride = LONGER / (_num_frames(of_any_length, longer) - count)
    first, step = _feature_times(front_end, features[1], signal_shape, sample_rate)
    before = (features[1] - 1 - (count - 1) * stride) / 2
    return Frames(round(first + before * step, 9), round(stride * step, 9), count)


def _num_frames(backbone: keras.Model, features: tuple) -> int:
    return backbone.compute_output_shape(features)[1] - 1


def _feature_times(
    front_end: keras.Layer, count: int, signal_shape: Sequence[int], sample_rate: float
) -> tuple[float, float]:
    """Return the middle of the first frame of features, and how far it is to the next, in seconds."""
    for layer in getattr(front_end, "layers", [front_end]):
        times: Callable | None = getattr(layer, "frame_times", None)
        if times and layer.compute_output_shape((None, *signal_shape))[1] == count:
            first, second = times(2, sample_rate)
            return float(first), float(second - first)
    step = signal_shape[0] / sample_rate / count  # of what does not say it, frames share the signal evenly
    return step / 2, step
