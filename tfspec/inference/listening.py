"""Listening to a stream: from its samples to the events in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from tfspec.audio.decoding import hops_of
from tfspec.base.errors import UserError
from tfspec.base.model import check_model
from tfspec.export.streaming_file import FACTS_NAME, MODEL_NAME, DetectorSettings
from tfspec.export.streaming_runner import load_streaming
from tfspec.inference.detector import Detector
from tfspec.inference.loading import load_model
from tfspec.inference.sliding import HOP_SECONDS, SlidingClassifier


class Listener(Protocol):
    """A `StreamingFile`, a `SlidingClassifier`, or anything else that does the same."""

    class_names: tuple[str, ...]
    sample_rate: int
    hop_samples: int
    warm_up_hops: int
    detector: DetectorSettings
    not_finite: int

    def reset(self) -> None:
        """Begin another stream."""

    def step(self, samples: np.ndarray) -> np.ndarray:
        """Take (hop_samples,) and return (classes,) probabilities."""


@dataclass(frozen=True)
class StreamEvent:
    """An event of a stream.

    Args:
        time: end of the hop at which it was found, in seconds from the stream's beginning.
        label: name of the class.
        score: its smoothed probability.
    """

    time: float
    label: str
    score: float


def load_listener(path: str | os.PathLike, hop_seconds: float | None = None) -> Listener:
    """Load a streaming model, or slide any other one that takes recordings.

    Args:
        path: a streaming model, as `load_streaming` takes it; a run folder, whose export/ may hold one; or
            whatever else `load_model` takes.
        hop_seconds: from one window to the next of a model that is slid; 0.25 if None.

    Returns:
        The model, at the beginning of a stream.

    Raises:
        UserError: there is no such model, it cannot listen to one channel, or the hop is given of a streaming
            model, which has its own, or is not positive.

    Example:
        >>> load_listener("missing.tflite")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No model at missing.tflite. Give a run folder, a .keras file or a ...
    """
    if (streaming := find_streaming(path)) is None:
        return SlidingClassifier(load_model(path), HOP_SECONDS if hop_seconds is None else hop_seconds)
    model = load_streaming(streaming)
    if model.channels is not None:
        raise UserError(f"This model takes signals of {model.channels} channels, not recordings of one.")
    if hop_seconds is not None:
        raise UserError(f"{path} has hops of its own. Leave out hop_seconds={hop_seconds}.")
    return model


def find_streaming(path: str | os.PathLike) -> Path | None:
    """Find a streaming model.

    Args:
        path: as in `load_listener`.

    Returns:
        What `load_streaming` takes; None where there is another model, or none.

    Example:
        >>> find_streaming("export/streaming.tflite").as_posix(), find_streaming("export/model.tflite")
        ('export/streaming.tflite', None)
    """
    path = Path(path)
    if path.name in (MODEL_NAME, FACTS_NAME):
        return path
    return next((each for each in (path, path / "export") if (each / FACTS_NAME).is_file()), None)


def listen(
    model: Listener, blocks: Iterable[np.ndarray], settings: DetectorSettings | None = None
) -> Iterator[StreamEvent]:
    """Find events in a stream while it comes.

    The hops of the model's warm-up, in which it has not heard a whole clip yet, are kept from the detector.

    Args:
        model: from `load_listener`; begins another stream.
        blocks: (samples,) arrays at the model's sample rate, one after another: from `audio_blocks`,
            `stream_blocks` or `microphone_blocks`.
        settings: of the detector; the model's own if None.

    Yields:
        Each event as soon as it is found.

    Raises:
        UserError: the model is none that listens; no class is listened for, or one that is not there; or the
            stream is shorter than a hop, or ends before a whole clip has been heard.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import Classifier, conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> heard = listen(SlidingClassifier(model), [np.zeros(24000)], DetectorSettings({"yes": 0.0}))
        >>> [(each.time, each.label) for each in heard]
        [(1.0, 'yes'), (2.25, 'yes')]
    """
    check_model(model, "load_listener")
    hop_seconds, hops = model.hop_samples / model.sample_rate, 0
    detector = Detector(model.class_names, hop_seconds, settings or model.detector)
    model.reset()
    for samples in hops_of(blocks, model.hop_samples):
        hops += 1
        probabilities = model.step(samples)
        found = detector.step(probabilities) if hops > model.warm_up_hops else None
        if found:
            yield StreamEvent(hops * model.hop_samples / model.sample_rate, found.label, found.score)
    if not hops:
        raise UserError(f"What was heard is shorter than the model's hop of {hop_seconds:g} s.")
    if hops <= model.warm_up_hops:
        least = (model.warm_up_hops + 1) * hop_seconds
        raise UserError(
            f"Nothing can be found in {hops * hop_seconds:g} s: the model tells nothing before it has heard "
            f"{least:g} s. `tfspec predict` classifies short recordings, too."
        )


def stream_probabilities(model: Listener, blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Classify a whole stream, to find events in it by many settings.

    Args:
        model: from `load_listener`; begins another stream.
        blocks: as in `listen`.

    Returns:
        (hops, classes) float32, from the first hop of the stream, those of the warm-up too.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import Classifier, conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> stream_probabilities(SlidingClassifier(model), [np.zeros(24000)]).shape
        (12, 2)
    """
    model.reset()
    rows = [model.step(samples) for samples in hops_of(blocks, model.hop_samples)]
    return np.array(rows, np.float32).reshape(-1, len(model.class_names))
