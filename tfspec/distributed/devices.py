"""The devices and machines that train together, and which of them writes."""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf

from tfspec.base.boundary import in_brief, in_one_line
from tfspec.base.errors import UserError
from tfspec.base.options import Strategy
from tfspec.data.slices import BatchSlice

Jit = Literal["auto", "on", "off"]
TF_CONFIG = '{"cluster": {"worker": ["HOST:PORT", …]}, "task": {"type": "worker", "index": NUMBER}}'
LOST = "Collective ops is aborted|CompleteInstance|heartbeat|coordination service"
KINDS = {
    "mirrored": tf.distribute.MirroredStrategy,
    "multi_worker": tf.distribute.MultiWorkerMirroredStrategy,
    "tpu": tf.distribute.TPUStrategy,
}


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
        UserError: there is no such cluster or TPU, TF_CONFIG names none, or TensorFlow was used before the
            machines were joined.

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
    with in_one_line("TF_CONFIG cannot be read", f"it is to be {TF_CONFIG}"):
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
        return sum(len(addresses) for addresses in cluster.values())


def _multi_worker() -> tf.distribute.Strategy:
    resolver = None
    if not _cluster_size():
        if "SLURM_STEP_NUM_TASKS" not in os.environ:
            raise UserError(
                "multi_worker needs the machines: set TF_CONFIG, or start it by srun or by tfspec launch."
            )
        resolver = _slurm_resolver(int(os.environ["SLURM_STEP_NUM_TASKS"]))
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except RuntimeError as error:
        raise UserError(
            f"The machines must be joined before TensorFlow does anything else: {error}"
        ) from None
    except (ValueError, TypeError, tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
        given = "what Slurm says of them" if resolver else f"TF_CONFIG, which is to be {TF_CONFIG}"
        raise UserError(f"The machines cannot be joined: {in_brief(error)}; look at {given}") from None


def _slurm_resolver(num_tasks: int) -> tf.distribute.cluster_resolver.ClusterResolver:
    """Ask Slurm who takes part; where there is no GPU, TensorFlow's resolver has to be told of some."""
    make = tf.distribute.cluster_resolver.SlurmClusterResolver
    if "CUDA_VISIBLE_DEVICES" in os.environ or shutil.which("nvidia-smi"):
        return make()
    return make(gpus_per_node=num_tasks, gpus_per_task=1, auto_set_gpu=False)


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
        `strategy`, `machines`, `replicas`, `batch_size`, and the `shares` of a whole batch, one a replica.

    Raises:
        UserError: a batch has fewer examples than there are replicas.

    Example:
        >>> describe(open_strategy("none"), 32)["shares"]
        [32]
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size < replicas:
        raise UserError(
            f"batch_size must be at least {replicas}, the number of replicas. Received: {batch_size}"
        )
    machines = 1 if replicas == 1 else replicas // len(strategy.extended.worker_devices)
    per_machine = [BatchSlice(number, machines).size(batch_size) for number in range(machines)]
    local = replicas // machines
    return {
        "strategy": next((name for name, kind in KINDS.items() if isinstance(strategy, kind)), "none"),
        "machines": machines,
        "replicas": replicas,
        "batch_size": batch_size,
        "shares": [BatchSlice(number, local).size(size) for size in per_machine for number in range(local)],
    }


def is_lost(error: tf.errors.OpError) -> bool:
    """Say whether an error means that another worker is gone.

    Args:
        error: what ended a training on several machines.

    Example:
        >>> is_lost(tf.errors.UnavailableError(None, None, "Collective ops is aborted by: …"))
        True
    """
    return re.search(LOST, error.message) is not None


def elsewhere() -> Path:
    """Make a folder for a worker that is not the chief to write to, which goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="tfspec-worker-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "run"  # what lies beside it, such as kept features, goes too
