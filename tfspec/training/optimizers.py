"""Optimizers that Keras has not."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from tfspec import borrowed
from tfspec.base import arguments


@keras.saving.register_keras_serializable("tfspec")
class CoupledSGD(keras.optimizers.SGD):
    """Stochastic gradient descent with momentum and an L2 penalty, as `torch.optim.SGD` means them.

    With the gradient g of a weight w: g ← g + decay · w, m ← momentum · m + g, w ← w − rate · m. Keras's own
    `weight_decay` shrinks the weights beside the momentum (decoupled), and its momentum remembers the rates
    of earlier steps; both differ from this under a schedule. The penalty is on every weight that trains,
    biases and the scales of batch norms too.

    Args:
        learning_rate: a number or a schedule.
        momentum: part of the former step that is kept, 0…1.
        decay: half of the penalty's factor: the loss grows by decay / 2 · Σ w².
        **kwargs: as of `keras.optimizers.Optimizer`, but for `weight_decay`.

    Raises:
        ValueError: the momentum is not in 0…1, or the decay is negative.

    Example:
        >>> weight = keras.Variable([1.0])
        >>> optimizer = CoupledSGD(0.5, momentum=0.9, decay=0.1)
        >>> optimizer.apply([ops.array([0.0])], [weight])
        >>> float(weight[0])
        0.949999988079071
    """

    def __init__(self, learning_rate=0.01, momentum: float = 0.9, decay: float = 0.0, **kwargs):
        super().__init__(
            learning_rate, momentum=float(arguments.between("momentum", momentum, 0, 1)), **kwargs
        )
        self.decay = arguments.between("decay", decay, 0, float("inf"))

    def build(self, variables):
        """Make the momenta, of zeros."""
        super().build(variables)
        if not self.momentum:  # without which Keras's has none
            self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        """Change one weight."""
        rate, momentum, decay = (
            ops.cast(x, variable.dtype) for x in (learning_rate, self.momentum, self.decay)
        )
        remembered = self.momentums[borrowed.variable_index(self, variable)]
        self.assign(remembered, momentum * remembered + ops.cast(gradient, variable.dtype) + decay * variable)
        self.assign_sub(variable, rate * remembered)

    def get_config(self):
        """Return the constructor's arguments."""
        config = super().get_config()
        for fixed in ("nesterov", "weight_decay"):
            del config[fixed]
        return {**config, "decay": self.decay}


@keras.saving.register_keras_serializable("tfspec")
class SelectiveAdamW(keras.optimizers.AdamW):
    """Keras's AdamW, which remembers in its config what it does not decay.

    `keras.optimizers.AdamW` forgets `exclude_from_weight_decay` when it is saved, and a training that is
    resumed would decay everything.

    Args:
        learning_rate: a number or a schedule.
        not_decayed: words; variables in whose names one of them is are left as large as they are.
        **kwargs: as of `keras.optimizers.AdamW`.

    Example:
        >>> optimizer = SelectiveAdamW(0.1, not_decayed=["bias"], weight_decay=0.5)
        >>> kernel, bias = keras.Variable([1.0], name="kernel"), keras.Variable([1.0], name="bias")
        >>> again = SelectiveAdamW.from_config(optimizer.get_config())
        >>> again.apply([ops.array([0.0])] * 2, [kernel, bias])
        >>> round(float(kernel[0]), 2), float(bias[0])
        (0.95, 1.0)
    """

    def __init__(self, learning_rate=0.001, not_decayed: Sequence[str] = (), **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.not_decayed = list(not_decayed)
        self.exclude_from_weight_decay(var_names=self.not_decayed)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "not_decayed": self.not_decayed}
