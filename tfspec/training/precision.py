"""Of what a training computes: 32 bits, or 16 on devices that are faster with these."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import keras

Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


@contextlib.contextmanager
def in_precision(precision: Precision) -> Iterator[None]:
    """Make models in a precision, which is that of their activations: weights are always float32.

    Args:
        precision: "float32", or one of 16 bits for devices that are faster with these; Keras scales the loss
            of a model in "mixed_float16" so that small gradients don't vanish.

    Example:
        >>> with in_precision("mixed_bfloat16"):
        ...     keras.layers.Dense(2).compute_dtype
        'bfloat16'
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def in_float32(backbone: keras.Model) -> keras.Model:
    """Return a model that computes all in float32, with the same weights.

    Args:
        backbone: from `in_precision`.

    Returns:
        The backbone itself if it does already; otherwise its twin.

    Example:
        >>> with in_precision("mixed_float16"):
        ...     backbone = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> in_float32(backbone)(np.ones([1, 4])).dtype
        tf.float32
    """
    if backbone.dtype_policy.name == "float32":
        return backbone

    def twin(layer):
        config = layer.get_config()
        if isinstance(layer, keras.Layer):  # and not an operation of keras.ops, which has no type
            config = {**_in_float32(config), "dtype": "float32"}
        return type(layer).from_config(config)

    made = keras.models.clone_model(backbone, clone_function=twin, recursive=True)
    made.set_weights(backbone.get_weights())
    return made


def _in_float32(config: Any) -> Any:
    """Return a layer's config in which layers that it wraps compute in float32, too."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return "float32"
        return {name: _in_float32(value) for name, value in config.items()}
    return [*map(_in_float32, config)] if isinstance(config, list) else config
