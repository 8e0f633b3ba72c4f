import dataclasses
import multiprocessing
import os
import pickle
import subprocess
import sys
import tracemalloc
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from families import others_slow

from tfspec.augment import Augmentation, Gain, MixUp, TimeMask
from tfspec.base.errors import UserError
from tfspec.data import SignalSequence, make_dataset
from tfspec.data.epochs import Epochs
from tfspec.data.readers import ArrayReader, AudioReader
from tfspec.data.sources.class_folders import from_class_folders
from tfspec.experiment import pipeline
from tfspec.experiment.run import Run
from tfspec.frontends import Spectrogram
from tfspec.inference.loading import load_keras
from tfspec.pipelines import SpeechCommands
from tfspec.training import fitting

NAMES = ["a", "b", "c"]
LAYERS = {
    "front_end": Spectrogram(16, 8),
    "augmentation": Augmentation(Gain(-20.0, 20.0), TimeMask(3)),
}
needs_fork = pytest.mark.skipif(
    multiprocessing.get_start_method() != "fork", reason="processes are not forked here"
)


def frame(num_rows: int) -> pd.DataFrame:
    return pd.DataFrame({"label": np.sort(np.resize(NAMES, num_rows))})


def numbered(num_rows: int) -> ArrayReader:
    """Read the signal (3, 3, …) for row 3."""
    return ArrayReader(np.tile(np.arange(num_rows, dtype=np.float32)[:, np.newaxis], (1, 64)), 8000)


def batches(num_rows=23, batch_size=4, **kwargs) -> SignalSequence:
    return SignalSequence(frame(num_rows), numbered(num_rows), NAMES, batch_size, **kwargs)


def rows_in(sequence) -> list[int]:
    return [int(signal[0]) for signals, *_ in sequence for signal in signals]


def assert_same(ours: tuple, theirs: tuple):
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


def halved(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    assert (samples.shape, sample_rate) == ((64,), 8000)
    return samples / 2


@pytest.mark.parametrize("kind", ["labels", "soft labels", "weights"])
@pytest.mark.parametrize(  # all layers at once are below
    "shuffle, layers",
    others_slow(
        [(False, []), (False, ["front_end"]), (True, []), (True, [*LAYERS])], (False, []), (True, [])
    ),
)
def test_batches_are_those_of_the_dataset(rng, shuffle, layers, kind):
    manifest, more = frame(23), {name: LAYERS[name] for name in layers}
    if kind == "soft labels":
        manifest = pd.DataFrame(rng.uniform(size=(23, 3)), columns=NAMES)
    if kind == "weights":
        more["sample_weight"] = rng.uniform(size=23)
    read = ArrayReader(rng.standard_normal((23, 64)).astype(np.float32))
    sequence = SignalSequence(manifest, read, NAMES, 4, epochs=Epochs(5) if shuffle else None, **more)
    data = make_dataset(manifest, read, NAMES, 4, epochs=Epochs(5) if shuffle else None, **more)
    for _ in range(3):
        epoch = list(data.as_numpy_iterator())
        assert len(sequence) == len(data) == len(epoch) == 6
        for ours, theirs in zip(sequence, epoch, strict=True):
            assert_same(ours, theirs)
        sequence.on_epoch_end()


@pytest.mark.parametrize(
    "layers", [pytest.param({}, id="signals"), pytest.param(LAYERS, id="features", marks=pytest.mark.slow)]
)
def test_mixed_batches_are_those_of_the_dataset(rng, layers):
    manifest = pd.DataFrame(rng.uniform(size=(23, 3)), columns=NAMES)
    read = ArrayReader(rng.standard_normal((23, 64)).astype(np.float32))
    augmentation = dataclasses.replace(layers.get("augmentation", Augmentation()), mix_up=MixUp())
    options = {**layers, "sample_weight": rng.uniform(size=23), "augmentation": augmentation}
    sequence = SignalSequence(manifest, read, NAMES, 4, epochs=Epochs(5, 2), **options)
    data = make_dataset(manifest, read, NAMES, 4, epochs=Epochs(5, 2), **options)
    for _ in range(3):
        for ours, theirs in zip(sequence, data.as_numpy_iterator(), strict=True):
            assert_same(ours, theirs)
        sequence.on_epoch_end()
    assert_same(pickle.loads(pickle.dumps(sequence))[2], sequence[2])  # noqa: S301


def test_every_row_once_an_epoch_and_the_part_batch_kept():
    sequence = batches(epochs=Epochs(0))
    first = rows_in(sequence)
    assert [len(x) for x, _ in sequence] == [4, 4, 4, 4, 4, 3]
    sequence.on_epoch_end()
    second = rows_in(sequence)
    assert sorted(first) == sorted(second) == list(range(23))
    assert first != second
    assert rows_in(batches(epochs=Epochs(0))) == first
    assert rows_in(batches(epochs=Epochs(1))) != first
    assert rows_in(batches()) == list(range(23))


def test_the_part_batch_is_left_out_on_request():
    sequence = batches(epochs=Epochs(0, multiple_of=4))
    data = make_dataset(frame(23), numbered(23), NAMES, 4, epochs=Epochs(0, multiple_of=4))
    left_out = []
    for _ in range(2):
        assert len(sequence) == len(data) == 5
        assert rows_in(sequence) == rows_in(data.as_numpy_iterator())
        left_out.append(set(range(23)) - set(rows_in(sequence)))
        sequence.on_epoch_end()
    assert [len(rows) for rows in left_out] == [3, 3]
    assert left_out[0] != left_out[1]


def test_a_batch_depends_on_its_number_alone():
    forwards, backwards = (batches(epochs=Epochs(0), **LAYERS) for _ in range(2))
    expected = list(forwards)
    for index in (3, 0, 5, 3, 1, -1):
        assert_same(backwards[index], expected[index])
    for index in (6, -7):
        with pytest.raises(IndexError):
            backwards[index]


def test_augmentation_is_another_in_each_epoch_and_batch():
    sequence = SignalSequence(
        frame(8),
        ArrayReader(np.ones((8, 64), np.float32)),
        NAMES,
        4,
        epochs=Epochs(0),
        augmentation=Augmentation(Gain(-9.0, 9.0)),
    )
    levels = [x[:, 0] for x, _ in sequence]
    sequence.on_epoch_end()
    levels += [x[:, 0] for x, _ in sequence]
    assert len(np.unique(levels)) == 16


def test_transform_gets_each_signal_and_the_sample_rate():
    expected = batches(epochs=Epochs(0), **LAYERS)
    found = SignalSequence(
        frame(23),
        ArrayReader(2 * numbered(23).signals, 8000),
        NAMES,
        4,
        epochs=Epochs(0),
        transform=halved,
        **LAYERS,
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert_same(ours, theirs)


def test_the_epoch_is_the_one_that_epochs_is_at():
    epochs = Epochs(0)
    sequence = batches(epochs=epochs)
    for number in (3, 0):
        epochs.number = number
        assert rows_in(sequence) == np.random.default_rng([0, number]).permutation(23).tolist()


def test_rows_come_as_an_order_says():
    def reversed_or_not(seed):
        return np.arange(23)[:: -1 if seed[1] % 2 else 1]

    sequence = batches(epochs=Epochs(0, order=reversed_or_not))
    assert rows_in(sequence) == list(range(23))
    sequence.on_epoch_end()
    assert rows_in(sequence) == list(range(23))[::-1]


def test_what_cannot_be_is_said_at_once():
    with pytest.raises(UserError, match="Unknown labels: c"):
        SignalSequence(frame(9), numbered(9), ["a", "b"], 4)
    with pytest.raises(ValueError, match="one number a row"):
        batches(sample_weight=[1, 2])


@pytest.mark.slow
def test_a_pickled_one_gives_the_same_batches():
    sequence = batches(epochs=Epochs(0), **LAYERS)
    sequence.on_epoch_end()
    expected = sequence[2]
    assert_same(pickle.loads(pickle.dumps(sequence))[2], expected)  # noqa: S301


def test_reads_recordings(tone_folder):
    manifest = from_class_folders(tone_folder).assign(start=0.125)
    read = AudioReader(tone_folder, 8000, 4000, "silence")
    (batch,) = SignalSequence(manifest, read, ["high", "low"], 100)
    np.testing.assert_array_equal(batch[0], read(manifest))
    assert batch[1].tolist() == [0] * 6 + [1] * 6


# In model.fit


class RowsSeen(keras.Model):
    """Learns nothing, and keeps the rows of each epoch in the order in which they came."""

    def __init__(self):
        super().__init__()
        self.epochs = []
        self.weight = self.add_weight(shape=())

    def call(self, x):
        return x[:, :3] * self.weight

    def train_step(self, data):
        x, *_ = data
        self.epochs[-1] += (2 * x[:, 0].numpy()).astype(int).tolist()  # halved
        return {"loss": tf.zeros([])}


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"workers": 3},
        {"workers": 2, "max_queue_size": 1},
        pytest.param({"workers": 2, "use_multiprocessing": True}, marks=needs_fork),
    ],
)
def test_fit_sees_every_row_once_an_epoch_in_a_new_order(kwargs):
    model = RowsSeen()
    model.compile("sgd", run_eagerly=True)
    sequence = batches(50, epochs=Epochs(0), transform=halved, **kwargs)
    begin = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: model.epochs.append([]))
    model.fit(sequence, epochs=3, callbacks=[begin], shuffle=False, verbose=0)
    assert [sorted(rows) for rows in model.epochs] == [list(range(50))] * 3
    for number, rows in enumerate(model.epochs):
        # Keras ends an epoch before the first
        assert rows == np.random.default_rng([0, number + 1]).permutation(50).tolist()


def process(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    return np.full_like(samples, os.getpid())


@needs_fork
def test_transforms_run_in_other_processes_on_request():
    model = keras.Sequential([keras.Input([64]), keras.layers.Identity()])
    threads = model.predict(batches(transform=process, workers=2), verbose=0)
    others = model.predict(batches(transform=process, workers=2, use_multiprocessing=True), verbose=0)
    assert set(threads.flat) == {os.getpid()}
    assert os.getpid() not in set(others.flat)


def losses(sequence, **kwargs) -> list[float]:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input([7, 9, 1]), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model.fit(sequence, epochs=3, shuffle=False, verbose=0, **kwargs).history["loss"]


def random_signals(**kwargs) -> SignalSequence:
    read = ArrayReader(np.random.default_rng(0).standard_normal((30, 64)).astype(np.float32))
    return SignalSequence(frame(30), read, NAMES, 7, **{"epochs": Epochs(0), **LAYERS, **kwargs})


@pytest.fixture(scope="module")
def expected():
    return losses(random_signals())


def test_fit_is_the_same_with_any_number_of_workers(expected):
    np.testing.assert_allclose(losses(random_signals(workers=3)), expected, rtol=1e-5)
    assert not np.allclose(losses(random_signals(epochs=Epochs(1))), expected, rtol=1e-5)


@pytest.mark.slow  # test_dataset.py has a quick one of the kind
def test_fit_with_class_weights_equals_fit_with_weights(expected):
    weights = frame(30)["label"].map({"a": 1, "b": 5, "c": 0.5})
    weighted = losses(random_signals(sample_weight=weights))
    np.testing.assert_allclose(
        losses(random_signals(), class_weight={0: 1, 1: 5, 2: 0.5}), weighted, rtol=1e-5
    )
    assert not np.allclose(expected, weighted, rtol=1e-2)


@needs_fork
@pytest.mark.parametrize("layer", LAYERS)
def test_layers_in_forked_processes_are_refused_before_they_hang(layer):
    with pytest.raises(
        ValueError, match=r'stands still in a forked process.*set_start_method\("spawn", force=True\)'
    ):
        batches(workers=2, use_multiprocessing=True, epochs=Epochs(0), **{layer: LAYERS[layer]})


SPAWN = """
import dataclasses
import multiprocessing
import numpy as np
import test_sequence as t

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn", force=True)
    found = t.losses(t.random_signals(workers=2, use_multiprocessing=True))
    np.testing.assert_allclose(found, t.losses(t.random_signals()), rtol=1e-5)
    print("the same")
"""


@pytest.mark.slow
def test_layers_in_spawned_processes(tmp_path, request):
    (tmp_path / "spawn.py").write_text(SPAWN)
    done = subprocess.run(
        [sys.executable, tmp_path / "spawn.py"], env={"PYTHONPATH": str(request.path.parent)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "the same" in done.stdout, done.stderr


def test_memory_stays_flat_however_many_rows():
    num_rows = 100_000
    manifest = frame(num_rows).assign(path=[f"{i}" for i in range(num_rows)])
    read = ArrayReader(np.zeros((num_rows, 4), np.float32))
    tracemalloc.start()
    sequence = SignalSequence(manifest, read, NAMES, 500, epochs=Epochs(0))
    labels = np.concatenate([y for _, y in sequence])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.bincount(labels).tolist() == [33_334, 33_333, 33_333]
    assert peak < 60 * num_rows


# In a pipeline


class StopInEpoch1(fitting.StopOnNaN):
    """Ends a training in the middle of its second epoch, as Ctrl-C does."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_pipeline_learns_the_same_by_either_loader_also_where_it_was_stopped(
    tone_folder, tmp_path, monkeypatch
):
    options = {"epochs": 3, "validation_fraction": 1 / 3, "clip_seconds": 0.3, "batch_size": 5}
    options |= {"data": tone_folder, "model": "conv2d", "augment": ("shift", "time_mask")}
    expected = SpeechCommands(out=tmp_path / "dataset", **options).train(verbose=0)
    stopped = SpeechCommands(out=tmp_path / "sequence", loader="sequence", **options)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fitting, "StopOnNaN", StopInEpoch1)
        stopped.train(verbose=0)
    received = stopped.resume(Run(tmp_path / "sequence"), verbose=0)
    columns = ["epoch", "loss", "val_loss", "accuracy", "val_accuracy"]
    pd.testing.assert_frame_equal(received.history[columns], expected.history[columns], rtol=1e-5)
    for mine, other in zip(
        *(load_keras(run.folder / "last.keras").get_weights() for run in (received, expected)), strict=True
    ):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_what_goes_with_no_sequence_is_said_at_once(monkeypatch):
    with pytest.raises(UserError, match=r"makes its batches by tf\.data"):
        SpeechCommands(loader="sequence", data_service="grpc://localhost:5050")
    two = SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(pipeline.devices, "open_strategy", lambda name: two)
    monkeypatch.setattr(pipeline.devices, "describe", lambda *_: {})
    with pytest.raises(UserError, match=r"loads for one device.*--strategy none"):
        pipeline.open_devices(SpeechCommands(loader="sequence"))
