"""Every private name of Keras, TensorFlow and LiteRT that is used: what has no public way.

Each may move with a release of theirs. `tests/test_borrowed.py` says which did, and holds that there are no
others. Imports stand inside the functions, so that this module costs nothing where TensorFlow is not needed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def all_layers(layer: keras.Layer) -> list[keras.Layer]:
    """List a layer and all layers in it; `keras.Model.layers` stops at the first level.

    Borrows `Layer._flatten_layers`.
    """
    return list(layer._flatten_layers(include_self=True, recursive=True))


def is_called_by_itself(layer: keras.Layer) -> bool:
    """Tell whether a layer that is being called is not called by another one.

    Borrows `Layer._get_call_context`. Keras tells only whether it trains: were `training` True by default,
    the layers that follow would train, too.
    """
    return layer._get_call_context().entry_layer is layer


def variable_index(optimizer: keras.optimizers.Optimizer, variable: Any) -> int:
    """Find the place of a variable among those that an optimizer was built with.

    Borrows `Optimizer._get_variable_index`; an `update_step` is not told the place, and slots are by place.
    """
    return optimizer._get_variable_index(variable)


def leave_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Have an optimizer take gradients for those of the whole batch, already summed over the replicas.

    Replaces `Optimizer._all_reduce_sum_gradients`, which would sum once more, and after clipping.
    """
    inner: Any = getattr(optimizer, "inner_optimizer", optimizer)
    inner._all_reduce_sum_gradients = list


def build_for(model: keras.Model, data: tf.data.Dataset) -> None:
    """Build a compiled model's metrics and optimizer before it sees any data.

    Keras builds them while it traces the first step, and TensorFlow traces a function that made variables
    once more, which takes seconds.

    Borrows `Model._symbolic_build`, which wants a batch and looks at shapes and types alone.
    """
    model._symbolic_build(data_batch=data.element_spec)


def build_from_one_replica(model: keras.Model) -> None:
    """Have a model build its metrics from the first replica's slice of a batch.

    Replaces `Model._maybe_symbolic_build`, which reduces the slices first and fails where they differ in
    size, and calls `Model._symbolic_build`.
    """

    def build(iterator=None, data_batch=None):
        strategy = model.distribute_strategy
        if iterator is not None:
            data_batch = _first_of_each(strategy, next(batches for _, _, batches in iterator))
        with strategy.scope():
            model._symbolic_build(data_batch=data_batch)

    model._maybe_symbolic_build = build


def _first_of_each(strategy: tf.distribute.Strategy, batches: Iterator) -> Any:
    import tensorflow as tf

    return tf.nest.map_structure(lambda values: strategy.experimental_local_results(values)[0], next(batches))


def tell_length(data: tf.distribute.DistributedDataset, length: tf.Tensor) -> None:
    """Tell how many batches there are, which Keras takes for the steps of an epoch.

    Sets `DistributedDataset._cardinality`: TensorFlow counts the slices of one machine, several a batch.
    """
    data._cardinality = length


def name_function(name: str, function: Callable) -> None:
    """Name a function for the graphs of other processes, for as long as this one lives.

    Borrows `script_ops._py_funcs._funcs`: `tf.numpy_function` chooses the name itself.
    """
    from tensorflow.python.ops import script_ops

    script_ops._py_funcs._funcs[name] = function
    _NAMED[name] = function


_NAMED: dict[str, Callable] = {}
"""TensorFlow's own references to the functions are weak."""


def port_of(
    server: tf.data.experimental.service.DispatchServer | tf.data.experimental.service.WorkerServer,
) -> int:
    """Find the port that a server of the data service listens on, where any was asked for.

    Borrows `DispatchServer._address` and `WorkerServer._address`; a worker has nothing public that says it.
    """
    return int(server._address.rpartition(":")[2])


@functools.cache
def tflite_schema() -> Any:
    """Import the classes of a TFLite file's tables.

    Borrows `ai_edge_litert.schema_py_generated`, of which LiteRT promises nothing.
    """
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def tflite_tree(content: bytes) -> Any:
    """Unpack a TFLite file into objects that can be changed."""
    schema = tflite_schema()
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
