"""Layers that see a signal piece by piece and remember what they still need of the pieces before.

What they remember are weights that do not train, so that `stateless_call` makes them arguments and results.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

MEMORY = "memory"
"""What the weights are called that are remembered."""


class Remembering(keras.Layer):
    """Base: a layer around another one, whose memory has a batch of one.

    Args:
        layer: what is given the pieces; it keeps its weights and its name.
    """

    def __init__(self, layer: keras.Layer):
        super().__init__(name=layer.name, dtype="float32", autocast=False)
        self.layer = layer

    def remember(self, shape: tuple[int, ...], initial: Any = "zeros"):
        """Make room for a memory of a shape."""
        return self.add_weight(shape=shape, initializer=initial, trainable=False, name=MEMORY)

    def call(self, x, mask=None):
        """Let the layer see a piece, (1, time, …)."""
        raise NotImplementedError


class LookingBack(Remembering):
    """What came last before a piece is put before it, or as much of its beginning is skipped.

    Args:
        layer: as of `Remembering`.
        frames: how many frames are remembered; below 0, how many are skipped.
    """

    def __init__(self, layer: keras.Layer, frames: int):
        super().__init__(layer)
        self.frames = frames

    def build(self, input_shape):
        """Make the memory."""
        if self.frames > 0:
            self.memory = self.remember((1, self.frames, *input_shape[2:]))

    def call(self, x, mask=None):
        """Let the layer see what is remembered and the piece, (1, time, …)."""
        return self.layer(self.joined(x))

    def joined(self, x):
        """Put what is remembered before a piece, or skip its beginning; and remember its end."""
        if self.frames <= 0:
            return x[:, -self.frames :]
        seen = ops.concatenate([ops.cast(self.memory, x.dtype), x], axis=1)
        self.memory.assign(ops.cast(seen[:, -self.frames :], "float32"))
        return seen


class Delay(LookingBack):
    """Every frame comes as many frames later as are remembered."""

    def call(self, x, mask=None):
        """Return as many frames as the piece, (1, time, …), has."""
        return self.joined(x)[:, : x.shape[1]]


class GoingOn(Remembering):
    """A layer that says itself what it remembers: `first_memory(shape)` and `go_on(x, memory)`, as `PCEN`."""

    def build(self, input_shape):
        """Make the memory as the layer begins."""
        first = self.layer.first_memory(input_shape)
        self.memory = self.remember(first.shape, keras.initializers.Constant(first))

    def call(self, x, mask=None):
        """Let the layer go on with a piece, (1, time, …)."""
        given, memory = self.layer.go_on(x, self.memory)
        self.memory.assign(memory)
        return given


class Recurring(Remembering):
    """A recurrent layer, whose states go on from piece to piece."""

    def build(self, input_shape):
        """Make the states, which begin with zeros as those of the layer do."""
        states = self.layer.get_initial_state(batch_size=1)
        self.memory = [self.remember(tuple(state.shape)) for state in states]

    def call(self, x, mask=None):
        """Let the cell see the frames of a piece, (1, time, values), one after the other."""
        states, outputs = list(self.memory), []
        for frame in range(x.shape[1]):
            output, states = self.layer.cell(x[:, frame], states, training=False)
            outputs.append(output)
        for memory, state in zip(self.memory, states, strict=True):
            memory.assign(state)
        return ops.stack(outputs, axis=1) if self.layer.return_sequences else outputs[-1]
