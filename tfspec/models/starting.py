"""Weights that a training starts from."""

from __future__ import annotations

import math

import keras


def pytorch_start(num_inputs: int) -> keras.initializers.Initializer:
    """Draw weights as PyTorch's convolutions and linear layers do, kernels and biases alike.

    Args:
        num_inputs: numbers that one output is made of.

    Returns:
        Uniform in ±1/√num_inputs.

    Example:
        >>> pytorch_start(4).maxval
        0.5
    """
    limit = 1 / math.sqrt(num_inputs)
    return keras.initializers.RandomUniform(-limit, limit)
