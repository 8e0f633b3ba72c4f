"""From a manifest to batches, through tf.data."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.augment import MixUp, RandomLayer
from tfspec.base.errors import UserError, listed
from tfspec.base.text import excerpt, normalized
from tfspec.data.readers import Reader
from tfspec.distributed.service import Service

Order = Callable[[tuple[int, int]], np.ndarray]
"""Takes a seed and the number of an epoch, and gives the positions of its rows in the manifest."""


@dataclass
class Epochs:
    """What differs from epoch to epoch: a function of the seed and the epoch's number alone.

    So a run that was killed goes on with the batches that it would have had.

    Args:
        seed: same seed, same orders, and same draws of the augmentations.
        number: that of the epoch that comes next. Every iteration over a dataset is one.
        order: takes (seed, number) and gives the positions of an epoch's rows, equally many in every epoch,
            such as `functools.partial(balanced_order, labels, num_classes, num_examples)`; None for a
            permutation of all rows.

    Example:
        >>> epochs = Epochs(seed=0)
        >>> epochs.rows(4).tolist()
        [2, 0, 1, 3]
    """

    seed: int
    number: int = 0
    order: Order | None = None

    def rows(self, num_rows: int) -> np.ndarray:
        """Give the positions of this epoch's rows among `num_rows`."""
        seed = (self.seed, self.number)
        return np.random.default_rng(seed).permutation(num_rows) if self.order is None else self.order(seed)

    def seeds(self, num_batches: int) -> np.ndarray:
        """Draw (num_batches, 2, 2): for each batch two integers for its signals and two for its features."""
        rng = np.random.default_rng([self.seed, self.number, 1])
        return rng.integers(2**31, size=(num_batches, 2, 2))

    def mixing_seed(self) -> np.ndarray:
        """Draw (2,): two integers for what is mixed with what in this epoch."""
        return np.random.default_rng([self.seed, self.number, 2]).integers(2**31, size=2)


@dataclass(frozen=True)
class Share:
    """The examples of every batch that one of several workers makes, as many as the others give or take one.

    Args:
        number: of the worker, from 0.
        count: of all workers.

    Example:
        >>> [(int(Share(number, 3).start(8)), Share(number, 3).size(8)) for number in range(3)]
        [(0, 3), (3, 3), (6, 2)]
    """

    number: int = 0
    count: int = 1

    def start(self, total):
        """Give the place of its first example among the `total` of a batch, ints or an array of them."""
        return total // self.count * self.number + np.minimum(self.number, total % self.count)

    def size(self, total):
        """Count its examples among the `total` of a batch, ints, an array of them or a tensor."""
        return (total + self.count - 1 - self.number) // self.count


WHOLE = Share()


def make_dataset(
    manifest: pd.DataFrame,
    read: Reader,
    class_names: Sequence[str],
    batch_size: int,
    front_end: keras.Layer | None = None,
    epochs: Epochs | None = None,
    *,
    augment: RandomLayer | None = None,
    augment_features: RandomLayer | None = None,
    mix_up: MixUp | None = None,
    sample_weight: np.ndarray | None = None,
    batches_per_read: int = 1,
    share: Share = WHOLE,
    service: Service | None = None,
) -> tf.data.Dataset:
    """Make batches of (signal, label), or of (features, label) where a front end is given.

    The stages are read, augmentation of the signals, front end, augmentation of the features, mixing,
    prefetch, each on whole batches. Nothing is cached: what shall be computed only once comes from
    `precompute` or a `FeatureStore`. The same batches by number are a `SignalSequence`.

    Args:
        manifest: column `label`, or a column of numbers a class, named as it; and whatever `read` needs.
        read: such as an `AudioReader` or an `ArrayReader`.
        class_names: labels in the order of the model's logits.
        batch_size: examples a batch; the last one may be smaller.
        front_end: layer from signals to features.
        epochs: shuffle, each epoch in another order; None keeps the manifest's order.
        augment: random layer on signals, such as those of `tfspec.augment`; needs `epochs`.
        augment_features: random layer on features; needs `epochs`.
        mix_up: mixes each example with another one of the whole epoch, which goes through the front end but
            is not augmented; needs `epochs` and soft labels. Only what is mixed in is read for it.
        sample_weight: (rows,) weights of the examples, such as a column of the manifest.
        batches_per_read: batches that are read together, one such read ahead, where the reader gains from it.
            What the batches hold does not depend on it.
        share: makes only these examples of each batch, for several workers. Those of all workers are together
            the batch that one would make, augmented alike.
        service: has the batches made by its workers, whose `Rows.take` gives what `Examples(manifest, read,
            class_names, sample_weight).take` would. They are the same batches, in any order.

    Returns:
        Batches ((batch, *shape) float32, (batch,) int32), or labels (batch, classes) float32 from columns of
        numbers; then (batch,) float32 weights where given.

    Raises:
        UserError: a label is not among the class names, or columns of classes are missing or hold what is no
            number.
        ValueError: the weights are not one number a row, not negative, there are layers that draw and no
            epochs, or labels that cannot be mixed.

    Example:
        >>> frame = pd.DataFrame({"label": ["a", "b", "a"]})
        >>> read = ArrayReader(np.zeros([3, 100]))
        >>> [x.shape[0] for x, y in make_dataset(frame, read, ["a", "b"], batch_size=2)]
        [2, 1]
    """
    check_epochs(epochs, augment, augment_features, mix_up)
    examples = Examples(manifest, read, class_names, sample_weight)
    layers = functools.partial(
        apply_layers, augment=augment, front_end=front_end, augment_features=augment_features, mix_up=mix_up
    )

    def read_rows(drawn, draws):
        rows, mixing = drawn
        return (examples.decode(rows, mixing.get("partner"), service), mixing), draws

    def read_batch(drawn, draws):
        return read_rows(drawn, _at(0, draws))

    def batches(reads):
        """Make a batch and its number of each of those that are read together."""
        if batches_per_read == 1:
            data = reads.map(read_batch, num_parallel_calls=tf.data.AUTOTUNE)
        else:
            data = _in_batches(reads.map(read_rows).prefetch(1), share.size(batch_size))
        return data.map(
            lambda read, draws: (draws[-1], layers(*read, *draws[:-1])), num_parallel_calls=tf.data.AUTOTUNE
        )

    plan = _Plan(len(manifest), batch_size, epochs, batches_per_read, mix_up, share)
    if service is None:
        data = tf.data.Dataset.range(1).flat_map(lambda _: plan.reads(plan.in_graph()))
        data = batches(data).map(lambda _, batch: batch)
    else:
        layers = tf.function(layers)  # traced once and not for every epoch
        data = service.distribute(
            lambda: batches(plan.reads(plan.next(), repeated=True)),
            batches(plan.reads(plan.like())).element_spec,
            plan.num_batches,
        )
    return _with_length(data, plan.num_batches).prefetch(tf.data.AUTOTUNE)


def read_batches(manifest: pd.DataFrame, read: Reader, batch_size: int) -> tf.data.Dataset:
    """Make batches of signals, in the manifest's order.

    Args:
        manifest: whatever `read` needs.
        read: such as an `AudioReader` or an `ArrayReader`.
        batch_size: examples a batch; the last one may be smaller.

    Returns:
        Batches (batch, *signal_shape) float32.

    Example:
        >>> frame = pd.DataFrame({"label": ["a", "b", "a"]})
        >>> [x.shape[0] for x in read_batches(frame, ArrayReader(np.zeros([3, 100])), 2)]
        [2, 1]
    """
    examples = Examples(manifest, read)
    plan = _Plan(len(manifest), batch_size)
    data = plan.reads(plan.next())
    data = data.map(lambda drawn, _: examples.decode(drawn[0])[0], num_parallel_calls=tf.data.AUTOTUNE)
    return data.prefetch(tf.data.AUTOTUNE)


class _Plan:
    """Says for every epoch which rows its batches hold, what these are mixed with, and what else is drawn.

    Args:
        num_rows: of the manifest.
        batch_size: as in `make_dataset`.
        epochs: as in `make_dataset`.
        batches_per_read: as in `make_dataset`.
        mix_up: as in `make_dataset`.
        share: as in `make_dataset`.
    """

    def __init__(
        self,
        num_rows: int,
        batch_size: int,
        epochs: Epochs | None = None,
        batches_per_read: int = 1,
        mix_up: MixUp | None = None,
        share: Share = WHOLE,
    ):
        self.num_rows, self.epochs, self.mix_up = num_rows, epochs, mix_up
        self.length = num_rows if epochs is None else len(epochs.rows(num_rows))
        self.num_batches = -(-self.length // batch_size)
        totals = np.minimum(batch_size, self.length - batch_size * np.arange(self.num_batches))
        self.places = np.stack([share.start(totals), totals], axis=1)
        batch, place = np.divmod(np.arange(self.length), batch_size)
        place -= self.places[batch, 0]
        self.own = np.flatnonzero((place >= 0) & (place < share.size(totals)[batch]))
        self.batches_per_read = batches_per_read
        self.rows_per_read = batches_per_read * share.size(batch_size)

    def like(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give what `next` would, of any epoch: positions of rows, seeds of batches, and that of mixing."""
        return np.arange(self.length), np.zeros([self.num_batches, 2, 2], np.int64), np.zeros(2, np.int64)

    def next(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw an epoch."""
        if self.epochs is None:
            return self.like()
        rows, seeds = self.epochs.rows(self.num_rows), self.epochs.seeds(self.num_batches)
        mixing_seed = self.epochs.mixing_seed()
        self.epochs.number += 1
        return rows, seeds, mixing_seed

    def in_graph(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Draw an epoch when the graph runs."""
        drawn = tf.numpy_function(self.next, [], (tf.int64, tf.int64, tf.int64))
        return tuple(tf.ensure_shape(part, like.shape) for part, like in zip(drawn, self.like(), strict=True))

    def reads(self, epoch: tuple, repeated: bool = False) -> tf.data.Dataset:
        """Make row positions and what they are mixed with, of so many batches together, and these' draws.

        The draws of a batch are its seeds, (2, 2), its place, (2,): where in the batch these rows begin, and
        how many all are; and its number.
        """
        rows, seeds, mixing_seed = epoch
        drawn = rows, draw_partners(self.mix_up, rows, mixing_seed)
        drawn = tf.nest.map_structure(lambda values: tf.gather(values, self.own), drawn)
        draws = seeds, self.places, np.arange(self.num_batches)

        def read(number):
            rows = slice(number * self.rows_per_read, (number + 1) * self.rows_per_read)
            batches = slice(number * self.batches_per_read, (number + 1) * self.batches_per_read)
            return tf.nest.map_structure(lambda values: values[rows], drawn), _at(batches, draws)

        numbers = tf.data.Dataset.range(-(-self.num_batches // self.batches_per_read))
        return (numbers.repeat() if repeated else numbers).map(read)


def _at(number, draws: tuple) -> tuple:
    return tuple(tf.convert_to_tensor(values)[number] for values in draws)


def draw_partners(
    mix_up: MixUp | None, rows: tf.Tensor | np.ndarray, seed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Draw what each row of an epoch is mixed with: another one of the epoch.

    Args:
        mix_up: as in `make_dataset`.
        rows: (rows,) int64 positions in the manifest, in the epoch's order.
        seed: (2,) integers, such as `Epochs.mixing_seed`.

    Returns:
        (rows,) of each of `MixUp`'s parameters; `partner` is a position in the manifest, −1 for rows that are
        not mixed. Empty without a `mix_up`.

    Example:
        >>> drawn = draw_partners(MixUp(probability=1.0), np.array([7, 3]), [0, 1])
        >>> drawn["partner"].numpy().tolist()
        [3, 7]
    """
    if mix_up is None:
        return {}
    params = mix_up.sample(rows.shape[0], seed)
    partner = tf.gather(rows, params["partner"])
    return {**params, "partner": tf.where(params["applied"], partner, -1)}


def _with_length(data: tf.data.Dataset, length: int) -> tf.data.Dataset:
    """Tell the length, which flat_map does not and the progress bar and the steps of an epoch need."""
    return data.apply(tf.data.experimental.assert_cardinality(length))


def _in_batches(reads: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """Part what was read together, (what has a row an example, the batches' draws), into batches."""

    def batches(read, draws):
        def batch(number):
            rows = slice(number * batch_size, (number + 1) * batch_size)
            return tf.nest.map_structure(lambda values: values[rows], read), _at(number, draws)

        return tf.data.Dataset.range(tf.shape(draws[0], tf.int64)[0]).map(batch)

    return reads.flat_map(batches)


class Examples:
    """The rows of a manifest, and what a batch of them is made of.

    Args:
        manifest: as in `make_dataset`.
        read: as in `make_dataset`.
        class_names: as in `make_dataset`; None for signals without labels.
        sample_weight: as in `make_dataset`.

    Raises:
        UserError: as in `make_dataset`.
        ValueError: as in `make_dataset`.
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        read: Reader,
        class_names: Sequence[str] | None = None,
        sample_weight: np.ndarray | None = None,
    ):
        self.manifest = manifest
        self.read = read
        self.per_row = [] if class_names is None else [targets(manifest, class_names)]
        if sample_weight is not None:
            weights = np.asarray(sample_weight, np.float32)
            if weights.shape != (len(manifest),) or not (np.isfinite(weights) & (weights >= 0)).all():
                raise ValueError(
                    "`sample_weight` must be one number a row, not negative. "
                    f"Received: shape {weights.shape} for {len(manifest)} rows, "
                    f"from {weights.min(initial=np.inf)} to {weights.max(initial=-np.inf)}"
                )
            self.per_row.append(weights)

    def take(self, rows: np.ndarray, partners: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        """Give the signals, labels and, if there are any, weights of the rows at these positions.

        With the partners' positions, −1 for none, also their signals, zeros for none, and labels. All are
        read together.
        """
        per_row = [values[rows] for values in self.per_row]
        if partners is None:
            return self._read(rows), *per_row
        mixed = partners >= 0
        signals = self._read(np.append(rows, partners[mixed]))
        others = np.zeros((len(rows), *signals.shape[1:]), signals.dtype)
        others[mixed] = signals[len(rows) :]
        return signals[: len(rows)], *per_row, others, self.per_row[0][partners]

    def _read(self, rows: np.ndarray) -> np.ndarray:
        if not len(rows):  # a worker's share of a small batch
            return np.zeros((0, *self.read.signal_shape), np.float32)
        return self.read(self.manifest.iloc[rows])

    def decode(
        self, rows: tf.Tensor, partners: tf.Tensor | None = None, service: Service | None = None
    ) -> tuple[tf.Tensor, ...]:
        """Do the same in a graph, that of a service's worker if there is one."""
        read = [(tf.float32, self.read.signal_shape)]
        read += [(values.dtype, values.shape[1:]) for values in self.per_row]
        read += [] if partners is None else read[:2]
        positions = [rows] if partners is None else [rows, partners]
        take = functools.partial(tf.numpy_function, self.take) if service is None else service.take
        batch = take(positions, [tf.as_dtype(dtype) for dtype, _ in read])
        return tuple(
            tf.ensure_shape(part, (None, *shape)) for part, (_, shape) in zip(batch, read, strict=True)
        )


def check_epochs(epochs: Epochs | None, *layers: keras.Layer | None) -> None:
    """Refuse layers that would draw the same in every epoch.

    Args:
        epochs: as in `make_dataset`.
        *layers: those that draw, or None.

    Raises:
        ValueError: there are layers that draw and no epochs.

    Example:
        >>> check_epochs(None, None, None)
    """
    if epochs is None and (drawing := [layer for layer in layers if layer is not None]):
        raise ValueError(f"`augment`, `augment_features` and `mix_up` need `epochs`. Received: {drawing}")


def apply_layers(
    batch: Sequence[tf.Tensor],
    mixing: dict[str, tf.Tensor],
    seeds: tf.Tensor,
    place: tf.Tensor,
    augment: RandomLayer | None,
    front_end: keras.Layer | None,
    augment_features: RandomLayer | None,
    mix_up: MixUp | None,
) -> tuple[tf.Tensor, ...]:
    """Augment a batch's signals, turn them into features, augment these and mix others in.

    Args:
        batch: what `Examples.take` gives, signals of shape (batch, *signal_shape).
        mixing: (batch,) of each parameter, from `draw_partners`.
        seeds: (2, 2) integers, of one batch in `Epochs.seeds`.
        place: (2,), where these examples begin in the batch that the seeds are for, and how many all are.
        augment: as in `make_dataset`.
        front_end: as in `make_dataset`.
        augment_features: as in `make_dataset`.
        mix_up: as in `make_dataset`.

    Returns:
        (batch, *shape) float32 features, or signals without a front end; labels; weights if there are any.

    Example:
        >>> from tfspec.frontends import Spectrogram
        >>> batch = tf.ones([2, 64]), tf.constant([0, 1])
        >>> apply_layers(batch, {}, tf.zeros([2, 2]), [0, 2], None, Spectrogram(16, 8), None, None)[0].shape
        TensorShape([2, 7, 9, 1])
    """
    x, *rest = batch
    if augment is not None:
        x = _augmented(augment, x, seeds[0], place)
    if front_end is not None:
        x = front_end(x)
    if augment_features is not None:
        x = _augmented(augment_features, x, seeds[1], place)
    if mix_up is not None:
        *rest, others, their_labels = rest
        others = others if front_end is None else front_end(others)
        x, rest[0] = mix_up.apply((x, rest[0]), mixing, (others, their_labels))
    return x, *rest


def _augmented(layer: RandomLayer, x: tf.Tensor, seed: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Augment a share of a batch, as if it were done to the whole batch."""
    start, total = place[0], place[1]
    drawn = layer.sample(total, seed)
    own = tf.nest.map_structure(lambda values: values[start : start + tf.shape(x, tf.int64)[0]], drawn)
    return layer.apply(x, own)


def targets(manifest: pd.DataFrame, class_names: Sequence[str]) -> np.ndarray:
    """Give what is to be learnt: each row's class, or how much of each class it has.

    Args:
        manifest: column `label`; or without one, a column of numbers a class, named as it.
        class_names: labels in the order of the model's logits.

    Returns:
        (rows,) int32, or (rows, classes) float32.

    Raises:
        UserError: a label is not among the class names, or columns of classes are missing or hold what is no
            number.

    Example:
        >>> targets(pd.DataFrame({"yes": [0.75], "no": [0.25]}), ["no", "yes"])
        array([[0.25, 0.75]], dtype=float32)
    """
    if "label" in manifest:
        return label_indices(manifest["label"], class_names)
    class_names = [*map(normalized, class_names)]
    manifest = manifest.rename(columns=normalized)
    if missing := [name for name in class_names if name not in manifest]:
        raise UserError(
            f"The manifest has neither a column `label` nor one for each class: {', '.join(missing)} missing."
        )
    shares = manifest[list(class_names)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
    if not np.isfinite(shares).all():
        bad = manifest.index[~np.isfinite(shares).all(1)]
        raise UserError(f"The classes' columns must hold finite numbers. They do not in row {bad[0]}.")
    return shares


def label_indices(labels: pd.Series, class_names: Sequence[str]) -> np.ndarray:
    """Give each label's place among the class names.

    Args:
        labels: (examples,) text.
        class_names: labels in the order of the model's logits.

    Returns:
        (examples,) int32.

    Raises:
        UserError: a label is not among the class names.

    Example:
        >>> label_indices(pd.Series(["b", "a"]), ["a", "b"]).tolist()
        [1, 0]
    """
    known = {normalized(name): place for place, name in [*enumerate(class_names)][::-1]}
    known |= {name: place for place, name in enumerate(class_names)}  # as earlier models spell them
    different = pd.Index(labels.unique(), dtype=object)
    places = [known.get(label, known.get(normalized(str(label)), -1)) for label in different]
    index = np.array(places, np.int32)[different.get_indexer(labels)]
    if (index < 0).any():
        unknown = [excerpt(label) for label in sorted(map(str, set(labels[index < 0])))]
        raise UserError(
            f"Unknown labels: {listed(unknown)}. The model's classes are: {', '.join(class_names)}."
        )
    return index
