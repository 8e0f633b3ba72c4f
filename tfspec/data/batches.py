"""From a manifest to batches, through tf.data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec.augment.augmentation import NO_AUGMENTATION, Augmentation
from tfspec.base.frames import Frames
from tfspec.base.model import Labels
from tfspec.data.epochs import Epochs, check_epochs
from tfspec.data.examples import Examples
from tfspec.data.frame_targets import check_keeps_time
from tfspec.data.graphs import as_it_is, untuned
from tfspec.data.plan import Plan
from tfspec.data.readers import Reader
from tfspec.data.slices import WHOLE, BatchSlice
from tfspec.data.stages import Stages


class DataService(Protocol):
    """Has batches made by other processes, such as `tfspec.distributed.service.Service`."""

    def take(self, positions: Sequence[tf.Tensor], dtypes: Sequence[tf.DType]) -> Sequence[tf.Tensor]:
        """Do in a graph what `Examples.take` does, in the process that makes a batch."""

    def distribute(
        self, make: Callable[[], tf.data.Dataset], element_spec: Any, length: int
    ) -> tf.data.Dataset:
        """Have the elements of endless datasets made, each of so many numbers once an iteration."""


def make_dataset(
    manifest: pd.DataFrame,
    read: Reader,
    class_names: Sequence[str],
    batch_size: int,
    front_end: keras.Layer | None = None,
    epochs: Epochs | None = None,
    *,
    augmentation: Augmentation = NO_AUGMENTATION,
    sample_weight: np.ndarray | None = None,
    labels: Labels = "one",
    frames: Frames | None = None,
    batches_per_read: int = 1,
    batch_slice: BatchSlice = WHOLE,
    service: DataService | None = None,
    repeated: bool = False,
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
        augmentation: random layers on signals and on features, and mixing; needs `epochs`. Only what is mixed
            in is read for it.
        sample_weight: (rows,) weights of the examples, such as a column of the manifest.
        labels: "one" class an example, or "several" at once, as in `targets`.
        frames: makes the targets of `FrameTargets`, for a backbone with an `event_head`, whose frames lie so.
        batches_per_read: batches that are read together, one such read ahead, where the reader gains from it.
            What the batches hold does not depend on it.
        batch_slice: makes only these examples of each batch, for several workers. All workers' are together
            the batch that one would make, augmented alike.
        service: has the batches made by its workers, whose `take` returns what `Examples(manifest, read,
            class_names, sample_weight, labels, frames).take` would. They are the same batches, in any order.
        repeated: one epoch after another without end, which spares what tf.data does when each begins; not
            where there is a service.

    Returns:
        Batches ((batch, *shape) float32, (batch,) int32), or labels (batch, classes) float32 from columns of
        numbers, or (batch, 1 + frames, classes); then (batch,) float32 weights where given.

    Raises:
        UserError: as of `targets`, or there are frames and layers that move sounds in time.
        ValueError: the weights are not one number a row, not negative, there are layers that draw and no
            epochs, labels that cannot be mixed, or a service is to go on without end.

    Example:
        >>> from tfspec.data.readers import ArrayReader
        >>> frame = pd.DataFrame({"label": ["a", "b", "a"]})
        >>> read = ArrayReader(np.zeros([3, 100]))
        >>> [x.shape[0] for x, y in make_dataset(frame, read, ["a", "b"], batch_size=2)]
        [2, 1]
    """
    check_epochs(epochs, augmentation)
    if frames is not None:
        check_keeps_time(augmentation)
    if repeated and service is not None:
        raise ValueError("A service makes one epoch at a time. Received: repeated=True and a service")
    examples = Examples(manifest, read, class_names, sample_weight, labels, frames)
    plan = Plan(len(manifest), batch_size, epochs, augmentation.mix_up, batches_per_read, batch_slice)
    if service is None:
        stages = Stages(examples, front_end, augmentation)
        numbers = plan.numbers(repeated)
        reads = numbers.flat_map(as_it_is(lambda number: plan.reads(plan.draw_in_graph(number))))
        data = stages.batches(reads, plan).map(as_it_is(lambda number, batch: batch))
    else:
        stages = Stages(examples, front_end, augmentation, service.take)
        data = service.distribute(
            lambda: stages.batches(plan.reads(plan.draw(plan.start()), repeated=True), plan),
            stages.batches(plan.reads(plan.like()), plan).element_spec,
            plan.num_batches,
        )
    length = tf.data.INFINITE_CARDINALITY if repeated else plan.num_batches
    return _prefetched(_with_length(data, length))


def read_batches(manifest: pd.DataFrame, read: Reader, batch_size: int) -> tf.data.Dataset:
    """Make batches of signals, in the manifest's order.

    Args:
        manifest: whatever `read` needs.
        read: such as an `AudioReader` or an `ArrayReader`.
        batch_size: examples a batch; the last one may be smaller.

    Returns:
        Batches (batch, *signal_shape) float32.

    Example:
        >>> from tfspec.data.readers import ArrayReader
        >>> frame = pd.DataFrame({"label": ["a", "b", "a"]})
        >>> [x.shape[0] for x in read_batches(frame, ArrayReader(np.zeros([3, 100])), 2)]
        [2, 1]
    """
    examples = Examples(manifest, read)
    plan = Plan(len(manifest), batch_size)
    signals = plan.reads(plan.like()).map(
        as_it_is(lambda rows, *_: examples.decode(rows)[0]), num_parallel_calls=tf.data.AUTOTUNE
    )
    return _prefetched(signals)


def _prefetched(data: tf.data.Dataset) -> tf.data.Dataset:
    return data.prefetch(tf.data.AUTOTUNE).with_options(untuned())


def _with_length(data: tf.data.Dataset, length: int) -> tf.data.Dataset:
    """Tell the length, which flat_map does not and the progress bar and the steps of an epoch need."""
    return data.apply(tf.data.experimental.assert_cardinality(length))
