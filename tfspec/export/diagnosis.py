"""Which layers of a quantised file lose most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfspec.borrowed import tflite_tree
from tfspec.export.layers import layers_of, values_of

MOST_NAMED = 3


def worst_layers(quantised: bytes, plain: bytes, signals: Sequence[np.ndarray]) -> list[str]:
    """Name the layers behind which a quantised file is further from the plain one than before them.

    Args:
        quantised: a TFLite file with weights in int8.
        plain: the same in float32.
        signals: what both take, each with an axis for the batch.

    Returns:
        The names of the outputs of the `MOST_NAMED` worst ones, the worst first.
    """
    trees = tflite_tree(plain), tflite_tree(quantised)
    outputs = [[int(layer.outputs[0]) for layer in layers_of(tree)] for tree in trees]
    errors = np.zeros(len(outputs[0]))
    values = (values_of(*each, signals) for each in zip((plain, quantised), outputs, strict=True))
    for exact, rounded in zip(*values, strict=True):
        for i, (one, other) in enumerate(zip(*outputs, strict=True)):
            errors[i] += np.sqrt(np.mean((rounded[other] - exact[one]) ** 2)) / (np.std(exact[one]) + 1e-9)
    worst = np.argsort(-np.diff(errors, prepend=0), kind="stable")[:MOST_NAMED]
    names = [trees[0].subgraphs[0].tensors[outputs[0][i]].name.decode() for i in worst]
    return [name.partition(";")[0] for name in names]
