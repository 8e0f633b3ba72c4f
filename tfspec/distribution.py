"""Training on several devices and machines with the numbers of one.

A strategy of `tf.distribute` has replicas: copies of the model, one a device, on one machine or several. The
batches stay what they were: each is shared among the replicas, and the gradient is that of the whole batch,
whatever the sizes of the shares. So the learning rate stays what it was, too.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfspec.data.dataset import Share
from tfspec.errors import UserError

Strategy = Literal["auto", "none", "mirrored", "multi_worker", "tpu"]


def open_strategy(name: Strategy) -> tf.distribute.Strategy:
    """Take hold of the devices to train on, once in a process.

    Args:
        name: "none" for one device; "mirrored" for all GPUs of this machine, or where there are none, all
            logical CPUs; "multi_worker" for the machines that `TF_CONFIG` names, or those of a Slurm step;
            "tpu" for the TPU that the environment names. "auto" is "multi_worker" if `TF_CONFIG` names a
            cluster, "mirrored" if there are two GPUs or more, "none" otherwise.

    Returns:
        The strategy; TensorFlow's default one, with one replica, for "none". "multi_worker" waits for all
        machines.

    Raises:
        UserError: there is no such cluster or TPU, or TensorFlow was used before the machines could be joined.

    Example:
        >>> open_strategy("none").num_replicas_in_sync
        1
    """
    if name == "auto":
        several_gpus = len(tf.config.list_physical_devices("GPU")) > 1
        name = "multi_worker" if _cluster_size() > 1 else "mirrored" if several_gpus else "none"
    return _open(name)


@functools.cache
def _open(name: Strategy) -> tf.distribute.Strategy:
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker":
        return _multi_worker()
    if name == "tpu":
        try:
            return tf.distribute.TPUStrategy(tf.distribute.cluster_resolver.TPUClusterResolver.connect())
        except (ValueError, RuntimeError, tf.errors.OpError) as error:
            raise UserError(f"No TPU was found: {error}") from None
    return tf.distribute.get_strategy()


def _cluster_size() -> int:
    """Count the machines that TF_CONFIG names."""
    cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    return sum(len(addresses) for addresses in cluster.values())


def _multi_worker() -> tf.distribute.Strategy:
    resolver = None
    if not _cluster_size():
        if "SLURM_STEP_NUM_TASKS" not in os.environ:
            raise UserError(
                "The strategy multi_worker needs the machines: in TF_CONFIG, or start it by srun or tfspec launch."
            )
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except RuntimeError as error:
        raise UserError(
            f"The machines must be joined before TensorFlow does anything else: {error}"
        ) from None


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Say whether this process is the one that writes.

    Args:
        strategy: of `open_strategy`.

    Returns:
        True for the first worker, and for every strategy on one machine.

    Example:
        >>> is_chief(open_strategy("none"))
        True
    """
    return strategy.extended.should_checkpoint


def describe(strategy: tf.distribute.Strategy, batch_size: int) -> dict[str, Any]:
    """Say what trains, and how a batch is shared.

    Args:
        strategy: of `open_strategy`.
        batch_size: examples a training batch, over all replicas.

    Returns:
        `strategy`, `machines`, `replicas`, `batch_size`, the `shares` of a whole batch, one a replica, and
        the policy for the `learning_rate`.

    Raises:
        UserError: a batch has fewer examples than there are replicas.

    Example:
        >>> describe(open_strategy("none"), 32)["shares"]
        [32]
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size < replicas:
        raise UserError(
            f"A batch must have an example for each of the {replicas} replicas. Received: batch_size {batch_size}"
        )
    machines = getattr(strategy.extended, "_num_workers", 1)
    return {
        "strategy": type(strategy).__name__ if replicas > 1 else "none",
        "machines": machines,
        "replicas": replicas,
        "batch_size": batch_size,
        "shares": _shares(batch_size, machines, replicas // machines),
        "learning_rate": "as given: a batch is as large as on one device",
    }


def _shares(batch_size: int, machines: int, replicas: int) -> list[int]:
    per_machine = [Share(machine, machines).size(batch_size) for machine in range(machines)]
    return [int(Share(number, replicas).size(size)) for size in per_machine for number in range(replicas)]


def distribute(
    strategy: tf.distribute.Strategy, make: Callable[[Share], tf.data.Dataset]
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Make batches that the replicas share.

    Each machine makes its share of every batch, and parts it among its replicas.

    Args:
        strategy: of `open_strategy`.
        make: gives the batches with one share of each one's examples, such as
            `functools.partial(make_dataset, …)`, called with `share=…`.

    Returns:
        The batches themselves for one replica; otherwise what `fit` and `evaluate` of a `Replicated` take.

    Example:
        >>> batches = tf.data.Dataset.range(8).batch(4)
        >>> [x.shape[0] for x in distribute(open_strategy("none"), lambda share: batches)]
        [4, 4]
    """
    if strategy.num_replicas_in_sync == 1:
        return make(Share())
    lengths = []

    def of_this_machine(context: tf.distribute.InputContext) -> tf.data.Dataset:
        data = make(Share(context.input_pipeline_id, context.num_input_pipelines))
        lengths.append(data.cardinality())
        return _parted(data, context.num_replicas_in_sync // context.num_input_pipelines)

    data = strategy.distribute_datasets_from_function(of_this_machine)
    data._cardinality = lengths[0]  # Keras takes it for the number of steps; TensorFlow does not count these
    return data


def _parted(data: tf.data.Dataset, replicas: int) -> tf.data.Dataset:
    """Turn each batch into one after another for each replica."""

    def parts(*batch):
        total = tf.shape(batch[0], tf.int64)[0]
        sizes = tf.stack([Share(number, replicas).size(total) for number in range(replicas)])
        ends = tf.cumsum(sizes)
        return tf.data.Dataset.zip(*map(tf.data.Dataset.from_tensor_slices, (ends - sizes, ends))).map(
            lambda start, end: tuple(values[start:end] for values in batch)
        )

    return data if replicas == 1 else data.flat_map(parts)


class Replicated(keras.Model):
    """A model of which each replica trains on its share of every batch, with the numbers of one device.

    Unlike Keras's own, its gradient, loss and metrics are those of the whole batch where the shares differ in
    size or are empty; gradients are clipped once they are those of the whole batch; and it trains on several
    machines at all, where Keras 3.15 fails. Batch norms take their statistics over all replicas.

    The loss must be a mean over the examples, as Keras's losses are by default. To be made and compiled in the
    strategy's scope.

    Args:
        model: compiled with an optimizer, which trains it here too.

    Example:
        >>> strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        >>> with strategy.scope():
        ...     model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
        ...     model.compile("sgd", "mse")
        ...     replicated = Replicated(model)
        ...     replicated.compile(model.optimizer, "mse")
        >>> x, y = tf.ones([8, 3]), tf.zeros([8, 2])
        >>> data = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
        >>> list(replicated.fit(data, epochs=2, verbose=0).history)
        ['loss']
    """

    def __init__(self, model: keras.Model):
        super().__init__()
        self.model = model
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True

    def compile(self, optimizer, *args, **kwargs):
        """Compile with an optimizer that is given the gradient of the whole batch."""
        super().compile(optimizer, *args, **kwargs)
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        inner._all_reduce_sum_gradients = list  # `train_step` has summed over the replicas
        self.optimizer.build(self.model.trainable_variables)

    def call(self, x, training=None):
        """Do what the model does."""
        return self.model(x, training=training)

    def train_step(self, data):
        """Take a step on this replica's share of a batch."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            y_pred, loss = self._loss_of_share(x, y, weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.model.trainable_variables
        gradients = tape.gradient(scaled, variables)
        replica = tf.distribute.get_replica_context()
        self.optimizer.apply(replica.all_reduce(tf.distribute.ReduceOp.SUM, gradients), variables)
        return self._measured(x, y, y_pred, weight)

    def test_step(self, data):
        """Measure this replica's share of a batch."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred, _ = self._loss_of_share(x, y, weight, training=False)
        return self._measured(x, y, y_pred, weight)

    def _loss_of_share(self, x, y, weight, training):
        """Give the predictions, and what the share adds to the loss of the whole batch."""
        y_pred = self._outputs(x, training=training)
        replica = tf.distribute.get_replica_context()
        size = tf.cast(tf.shape(y_pred)[0], tf.float32)
        whole = replica.all_reduce(tf.distribute.ReduceOp.SUM, size)
        # Keras gives the mean over the share, divided by the number of replicas
        relative = size * replica.num_replicas_in_sync / whole
        weights = relative * (
            tf.ones_like(y_pred[:, 0], tf.float32) if weight is None else tf.cast(weight, tf.float32)
        )
        loss = self.compute_loss(x, y, y_pred, weights, training=training)
        self._loss_tracker.update_state(tf.math.divide_no_nan(loss * whole, size), sample_weight=size)
        return y_pred, loss

    def _outputs(self, x, training=False):
        """Call the model, which sees one example of zeros where the share is empty: few operations can do without."""
        size = tf.shape(x)[0]
        nothing = tf.zeros([tf.cast(size == 0, tf.int32), *x.shape[1:]], x.dtype)
        return self(tf.concat([x, nothing], axis=0), training=training)[:size]

    def _measured(self, x, y, y_pred, weight):
        """Give the metrics as (1,), along which several machines' are put together."""
        metrics = self.compute_metrics(x, y, y_pred, sample_weight=weight)
        return {name: tf.reshape(value, [1]) for name, value in metrics.items()}

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

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Build the metrics from the first replica's share; Keras would reduce the shares first."""
        for _, _, batches in iterator:
            data_batch = tf.nest.map_structure(
                lambda values: self.distribute_strategy.experimental_local_results(values)[0], next(batches)
            )
            break
        with self.distribute_strategy.scope():
            self._symbolic_build(data_batch=data_batch)
