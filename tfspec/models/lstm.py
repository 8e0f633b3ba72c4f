"""One LSTM over the frames."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def lstm(
    feature_shape: Sequence[int | None], num_classes: int, units: int = 256, dropout: float = 0.1
) -> keras.Model:
    """Recurrent backbone: an LSTM reads the frames in order, its last state is classified.

    Args:
        feature_shape: (frames, bins, channels); frames may be None for any number. Channels are put side by
            side in every frame.
        num_classes: number of logits.
        units: size of the LSTM's state.
        dropout: part of the inputs that is dropped in training.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Example:
        >>> lstm((None, 39, 1), num_classes=8).output_shape
        (None, 8)
    """
    features = keras.Input(feature_shape, name="features")
    x = keras.layers.Reshape((-1, features.shape[2] * features.shape[3]))(features)
    x = keras.layers.LSTM(units, dropout=dropout)(x)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="lstm")
