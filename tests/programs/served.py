"""A worker of a data service that reads slowly, which test_service.py runs in a process of its own."""

import json
import threading
import time

import numpy as np
import pandas as pd

from tfspec.data.examples import Examples
from tfspec.data.readers import ArrayReader
from tfspec.distributed.service import start_worker

NAMES = ["a", "b"]


class Slow(ArrayReader):
    def __call__(self, rows):
        time.sleep(0.1)
        return super().__call__(rows)


def numbered(source: str) -> tuple[pd.DataFrame, ArrayReader, np.ndarray]:
    """Signals that hold their rows' numbers, soft labels and weights; `source` is how many, and how slow."""
    count, slow = json.loads(source)
    signals = np.arange(count, dtype=np.float32)[:, np.newaxis] + np.zeros(3, np.float32)
    manifest = pd.DataFrame({"a": np.linspace(0, 1, count), "b": np.linspace(1, 0, count)})
    return manifest, (Slow if slow else ArrayReader)(signals), np.linspace(1, 2, count)


def open_source(source: str) -> Examples:
    manifest, read, weights = numbered(source)
    return Examples(manifest, read, NAMES, weights)


def serve(dispatcher: str, listens):
    """Work until the process is killed; `listens`, a semaphore, is released once it can be asked."""
    _server = start_worker(dispatcher, "localhost", 0, open_source)
    listens.release()
    threading.Event().wait()
