"""Workers of a data service, in processes of their own, make the batches that this process would make."""

import contextlib
import json
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from forked import CONTEXT
from served import NAMES, numbered, serve
from tones import write_tones

from tfspec.augment import Augmentation, Gain, MixUp
from tfspec.base.errors import UserError
from tfspec.cli.main import main
from tfspec.data import make_dataset
from tfspec.data.epochs import Epochs
from tfspec.data.slices import BatchSlice
from tfspec.distributed.service import Service
from tfspec.pipelines import SpeechCommands

CLI = [sys.executable, "-c", "from tfspec.cli.main import main; main()", "data-server"]


class Servers(contextlib.ExitStack):
    """Starts processes, and kills them at the end."""

    def start(self, *command: str) -> subprocess.Popen:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.callback(process.wait)
        self.callback(process.kill)
        return process

    def dispatcher(self) -> str:
        said = self.start(*CLI, "dispatcher").stdout.readline()
        assert said.startswith("The dispatcher listens at grpc://localhost:")
        return said.split()[-1]

    def workers(self, count: int, address: str) -> list:
        """Start slow workers where TensorFlow is imported already."""
        listens = CONTEXT.Semaphore(0)
        started = [CONTEXT.Process(target=serve, args=(address, listens)) for _ in range(count)]
        for worker in started:
            self.callback(worker.join)
            self.callback(worker.kill)
            worker.start()
        assert all(listens.acquire(timeout=60) for _ in started)
        return started


@pytest.fixture(scope="module")
def two_workers():
    with Servers() as servers:
        address = servers.dispatcher()
        servers.workers(2, address)
        yield address


CHANGED = Augmentation(Gain(-6.0, 6.0), mix_up=MixUp(0.1, 0.4, probability=0.5))


def batches(source, service=None, batch_size=4, **options):
    manifest, read, weights = numbered(source)
    options = {"augmentation": CHANGED, **options}
    return make_dataset(
        manifest, read, NAMES, batch_size, None, Epochs(3), sample_weight=weights, service=service, **options
    )


def in_order(data) -> list[list[np.ndarray]]:
    """Return the batches of an epoch, in an order that they have by what they hold."""
    made = [[part.numpy() for part in batch] for batch in data]
    return sorted(made, key=lambda batch: batch[-1].tolist())


@pytest.mark.parametrize(
    "options",
    [
        {"batches_per_read": 3},
        *(
            pytest.param(others, marks=pytest.mark.slow)
            for others in ({}, {"batch_slice": BatchSlice(1, 3)}, {"augmentation": Augmentation()})
        ),
    ],
)
def test_workers_make_the_batches_of_every_epoch(two_workers, options):
    source = json.dumps([50, False])
    served = batches(source, Service(two_workers, source), **options)
    alone = batches(source, **options)
    assert served.cardinality() == alone.cardinality() == 13
    assert served.element_spec == alone.element_spec
    for _ in range(3):
        received, expected = in_order(served), in_order(alone)
        assert len(received) == len(expected) == 13
        for mine, theirs in zip(received, expected, strict=True):
            for part, its in zip(mine, theirs, strict=True):
                np.testing.assert_allclose(part, its, rtol=1e-6)


@pytest.mark.slow
def test_every_example_comes_once_though_a_worker_is_killed():
    source = json.dumps([160, True])
    with Servers() as servers:
        address = servers.dispatcher()
        first, _ = servers.workers(2, address)
        data = batches(source, Service(address, source), augmentation=Augmentation())
        for epoch in range(3):
            came = []
            for signals, *_ in data:
                came += signals.numpy()[:, 0].tolist()
                if epoch == 1 and len(came) == 40:
                    first.kill()
            assert sorted(came) == list(range(160))


@pytest.mark.slow
def test_a_pipeline_trains_with_one_worker_as_without(tmp_path):
    write_tones(tmp_path / "tones", {"high": 2000, "low": 300}, speakers=6)
    options = {"data": tmp_path / "tones", "validation_fraction": 1 / 3, "clip_seconds": 0.3}
    options |= {"epochs": 2, "batch_size": 7, "augment": ("shift",), "model": "conv2d"}
    alone = SpeechCommands(out=tmp_path / "alone", **options).train(verbose=0)
    with Servers() as servers:
        address = servers.dispatcher()
        assert "listens" in servers.start(*CLI, "worker", "--dispatcher", address).stdout.readline()
        served = SpeechCommands(out=tmp_path / "served", data_service=address, **options).train(verbose=0)
    columns = ["loss", "val_loss", "accuracy", "val_accuracy"]
    np.testing.assert_allclose(served.history[columns], alone.history[columns], rtol=1e-4)


def test_what_a_worker_cannot_read_is_told_to_who_trains(two_workers, tmp_path):
    source = json.dumps([8, False])
    data = batches(source, Service(two_workers, "{}"))
    with pytest.raises(tf.errors.OpError, match="not enough values to unpack"):
        list(data)


@pytest.mark.parametrize(
    "address", ["localhost:5050", "grpc://localhost", "grpc://:1", "grpc://a:0", "grpc://a:x"]
)
def test_wrong_addresses_are_refused(address, capsys):
    with pytest.raises(UserError, match="grpc://host:port"):
        SpeechCommands(data="nowhere", data_service=address)
    with pytest.raises(SystemExit):
        main(["data-server", "worker", "--dispatcher", address])
    assert "grpc://host:port" in capsys.readouterr().err


@pytest.mark.parametrize("role", [["dispatcher"], ["worker", "--dispatcher", "grpc://localhost:1"]])
def test_a_port_that_is_taken_is_named(role, capsys):
    with socket.create_server(("", 0)) as taken, pytest.raises(SystemExit) as stop:
        port = taken.getsockname()[1]
        main(["data-server", *role, "--port", str(port)])
    assert stop.value.code == 2
    assert f"tfspec: Port {port} cannot be listened on: " in capsys.readouterr().err


def free_port() -> int:
    with socket.create_server(("localhost", 0)) as opened:
        return opened.getsockname()[1]


def test_training_does_not_wait_where_nobody_listens(tmp_path):
    pipeline = SpeechCommands(
        data=tmp_path / "nowhere", out=tmp_path / "run", data_service=f"grpc://localhost:{free_port()}"
    )
    with pytest.raises(UserError, match=r"Nobody listens at grpc://localhost:\d+: start `tfspec data-server"):
        pipeline.train()
    assert not (tmp_path / "run").exists()


WAITS = """
import time
from tfspec.distributed import service
service.WATCH_SECONDS, service.LOST_SECONDS = 0.1, 1
with service.while_listened_on("{address}"):
    time.sleep(60)
"""


def test_training_ends_soon_after_its_dispatcher():
    with socket.create_server(("localhost", 0)) as dispatcher:
        address = f"grpc://localhost:{dispatcher.getsockname()[1]}"
        command = [sys.executable, "-c", WAITS.format(address=address)]
        training = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert training.stdout.readline().startswith(f"The workers of {address} make the batches")
        dispatcher.accept()
        dispatcher.accept()
    told = training.communicate(timeout=30)[1].splitlines()[-1]
    assert training.returncode == 3
    assert told.startswith(f"tfspec: Nobody has listened at {address} for 1 s. Start")
    assert told.endswith("again, then: tfspec resume RUN")


def test_a_worker_that_starts_first_says_that_it_waits(capsys, monkeypatch):
    def waits(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfspec.distributed.service.start_worker", waits)
    address = f"grpc://localhost:{free_port()}"
    with pytest.raises(SystemExit):
        main(["data-server", "worker", "--dispatcher", address])
    assert capsys.readouterr().out == f"Waiting for the dispatcher at {address}\n"
