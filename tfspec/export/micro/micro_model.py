"""From a streaming classifier to what its C is written of."""

from __future__ import annotations

import numpy as np

from tfspec.base.errors import UserError
from tfspec.export.micro.model_code import MicroModel
from tfspec.export.streaming import StreamingClassifier
from tfspec.export.streaming_file import DetectorSettings
from tfspec.export.streaming_tflite import StreamingNetwork


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
        lead_samples=streaming.lead_samples,
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
    return np.clip(np.round(samples * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
