import tracemalloc

import hypothesis
import keras
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import tensorflow as tf
from families import others_slow
from hypothesis import strategies as st

from tfspec.audio.decoding import load_audio
from tfspec.augment import Augmentation, Gain, MixUp, RandomLayer, TimeMask
from tfspec.base.errors import UserError
from tfspec.data import make_dataset
from tfspec.data.batches import read_batches
from tfspec.data.epochs import Epochs
from tfspec.data.label_targets import label_indices, targets
from tfspec.data.plan import Draws, draw_partners
from tfspec.data.precomputed import precompute
from tfspec.data.readers import ArrayReader, AudioReader
from tfspec.data.slices import BatchSlice
from tfspec.data.sources.class_folders import from_class_folders
from tfspec.data.stages import apply_layers
from tfspec.frontends import MFCC, Spectrogram

NAMES = ["a", "b", "c"]
RESHAPED = keras.layers.Reshape((8, 8, 1))
"""A front end that is traced in no time."""


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
    return list(data.as_numpy_iterator())


def order(data: tf.data.Dataset) -> list[int]:
    """Go through an epoch and give its rows in order."""
    return [int(signal[0]) for signals, *_ in data.as_numpy_iterator() for signal in signals]


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
        augmentation=Augmentation(Gain(), TimeMask(3)),
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


def test_an_epoch_can_be_had_without_those_before_and_without_end():
    def augmented(first, repeated=False):
        return make_dataset(
            frame(40),
            CountingReader(),
            NAMES,
            8,
            RESHAPED,
            Epochs(0, first),
            augmentation=Augmentation(Gain(), TimeMask(3)),
            repeated=repeated,
        )

    def features(batches):
        return np.concatenate([x for x, _ in batches])

    from_zero, from_two = augmented(0), augmented(2)
    epochs = [features(epoch(from_zero)) for _ in range(4)]
    np.testing.assert_array_equal([features(epoch(from_two)) for _ in range(2)], epochs[2:])
    endless = augmented(2, repeated=True)
    assert endless.cardinality() == tf.data.INFINITE_CARDINALITY
    np.testing.assert_array_equal(features(endless.take(10)), np.concatenate(epochs[2:]))


def test_augmentation_is_drawn_anew_for_each_batch_and_epoch():
    manifest = pd.DataFrame({"label": ["a"] * 8})
    ones = ArrayReader(np.ones([8, 64], np.float32))
    data = make_dataset(manifest, ones, NAMES, 4, epochs=Epochs(0), augmentation=Augmentation(Gain()))
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


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_precomputed_is_read_once_and_the_same(rng, dtype):
    signals = rng.standard_normal((150, 64)).astype(np.float32)
    manifest = frame(150).reset_index(drop=True)
    read = CountingReader()
    bars = []

    def progress(batches, total):
        bars.append(total)
        return batches

    precompute(manifest, read, Spectrogram(16, 8), dtype, progress)
    assert sorted(read.rows) == list(range(150))
    assert bars == [3]
    front_end = Spectrogram(16, 8)
    features = precompute(manifest, ArrayReader(signals), front_end, dtype)
    assert (features.signals.dtype, features.signal_shape) == (dtype, (7, 9, 1))
    received, rtol = features(manifest.iloc[[149, 3]]), {"float32": 1e-5, "float16": 1e-3}[dtype]
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, front_end(signals[[149, 3]]), rtol=rtol, atol=rtol)


def test_every_epoch_reads_anew():
    read = CountingReader()
    data = make_dataset(frame(10), read, NAMES, 4, epochs=Epochs(0))
    epoch(data)
    epoch(data)
    assert sorted(read.rows) == sorted([*range(10)] * 2)


@pytest.mark.parametrize("seed", [0, 5])
def test_an_epoch_is_the_permutation_of_its_number(seed):
    data = make_dataset(frame(40), CountingReader(), NAMES, 8, epochs=Epochs(seed))
    for number in range(3):
        expected = np.random.default_rng([seed, number]).permutation(40)
        assert order(data) == expected.tolist() == Epochs(seed, number).rows(40).tolist()


def test_an_epoch_broken_off_is_over():
    data = make_dataset(frame(40), CountingReader(), NAMES, 8, epochs=Epochs(0))
    next(iter(data))
    assert order(data) == Epochs(0, 1).rows(40).tolist()


# Augmentation

LOUDER = Gain(-20.0, 20.0)


def test_signals_are_augmented_before_the_front_end_and_features_behind_it(rng):
    signals = rng.standard_normal((10, 64)).astype(np.float32)
    data = make_dataset(
        pd.DataFrame({"label": ["a"] * 10}), ArrayReader(signals), ["a"], 4, Spectrogram(16, 8),
        Epochs(7), augmentation=Augmentation(LOUDER, TimeMask(3)),
    )  # fmt: skip
    for number in range(2):
        rows, all_seeds = Epochs(7, number).rows(10), Epochs(7, number).seeds(3)
        for i, (features, _) in enumerate(epoch(data)):
            seeds = all_seeds[i]
            expected = Spectrogram(16, 8)(LOUDER(signals[rows[4 * i : 4 * i + 4]], seed=seeds[0]))
            np.testing.assert_allclose(features, TimeMask(3)(expected, seed=seeds[1]), rtol=1e-4, atol=1e-5)


def test_seeds_of_augmentation_are_never_the_same():
    """Over epochs, batches, signals and features, and the seed of the data."""
    epochs = [Epochs(seed, number) for seed in range(3) for number in range(20)]
    drawn = np.concatenate([epoch.seeds(50).reshape(-1, 2) for epoch in epochs])
    assert len(np.unique(drawn, axis=0)) == len(drawn) == 3 * 20 * 50 * 2
    np.testing.assert_array_equal(Epochs(1, 2).seeds(50), Epochs(1, 2).seeds(50))


@pytest.mark.parametrize("where", ["signals", "features", "mix_up"])
def test_layers_that_draw_need_epochs(where):
    with pytest.raises(ValueError, match="need `epochs`"):
        make_dataset(frame(10), CountingReader(), NAMES, 4, augmentation=Augmentation(**{where: LOUDER}))


# Mixing


def one_hot_frame(num_rows: int) -> pd.DataFrame:
    """Make a manifest in which each row is a class of its own."""
    classes = [f"class {row}" for row in range(num_rows)]
    return pd.DataFrame(np.eye(num_rows), columns=classes).assign(row=range(num_rows))


def mixed(
    num_rows=60, batch_size=7, read=None, epochs=None, mix_up=None, signals=None, features=None, **options
) -> tf.data.Dataset:
    manifest = one_hot_frame(num_rows)
    return make_dataset(
        manifest,
        read or CountingReader(),
        list(manifest.columns[:-1]),
        batch_size,
        epochs=epochs or Epochs(0),
        augmentation=Augmentation(signals, features, mix_up or MixUp()),
        **options,
    )


def parts(data: tf.data.Dataset) -> tuple[np.ndarray, ...]:
    """Go through an epoch and give all of it."""
    return tuple(np.concatenate(part) for part in zip(*epoch(data), strict=True))


def test_signals_and_labels_are_mixed_alike_with_others_of_the_whole_epoch():
    data = mixed(2000, 16, mix_up=MixUp(0.05, 0.25, probability=0.75))
    signals, labels = parts(data)
    rows = Epochs(0).rows(2000)
    np.testing.assert_allclose(labels @ np.arange(2000), signals[:, 0], rtol=1e-4)
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-6)
    weight = 1 - labels[np.arange(2000), rows]
    partner = np.where(weight > 0, np.where(labels == labels.max(1, keepdims=True), 0, labels).argmax(1), -1)
    applied = partner >= 0
    assert 0.05 <= weight[applied].min() < 0.06 and 0.24 < weight[applied].max() < 0.25001
    assert scipy.stats.kstest(weight[applied], scipy.stats.uniform(0.05, 0.2).cdf).pvalue > 0.001
    assert scipy.stats.binomtest(int(applied.sum()), 2000, 0.75).pvalue > 0.001
    assert not (partner == rows).any()
    assert len(np.unique(partner[applied])) == applied.sum()  # each mixed in once an epoch
    batch_of = np.empty(2000, int)
    batch_of[rows] = np.arange(2000) // 16
    same_batch = batch_of[partner[applied]] == (np.arange(2000) // 16)[applied]
    assert same_batch.mean() < 0.03  # 15 of 1999 by chance
    assert scipy.stats.kstest(partner[applied], scipy.stats.uniform(0, 2000).cdf).pvalue > 0.001


@pytest.mark.parametrize("batches_per_read", [1, 3])
def test_only_what_is_mixed_in_is_read_for_it(batches_per_read):
    read = CountingReader()
    _, labels = parts(mixed(60, read=read, batches_per_read=batches_per_read))
    num_mixed = (labels.max(1) < 1).sum()
    assert 30 < num_mixed < 60
    assert len(read.rows) == 60 + num_mixed


@pytest.mark.slow
def test_what_is_mixed_in_goes_through_the_front_end_and_is_not_augmented(rng):
    signals = rng.standard_normal((30, 64)).astype(np.float32)
    front_end, mask = Spectrogram(16, 8), TimeMask(3)
    options = {"read": ArrayReader(signals), "front_end": front_end, "signals": LOUDER}
    data = mixed(30, 30, mix_up=MixUp(0.25, 0.25, probability=1), features=mask, **options)
    (received, labels), rows, (seeds,) = epoch(data)[0], Epochs(0).rows(30), Epochs(0).seeds(1)
    partner = np.where(labels == 0.25)[1]
    own = mask(front_end(LOUDER(signals[rows], seed=seeds[0])), seed=seeds[1])
    np.testing.assert_allclose(
        received, 0.75 * own + 0.25 * front_end(signals[partner]), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("batches_per_read", others_slow([2, 100], 2))
def test_mixed_batches_that_are_read_together_are_the_same_batches(batches_per_read):
    options = {"sample_weight": np.arange(60), "signals": Gain()}
    for received, expected in zip(
        epoch(mixed(**options, batches_per_read=batches_per_read)), epoch(mixed(**options)), strict=True
    ):
        for one, other in zip(received, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.slow
def test_a_mixed_epoch_can_be_had_without_those_before():
    def epochs(seed, first, count):
        data = mixed(epochs=Epochs(seed, first), signals=Gain())
        return np.stack([parts(data)[0] for _ in range(count)])

    np.testing.assert_array_equal(epochs(0, 0, 4)[2:], epochs(0, 2, 2))
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(epochs(0, 0, 1), epochs(0, 0, 1))
    assert (epochs(0, 0, 1) != epochs(1, 0, 1)).any()


@pytest.mark.slow
def test_partners_are_others_in_each_epoch():
    def partners(number):
        drawn = draw_partners(MixUp(probability=1), np.arange(500), Epochs(3, number).mixing_seed())
        return drawn["partner"].numpy()

    drawn = np.stack([partners(number) for number in range(40)])
    assert (np.sort(drawn) == np.arange(500)).all()
    assert (drawn[0] == drawn[1]).mean() < 0.02
    assert len(np.unique(drawn[:, 0])) > 34  # of 40 draws of 499


@pytest.mark.slow
@hypothesis.settings(max_examples=6, deadline=None)
@hypothesis.given(
    st.integers(1, 40), st.integers(1, 12), st.integers(1, 4), st.sampled_from([(3,), (5, 2), (4, 3, 2)])
)
def test_mixed_batches_have_the_shapes_of_unmixed_ones(num_rows, batch_size, batches_per_read, shape):
    signals = np.random.default_rng(0).standard_normal((num_rows, *shape)).astype(np.float32)
    data = mixed(num_rows, batch_size, ArrayReader(signals), batches_per_read=batches_per_read)
    assert data.element_spec[0].shape.as_list() == [None, *shape]
    lengths = [(len(x), len(y)) for x, y in epoch(data)]
    assert [x for x, _ in lengths] == [y for _, y in lengths]
    assert sum(x for x, _ in lengths) == num_rows and len(lengths) == -(-num_rows // batch_size)
    x, y = parts(data)
    np.testing.assert_allclose(x, np.tensordot(y, signals, 1), rtol=1e-4, atol=1e-5)


def test_labels_that_cannot_be_mixed():
    with pytest.raises(ValueError, match="MixUp needs labels that can be mixed"):
        make_dataset(
            frame(9), CountingReader(), NAMES, 4, epochs=Epochs(0), augmentation=Augmentation(mix_up=MixUp())
        )


# Targets, weights, orders


def test_soft_labels_come_in_the_order_of_the_classes():
    manifest = pd.DataFrame({"b": [0.25, 1, 0], "row": [0, 1, 2], "a": ["0.75", "0", "0.5"], "c": 0})
    data = make_dataset(manifest, CountingReader(), NAMES, 2)
    assert data.element_spec[1] == tf.TensorSpec([None, 3], tf.float32)
    labels = np.concatenate([y for _, y in epoch(data)])
    np.testing.assert_array_equal(labels, [[0.75, 0.25, 0], [0, 1, 0], [0.5, 0, 0]])


def test_soft_labels_that_are_missing_or_no_numbers():
    with pytest.raises(UserError, match=r"neither a column `label` nor one for each class: c missing"):
        targets(pd.DataFrame({"a": [1], "b": [0]}), NAMES)
    for bad in ("many", np.nan, np.inf, None):
        with pytest.raises(UserError, match=r"finite numbers\. They do not in row 8"):
            targets(pd.DataFrame({"a": [1, bad], "b": 0, "c": 0}, index=[3, 8]), NAMES)


def test_weights_stay_with_their_rows():
    manifest = frame(23).assign(weight=np.arange(23) / 10)
    data = make_dataset(
        manifest, CountingReader(), NAMES, 4, epochs=Epochs(0), sample_weight=manifest["weight"]
    )
    assert data.element_spec[2] == tf.TensorSpec([None], tf.float32)
    for signals, _, weights in epoch(data):
        np.testing.assert_allclose(weights, signals[:, 0] / 10, rtol=1e-6)


@pytest.mark.parametrize("weights", [[1] * 4, [[1]] * 5, [1, 1, -1, 1, 1], [1, 1, np.nan, 1, 1]])
def test_weights_that_cannot_be(weights):
    with pytest.raises(ValueError, match=r"one number a row, not negative\. Received: shape .* for 5 rows"):
        make_dataset(frame(5), CountingReader(), NAMES, 4, sample_weight=weights)


def test_rows_come_as_an_order_says_as_often_as_it_says():
    def twice_each_even_row(seed):
        return np.random.default_rng(seed).permutation(np.repeat(np.arange(0, 10, 2), 2))

    data = make_dataset(frame(10), CountingReader(), NAMES, 4, epochs=Epochs(3, order=twice_each_even_row))
    assert len(data) == 3
    for number in range(3):
        assert order(data) == twice_each_even_row((3, number)).tolist()


def small_model() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input([64]), keras.layers.Dense(3)])
    model.compile(
        keras.optimizers.SGD(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy"],
    )  # fmt: skip
    return model


def test_fit_with_class_weights_equals_fit_with_weights(rng):
    signals = rng.standard_normal((30, 64)).astype(np.float32)
    manifest = pd.DataFrame({"label": np.resize(NAMES, 30)})

    def losses(class_weight=None, **kwargs):
        data = make_dataset(manifest, ArrayReader(signals), NAMES, 7, epochs=Epochs(0), **kwargs)
        return small_model().fit(data, epochs=3, class_weight=class_weight, verbose=0).history["loss"]

    weighted = losses(sample_weight=manifest["label"].map({"a": 1, "b": 5, "c": 0.5}))
    np.testing.assert_allclose(losses({0: 1, 1: 5, 2: 0.5}), weighted, rtol=1e-5)
    assert not np.allclose(losses(), weighted, rtol=1e-2)


def test_memory_stays_flat_however_many_rows():
    num_rows = 100_000
    manifest = pd.DataFrame({"label": np.resize(NAMES, num_rows), "path": [f"{i}" for i in range(num_rows)]})
    read = ArrayReader(np.zeros((num_rows, 4), np.float32))
    tracemalloc.start()
    data = make_dataset(manifest, read, NAMES, 500, epochs=Epochs(0))
    labels = np.concatenate([y for _, y in data.as_numpy_iterator()])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.bincount(labels).tolist() == [33_334, 33_333, 33_333]
    assert peak < 60 * num_rows


def test_unknown_label_is_named_with_those_that_are_known():
    with pytest.raises(UserError, match=r"Unknown labels: b, c\. The model's classes are: a, z\."):
        make_dataset(frame(9), CountingReader(), ["a", "z"], 4)


@pytest.mark.parametrize("of", [list, np.array, pd.Series])
def test_labels_may_be_in_any_sequence(of):
    assert label_indices(of(["b", "a", "b"]), of(["a", "b"])).tolist() == [1, 0, 1]


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


@pytest.mark.parametrize("batches_per_read", others_slow([2, 3, 100], 3))
def test_batches_that_are_read_together_are_the_same_batches(batches_per_read):
    manifest, reader = frame(23), CountingReader()
    options = {"augmentation": Augmentation(Gain()), "sample_weight": np.arange(23)}
    together = make_dataset(
        manifest, reader, NAMES, 4, None, Epochs(3), **options, batches_per_read=batches_per_read
    )
    singly = make_dataset(manifest, CountingReader(), NAMES, 4, None, Epochs(3), **options)
    assert together.cardinality() == singly.cardinality() == 6
    assert together.element_spec == singly.element_spec
    for _ in range(2):
        for received, expected in zip(epoch(together), epoch(singly), strict=True):
            for one, other in zip(received, expected, strict=True):
                np.testing.assert_array_equal(one, other)
    assert len(reader.rows) == 2 * 23


@pytest.mark.slow
@pytest.mark.parametrize(("batches_per_read", "count"), [(1, 2), (2, 3)])
def test_slices_are_together_the_whole_batches_augmented_alike(batches_per_read, count):
    num_rows, names = 13, ["a", "b"]
    frame = pd.DataFrame({"a": np.linspace(0, 1, num_rows), "b": 1 - np.linspace(0, 1, num_rows)})
    signals = np.random.default_rng(0).normal(size=(num_rows, 64)).astype(np.float32)

    def batches(**which):
        made = make_dataset(
            frame,
            ArrayReader(signals),
            names,
            4,
            RESHAPED,
            Epochs(3),
            augmentation=Augmentation(Gain(-20.0, 20.0), TimeMask(3), MixUp(probability=0.5)),
            sample_weight=np.arange(num_rows),
            batches_per_read=batches_per_read,
            **which,
        )
        return [list(made.as_numpy_iterator()) for _ in range(2)]

    shares = [batches(batch_slice=BatchSlice(number, count)) for number in range(count)]
    for epoch, whole in enumerate(batches()):
        assert len(whole) == 4
        for batch, expected in enumerate(whole):
            parts = [share[epoch][batch] for share in shares]
            sizes = [len(part[0]) for part in parts]
            assert max(sizes) - min(sizes) <= 1
            for received, wanted in zip(zip(*parts, strict=True), expected, strict=True):
                np.testing.assert_allclose(np.concatenate(received), wanted, rtol=1e-5, atol=1e-6)


def test_batches_are_those_that_earlier_versions_made():
    """So that a run which one of them began goes on as it would have."""
    epochs = Epochs(7, 3)
    assert epochs.rows(6).tolist() == [4, 0, 3, 2, 5, 1]
    assert epochs.seeds(1).tolist() == [[[1542248424, 1143365813], [545897512, 112095572]]]
    assert epochs.mixing_seed().tolist() == [1255371100, 1743024643]
    manifest = pd.DataFrame({"a": np.linspace(0, 1, 6), "b": np.linspace(1, 0, 6)})
    read = ArrayReader(np.arange(1, 7, dtype=np.float32)[:, np.newaxis])
    changed = Augmentation(Gain(-6.0, 6.0), mix_up=MixUp(0.1, 0.4, probability=0.5))
    signals, labels = parts(make_dataset(manifest, read, ["a", "b"], 4, epochs=epochs, augmentation=changed))
    expected = [7.4570804, 1.7063241, 2.0357735, 5.2477736, 11.478719, 1.8515176]
    np.testing.assert_allclose(signals[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(labels[:, 0], [0.8, 0.11375015, 0.6, 0.4, 1, 0.2], rtol=1e-5)


@pytest.mark.parametrize("make", [lambda *of: make_dataset(*of[:2], ["a"], of[2]), read_batches])
def test_no_iteration_waits_for_a_thread_that_tunes(make):
    rows, read = pd.DataFrame({"label": ["a"] * 3}), ArrayReader(np.zeros([3, 100], np.float32))
    assert make(rows, read, 2).options().autotune.enabled is False


class Shaped(keras.layers.Layer):
    """A front end whose features are of other shapes than it says."""

    def __init__(self, shape, said):
        super().__init__()
        self.shape, self.said = shape, said

    def call(self, x):
        return self.shape and tf.reshape(x, (-1, *self.shape))

    def compute_output_shape(self, input_shape):
        return (
            super().compute_output_shape(input_shape) if self.said is None else (input_shape[0], *self.said)
        )


@pytest.mark.parametrize(
    ("shape", "said", "told"),
    [
        ((4, 3, 1), (6, 2, 1), r"features of shape \(2, 4, 3, 1\), said to be \(2, 6, 2, 1\)"),
        (None, (4, 3, 1), "features of shape None"),
        ((4, 3, 1), None, "Should implement `def compute_output_shape"),
    ],
)
def test_a_front_end_that_does_not_do_as_it_says_is_refused(shape, said, told):
    batch = tf.ones([2, 12]), tf.constant([0, 1])
    with pytest.raises(UserError, match=told):
        apply_layers(batch, {}, Draws([[0, 0]] * 2, [0, 2]), Shaped(shape, said), Augmentation())


def test_an_augmentation_that_changes_the_shape_is_refused():
    class Shorter(RandomLayer):
        def draw(self, batch, seed):
            return {}

        def apply(self, x, params):
            return x[:, :5]

    batch = tf.ones([2, 12]), tf.constant([0, 1])
    with pytest.raises(UserError, match=r"Shorter must keep the shape \(2, 12\). Received: \(2, 5\)"):
        apply_layers(batch, {}, Draws([[0, 0]] * 2, [0, 2]), None, Augmentation(signals=Shorter()))
