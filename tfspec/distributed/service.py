"""Batches that other processes make, on this machine or others, by TensorFlow's tf.data service.

What they are to do reaches them as a graph. Reading is Python, which a graph holds only as the name of a
function in the process that made it: so the workers have one of their own under a name that all know, and it
is told in the graph what to read from.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfspec.base.errors import UserError
from tfspec.base.progress import say
from tfspec.base.text import excerpt
from tfspec.borrowed import name_function

TAKE = "tfspec.take"
HEARTBEAT_SECONDS = 1
CONNECT_SECONDS = 5
WATCH_SECONDS, LOST_SECONDS = 5, 60
"""How often a dispatcher is looked for that trains somebody, and after how long it is taken for lost."""


class Rows(Protocol):
    """Gives what is known of rows, such as an `Examples`."""

    def take(self, rows: np.ndarray, partners: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        """Return an array for each thing that is known, one row a position."""


@dataclass(frozen=True)
class Service:
    """Workers that make batches.

    Args:
        address: of their dispatcher, grpc://host:port.
        source: what they read, told to the `open_source` that they were started with.
    """

    address: str
    source: str

    def take(self, positions: Sequence[tf.Tensor], dtypes: Sequence[tf.DType]) -> list[tf.Tensor]:
        """Do in a graph what the worker's `Rows.take` does."""
        return tf.raw_ops.PyFuncStateless(input=[self.source, *positions], token=TAKE, Tout=dtypes)

    def distribute(
        self, make: Callable[[], tf.data.Dataset], element_spec: Any, length: int
    ) -> tf.data.Dataset:
        """Have the elements of a dataset made by the workers, each exactly once, in any order.

        A worker that is gone takes what it was at work on with it, and TensorFlow gives that to nobody else.
        So the dataset is endless, and an iteration over it ends when every element has come: what was lost
        comes in the next round, and what comes again is left out.

        Args:
            make: makes the dataset of an iteration: graph alone but for `take`, endless, its elements a
                number in 0…length and whatever belongs to it.
            element_spec: of the datasets that it makes.
            length: number of different elements.

        Returns:
            The elements of one iteration of `make`'s dataset, without their numbers.
        """
        service = tf.data.experimental.service

        def register():
            return service.register_dataset(self.address, make()).numpy()

        def iteration(_):
            dataset_id = tf.ensure_shape(tf.numpy_function(register, [], tf.string), [])
            dynamic = service.ShardingPolicy.DYNAMIC
            return service.from_dataset_id(dynamic, self.address, dataset_id, element_spec=element_spec)

        def mark(seen, element):
            number = element[0]
            now_seen = tf.tensor_scatter_nd_update(seen, [[number]], [True])
            return now_seen, (tf.reduce_all(seen), ~seen[number], element[1])

        data = tf.data.Dataset.range(1).flat_map(iteration).scan(tf.zeros([length], tf.bool), mark)
        # Not `take`: a prefetch would look for new elements beyond it, and never end
        data = data.take_while(lambda over, *_: ~over).filter(lambda _, new, __: new)
        return data.map(lambda _, __, element: element)


def start_dispatcher(port: int) -> tf.data.experimental.service.DispatchServer:
    """Start what tells the workers what to do; it ends with the object.

    Args:
        port: to listen on, 0 for any.

    Returns:
        The server, its `target` an address as that of a `Service`.

    Raises:
        UserError: the port is taken, or not to be had.

    Example:
        >>> start_dispatcher(0).target.startswith("grpc://")
        True
    """
    service = tf.data.experimental.service
    with _listening_on(port):
        return service.DispatchServer(service.DispatcherConfig(port=port))


def start_worker(
    dispatcher: str, host: str, port: int, open_source: Callable[[str], Rows]
) -> tf.data.experimental.service.WorkerServer:
    """Start what makes batches; it ends with the object.

    Args:
        dispatcher: address of it, grpc://host:port.
        host: name of this machine to those that train.
        port: to listen on, 0 for any.
        open_source: makes what reads from a `Service.source`.

    Raises:
        UserError: the dispatcher's address is none, or the port is taken or not to be had.
    """
    opened, lock = functools.lru_cache(maxsize=8)(open_source), threading.Lock()

    def take(source: bytes, *positions: np.ndarray) -> tuple[np.ndarray, ...]:
        with lock:
            rows = opened(source.decode())
        return rows.take(*positions)

    name_function(TAKE, take)
    config = tf.data.experimental.service.WorkerConfig(
        dispatcher_address=check_address(dispatcher).removeprefix("grpc://"),
        worker_address=f"{host}:{port or '%port%'}",
        port=port,
        heartbeat_interval_ms=1000 * HEARTBEAT_SECONDS,
    )
    with _listening_on(port):
        return tf.data.experimental.service.WorkerServer(config)


@contextlib.contextmanager
def _listening_on(port: int) -> Iterator[None]:
    """Tell which port it is that a server cannot listen on; TensorFlow does not."""
    try:
        yield
    except RuntimeError as error:
        raise UserError(f"Port {port} cannot be listened on: {error}. Give another --port.") from None


def check_address(address: str) -> str:
    """Let grpc://host:port pass.

    Args:
        address: of a dispatcher.

    Raises:
        UserError: it is none.

    Example:
        >>> check_address("grpc://localhost:5050")
        'grpc://localhost:5050'
    """
    match = re.fullmatch(r"grpc://[\w.:\[\]-]+:([0-9]{1,5})", address)
    if not match or not 0 < int(match[1]) < 2**16:
        received = repr(excerpt(address, 200))
        raise UserError(f"The address of a data service is grpc://host:port. Received: {received}")
    return address


def is_listened_on(address: str) -> bool:
    """Try whether anybody listens at an address; TensorFlow waits for ever where nobody does.

    Args:
        address: grpc://host:port.

    Example:
        >>> dispatcher = start_dispatcher(0)
        >>> is_listened_on(dispatcher.target)
        True
    """
    host, _, port = check_address(address).removeprefix("grpc://").rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS):
            return True
    except OSError:  # among them that the host is not known
        return False


def check_listened_on(address: str) -> None:
    """Refuse an address where nobody listens.

    Args:
        address: grpc://host:port.

    Raises:
        UserError: nobody does.

    Example:
        >>> check_listened_on("grpc://localhost:1")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: Nobody listens at grpc://localhost:1: start `tfspec data-server ...
    """
    if not is_listened_on(address):
        port = address.rpartition(":")[2]
        remedy = f"start `tfspec data-server dispatcher --port {port}` there, or name another --data-service"
        raise UserError(f"Nobody listens at {address}: {remedy}.")


@contextlib.contextmanager
def while_listened_on(address: str) -> Iterator[None]:
    """Refuse an address where nobody listens, and end this process once nobody has for a minute.

    TensorFlow asks a dispatcher that is gone for ever, in a call that neither an exception nor an interrupt
    reaches. A process may be ended anywhere, as a kill may come anywhere: resuming goes on behind the last
    epoch that is kept.

    Args:
        address: grpc://host:port.

    Raises:
        UserError: nobody listens there.

    Example:
        >>> dispatcher = start_dispatcher(0)
        >>> with while_listened_on(dispatcher.target):
        ...     pass
        The workers of grpc://localhost:... make the batches; as long as there is none, training waits.
    """
    check_listened_on(address)
    say(f"The workers of {address} make the batches; as long as there is none, training waits.")
    over = threading.Event()
    threading.Thread(target=_end_once_lost, args=(address, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _end_once_lost(address: str, over: threading.Event) -> None:
    last = time.monotonic()
    while not over.wait(WATCH_SECONDS):
        if is_listened_on(address):
            last = time.monotonic()
        elif time.monotonic() - last > LOST_SECONDS:
            lost = f"Nobody has listened at {address} for {LOST_SECONDS} s."
            remedy = "Start the dispatcher again, then: tfspec resume RUN"
            print(f"tfspec: {lost} {remedy}", file=sys.stderr, flush=True)
            os._exit(3)
