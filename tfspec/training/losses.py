"""Losses that Keras has not."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfspec.models.events import of_frames, of_signal


@keras.saving.register_keras_serializable("tfspec")
class KLDivergence(keras.losses.Loss):
    """Kullback-Leibler divergence of the predicted distribution from soft labels, on logits.

    Σ p · (log p − log softmax(z)) for labels p and logits z, in nats; a class without a share adds nothing
    (`scipy.special.rel_entr`, and `torch.nn.functional.kl_div` with reduction "batchmean"). Keras's own
    takes probabilities and cuts them at 1e-7.

    Args:
        name: of the loss.
        **kwargs: as of `keras.losses.Loss`.

    Call arguments:
        y_true: (batch, classes), none below 0, each row with the sum 1.
        y_pred: (batch, classes) logits.

    Returns:
        The mean over the batch.

    Example:
        >>> float(KLDivergence()([[1.0, 0.0]], [[0.0, 0.0]]))
        0.6931471824645996
    """

    def __init__(self, name: str = "kl_divergence", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Return (batch,) divergences."""
        logits = tf.convert_to_tensor(y_pred)
        shares = tf.cast(y_true, logits.dtype)
        return tf.reduce_sum(tf.math.xlogy(shares, shares) - shares * tf.nn.log_softmax(logits), axis=-1)


@keras.saving.register_keras_serializable("tfspec")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross entropy of one class an example, which is never quite sure of itself, on logits.

    The class counts 1 − s, and a share s is spread over all classes, its own among them (Szegedy et al.,
    "Rethinking the inception architecture for computer vision", 2016): Keras's, for labels that are places or
    shares.

    Args:
        smoothing: the share s.
        name: of the loss.
        **kwargs: as of `keras.losses.Loss`.

    Call arguments:
        y_true: (batch,) places, or (batch, classes) shares.
        y_pred: (batch, classes) logits.

    Returns:
        The mean over the batch.

    Example:
        >>> round(float(SmoothedCrossEntropy(0.5)(tf.constant([0]), tf.constant([[0.0, 0.0]]))), 4)
        0.6931
    """

    def __init__(self, smoothing: float = 0.0, name: str = "smoothed_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        """Return (batch,) losses."""
        logits = tf.convert_to_tensor(y_pred)
        truth = tf.convert_to_tensor(y_true)
        if truth.shape[1:] != logits.shape[1:]:  # Keras has made floats of the places
            truth = tf.one_hot(
                tf.cast(tf.reshape(truth, [-1]), tf.int32), logits.shape[-1], dtype=logits.dtype
            )
        return keras.losses.categorical_crossentropy(
            truth, logits, from_logits=True, label_smoothing=self.smoothing
        )

    def get_config(self):
        return {**super().get_config(), "smoothing": self.smoothing}


@keras.saving.register_keras_serializable("tfspec")
class KnownLabelsLoss(keras.losses.Loss):
    """Binary cross entropy of several labels at once, over those that are known, on logits.

    An example's loss is the mean of −y log p − (1 − y) log (1 − p) over its labels that are not NaN, p the
    sigmoid of a logit; 0 where none is known.

    Args:
        name: of the loss.
        **kwargs: as of `keras.losses.Loss`.

    Call arguments:
        y_true: (batch, classes) in 0…1, NaN where nobody knows.
        y_pred: (batch, classes) logits.

    Returns:
        The mean over the batch.

    Example:
        >>> round(float(KnownLabelsLoss()([[1.0, float("nan")]], [[0.0, 5.0]])), 4)  # -log(1 / 2)
        0.6931
    """

    def __init__(self, name: str = "known_labels", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Return (batch,) losses."""
        return _known_cross_entropy(y_true, y_pred, [-1])


def _known_cross_entropy(y_true, y_pred, axes: list[int]) -> tf.Tensor:
    """Average the binary cross entropy of logits over the labels that are known, along some axes."""
    logits = tf.convert_to_tensor(y_pred)
    truth = tf.cast(y_true, logits.dtype)
    is_known = ~tf.math.is_nan(truth)
    each = tf.nn.sigmoid_cross_entropy_with_logits(tf.where(is_known, truth, 0.0), logits)
    known = tf.cast(is_known, logits.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(known * each, axes), tf.reduce_sum(known, axes))


@keras.saving.register_keras_serializable("tfspec")
class EventLoss(keras.losses.Loss):
    """Binary cross entropy of signals and their frames, over what is known of both, on logits.

    An example's loss is the mean over all labels of its frames that are known, and so many times the mean
    over those of the whole signal: strong and weak labels in one batch, as in DCASE's baseline (N. Turpault
    et al., "Sound event detection in domestic environments with weakly labeled data and soundscape
    synthesis", 2019). What is not known of an example, all of its frames maybe, adds nothing.

    Args:
        signal_weight: what the signal's loss counts; the frames' counts 1.
        name: of the loss.
        **kwargs: as of `keras.losses.Loss`.

    Call arguments:
        y_true: (batch, 1 + frames, classes) in 0…1, NaN where nobody knows: the signal's, then its frames'.
        y_pred: (batch, 1 + frames, classes) logits of an `event_head`.

    Returns:
        The mean over the batch.

    Example:
        >>> unknown = float("nan")
        >>> loss = EventLoss(signal_weight=0.5)([[[1.0], [unknown], [1.0]]], [[[0.0], [5.0], [0.0]]])
        >>> round(float(loss), 4)  # 1.5 log 2
        1.0397
    """

    def __init__(self, signal_weight: float = 0.5, name: str = "events", **kwargs):
        super().__init__(name=name, **kwargs)
        self.signal_weight = signal_weight

    def call(self, y_true, y_pred):
        """Return (batch,) losses."""
        truth, logits = tf.convert_to_tensor(y_true), tf.convert_to_tensor(y_pred)
        signals = _known_cross_entropy(of_signal(truth), of_signal(logits), [-1])
        frames = _known_cross_entropy(of_frames(truth), of_frames(logits), [-2, -1])
        return frames + self.signal_weight * signals

    def get_config(self):
        return {**super().get_config(), "signal_weight": self.signal_weight}


def possible_classes(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Say of which classes an example can be.

    Args:
        labels: (batch,) whole numbers: k for an example of class k, ~k for one of any class but k, as
            `tfspec.data.targets` has them.
        num_classes: number of classes.

    Returns:
        (batch, num_classes) bool.

    Example:
        >>> possible_classes(tf.constant([1, ~1]), 3).numpy().tolist()
        [[False, True, False], [True, False, True]]
    """
    labels = tf.cast(labels, tf.int32)
    is_absent = labels < 0
    named = tf.one_hot(tf.where(is_absent, ~labels, labels), num_classes, True, False)
    return tf.not_equal(named, is_absent[:, tf.newaxis])


@keras.saving.register_keras_serializable("tfspec")
class PossibleClassesLoss(keras.losses.Loss):
    """Cross entropy where of some examples only a class is known that they are not of, on logits.

    −log of the sum of the probabilities of all classes that an example can be of: −log p of its class, which
    is the usual cross entropy, or −log (1 − p) of the class that it is not of. This lowers that class and
    raises all others in proportion, so it says nothing of which one it is.

    Args:
        name: of the loss.
        **kwargs: as of `keras.losses.Loss`.

    Call arguments:
        y_true: (batch,) labels as in `possible_classes`.
        y_pred: (batch, classes) logits.

    Returns:
        The mean over the batch.

    Example:
        >>> round(float(PossibleClassesLoss()([~0], [[0.0, 0.0, 0.0]])), 4)  # -log(2 / 3)
        0.4055
    """

    def __init__(self, name: str = "possible_classes", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Return (batch,) losses."""
        logits = tf.convert_to_tensor(y_pred)
        possible = possible_classes(tf.reshape(y_true, [-1]), logits.shape[-1])
        among = tf.where(possible, logits, -np.inf)
        return tf.reduce_logsumexp(logits, axis=-1) - tf.reduce_logsumexp(among, axis=-1)
