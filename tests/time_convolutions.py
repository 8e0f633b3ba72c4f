"""Networks of convolutions along time on NumPy, and the weights of Keras's in the order they were made in."""

import numpy as np


def with_statistics(model):
    """Return the model, its batch norms with scales, offsets and statistics that are not 0 and 1."""
    draw = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("gamma", "beta", "moving_mean", "moving_variance"):
            weight.assign(draw.uniform(0.5, 1.5, weight.shape))
    return model


def layers_of(model, kind) -> list:
    """Return the layers of exactly this kind, in the order they were made in, which Keras's names tell."""
    found = [layer for layer in model.layers if type(layer) is kind]
    return sorted(
        found, key=lambda layer: int("0" + layer.name.rpartition("_")[2].strip("abcdefghijklmnopqrstuvwxyz"))
    )


def weights_of(model, kind):
    """Yield the weights of each layer of this kind in double precision."""
    for layer in layers_of(model, kind):
        yield [weights.astype(np.float64) for weights in layer.get_weights()]


def convolve(x, kernel, stride=1, dilation=1):
    """Convolve (frames, channels) with (taps, 1, channels, filters) where it fits."""
    last = (len(kernel) - 1) * dilation
    return np.array(
        [
            sum(x[first + tap * dilation] @ kernel[tap, 0] for tap in range(len(kernel)))
            for first in range(0, len(x) - last, stride)
        ]
    )


def convolve_each(x, kernel, stride=1, dilation=1):
    """Convolve (frames, channels) with (taps, 1, channels, 1), each channel by itself."""
    return convolve(x, np.array([[np.diag(tap[0, :, 0])] for tap in kernel]), stride, dilation)


def normalise(x, statistics):
    """Normalise by gamma, beta, mean and variance."""
    gamma, beta, mean, variance = statistics
    return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta


def rectify(x):
    return np.maximum(x, 0)
