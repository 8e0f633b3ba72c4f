"""Several workers on one machine, to try out what is meant for several machines."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO

from tfspec.base.stopping import stopped_in_order
from tfspec.base.text import ending

SECONDS_TO_STOP = 5.0


def launch(command: Sequence[str], workers: int, gpus: Sequence[int] = ()) -> int:
    """Start a command several times, as the workers of one cluster, and wait until all have ended.

    Each has the cluster in its environment as `TF_CONFIG`, on free ports of this machine, and its part of the
    GPUs. Their output is passed on line by line, behind the worker's number. When one fails, which is said,
    this process is interrupted, or nobody takes the output any more, all others are stopped.

    Args:
        command: what to start, such as ["tfspec", "train", …].
        workers: how many.
        gpus: numbers of this machine's GPUs.

    Returns:
        0 if all workers gave that; otherwise the exit code of the first that failed, 128 and the signal's
        number if it was killed.

    Raises:
        OSError: the output could not be written.

    Example:
        >>> launch([sys.executable, "-c", "raise SystemExit(3)"], workers=2)
        3
    """
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    unwritten: list[OSError] = []
    with stopped_in_order(), _stopped_at_the_end() as started:
        for number in range(workers):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
            own_gpus = ",".join(map(str, gpus[number::workers])) or "-1"
            environment = {"TF_CONFIG": json.dumps(config), "CUDA_VISIBLE_DEVICES": own_gpus}
            worker = subprocess.Popen(
                command,
                env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            started[worker] = threading.Thread(target=_pass_on, args=(number, worker.stdout, unwritten))
            started[worker].start()
        while True:
            if unwritten:
                raise unwritten[0]
            codes = [worker.poll() for worker in started]
            if failed := [(number, code) for number, code in enumerate(codes) if code]:
                number, code = failed[0]
                print(f"[{number}] {ending(code)}, so all other workers are stopped.", file=sys.stderr)
                return code if code > 0 else 128 - code
            if None not in codes:
                return 0
            time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    with contextlib.ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in opened:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in opened]


@contextlib.contextmanager
def _stopped_at_the_end() -> Iterator[dict[subprocess.Popen, threading.Thread]]:
    """Keep processes, with the threads that read from them, that must not outlive what is done with them."""
    started: dict[subprocess.Popen, threading.Thread] = {}
    try:
        yield started
    finally:
        for worker in started:
            worker.terminate()
        deadline = time.monotonic() + SECONDS_TO_STOP
        for worker, reader in started.items():
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
            reader.join()


def _pass_on(number: int, output: IO[str], unwritten: list[OSError]) -> None:
    """Print a worker's lines; once that fails, take them all the same, or it would wait for that."""
    for line in output:
        if not unwritten:
            try:
                print(f"[{number}] {line}", end="", flush=True)
            except OSError as error:
                unwritten.append(error)
