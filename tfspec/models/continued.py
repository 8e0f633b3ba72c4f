"""What a network makes of features before its last layer, and networks that begin with that."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tfspec.base.errors import UserError
from tfspec.models.ensemble import MeanProbability
from tfspec.models.temperature import Temperature


def below_logits(backbone: keras.Model) -> keras.Model:
    """Return a backbone without its last layer: from features to the embedding that the last layer takes.

    Args:
        backbone: from features to logits, such as all of `tfspec.models`. Of an ensemble, the members'
            embeddings are put side by side.

    Returns:
        A `keras.Model` from the same features to (batch, size), with the weights of the backbone itself.

    Raises:
        UserError: there is no telling what its last layer takes.

    Example:
        >>> from tfspec.models import conv2d
        >>> below_logits(conv2d((None, 64, 1), num_classes=3)).output_shape
        (None, 32)
    """
    if members := _members(backbone):
        features = keras.Input(backbone.input_shape[1:], name="features")
        embeddings = [below_logits(member)(features) for member in members]
        joined = keras.ops.concatenate(embeddings, -1) if len(embeddings) > 1 else embeddings[0]
        return keras.Model(features, joined, name=backbone.name)
    try:
        last = backbone.layers[-1]
        if last.output is not backbone.outputs[0] or len(last.input.shape) != 2:
            raise AttributeError
        return keras.Model(backbone.inputs[0], last.input, name=backbone.name)
    except (AttributeError, IndexError):  # as of a subclass of keras.Model, or a layer that is called twice
        raise UserError(
            f"The network {backbone.name} has no embedding: its last layer must take (batch, size), in a "
            "functional or sequential Keras model."
        ) from None


def continued(backbone: keras.Model, feature_shape: Sequence[int | None], num_classes: int) -> keras.Model:
    """Copy a trained backbone and put a new last layer on it, for other classes.

    All below the last layer keeps its weights, and trains. Best train the last layer first: `freeze` and
    `unfreeze` take what is returned as they take networks of `transfer`.

    Args:
        backbone: as in `below_logits`; of an ensemble, the first member is copied.
        feature_shape: (frames, bins, channels) of the features that it is to take.
        num_classes: number of logits.

    Returns:
        A `keras.Model` from (batch, frames, bins, channels) features to (batch, num_classes) float32 logits.

    Raises:
        UserError: the backbone takes features of another shape, or has no embedding.

    Example:
        >>> from tfspec.models import conv2d
        >>> trained = conv2d((None, 64, 1), num_classes=3)
        >>> continued(trained, (100, 64, 1), num_classes=5).output_shape
        (None, 5)
    """
    taken = tuple(backbone.input_shape[1:])
    if len(taken) != len(feature_shape) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(taken, feature_shape, strict=True)
    ):
        raise UserError(
            f"The network to start from takes features of shape {taken}, and these have "
            f"{tuple(feature_shape)}. Give the front end, sample rate and length that it was trained with."
        )
    while members := _members(backbone):
        backbone = members[0]
    original = below_logits(backbone)
    base = keras.models.clone_model(original)
    base.set_weights(original.get_weights())
    features = keras.Input(feature_shape, name="features")
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(base(features))
    return keras.Model(features, logits, name="continued")


def _members(backbone: keras.Model) -> list[keras.Model]:
    """Return the backbones that one is made of, if it only joins their logits or changes their scale."""
    joins = any(isinstance(layer, (MeanProbability, Temperature)) for layer in backbone.layers)
    return [layer for layer in backbone.layers if isinstance(layer, keras.Model)] if joins else []
