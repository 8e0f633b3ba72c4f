from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tfspec.augment import Gain
from tfspec.data import make_dataset
from tfspec.data.audio import AudioReader, load_audio
from tfspec.data.dataset import ArrayReader, Epochs, label_indices
from tfspec.data.manifest import from_class_folders
from tfspec.data.precompute import precompute
from tfspec.errors import UserError
from tfspec.frontends import MFCC, Spectrogram

NAMES = ["a", "b", "c"]


class CountingReader:
    """Gives each row the signal (row, row, …), and remembers which rows were read."""

    signal_shape = (64,)

    def __init__(self):
        self.rows = []

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        self.rows.extend(rows["row"])
        return np.tile(rows["row"].to_numpy(np.float32)[:, np.newaxis], self.signal_shape)


def frame(num_rows: int) -> pd.DataFrame:
    """Make a manifest with classes in three blocks, and an index that is not the position."""
    labels = np.sort(np.resize(NAMES, num_rows))
    return pd.DataFrame({"label": labels, "row": range(num_rows)}, index=range(500, 500 + num_rows))


def epoch(data: tf.data.Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(x.numpy(), y.numpy()) for x, y in data]


def order(data: tf.data.Dataset) -> list[int]:
    """Go through an epoch and give its rows in order."""
    return [int(signal[0]) for signals, _ in data.as_numpy_iterator() for signal in signals]


def test_without_epochs_the_order_is_the_manifest_s():
    manifest = frame(23)
    data = make_dataset(manifest, CountingReader(), NAMES, 4)
    for _ in range(2):
        batches = epoch(data)
        assert [len(x) for x, _ in batches] == [4, 4, 4, 4, 4, 3]
        np.testing.assert_array_equal(np.concatenate([x[:, 0] for x, _ in batches]), range(23))
        labels = np.concatenate([y for _, y in batches])
        assert [NAMES[i] for i in labels] == list(manifest["label"])


def test_types_and_static_shapes():
    x, y = make_dataset(frame(5), CountingReader(), NAMES, 4).element_spec
    assert (x.shape.as_list(), x.dtype) == ([None, 64], tf.float32)
    assert (y.shape.as_list(), y.dtype) == ([None], tf.int32)
    x, y = make_dataset(
        frame(5),
        CountingReader(),
        NAMES,
        4,
        Spectrogram(16, 8),
        Epochs(0),
        augment=Gain(),
        augment_features=Gain(),
    ).element_spec
    assert (x.shape.as_list(), x.dtype) == ([None, 7, 9, 1], tf.float32)
    assert (y.shape.as_list(), y.dtype) == ([None], tf.int32)


def test_shuffled_epoch_has_every_row_once_with_its_label():
    manifest = frame(23)
    data = make_dataset(manifest, CountingReader(), NAMES, 4, epochs=Epochs(0))
    for _ in range(2):
        batches = epoch(data)
        assert [len(x) for x, _ in batches] == [4, 4, 4, 4, 4, 3]
        rows = np.concatenate([x[:, 0] for x, _ in batches]).astype(int)
        assert sorted(rows) == list(range(23))
        assert list(rows) != list(range(23))
        labels = np.concatenate([y for _, y in batches])
        assert [NAMES[i] for i in labels] == list(manifest["label"].iloc[rows])


@pytest.mark.parametrize("seed", [0, 5])
def test_same_seed_gives_the_same_epochs_each_unlike_the_last(seed):
    def two_epochs(seed):
        data = make_dataset(frame(40), CountingReader(), NAMES, 8, epochs=Epochs(seed))
        return order(data), order(data)

    first, second = two_epochs(seed)
    keras.utils.set_random_seed(seed + 7)
    tf.random.normal([3])
    assert two_epochs(seed) == (first, second)
    assert first != second
    other = two_epochs(seed + 1)
    assert first not in other
    assert second not in other


def test_an_epoch_can_be_had_without_those_before():
    def epochs(first, count):
        augmented = make_dataset(
            frame(40),
            CountingReader(),
            NAMES,
            8,
            Spectrogram(16, 8),
            Epochs(0, first),
            augment=Gain(),
            augment_features=Gain(),
        )
        return [np.concatenate([x for x, _ in epoch(augmented)]) for _ in range(count)]

    np.testing.assert_array_equal(epochs(0, 4)[2:], epochs(2, 2))


def test_augmentation_is_drawn_anew_for_each_batch_and_epoch():
    manifest = pd.DataFrame({"label": ["a"] * 8})
    ones = ArrayReader(np.ones([8, 64], np.float32))
    data = make_dataset(manifest, ones, NAMES, 4, None, Epochs(0), augment=Gain(), augment_features=Gain())
    signals = np.concatenate([x[:, 0] for _ in range(2) for x, _ in epoch(data)])
    assert len(np.unique(signals)) == 16


@pytest.mark.parametrize(("rows", "batches"), [(1, 1), (8, 2), (9, 3), (11, 3)])
@pytest.mark.parametrize("epochs", [None, Epochs(0)])
def test_number_of_batches_is_known_beforehand(rows, batches, epochs):
    data = make_dataset(frame(rows), CountingReader(), NAMES, 4, epochs=epochs)
    assert data.cardinality().numpy() == len(data) == batches
    assert len(epoch(data)) == batches


@pytest.mark.parametrize(
    "front_end", [Spectrogram(16, 8, power=2), MFCC(4, 16000, 6, frame_length=32, frame_step=16)]
)
def test_front_end_in_the_dataset_equals_calling_it(rng, front_end):
    signals = rng.standard_normal((11, 64)).astype(np.float32)
    manifest = frame(11).reset_index(drop=True)
    data = make_dataset(manifest, ArrayReader(signals), NAMES, 4, front_end=front_end)
    features = np.concatenate([x for x, _ in epoch(data)])
    np.testing.assert_allclose(features, front_end(signals), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("where", ["memory", "file"])
def test_what_is_precomputed_is_read_once_and_the_same(tmp_path, rng, where):
    signals = rng.standard_normal((150, 64)).astype(np.float32)
    manifest = frame(150).reset_index(drop=True)
    read = CountingReader()
    bars = []

    def progress(batches, total):
        bars.append(total)
        return batches

    path = None if where == "memory" else tmp_path / "features"
    precompute(manifest, read, Spectrogram(16, 8), path, progress)
    assert read.rows == list(range(150))
    assert bars == [3]
    front_end = Spectrogram(16, 8)
    features = precompute(manifest, ArrayReader(signals), front_end, path)
    assert any(Path(tmp_path).iterdir()) == (where == "file")
    assert features.signal_shape == (7, 9, 1)
    np.testing.assert_allclose(features(manifest.iloc[[149, 3]]), front_end(signals[[149, 3]]), rtol=1e-5)


def test_every_epoch_reads_anew():
    read = CountingReader()
    data = make_dataset(frame(10), read, NAMES, 4, epochs=Epochs(0))
    epoch(data)
    epoch(data)
    assert sorted(read.rows) == sorted([*range(10)] * 2)


def test_unknown_label_is_named_with_those_that_are_known():
    with pytest.raises(UserError, match=r"Unknown labels: b, c\. The model's classes are: a, z\."):
        make_dataset(frame(9), CountingReader(), ["a", "z"], 4)


def test_label_indices_follow_the_class_names():
    labels = pd.Series(["NA", "001", "1", "NA"], index=[3, 3, 9, 0])
    indices = label_indices(labels, ["1", "NA", "001"])
    assert indices.dtype == np.int32
    assert indices.tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize("kind", ["array", "memory-mapped"])
def test_array_reader_goes_by_the_index(tmp_path, rng, kind):
    array = rng.standard_normal((9, 20, 3)).astype(np.float16)
    np.save(tmp_path / "X.npy", array)
    read = ArrayReader(array if kind == "array" else np.load(tmp_path / "X.npy", mmap_mode="r"))
    assert read.signal_shape == (20, 3)
    rows = pd.DataFrame({"label": ["a"] * 9}).iloc[[7, 2, 2]]
    assert read(rows).dtype == np.float32
    np.testing.assert_array_equal(read(rows), array[[7, 2, 2]])
    (batch,) = epoch(make_dataset(rows, read, ["a"], 4))
    np.testing.assert_array_equal(batch[0], array[[7, 2, 2]])


def test_folder_of_recordings_to_batches(tone_folder):
    manifest = from_class_folders(tone_folder)
    data = make_dataset(manifest, AudioReader(tone_folder, 8000, 5000), ["low", "high"], 5)
    signals = np.concatenate([x for x, _ in epoch(data)])
    labels = np.concatenate([y for _, y in epoch(data)])
    assert labels.tolist() == [1] * 6 + [0] * 6
    for path, signal in zip(manifest["path"], signals, strict=True):
        np.testing.assert_array_equal(signal, load_audio(tone_folder / path, 8000, 5000))
    loudest = np.abs(np.fft.rfft(signals[:, :4000])).argmax(1) * 2  # in Hz
    assert ((loudest > 1500) == labels).all()


def test_file_that_goes_bad_meanwhile_is_named(tone_folder):
    manifest = from_class_folders(tone_folder)
    (tone_folder / manifest["path"][3]).write_bytes(b"")
    data = make_dataset(manifest, AudioReader(tone_folder, 8000, 5000), ["high", "low"], 5)
    with pytest.raises(tf.errors.OpError, match=rf"{manifest['path'][3]} cannot be decoded: empty file"):
        epoch(data)
