"""Writing streaming.tflite and streaming.json, and proving them hop by hop on real signals."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfspec.audio.decoding import hops_of
from tfspec.base.options import Quantize
from tfspec.export.parity import ParityError
from tfspec.export.streaming import StreamingClassifier
from tfspec.export.streaming_file import FACTS_NAME, MODEL_NAME, StreamingFacts, write_facts
from tfspec.export.streaming_runner import StreamingFile, load_streaming
from tfspec.export.streaming_tflite import StreamingNetwork, int8_network, states_of, streaming_tflite
from tfspec.models import Classifier

SAME_TOP_CLASS: dict[Quantize, float] = {"none": 0.999, "int8": 0.95}
"""Smallest part of the hops on which a file has the top class of Keras, by what became of its network."""
PROVED_SECONDS = 60
"""Length of the stream on which an export finds that out."""
CLIPS = 32
"""That are classified at once."""


def write_streaming(
    classifier: Classifier,
    folder: Path,
    signals: Iterable[np.ndarray],
    quantize: Quantize = "none",
    calibration: Iterable[np.ndarray] = (),
) -> dict[str, Any]:
    """Write `streaming.tflite` and `streaming.json`, compared with the Keras model hop by hop.

    Args:
        classifier: the model; its layers must stream.
        folder: where to.
        signals: batches (batch, *signal_shape), at least one signal; one after the other, and from the first
            one again where they are too short, they are the stream.
        quantize: "none" or "int8".
        calibration: batches for "int8".

    Returns:
        On how many hops the file was compared with the Keras model, on which part of these the top class is
        the same, the largest difference of a probability, bytes, and the median time of a hop in ms.

    Raises:
        UserError: a layer cannot stream.
        ParityError: the file predicts something else on too many hops.
    """
    streaming = StreamingClassifier(classifier)
    network = int8_network(streaming, calibration) if quantize == "int8" else None
    model = streaming_tflite(streaming, network)
    (folder / MODEL_NAME).write_bytes(model)
    write_facts(folder / FACTS_NAME, _facts(streaming, network, hashlib.sha256(model).hexdigest()))
    return _compare(streaming, load_streaming(folder), signals, quantize) | {"bytes": len(model)}


def enough_of(signals: Iterator[np.ndarray], classifier: Classifier) -> list[np.ndarray]:
    """Take batches of signals until they make a stream of a minute, or there are no more.

    Args:
        signals: batches (batch, *signal_shape).
        classifier: what they are for.
    """
    taken, missing = [], PROVED_SECONDS * (classifier.sample_rate or 1)
    while missing > 0 and (batch := next(signals, None)) is not None:
        taken.append(batch)
        missing -= len(batch) * classifier.signal_shape[0]
    return taken


def _facts(streaming: StreamingClassifier, network: StreamingNetwork | None, sha256: str) -> StreamingFacts:
    classifier = streaming.classifier
    return StreamingFacts(
        classes=classifier.class_names,
        labels=classifier.labels,
        sample_rate=streaming.sample_rate,
        hop_samples=streaming.hop_samples,
        clip_samples=streaming.clip_samples,
        warm_up_hops=streaming.warm_up_hops,
        states=states_of(streaming, network),
        channels=classifier.signal_shape[1] if len(classifier.signal_shape) > 1 else None,
        quantize="int8" if network else "none",
        sha256=sha256,
    )


def _compare(
    streaming: StreamingClassifier, file: StreamingFile, signals: Iterable[np.ndarray], quantize: Quantize
) -> dict[str, Any]:
    """Compare a file with the Keras model, which sees each clip whole where no beginning matters."""
    signal = np.concatenate([signal for batch in signals for signal in batch])
    shortest = (streaming.warm_up_hops + 1) * streaming.hop_samples
    stream = np.resize(signal, (max(len(signal), shortest), *signal.shape[1:]))
    seconds, received = [], []
    for hop in hops_of([stream], file.hop_samples):
        start = time.perf_counter()
        received.append(file.step(hop))
        seconds.append(time.perf_counter() - start)
    if streaming.begins_anew:
        expected = np.concatenate(list(streaming.steps(stream)))
    else:
        expected = _of_clips(streaming, stream)
    given = np.stack(received)[-len(expected) :]
    same = float((given.argmax(1) == expected.argmax(1)).mean())
    parity: dict[str, Any] = {
        "hops": len(expected),
        "same_top_class": same,
        "largest_difference": float(np.abs(given - expected).max()),
        "milliseconds": 1000 * float(np.median(seconds)),
        "quantize": quantize,
    }
    if same < SAME_TOP_CLASS[quantize]:
        raise ParityError(
            f"The streaming file has the top class of Keras on {same:.2%} of the hops, "
            f"which is less than {SAME_TOP_CLASS[quantize]:.1%}: {parity}"
        )
    return parity


def _of_clips(streaming: StreamingClassifier, stream: np.ndarray) -> np.ndarray:
    """Classify the clip that ends with each hop, as soon as there is a whole one."""
    hop, clip = streaming.hop_samples, streaming.clip_samples
    ends = np.arange((streaming.warm_up_hops + 1) * hop, len(stream) + 1, hop)
    batches = np.array_split(ends, max(1, len(ends) // CLIPS))
    return np.concatenate(
        [
            streaming.classifier.probabilities(np.stack([stream[end - clip : end] for end in b]))
            for b in batches
        ]
    )
