"""Training on several devices and machines with the numbers of one.

A strategy of `tf.distribute` has replicas: copies of the model, one a device, on one machine or several. The
batches stay what they were: each is shared among the replicas, and the gradient is that of the whole batch,
whatever the sizes of the shares. So the learning rate stays what it was, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfspec import borrowed
from tfspec.base.errors import UserError
from tfspec.data.slices import BatchSlice
from tfspec.distributed.devices import Jit

Data: TypeAlias = tf.data.Dataset | tf.distribute.DistributedDataset | keras.utils.PyDataset
"""Batches that a model trains or is validated on."""


def distribute(strategy: tf.distribute.Strategy, make: Callable[..., Data]) -> Data:
    """Make batches that the replicas share.

    Each machine makes its share of every batch, and parts it among its replicas.

    Args:
        strategy: of `open_strategy`.
        make: makes the batches, or for several replicas with `batch_slice=…` a dataset of one share of each,
            such as `functools.partial(make_dataset, …)`.

    Returns:
        The batches themselves for one replica; otherwise what `fit` and `evaluate` of a `Replicated` take.

    Example:
        >>> from tfspec.distributed.devices import open_strategy
        >>> batches = tf.data.Dataset.range(8).batch(4)
        >>> [x.shape[0] for x in distribute(open_strategy("none"), lambda batch_slice=None: batches)]
        [4, 4]
    """
    if strategy.num_replicas_in_sync == 1:
        return make()
    lengths: list[tf.Tensor] = []

    def of_this_machine(context: tf.distribute.InputContext) -> tf.data.Dataset:
        data = make(batch_slice=BatchSlice(context.input_pipeline_id, context.num_input_pipelines))
        lengths.append(data.cardinality())
        return _parted(data, context.num_replicas_in_sync // context.num_input_pipelines)

    data = strategy.distribute_datasets_from_function(of_this_machine)
    borrowed.tell_length(data, lengths[0])
    return data


def _parted(data: tf.data.Dataset, replicas: int) -> tf.data.Dataset:
    """Turn each batch into one after another for each replica."""

    def parts(*batch):
        total = tf.shape(batch[0], tf.int64)[0]
        sizes = tf.stack([BatchSlice(number, replicas).size(total) for number in range(replicas)])
        ends = tf.cumsum(sizes)
        return tf.data.Dataset.zip(*map(tf.data.Dataset.from_tensor_slices, (ends - sizes, ends))).map(
            lambda start, end: tuple(values[start:end] for values in batch)
        )

    return data if replicas == 1 else data.flat_map(parts)


def replicated(backbone: keras.Model, loss: Any, metrics: Sequence[Any], jit: Jit = "auto") -> keras.Model:
    """Return what trains a compiled model under the strategy whose scope this is in.

    Args:
        backbone: compiled with its optimizer, loss and metrics.
        loss: as compiled.
        metrics: as compiled.
        jit: as compiled: whether XLA compiles it; "auto" is off for several replicas.

    Returns:
        The model itself for one replica, otherwise a `Replicated` around it.

    Example:
        >>> model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
        >>> model.compile("sgd", "mse")
        >>> replicated(model, "mse", []) is model
        True
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return backbone
    model = Replicated(backbone)
    model.compile(loss, list(metrics), jit == "on")
    return model


def assign_to_replicas(variables: Sequence[keras.Variable], values: np.ndarray) -> None:
    """Set each replica's copy of some variables to values of its own.

    Args:
        variables: of one shape, made in the scope of the current strategy.
        values: (variables, replicas, *shape).

    Example:
        >>> variable = keras.Variable([0, 0])
        >>> assign_to_replicas([variable], np.array([[[1, 2]]], np.int32))
        >>> variable.numpy().tolist()
        [1, 2]
    """
    strategy = tf.distribute.get_strategy()
    for variable, of_replicas in zip(variables, values, strict=True):
        mine = strategy.experimental_distribute_values_from_function(
            lambda context, every=of_replicas, variable=variable: tf.constant(
                every[context.replica_id_in_sync_group], variable.dtype
            )
        )
        copies = strategy.experimental_local_results(variable.value)
        for copy, value in zip(copies, strategy.experimental_local_results(mine), strict=True):
            copy.assign(value)


class Replicated(keras.Model):
    """A model of which each replica trains on its share of every batch, with the numbers of one device.

    Unlike Keras's own, its gradient, loss and metrics are those of the whole batch where the shares differ in
    size or are empty; gradients are clipped once they are those of the whole batch; and it trains on several
    machines at all, where Keras 3.15 fails. Batch norms take their statistics over all replicas.

    The loss must be a mean over the examples, as Keras's are by default. To be made and compiled in the
    strategy's scope. A replica without an example, in a last batch smaller than the number of replicas, sees
    one of zeros, which counts in nothing but the statistics of batch norms.

    Args:
        model: compiled with an optimizer, which trains it here too.

    Example:
        >>> strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        >>> with strategy.scope():
        ...     model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
        ...     model.compile("sgd", "mse")
        ...     replicated = Replicated(model)
        ...     replicated.compile("mse", ["mae"])
        >>> x, y = tf.ones([8, 3]), tf.zeros([8, 2])
        >>> data = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
        >>> sorted(replicated.fit(data, epochs=2, verbose=0, shuffle=False).history)
        ['loss', 'mae']
    """

    def __init__(self, model: keras.Model):
        super().__init__()
        self.model = model
        borrowed.build_from_one_replica(self)

    def compile(self, loss, metrics, jit: bool = False):
        """Compile with the model's optimizer, which is given the gradient of the whole batch.

        Args:
            loss: Keras loss, a mean over the examples.
            metrics: as for `keras.Model.compile`.
            jit: compile the model and its gradients by XLA; what the replicas exchange stays outside.

        Raises:
            UserError: there is a batch norm, which exchanges its statistics, and XLA is to compile it.
        """
        super().compile(self.model.optimizer, loss, metrics=metrics, jit_compile=False)
        borrowed.leave_gradients(self.optimizer)  # `train_step` has summed over the replicas
        self.optimizer.build(self.model.trainable_variables)
        for layer in borrowed.all_layers(self.model):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
                if jit:
                    raise UserError("XLA cannot compile a batch norm over several replicas. Give --jit off.")
        self._gradients = (
            tf.function(self._gradients_of_share, jit_compile=True) if jit else self._gradients_of_share
        )

    def call(self, x, training=None):
        """Do what the model does."""
        return self.model(x, training=training)

    def train_step(self, data):
        """Take a step on this replica's share of a batch."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        size, whole = self._sizes(x)
        y_pred, loss, gradients = self._gradients(x, y, self._relative(size / whole, y, weight))
        replica = tf.distribute.get_replica_context()
        gradients = replica.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return self._measured(x, y, y_pred, weight, loss * whole, size)

    def test_step(self, data):
        """Measure this replica's share of a batch."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        size, whole = self._sizes(x)
        y_pred = self._outputs(x, training=False)
        loss = self.compute_loss(x, y, y_pred, self._relative(size / whole, y, weight), training=False)
        return self._measured(x, y, y_pred, weight, loss * whole, size)

    def _gradients_of_share(self, x, y, weight):
        """Return the predictions, and what the share adds to the whole batch's loss and gradients."""
        with tf.GradientTape() as tape:
            y_pred = self._outputs(x, training=True)
            loss = self.compute_loss(x, y, y_pred, weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        return y_pred, loss, tape.gradient(scaled, self.model.trainable_variables)

    def _sizes(self, x):
        """Count the examples of the share and of the whole batch."""
        size = tf.cast(tf.shape(x)[0], tf.float32)
        return size, tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, size)

    def _relative(self, share, y, weight):
        """Weigh a share's examples as in the whole batch: Keras takes all shares for equally large."""
        factor = share * self.distribute_strategy.num_replicas_in_sync
        return tf.fill([tf.shape(y)[0]], factor) if weight is None else factor * tf.cast(weight, tf.float32)

    def _outputs(self, x, training=False):
        """Call the model, which sees one example of zeros where the share is empty: few can do without."""
        size = tf.shape(x)[0]
        nothing = tf.zeros([tf.cast(size == 0, tf.int32), *x.shape[1:]], x.dtype)
        return self(tf.concat([x, nothing], axis=0), training=training)[:size]

    def _measured(self, x, y, y_pred, weight, loss, size):
        """Count in the metrics; what is given is only shown, the mean over the replicas."""
        self.metrics[0].update_state(  # the loss
            tf.math.divide_no_nan(loss, size), sample_weight=size
        )
        metrics = self.compute_metrics(x, y, y_pred, sample_weight=weight)
        if not isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return metrics
        return {
            name: tf.reshape(value, [1]) for name, value in metrics.items()
        }  # Keras takes means of axis 0

    def predict(self, data) -> np.ndarray:
        """Predict batches; every machine gets all.

        Args:
            data: as `distribute` gives them.

        Returns:
            (rows, *output_shape), in the order of the examples.
        """

        @tf.function(reduce_retracing=True)
        def predictions(batch):
            x, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
            return strategy.gather(strategy.run(self._outputs, args=(x,)), axis=0)

        strategy = self.distribute_strategy
        return np.concatenate([predictions(batch).numpy() for batch in data])
