"""Commands that start servers and workers."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from tyro.conf import Positional

from tfspec.base.errors import UserError
from tfspec.base.options import Host, Name, Port, Range
from tfspec.base.quiet import quiet_program
from tfspec.cli.parsing import parse_call


def data_server(
    role: Positional[Literal["dispatcher", "worker"]],
    port: Port = 0,
    dispatcher: Name | None = None,
    host: Host = "localhost",
    pipeline: Name | None = None,
) -> None:
    """Make batches for those that train with --data-service: one dispatcher, as many workers as it takes.

    Whoever reaches their ports can have them run anything: only in a network that is closed to others.

    Args:
        role: the dispatcher, which tells the workers what to do, or a worker.
        port: to listen on; any that is free if not given.
        dispatcher: grpc://host:port of the dispatcher, for a worker.
        host: name of this machine to those that train.
        pipeline: Python file of the pipeline that trains, for a worker, where that has moved or changed.
    """
    if (role == "worker") != (dispatcher is not None):
        raise UserError("A worker, and only a worker, needs --dispatcher grpc://host:port.")
    from tfspec.borrowed import port_of
    from tfspec.distributed.service import is_listened_on, start_dispatcher, start_worker

    if dispatcher is None:
        server: Any = start_dispatcher(port)
    else:
        from tfspec.experiment.serving import open_examples

        if not is_listened_on(dispatcher):
            print(f"Waiting for the dispatcher at {dispatcher}", flush=True)
        server = start_worker(dispatcher, host, port, functools.partial(open_examples, pipeline=pipeline))
    print(f"The {role} listens at grpc://{host}:{port_of(server)}", flush=True)
    threading.Event().wait()  # the server's own `join` is deaf to interrupts


def launch_workers(arguments: Sequence[str]) -> None:
    """Start several workers on this machine: `tfspec launch --workers 2 -- train NAME [options]`."""
    own, command = list(arguments), []
    if "--" in own:
        own, command = own[: own.index("--")], own[own.index("--") + 1 :]
    workers = parse_call(_workers, own, "tfspec launch")()
    if not command:
        raise UserError("Give a command after --, such as: tfspec launch --workers 2 -- train …")
    import tensorflow as tf

    from tfspec.distributed.launcher import launch

    gpus = range(len(tf.config.list_physical_devices("GPU")))
    sys.exit(launch([*quiet_program("tfspec.cli.main"), *command], workers, gpus))


def _workers(workers: Annotated[int, Range(1, 256)]) -> int:
    """Start several workers on this machine, to try out what is meant for several: `… -- train NAME …`.

    Args:
        workers: how many.
    """
    return workers
