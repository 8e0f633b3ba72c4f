"""Any model that takes recordings, slid over a stream: used like a streaming one."""

from __future__ import annotations

import math

import numpy as np

from tfspec.base.model import Model, check_floats
from tfspec.export.streaming_file import UNHEARD, DetectorSettings
from tfspec.export.streaming_runner import finite
from tfspec.inference.long_recordings import hop_samples, recordings_rate

HOP_SECONDS = 0.25
"""From one window to the next: four windows a second are what a small computer has time for."""


class SlidingClassifier:
    """A model that classifies the last window of a stream at each hop.

    Args:
        model: takes recordings.
        hop_seconds: from one window to the next.

    Raises:
        UserError: the model takes something else, or the hop is not positive and finite.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> from tfspec.models import Classifier, conv2d
        >>> model = Classifier(Spectrogram(256, 128), conv2d((None, 129, 1), 2), ["no", "yes"], (8000,), 8000)
        >>> sliding = SlidingClassifier(model, hop_seconds=0.5)
        >>> sliding.hop_samples, sliding.warm_up_hops, sliding.step(np.zeros(4000)).shape
        (4000, 1, (2,))
    """

    channels = None

    def __init__(self, model: Model, hop_seconds: float = HOP_SECONDS):
        self._model = model
        self.class_names, self.sample_rate = tuple(model.class_names), recordings_rate(model)
        self.hop_samples = hop_samples(hop_seconds, self.sample_rate)
        self.warm_up_hops = math.ceil(model.signal_shape[0] / self.hop_samples) - 1
        self.detector = DetectorSettings() if model.thresholds is None else _own_thresholds(model)
        self.reset()

    def reset(self) -> None:
        """Begin another stream."""
        self.not_finite = 0
        self._window = np.zeros(self._model.signal_shape, np.float32)

    def step(self, samples: np.ndarray) -> np.ndarray:
        """Classify the window that ends with the next hop; before it is full, zeros stand at its beginning.

        Args:
            samples: (hop_samples,); what is not finite counts as 0.

        Returns:
            (classes,) float32.

        Raises:
            UserError: they are whole numbers, which must be scaled to −1…1.
        """
        check_floats(samples, "recording")
        samples, bad = finite(samples)
        self.not_finite += bad
        self._window = np.append(self._window, samples)[-len(self._window) :]
        return self._model.probabilities(self._window[np.newaxis])[0]


def _own_thresholds(model: Model) -> DetectorSettings:
    """Listen for each class from the probability on from which it holds."""
    own = zip(model.class_names, model.thresholds or (), strict=True)
    return DetectorSettings({name: float(each) for name, each in own if not name.startswith(UNHEARD)})
