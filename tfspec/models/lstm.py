"""One LSTM over the frames."""

import keras


def lstm(num_bins: int, num_channels: int, num_classes: int, units: int = 256, dropout: float = 0.1):
    """Recurrent backbone: an LSTM reads the frames in order, its last state is classified.

    Args:
        num_bins: length of the features' frequency axis.
        num_channels: number of feature channels; they are put side by side in every frame.
        num_classes: number of logits.
        units: size of the LSTM's state.
        dropout: part of the inputs that is dropped in training.

    Returns:
        A `keras.Model` from (batch, frames, num_bins, num_channels) features, any number of frames, to
        (batch, num_classes) logits, float32 whatever the precision policy.

    Example:
        >>> lstm(num_bins=39, num_channels=1, num_classes=8).output_shape
        (None, 8)
    """
    features = keras.Input((None, num_bins, num_channels), name="features")
    x = keras.layers.Reshape((-1, num_bins * num_channels))(features)
    x = keras.layers.LSTM(units, dropout=dropout)(x)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(features, logits, name="lstm")
