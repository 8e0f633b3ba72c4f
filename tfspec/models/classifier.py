"""Front end and backbone as one model, from raw signal to logits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf

from tfspec.base import arguments
from tfspec.base.errors import UserError
from tfspec.base.frames import EventRule, Frames
from tfspec.base.model import HALF, Labels, Takes, check_floats, checked_signals, usually_takes
from tfspec.base.text import excerpt
from tfspec.dsp import finite
from tfspec.models.events import frames_of, of_frames, of_signal


@keras.saving.register_keras_serializable("tfspec")
class Classifier(keras.Model):
    """A front end, a backbone and what a user of the model must know: classes, length and sample rate.

    A signal with a value that is not finite gets NaN for all its logits, a finite one finite logits, here
    and in what is exported. For that, `dsp.finite.tamed` turns down signals whose peak is over 2**32.

    With a backbone that has an `event_head` it also says of each frame what is heard in it:
    `frame_probabilities`, whose times are `frames`.

    Args:
        front_end: layer from (batch, *signal_shape) signals to (batch, frames, bins, channels) features.
        backbone: model from features to (batch, classes) logits, or to those of `event_head`.
        class_names: what the logits stand for, in their order.
        signal_shape: shape of one signal: (samples,), or (samples, channels).
        sample_rate: samples per second; None where the signal is not sampled in time.
        takes: where the signals come from: "recording", "windows" or "picture"; what `usually_takes` says if
            None.
        labels: "one" class an example, whose probabilities sum to one; or "several" at once.
        thresholds: of several labels, the lowest probability at which each class holds; 0.5 for all if None.
        event_rule: how events are made of the probabilities of frames, where there are any: thresholds and
            lengths of median filters, one each a class; 0.5 and none if None.

    Raises:
        ValueError: the names are no list of different texts, a size or the sample rate is no number above 0,
            the thresholds are not one number in 0…1 a class, frames are not of several labels, or front end,
            backbone and names do not fit together.

    Input shape:
        (batch, *signal_shape), float32, recordings in −1…1 and pictures in 0…1. Whole numbers are taken as
        they are; `logits` and `probabilities` refuse those that must be scaled.

    Output shape:
        (batch, classes), logits.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> model(tf.zeros([3, 8000])).shape
        TensorShape([3, 2])
    """

    def __init__(
        self,
        front_end: keras.Layer,
        backbone: keras.Model,
        class_names: Sequence[str],
        signal_shape: Sequence[int],
        sample_rate: int | None = None,
        takes: Takes | None = None,
        labels: Labels = "one",
        thresholds: Sequence[float] | None = None,
        event_rule: Sequence[Sequence[float]] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.front_end = front_end
        self.backbone = backbone
        self.class_names = _names(class_names)
        self.signal_shape = tuple(
            size if size is None else arguments.integer("signal_shape", size) for size in signal_shape
        )
        self.sample_rate = arguments.positive_or_none("sample_rate", sample_rate)
        usual = usually_takes(self.signal_shape, self.sample_rate)
        self.takes: Takes = arguments.one_of("takes", takes or usual, get_args(Takes))
        self.labels: Labels = arguments.one_of("labels", labels, get_args(Labels))
        self.thresholds = self._checked(thresholds) if labels == "several" else None
        self.build((None, *self.signal_shape))
        self.frames: Frames | None = frames_of(front_end, backbone, self.signal_shape, self.sample_rate)
        self.event_rule = self._checked_rule(event_rule)

    def build(self, input_shape):
        """Build the front end and check the backbone against it."""
        features = self.front_end.compute_output_shape(input_shape)
        expected = getattr(self.backbone, "input_shape", None) or features
        if len(features) != len(expected) or any(
            None not in pair and pair[0] != pair[1] for pair in zip(features, expected, strict=True)
        ):
            raise ValueError(
                "The backbone must take what the front end returns. "
                f"Received: features of shape {features}, a backbone for {expected}"
            )
        logits = self.backbone.compute_output_shape(features)
        if not isinstance(logits, tuple) or len(logits) not in (2, 3) or logits[-1] != len(self.class_names):
            raise ValueError(
                f"The backbone must return one logit a class. Received: logits of shape {logits}, "
                f"class_names={self.class_names}"
            )
        if not self.front_end.built:  # a Sequential is built for the batches that it has seen
            self.front_end.build(input_shape)
        self.built = True

    def call(self, signal, training=None):
        """Compute the logits of (batch, *signal_shape) signals; NaN for signals that are not finite."""
        return of_signal(self.all_logits(signal, training))

    def all_logits(self, signal: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Compute all that the backbone gives of signals.

        Args:
            signal: (batch, *signal_shape).
            training: as of a call.

        Returns:
            (batch, classes) logits, or (batch, 1 + frames, classes) with an `event_head`; NaN for signals
            that are not finite.
        """
        signal = tf.cast(signal, tf.float32)
        logits = self.backbone(self.front_end(finite.tamed(signal)), training=training)
        return finite.or_nan(logits, finite.all_finite(signal))

    def logits(self, signal: np.ndarray | tf.Tensor) -> np.ndarray:
        """Compute the logits of signals in a graph, which is traced at the first call.

        Calling the classifier itself gives the same eagerly, several times more slowly: Keras then goes
        through layers in Python, and through a recurrent layer frame by frame.

        Args:
            signal: (batch, *signal_shape) float32.

        Returns:
            (batch, classes) float32; NaN for signals that are not finite.

        Raises:
            UserError: they have another shape, or are whole numbers, which must be scaled as decoding a file
                scales them.
        """
        return of_signal(self._graph_logits(signal)).numpy()

    def probabilities(self, signal: np.ndarray | tf.Tensor) -> np.ndarray:
        """Classify signals.

        Args:
            signal: (batch, *signal_shape) float32.

        Returns:
            (batch, classes) float32; each row sums to one where one class holds.

        Raises:
            UserError: as of `logits`.
        """
        return self.activation(self.logits(signal)).numpy()

    def frame_probabilities(self, signal: np.ndarray | tf.Tensor) -> np.ndarray:
        """Say of each frame which classes are heard in it.

        Args:
            signal: (batch, *signal_shape) float32.

        Returns:
            (batch, frames, classes) float32. The frames lie in the signal as `frames` says.

        Raises:
            ValueError: the backbone has no `event_head`.
            UserError: as of `logits`.

        Example:
            >>> from tfspec.frontends import Spectrogram
            >>> from tfspec.models import conv2d, event_head
            >>> front_end, backbone = Spectrogram(256, 80), event_head(conv2d((None, 129, 1), 2))
            >>> model = Classifier(front_end, backbone, ["a", "b"], (8000,), 8000, labels="several")
            >>> model.frame_probabilities(np.zeros([3, 8000])).shape
            (3, 20, 2)
        """
        if self.frames is None:
            raise ValueError(f"The backbone {self.backbone.name} has no frames: give it an `event_head`.")
        return self.activation(of_frames(self._graph_logits(signal))).numpy()

    def _graph_logits(self, signal: np.ndarray | tf.Tensor) -> tf.Tensor:
        if tf.is_tensor(signal):  # whose shape TensorFlow knows better
            check_floats(signal, self.takes)
        else:
            signal = checked_signals(signal, self.signal_shape, self.takes)
        return self._traced_logits(signal)

    @functools.cached_property
    def _traced_logits(self) -> Callable[[np.ndarray | tf.Tensor], tf.Tensor]:
        """Return what `all_logits` computes, as a graph for any number of signals."""
        signals = tf.TensorSpec([None, *self.signal_shape], tf.float32)
        return tf.function(lambda signal: self.all_logits(signal, training=False), [signals], autograph=False)

    @property
    def activation(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """What makes probabilities of logits: softmax where one class holds, sigmoid where several can."""
        return tf.nn.softmax if self.labels == "one" else tf.nn.sigmoid

    def with_backbone(self, backbone: keras.Model) -> Classifier:
        """Make a classifier that differs in its backbone alone.

        Args:
            backbone: model from the same features to logits of the same classes.

        Raises:
            ValueError: it does not fit.

        Example:
            >>> from tfspec.frontends import Spectrogram
            >>> from tfspec.models import conv2d
            >>> one, other = (conv2d((None, 129, 1), 2) for _ in range(2))
            >>> model = Classifier(Spectrogram(256, 128), one, ["no", "yes"], (8000,), 8000)
            >>> model.with_backbone(other).class_names
            ('no', 'yes')
        """
        return Classifier(
            self.front_end,
            backbone,
            self.class_names,
            self.signal_shape,
            self.sample_rate,
            self.takes,
            self.labels,
            self.thresholds,
            self.event_rule,
        )

    def _checked_rule(self, rule: Sequence[Sequence[float]] | None) -> EventRule | None:
        """Let a rule of one threshold and one length a class pass; None where there are no frames."""
        if self.frames is None:
            return None
        if self.labels == "one":
            raise ValueError('Frames are of labels="several". Received: labels="one" and an `event_head`')
        if rule is None:
            return EventRule.usual(len(self.class_names))
        thresholds, lengths = rule
        if len(lengths) != len(self.class_names) or not all(0 <= each < np.inf for each in lengths):
            raise ValueError(f"`event_rule` must have a length of 0 or more a class. Received: {lengths}")
        return EventRule(self._checked(thresholds), tuple(map(float, lengths)))

    def _checked(self, thresholds: Sequence[float] | None) -> tuple[float, ...]:
        """Let one threshold a class pass; a half for all where there are none."""
        lowest = tuple(map(float, [HALF] * len(self.class_names) if thresholds is None else thresholds))
        if len(lowest) != len(self.class_names) or not all(0 <= each <= 1 for each in lowest):
            raise ValueError(f"`thresholds` must be one number in 0…1 a class. Received: {thresholds}")
        return lowest

    def compute_output_shape(self, input_shape):
        """Return (batch, classes)."""
        return (input_shape[0], len(self.class_names))

    def get_config(self):
        return {
            **super().get_config(),
            "front_end": keras.saving.serialize_keras_object(self.front_end),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "class_names": list(self.class_names),
            "signal_shape": list(self.signal_shape),
            "sample_rate": self.sample_rate,
            "takes": self.takes,
            "labels": self.labels,
            "thresholds": self.thresholds and list(self.thresholds),
            "event_rule": self.event_rule and [*map(list, self.event_rule)],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Rebuild the parts, then the whole; how they were trained, by a loss not known here, is left out."""
        parts = {
            name: keras.saving.deserialize_keras_object(untaught(config[name]), custom_objects=custom_objects)
            for name in ("front_end", "backbone")
        }
        return cls(**{**config, **parts})


def check_classifier(model: object) -> None:
    """Refuse what is no model that could be exported, such as the path of one, or a TFLite file's.

    Args:
        model: what should be a `Classifier`.

    Raises:
        UserError: it is none.

    Example:
        >>> check_classifier("run")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: A Classifier is needed, such as Run(PATH).classifier. Received: 'run'
    """
    if not isinstance(model, Classifier):
        raise UserError(
            f"A Classifier is needed, such as Run(PATH).classifier. Received: {excerpt(repr(model))}"
        )


def untaught(config: Any) -> Any:
    """Leave out of a config how a model and those in it were trained: losses, schedules, metrics.

    Args:
        config: of a Keras object, or a part of one.

    Example:
        >>> untaught({"layers": [{"units": 2, "compile_config": {"loss": "mse"}}]})
        {'layers': [{'units': 2}]}
    """
    if isinstance(config, dict):
        return {key: untaught(value) for key, value in config.items() if key != "compile_config"}
    return [untaught(each) for each in config] if isinstance(config, list) else config


def _names(class_names: Sequence[str]) -> tuple[str, ...]:
    names = tuple(class_names)
    different_texts = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    if isinstance(class_names, str) or not names or not different_texts:
        raise ValueError(f"`class_names` must be a list of different texts. Received: {class_names!r}")
    return names
