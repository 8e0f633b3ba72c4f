import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import hypothesis
import keras
import numpy as np
import pandas as pd
import pytest
import soundfile
import tensorflow as tf
from families import others_slow
from forked import run_code
from hypothesis import strategies as st

from tfspec.augment import Augmentation, MixUp
from tfspec.base.errors import UserError
from tfspec.base.sources import code_of
from tfspec.data import make_dataset, store
from tfspec.data.epochs import Epochs
from tfspec.data.precomputed import precompute
from tfspec.data.readers import ArrayReader, AudioReader
from tfspec.data.sources.windows import WindowReader
from tfspec.data.store import FeatureStore
from tfspec.frontends import Decibel, Spectrogram, Standardize

RATE, CLIPS = 4000, 200


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    for i in range(CLIPS):
        soundfile.write(folder / f"{i:03}.wav", 0.1 * rng.standard_normal(RATE // 4), RATE)
    return folder


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Put 64 rows into a shard."""
    monkeypatch.setattr(store, "SHARD_BYTES", 1)


def front_end(frame_length: int = 64) -> keras.Layer:
    return keras.Sequential([Spectrogram(frame_length, 32, power=2), Decibel(), Standardize()])


def frame(clips: int = CLIPS) -> pd.DataFrame:
    return pd.DataFrame(
        {"path": [f"{i:03}.wav" for i in range(clips)], "label": np.resize(["a", "b"], clips)}
    )


def reader(folder: Path, **options) -> AudioReader:
    return AudioReader(folder, **{"sample_rate": RATE, "num_samples": RATE // 4} | options)


def of(folder: Path, root: Path, manifest=None, layer=None, dtype="float16", **options) -> FeatureStore:
    manifest = frame() if manifest is None else manifest
    return FeatureStore(root, manifest, reader(folder, **options), layer or front_end(), dtype)


@pytest.fixture(scope="module")
def filled(recordings, tmp_path_factory) -> FeatureStore:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SHARD_BYTES", 1)
        made = of(recordings, tmp_path_factory.mktemp("features"))
        made.fill()
    return made


@pytest.fixture
def copied(filled, recordings, tmp_path) -> FeatureStore:
    shutil.copytree(filled.folder, tmp_path / filled.folder.name)
    return of(recordings, tmp_path)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("features-*.tfrecord")
    }


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_features_are_those_of_the_layer(recordings, tmp_path, dtype):
    made, bars = of(recordings, tmp_path, dtype=dtype), []

    def progress(items, total):
        bars.append(total)
        yield from items
        bars.append("ended")

    made.fill(progress)
    assert bars == [CLIPS, "ended"]
    assert len(made.shards) == 4
    expected = front_end()(reader(recordings)(frame())).numpy()
    rows = frame().iloc[[199, 3, 3, 64, 63, 128]]
    received = made(rows)
    assert received.dtype == np.float32
    atol = 1e-5 if dtype == "float32" else 2e-3 * np.abs(expected).max()
    np.testing.assert_allclose(received, expected[rows.index], atol=atol)
    assert sum(path.stat().st_size for path in made.shards) == CLIPS * (made.row_bytes + 16)


def test_tensorflows_own_reader_reads_the_same(filled):
    data = tf.data.TFRecordDataset([str(path) for path in filled.shards])
    data = data.map(lambda record: tf.reshape(tf.io.decode_raw(record, tf.float16), filled.signal_shape))
    records = np.stack(list(data.as_numpy_iterator())).astype(np.float32)
    np.testing.assert_array_equal(records, filled(frame()))
    description = json.loads((filled.folder / "store.json").read_text())
    assert description["shape"] == list(filled.signal_shape) and description["rows"] == len(records)


@pytest.mark.slow
def test_training_batches_are_those_of_an_array_and_resume(filled):
    manifest, array = frame(), ArrayReader(filled(frame()))
    shares = pd.DataFrame({"a": manifest["label"] == "a", "b": manifest["label"] == "b"}).astype(float)

    def epochs(read, first, count):
        mixed = Augmentation(mix_up=MixUp())
        data = make_dataset(shares, read, ["a", "b"], 32, epochs=Epochs(4, first), augmentation=mixed)
        return [batch for _ in range(count) for batch in data.as_numpy_iterator()]

    expected = epochs(array, 0, 3)
    last = expected[-len(expected) // 3 :]
    for ours, theirs in ((epochs(filled, 0, 3), expected), (epochs(filled, 2, 1), last)):
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine[0], other[0])
            np.testing.assert_array_equal(mine[1], other[1])


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(rows=st.lists(st.integers(0, CLIPS - 1), min_size=1, max_size=300))
def test_any_rows_in_any_order(filled, rows):
    everything = filled(frame())
    np.testing.assert_array_equal(filled(frame().iloc[rows]), everything[rows])


# What is the same store, and what is another


def test_order_of_rows_and_place_of_the_recordings_do_not_matter(filled, recordings, tmp_path):
    shutil.copytree(recordings, tmp_path / "moved")  # which keeps the times
    manifest = frame().sample(frac=1, random_state=0).reset_index(drop=True)
    again = of(tmp_path / "moved", filled.folder.parent, manifest)
    assert (again.folder, again.missing) == (filled.folder, [])
    np.testing.assert_array_equal(again(manifest), filled(frame().loc[manifest["path"].str[:3].astype(int)]))
    built = front_end()
    built(np.zeros([2, RATE // 4]))
    assert of(recordings, filled.folder.parent, layer=built).folder == filled.folder


@pytest.mark.parametrize(
    "options",
    [
        {"layer": front_end(65)},
        {"dtype": "float32"},
        {"num_samples": RATE // 4 - 1},
        {"padding": "silence"},
        {"sample_rate": RATE // 2},
        {"manifest": frame(CLIPS - 1)},
        {"manifest": frame().assign(start=0.01)},
        {"layer": keras.Sequential([front_end(), keras.layers.Conv2D(1, 1)])},
    ],
    ids=str,
)
def test_other_options_are_another_store(filled, recordings, options):
    other = of(recordings, filled.folder.parent, **options)
    assert other.folder != filled.folder and other.missing


@pytest.mark.parametrize("change", ["time", "content", "source", "format", "tensorflow", "keras", "soxr"])
def test_stale_features_are_not_found(filled, recordings, tmp_path, monkeypatch, change):
    folder = tmp_path / "changed"
    shutil.copytree(recordings, folder)
    assert of(folder, filled.folder.parent).folder == filled.folder
    if change == "time":
        os.utime(folder / "007.wav", ns=(0, 0))
    elif change == "content":
        soundfile.write(folder / "007.wav", np.zeros(RATE // 4 + 1), RATE)
    elif change == "source":
        monkeypatch.setattr(store, "package_code", lambda package: iter([b"another way to count"]))
    elif change != "format":
        monkeypatch.setattr(f"{change}.__version__", "another")
    else:
        monkeypatch.setattr(store, "FORMAT", store.FORMAT + 1)
    assert of(folder, filled.folder.parent).folder != filled.folder


def test_other_weights_are_another_store(tmp_path, rng):
    read, manifest = ArrayReader(rng.standard_normal((3, 8, 8, 1)).astype(np.float32)), frame(3)
    layer = keras.layers.Conv2D(1, 3)
    first = FeatureStore(tmp_path, manifest, read, layer)
    assert FeatureStore(tmp_path, manifest, read, layer).folder == first.folder
    layer.set_weights([2 * weight for weight in layer.get_weights()])
    assert FeatureStore(tmp_path, manifest, read, layer).folder != first.folder


OWN_CODE = """
import keras
import helpers

class Loud(keras.layers.Layer):
    def call(self, x):
        return helpers.louder(x)[..., None, None]

class Signals:
    signal_shape, sample_rate = (8,), None

    def __init__(self, signals):
        self.signals = signals

    def identities(self, rows):
        return [str(i) for i in rows.index]

    def __call__(self, rows):
        return self.signals[rows.index] + 0
"""


@pytest.mark.parametrize("change", ["layer", "helper", "reader"])
def test_code_of_the_users_own_is_noticed(tmp_path, monkeypatch, rng, change):
    signals = rng.standard_normal((3, 8)).astype(np.float32)
    monkeypatch.syspath_prepend(tmp_path)

    def folder(own, helper):
        (tmp_path / "own.py").write_text(own)
        (tmp_path / "helpers.py").write_text(helper)
        for name in ("own", "helpers"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        module = importlib.import_module("own")
        layer = keras.Sequential([module.Loud()])
        return FeatureStore(tmp_path, frame(3), module.Signals(signals), layer).folder

    helper = "def louder(x):\n    return 2 * x\n"
    before = folder(OWN_CODE, helper)
    assert folder(OWN_CODE, helper) == before
    changed = {
        "layer": (OWN_CODE.replace("None]", "None] + 1"), helper),
        "helper": (OWN_CODE, helper.replace("2", "3")),
        "reader": (OWN_CODE.replace("+ 0", "+ 1"), helper),
    }
    assert folder(*changed[change]) != before


def test_a_class_without_a_file_gives_its_own_code():
    codes = []
    for way in ("x + 1", "x + 2"):
        names = {}
        exec(f"class Own:\n    def call(self, x):\n        return {way}\n", {"__name__": "nowhere"}, names)
        codes.append(list(code_of([names["Own"]])))
    assert codes[0] and codes[0] != codes[1]


def test_packages_of_any_environment_are_known_by_their_versions(tmp_path, monkeypatch):
    """Also those that `pip install --user` leaves outside the interpreter's own folders."""
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "own_layers.py").write_text("import some_package\n\nclass Own:\n    helper = some_package\n")
    (tmp_path / "site-packages" / "some_package.py").write_text("import other_module\n")
    (tmp_path / "other_module.py").write_text("x = 1\n")
    for folder in (tmp_path / "site-packages", tmp_path):
        monkeypatch.syspath_prepend(folder)
    own = importlib.import_module("own_layers").Own
    assert list(code_of([own])) == [(tmp_path / "own_layers.py").read_bytes()]


@pytest.mark.slow
def test_windows_and_arrays_have_identities(tmp_path, rng):
    windows = rng.standard_normal((70, 64, 3)).astype(np.float32)
    np.save(tmp_path / "X.npy", windows)
    manifest = pd.DataFrame(index=np.arange(70)[::-1])
    for read, expected in (
        (WindowReader(tmp_path / "X.npy"), windows[::-1]),
        (ArrayReader(windows), windows[::-1]),
    ):
        made = FeatureStore(tmp_path, manifest, read, Spectrogram(16, 8))
        made.fill()
        np.testing.assert_allclose(made(manifest), Spectrogram(16, 8)(expected), rtol=1e-4, atol=1e-5)


# What goes wrong


KILLED = """
import os, signal, sys
from pathlib import Path
import test_store
from tfspec.data import store

store.SHARD_BYTES = 1
write = store.FeatureStore._write

def half(records):
    yield from records[:20]
    os.kill(os.getpid(), signal.SIGKILL)

def killed(self, path, records):
    write(self, path, half(records) if path.name.startswith("features-00002") else records)

store.FeatureStore._write = killed
test_store.of(Path(sys.argv[1]), Path(sys.argv[2])).fill()
"""


def run(script: str, *arguments) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_after_a_kill_only_what_was_not_finished_is_computed(filled, recordings, tmp_path):
    run_code(KILLED, recordings, tmp_path, status=-signal.SIGKILL)
    again = of(recordings, tmp_path)
    assert again.missing == [2, 3]
    before, bars = contents(again.folder), []
    again.fill(lambda items, total: bars.append(total) or items)
    assert bars == [CLIPS - 128]
    after = contents(again.folder)
    assert before.items() < after.items()
    assert {name: data for name, (_, data) in after.items()} == {
        name: data for name, (_, data) in contents(filled.folder).items()
    }
    again.fill(lambda items, total: pytest.fail("computed again"))


def test_what_a_killed_process_left_is_cleared_away_once_nobody_writes_to_it(recordings, tmp_path):
    made = of(recordings, tmp_path)
    made.folder.mkdir()
    old, new = (made.folder / f".features-00000-of-00004.{pid}.part.tfrecord" for pid in (1, 2))
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (0, time.time() - 2 * store.ABANDONED_SECONDS))
    made.fill()
    assert not old.exists() and new.exists()


FULL = """
import resource, sys
from pathlib import Path
import test_store
from tfspec.data import store

store.SHARD_BYTES = 1
made = test_store.of(Path(sys.argv[1]), Path(sys.argv[2]))
full = 40 * made.row_bytes  # within the first shard
resource.setrlimit(resource.RLIMIT_FSIZE, (full, full))
with test_store.pytest.raises(test_store.UserError, match="cannot be written: .*File too large"):
    made.fill()
"""


def test_a_full_disk_leaves_no_shard_that_is_not_whole(recordings, tmp_path):
    run_code(FULL, recordings, tmp_path)
    assert not list(tmp_path.rglob("*.tfrecord"))


def test_a_disk_that_will_be_full_is_noticed_before(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 1000))
    with pytest.raises(UserError, match=r"of 200 examples need 0\.\d+ GB, and .* has 0\.000 GB left"):
        of(recordings, tmp_path).fill()


@pytest.mark.parametrize("at", others_slow([5, 20, 20_000, -1], 5, -1))
def test_a_changed_byte_is_noticed_and_the_shard_named(copied, filled, at):
    path = copied.shards[1]
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"{path.name} is damaged \(.*record.*\)\. Delete it"):
        copied.fill()
    path.unlink()
    copied.fill()
    np.testing.assert_array_equal(copied(frame()), filled(frame()))


@pytest.mark.parametrize("records", [0, 1, 63, 65])
def test_a_shard_of_another_length_is_noticed(copied, records):
    size = copied.row_bytes + 16
    copied.shards[3].write_bytes(copied.shards[0].read_bytes()[: records * size].ljust(records * size, b"0"))
    with pytest.raises(UserError, match=r"damaged"):
        copied.fill()


def test_a_shard_cut_short_while_in_use(copied):
    os.truncate(copied.shards[0], 1000)
    with pytest.raises(UserError, match="ends before record"):
        copied(frame())


def test_features_that_the_number_format_does_not_hold(tmp_path):
    signals = np.tile(np.arange(70, dtype=np.float32)[:, np.newaxis], 4)
    signals[66] = 1e5
    manifest = pd.DataFrame({"name": [f"clip {i}" for i in range(70)]})
    made = FeatureStore(tmp_path, manifest, ArrayReader(signals), keras.layers.Rescaling(1.0), "float16")
    with pytest.raises(UserError, match=r"'clip 66'.* no finite numbers in float16, which reaches to 65504"):
        made.fill()
    with pytest.raises(UserError, match=r"'clip 66'.* no finite numbers in float16"):
        precompute(manifest, ArrayReader(signals), keras.layers.Rescaling(1.0), "float16")


def test_missing_files_and_readers_without_identities(recordings, tmp_path):
    with pytest.raises(UserError, match=r"nowhere.wav cannot be read: No such file"):
        of(recordings, tmp_path, pd.DataFrame({"path": ["nowhere.wav"]}))

    class Reader:
        signal_shape, sample_rate = (8,), None

        def __call__(self, rows):
            return np.zeros([len(rows), 8])

    with pytest.raises(UserError, match="Reader has no method `identities`"):
        FeatureStore(tmp_path, frame(3), Reader(), front_end())
