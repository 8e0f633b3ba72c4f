"""Classifiers that are given a stream hop by hop, and remember what they need of the hops before."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfspec.audio.decoding import hops_of
from tfspec.base.errors import UserError
from tfspec.base.model import check_floats
from tfspec.export.streamed import Streamed, begins_anew, hop_of, rates_of
from tfspec.models import Classifier
from tfspec.models.classifier import check_classifier


class StreamingClassifier:
    """A classifier of clips that listens all day: each hop gives the probabilities of the last clip.

    What it computes is what the classifier computes, and no frame is computed twice. With a network whose
    padding is "valid" that holds at every hop once a clip is full. One that begins anew, with padding
    "causal", a recurrent layer or PCEN, gives what the classifier gives of a clip with which the stream
    began; later on it has heard what came before, and not the beginning that the classifier supposes.

    Args:
        classifier: a model of recordings or of windows of samples, of one channel or several.

    Raises:
        UserError: a layer needs the whole clip; it is named, with what to do instead. Or it is no
            `Classifier`, or one without a sample rate.

    Example:
        >>> from tfspec.frontends import Log, MelSpectrogram
        >>> from tfspec.models import SeparableBlock, ds_tc_resnet
        >>> mel = MelSpectrogram(16000, 40, center=False, frame_length=480, frame_step=160, fft_length=512)
        >>> front_end = keras.Sequential([mel, Log(offset=1e-6)])
        >>> blocks = [SeparableBlock(16, 5, stride=2), SeparableBlock(16, 7, residual=True)]
        >>> network = ds_tc_resnet((None, 40, 1), 2, blocks, padding="valid")
        >>> streaming = StreamingClassifier(Classifier(front_end, network, ["no", "yes"], (16000,), 16000))
        >>> streaming.hop_samples, streaming.warm_up_hops
        (320, 49)
        >>> states = streaming.first_states()
        >>> probabilities, states = streaming.step(np.zeros([1, 320], np.float32), states)
        >>> probabilities.shape
        (1, 2)
    """

    def __init__(self, classifier: Classifier):
        check_classifier(classifier)
        if classifier.sample_rate is None:
            raise UserError("A stream has a sample rate, which this model does not know.")
        self.classifier, self.sample_rate = classifier, classifier.sample_rate
        clip_samples = classifier.signal_shape[0]
        front_end, backbone = _as_model(classifier), classifier.backbone
        frames = front_end.compute_output_shape((1, *classifier.signal_shape))[1]
        rates, backbone_rates = rates_of(front_end, clip_samples), rates_of(backbone, frames)
        step, hop_frames = hop_of(rates), hop_of(backbone_rates)
        self.begins_anew = begins_anew(front_end) or begins_anew(backbone)
        # Hops are counted from the clip's end, but where a beginning matters, from there: whole hops fit then
        left_out = frames % hop_frames if self.begins_anew else 0
        self.hop_samples = hop_frames * step
        self.clip_samples = clip_samples - left_out * step
        self.front_end = Streamed(front_end, rates, self.clip_samples, self.hop_samples)
        self.network = Streamed(backbone, backbone_rates, frames - left_out, hop_frames)

    @property
    def warm_up_hops(self) -> int:
        """Hops at the beginning that end before a whole clip has come."""
        return math.ceil(self.clip_samples / self.hop_samples) - 1

    @property
    def lead_samples(self) -> int:
        """Samples that the first state holds: those before the first hop, with which a clip begins."""
        return max(0, self.front_end.lead)

    def first_states(self, lead: np.ndarray | None = None) -> list[np.ndarray]:
        """Return what is remembered before the first hop.

        Args:
            lead: (1, lead_samples[, channels]) float32, with which the stream begins; silence if None.

        Returns:
            The states, in the order in which `step` takes them.
        """
        states = [*self.front_end.first_states, *self.network.first_states]
        if lead is None or not self.lead_samples:
            return states
        return [np.asarray(lead, np.float32), *states[1:]]

    def step(self, samples: np.ndarray, states: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Go on by a hop.

        Args:
            samples: (1, hop_samples[, channels]) float32, finite.
            states: from `first_states`, or from the step before.

        Returns:
            (1, classes) probabilities, and the states for the next step.

        Raises:
            UserError: the samples have another shape, or are whole numbers, which must be scaled.
        """
        check_floats(samples, self.classifier.takes)
        if samples.shape != (shape := (1, self.hop_samples, *self.classifier.signal_shape[1:])):
            raise UserError(f"A hop is an array of shape {shape}. Received: {samples.shape}")
        probabilities, after = self._step_in_graph(samples, list(states))
        return probabilities.numpy(), [state.numpy() for state in after]

    def steps(self, samples: np.ndarray, lead: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Let a stream pass; what is left at its end and is shorter than a hop is left out.

        Args:
            samples: (samples[, channels]) float32.
            lead: as of `first_states`.

        Yields:
            For each hop (1, classes) probabilities.
        """
        states = self.first_states(lead)
        for hop in hops_of([samples], self.hop_samples):
            probabilities, states = self.step(hop[np.newaxis], states)
            yield probabilities

    def traced(self, samples: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Go on by a hop, inside a graph."""
        of_front_end = len(self.front_end.first_states)
        features, before = self.front_end.step(samples, states[:of_front_end])
        logits, after = self.network.step(features, states[of_front_end:])
        return self.classifier.activation(logits), [*before, *after]

    @functools.cached_property
    def _step_in_graph(self):
        return tf.function(self.traced, reduce_retracing=True, autograph=False)


def _as_model(classifier: Classifier) -> keras.Model:
    """Return the front end, which may be one layer, as a model."""
    if isinstance(classifier.front_end, keras.Model):
        return classifier.front_end
    return keras.Sequential([keras.Input(classifier.signal_shape), classifier.front_end])
