"""From a classifier of clips to what its C is written of."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tfspec.base.errors import UserError
from tfspec.export.micro.model_code import Listener
from tfspec.export.streaming import StreamingClassifier
from tfspec.export.streaming_file import DetectorSettings
from tfspec.export.streaming_tflite import int8_network
from tfspec.models import Classifier


def listener_of(
    classifier: Classifier, signals: Iterable[np.ndarray], detector: DetectorSettings
) -> Listener:
    """Quantise a classifier for a microcontroller.

    Args:
        classifier: the model; its layers must stream.
        signals: batches (batch, samples) float32, for calibration.
        detector: when probabilities make an event.

    Returns:
        For `write_micro`.

    Raises:
        UserError: a layer cannot stream, the signals have several channels, or their rate is not known.
    """
    if classifier.sample_rate is None or len(classifier.signal_shape) > 1:
        raise UserError(
            "A microcontroller's classifier takes one channel at a sample rate. "
            f"Received: signals of shape {classifier.signal_shape}, sample rate {classifier.sample_rate}"
        )
    streaming = StreamingClassifier(classifier)
    hop_seconds = streaming.hop_samples / classifier.sample_rate
    return Listener(
        front_end=classifier.front_end,
        network=int8_network(streaming, signals).model,
        lead_samples=streaming.lead_samples,
        hop_samples=streaming.hop_samples,
        sample_rate=classifier.sample_rate,
        class_names=classifier.class_names,
        several_at_once=classifier.labels == "several",
        thresholds=detector.thresholds(classifier.class_names),
        smoothing_hops=detector.smoothing_hops(hop_seconds),
        refractory_hops=detector.refractory_hops(hop_seconds),
    )


def as_int16(samples: np.ndarray) -> np.ndarray:
    """Round float32 samples in −1…1 to 16 bits, of which 32,768 are worth 1."""
    return np.clip(np.round(samples * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
