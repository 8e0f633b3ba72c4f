"""A model of whole signals, made into one of a stream: rules by the kind of layer.

A stream comes in hops. After each, every layer has given as many new frames as the hop has of them at its
place, and together with what it remembers they are the last frames that it gave of a whole signal ending
there. How many frames of what it is given a layer must remember follows from how many it gives of a whole
signal: with s frames from one to the next, the frames given less s times the frames that come out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import layers

from tfspec.base.reach import Reach, check_streams
from tfspec.export.remembering import MEMORY, Delay, GoingOn, LookingBack, Recurring

FRAME_BY_FRAME = (
    layers.Activation,
    layers.Add,
    layers.AlphaDropout,
    layers.BatchNormalization,
    layers.Dropout,
    layers.ELU,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.InputLayer,
    layers.LeakyReLU,
    layers.Multiply,
    layers.PReLU,
    layers.ReLU,
    layers.Rescaling,
    layers.SpatialDropout2D,
    layers.Subtract,
)
CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
POOLS = (layers.MaxPooling2D, layers.AveragePooling2D)
MANY = 5040
"""What so many frames become tells also of a layer that is not known whether it looks along time."""
REMEDY = (
    'Train a network whose padding is "valid" or "causal", such as ds_tc_resnet with `padding="valid"`, or '
    "words by `tfspec train speech_commands --streaming`."
)


class Time(NamedTuple):
    """How many frames of a signal a layer is given, and how many it gives; None of what has no time."""

    given: int
    out: int | None


class Rate(NamedTuple):
    """From how many of a model's first frames one is made that a layer is given, and one that it gives.

    Either is None where what the layer is given, or gives, has no time. `inner` are the rates in a layer that
    is a model itself.
    """

    given: int | None
    out: int | None
    inner: Rates | None


Rates = dict[str, Rate]
"""Of the layers of a model, by their names."""


class Streamed:
    """A model of whole signals, made into one that is given a stream hop by hop.

    After each hop it gives what the model gives of the signal that ends with it. Its weights are its own.

    Args:
        model: from (batch, length, …), a Sequential or Functional, also one with others in it.
        rates: its `rates_of`.
        length: samples, or frames, of a whole signal.
        hop: the same of a piece; a multiple of `hop_of`.

    Raises:
        UserError: a layer needs the whole signal, or it is not known how much it needs.
    """

    def __init__(self, model: keras.Model, rates: Rates, length: int, hop: int):
        self.model = _streamed(model, rates, length, hop)
        variables = self.model.non_trainable_variables
        self._places = [place for place, each in enumerate(variables) if each.name == MEMORY]
        self.first_states = [variables[place].numpy() for place in self._places]
        """What it remembers before the stream begins, each with a batch of one."""

    @property
    def lead(self) -> int:
        """How much of a stream before a piece the piece's first frame begins with.

        Below 0 frames do not overlap, and the first one begins so much later than the piece.
        """
        given = len(self.model.input.shape)  # features have more axes than a signal
        looking = (layer for layer in _all_layers(self.model) if isinstance(layer, LookingBack))
        return next((layer.frames for layer in looking if len(layer.input.shape) == given), 0)

    def step(self, piece: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Go on by a hop.

        Args:
            piece: (1, hop, …).
            states: as `first_states`, or as the last step gave them.

        Returns:
            What the model gives, and the next states.
        """
        fixed = [each.value for each in self.model.non_trainable_variables]
        for place, state in zip(self._places, states, strict=True):
            fixed[place] = state
        trained = [each.value for each in self.model.trainable_variables]
        given, after = self.model.stateless_call(trained, fixed, piece, training=False)
        return given, [after[place] for place in self._places]


def rates_of(model: keras.Model, length: int) -> Rates:
    """Find how many of a model's frames one frame at each layer stands for.

    Args:
        model: as of `Streamed`.
        length: samples, or frames, of a whole signal.

    Raises:
        UserError: a layer needs the whole signal.
    """
    inner = {layer.name: rates_of(layer, length) for layer in model.layers if _is_model(layer)}
    more = MANY * math.prod(
        hop_of(inner[layer.name]) if layer.name in inner else _step(layer) for layer in model.layers
    )
    some, longer = (_measured(model, each)[1] for each in (length, length + more))

    def rate(before: int | None, after: int | None) -> int | None:
        return None if before is None or after is None or before == after else more // (after - before)

    return {
        name: Rate(rate(time.given, longer[name].given), rate(time.out, longer[name].out), inner.get(name))
        for name, time in some.items()
    }


def hop_of(rates: Rates) -> int:
    """Return the fewest samples, or frames, of which every layer makes a whole number of frames.

    Args:
        rates: of a model's layers.
    """
    hops = [each for rate in rates.values() for each in (rate.given, rate.out) if each]
    hops += [(rate.given or 1) * hop_of(rate.inner) for rate in rates.values() if rate.inner is not None]
    return math.lcm(*hops)


def begins_anew(model: keras.Model) -> bool:
    """Tell whether what a model gives depends on where the stream began, however long ago.

    Args:
        model: as of `Streamed`.

    Returns:
        Whether one of its layers puts zeros before the beginning, or goes on from frame to frame.
    """
    return any(
        isinstance(layer, layers.RNN)
        or hasattr(layer, "go_on")
        or (isinstance(layer, layers.ZeroPadding2D) and layer.padding[0][0] > 0)
        or (_is_model(layer) and begins_anew(layer))
        for layer in model.layers
    )


def _streamed(model: keras.Model, rates: Rates, length: int, hop: int) -> keras.Model:
    """Make a model from (1, hop, …), whose weights called memory are what it remembers."""
    whole, times = _measured(model, length)
    whole.set_weights(model.get_weights())

    def rule(layer: keras.Layer) -> keras.Layer:
        rate = rates[layer.name]
        if rate.given is None:
            return layer
        return _rule(layer, times[layer.name], rate, hop // rate.given)

    return _cloned(whole, hop, rule)


def _rule(layer: keras.Layer, time: Time, rate: Rate, frames: int) -> keras.Layer:
    """Make what takes the place of a layer that is given so many frames a hop."""
    if rate.inner is not None:
        return _streamed(layer, rate.inner, time.given, frames)
    if hasattr(layer, "go_on"):
        return GoingOn(layer)
    if isinstance(layer, layers.RNN):
        _check(not layer.go_backwards and not layer.stateful, layer)
        return Recurring(layer)
    if time.out is None or rate.out is None:  # such as a mean over all frames
        return LookingBack(layer, time.given - frames)
    if isinstance(layer, layers.Cropping2D):
        after = layer.cropping[0][1]
        return Delay(layer, after) if after else _without_time(layer)
    if isinstance(layer, layers.ZeroPadding2D):
        return _without_time(layer)
    if isinstance(layer, layers.Reshape):
        _check(time.given == time.out, layer)
        return layer
    remembered = time.given - time.out * _reach(layer).step
    return LookingBack(layer, remembered) if remembered else layer


def _reach(layer: keras.Layer) -> Reach:
    """Return how far a layer looks, or refuse it by name."""
    reach = getattr(layer, "reach", None)
    if reach is not None:
        return reach
    if isinstance(layer, CONVOLUTIONS):
        steps = Reach((layer.kernel_size[0] - 1) * layer.dilation_rate[0] + 1, layer.strides[0])
        _check(layer.padding == "valid" or steps.length == 1, layer)
        return steps
    if isinstance(layer, POOLS):
        _check(layer.padding == "valid" or layer.pool_size[0] == 1, layer)
        return Reach(layer.pool_size[0], layer.strides[0])
    _check(isinstance(layer, FRAME_BY_FRAME) or _is_along_last_axis(layer), layer)
    return Reach()


def _is_along_last_axis(layer: keras.Layer) -> bool:
    """Tell whether a layer mixes what stands at one place, such as channels."""
    if isinstance(layer, (layers.Concatenate, layers.Softmax, layers.LayerNormalization)):
        return layer.axis in (-1, [-1])
    return isinstance(layer, layers.Dense)


def _check(streams: bool, layer: keras.Layer) -> None:
    padding = f" with padding {layer.padding!r}" if isinstance(layer, CONVOLUTIONS + POOLS) else ""
    check_streams(streams, f"The layer {layer.name} ({type(layer).__name__}{padding})", REMEDY)


def _without_time(layer: keras.Layer) -> keras.Layer:
    """Leave what is padded or cropped along time to the memories of what comes after and of the layer."""
    along_time, along_bins = layer.padding if isinstance(layer, layers.ZeroPadding2D) else layer.cropping
    _check(isinstance(layer, layers.Cropping2D) or along_time[1] == 0, layer)
    return type(layer)(((0, 0), along_bins), name=layer.name)


def _step(layer: keras.Layer) -> int:
    """Return the frames from one that a layer gives to the next."""
    if isinstance(layer, CONVOLUTIONS + POOLS):
        return layer.strides[0]
    reach = getattr(layer, "reach", None)
    return reach.step if reach else 1


def _measured(model: keras.Model, length: int) -> tuple[keras.Model, dict[str, Time]]:
    """Copy a model, with new weights, for signals of a length; and return what each layer has of them."""
    times: dict[str, Time] = {}

    def call(layer: keras.Layer, given: Any, **options) -> Any:
        remedy = "Give each place in the network a layer of its own."
        check_streams(layer.name not in times, f"The layer {layer.name} is used twice and so", remedy)
        first = given[0] if isinstance(given, (list, tuple)) else given
        if _is_model(layer) and (fixed := layer.inputs[0].shape[1]) is not None:
            check_streams(fixed == first.shape[1], f"The network {layer.name} of {fixed} frames only", REMEDY)
        out = layer(given, **options)
        times[layer.name] = Time(first.shape[1], out.shape[1])
        return out

    return _cloned(model, length, _copy, call), times


def _copy(layer: keras.Layer) -> keras.Layer:
    if _is_model(layer):
        return keras.models.clone_model(layer)
    config = layer.get_config()
    if isinstance(layer, layers.Reshape) and len(layer.target_shape) > 1:  # any number of frames
        config["target_shape"] = (-1, *layer.output.shape[2:])
    return type(layer).from_config(config)


def _cloned(
    model: keras.Model,
    length: int,
    make: Callable[[keras.Layer], keras.Layer],
    call: Callable[..., Any] = keras.Layer.__call__,
) -> keras.Model:
    """Connect what is made of a model's layers as these are connected."""
    given = keras.Input(batch_shape=(1, length, *model.inputs[0].shape[2:]), name="given")
    if isinstance(model, keras.Sequential):
        out: Any = given
        for layer in model.layers:
            out = call(make(layer), out)
        return keras.Model(given, out, name=model.name)
    return keras.models.clone_model(model, input_tensors=given, clone_function=make, call_function=call)


def _all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield a model's layers, and those of the models in it in their places."""
    for layer in model.layers:
        yield from _all_layers(layer) if _is_model(layer) else (layer,)


def _is_model(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.Model)
