"""Losses that Keras has not."""

from __future__ import annotations

import keras
import tensorflow as tf


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
