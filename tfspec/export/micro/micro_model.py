"""What the C of a streaming classifier is written of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from tfspec.base.errors import UserError
from tfspec.base.text import shown, text_problem
from tfspec.export.micro.front_end import FULL_SCALE
from tfspec.export.streamed import Streamed
from tfspec.export.streaming import StreamingClassifier
from tfspec.export.streaming_file import DetectorSettings
from tfspec.export.streaming_tflite import StreamingNetwork


@dataclasses.dataclass(frozen=True, kw_only=True)
class MicroModel:
    """A streaming classifier, and when it tells of an event.

    Args:
        front_end: a layer from signals to features, or a `keras.Sequential` of some.
        network: a TFLite file, see `read_graph`.
        streamed: the same, which is given a stream hop by hop.
        hop_samples: samples from one call of the network to the next.
        sample_rate: samples per second.
        class_names: in the order of the logits.
        several_at_once: whether each class has a sigmoid, and not all of them one softmax.
        thresholds: by name, those of the classes that are listened for, in 0…1.
        warm_up_hops: hops at the beginning that make no event, as a clip is not yet full.
        smoothing_hops: hops over which probabilities are averaged, at least 1.
        refractory_hops: hops after an event without another one.

    Raises:
        UserError: a name cannot be printed.
    """

    front_end: keras.Layer
    network: bytes
    streamed: Streamed
    hop_samples: int
    sample_rate: int
    class_names: Sequence[str]
    several_at_once: bool
    thresholds: Mapping[str, float]
    warm_up_hops: int
    smoothing_hops: int
    refractory_hops: int

    def __post_init__(self):
        for name in self.class_names:
            if problem := text_problem(name):
                raise UserError(f"Class {shown(name)}: {problem}")


def micro_model_of(
    streaming: StreamingClassifier, network: StreamingNetwork, detector: DetectorSettings
) -> MicroModel:
    """Gather what a microcontroller's classifier is made of.

    Args:
        streaming: the model.
        network: its network in int8.
        detector: when probabilities make an event.

    Returns:
        For `write_micro`.

    Raises:
        UserError: the signals have several channels.
    """
    classifier = streaming.classifier
    if len(classifier.signal_shape) > 1:
        raise UserError(
            "A microcontroller's classifier takes one channel. "
            f"Received: signals of shape {classifier.signal_shape}"
        )
    hop_seconds = streaming.hop_samples / streaming.sample_rate
    return MicroModel(
        front_end=classifier.front_end,
        network=network.model,
        streamed=streaming.front_end,
        hop_samples=streaming.hop_samples,
        sample_rate=streaming.sample_rate,
        class_names=classifier.class_names,
        several_at_once=classifier.labels == "several",
        thresholds=detector.thresholds(classifier.class_names),
        warm_up_hops=streaming.warm_up_hops,
        smoothing_hops=detector.smoothing_hops(hop_seconds),
        refractory_hops=detector.refractory_hops(hop_seconds),
    )


def as_int16(samples: np.ndarray) -> np.ndarray:
    """Round float32 samples in −1…1 to 16 bits, of which 32,768 are worth 1."""
    return np.clip(np.round(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
