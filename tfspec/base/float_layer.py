"""The base of our Keras layers."""

from __future__ import annotations

import keras

from tfspec.base.named_arguments import NamedArguments, arguments_of


class FloatLayer(NamedArguments, keras.layers.Layer):
    """Base: float32 whatever the precision policy, and saved by its arguments.

    Each argument of its constructor that the layer keeps under the same name is in its configuration; what is
    kept under another name, or is no plain value, a subclass adds.

    Example:
        >>> class Twice(FloatLayer):
        ...     def __init__(self, times: int = 2, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.times = times
        >>> Twice(3).get_config()["times"]
        3
    """

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)

    def get_config(self):
        own = arguments_of(type(self), FloatLayer)  # type: ignore[arg-type]
        return {**super().get_config(), **{name: vars(self)[name] for name in own if name in vars(self)}}
