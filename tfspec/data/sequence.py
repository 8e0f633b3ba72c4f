"""From a manifest to batches by number, as a `keras.utils.Sequence`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import NamedTuple

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
from tfspec.data.plan import Draws, Epoch, Plan, draw_partners
from tfspec.data.readers import Reader
from tfspec.data.stages import apply_layers

# Takes (samples,) and the sample rate and gives (samples,), as those of audiomentations do, or features.
Transform = Callable[[np.ndarray, int | None], np.ndarray]


class Drawn(NamedTuple):
    """What is drawn for an epoch.

    Args:
        number: of the epoch.
        epoch: its rows and seeds.
        mixing: (examples,) of each parameter, as `draw_partners` draws them.
    """

    number: int
    epoch: Epoch
    mixing: dict[str, np.ndarray]


class SignalSequence(keras.utils.PyDataset):
    """Batches of (signal, label), or (features, label) where a front end is given, each read when asked for.

    A batch depends on the seed, the epoch and its number alone, whoever asks for it and in which order. It is
    that of `make_dataset`. The epoch is the one that `epochs` is at; `on_epoch_end` goes on to the next, and
    `model.fit` calls it after each, and once before the first. Give `model.fit` `shuffle=False`: otherwise
    Keras puts the batches in an order of its own, by Python's global `random`.

    Args:
        manifest: as in `make_dataset`.
        read: as in `make_dataset`.
        class_names: as in `make_dataset`.
        batch_size: examples a batch; the last one may be smaller.
        front_end: layer from signals to features.
        epochs: as in `make_dataset`.
        transform: changes one signal, before the layers: called with (samples,) and the reader's sample rate,
            gives (samples,), or features where nothing else makes them. Whether it is random, and from which
            seed, is its own affair.
        augmentation: as in `make_dataset`; what is mixed in is not transformed either.
        sample_weight: as in `make_dataset`.
        labels: as in `make_dataset`.
        frames: as in `make_dataset`.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of `keras.utils.PyDataset`.

    Raises:
        UserError: as in `make_dataset`.
        ValueError: as in `make_dataset`, or layers are to run in forked processes.

    Example:
        >>> from tfspec.data.readers import ArrayReader
        >>> frame = pd.DataFrame({"label": ["a", "b", "a"]})
        >>> batches = SignalSequence(frame, ArrayReader(np.zeros([3, 100])), ["a", "b"], batch_size=2)
        >>> [x.shape[0] for x, y in batches]
        [2, 1]
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        read: Reader,
        class_names: Sequence[str],
        batch_size: int,
        front_end: keras.Layer | None = None,
        epochs: Epochs | None = None,
        *,
        transform: Transform | None = None,
        augmentation: Augmentation = NO_AUGMENTATION,
        sample_weight: np.ndarray | None = None,
        labels: Labels = "one",
        frames: Frames | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_epochs(epochs, augmentation)
        if frames is not None:
            check_keeps_time(augmentation)
        self.examples = Examples(manifest, read, class_names, sample_weight, labels, frames)
        self.batch_size = batch_size
        self.epochs = epochs
        self.transform = transform
        self.front_end = front_end
        self.augmentation = augmentation
        self.has_layers = front_end is not None or bool(augmentation.layers)
        if self.use_multiprocessing and self.has_layers and multiprocessing.get_start_method() == "fork":
            raise ValueError(
                "TensorFlow stands still in a forked process: layers do not go with `use_multiprocessing`. "
                'Use threads (`workers` alone), or multiprocessing.set_start_method("spawn", force=True).'
            )
        self._plan = Plan(len(manifest), batch_size, epochs, augmentation.mix_up)
        self._graph: Callable | None = None
        self._last_drawn = self._draw()

    def _drawn(self) -> Drawn:
        """Return what is drawn for the epoch that `epochs` is at, once an epoch in each process."""
        drawn = self._last_drawn
        if self.epochs is not None and drawn.number != self.epochs.number:
            drawn = self._last_drawn = self._draw()
        return drawn

    def _draw(self) -> Drawn:
        number = 0 if self.epochs is None else self.epochs.number
        epoch = self._plan.draw(number)
        partners = draw_partners(self.augmentation.mix_up, epoch.rows, epoch.mixing_seed)
        return Drawn(number, epoch, {name: values.numpy() for name, values in partners.items()})

    def on_epoch_end(self):
        """Go on to the next epoch."""
        if self.epochs is not None:
            self.epochs.number += 1

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return self._plan.num_batches

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Make a batch of this epoch: as in `make_dataset`, of NumPy arrays.

        Raises:
            IndexError: there is no such batch.
        """
        drawn = self._drawn()
        first = range(len(self))[index] * self.batch_size
        chosen = slice(first, first + self.batch_size)
        mixing = {name: values[chosen] for name, values in drawn.mixing.items()}
        batch = self.examples.take(drawn.epoch.rows[chosen], mixing.get("partner"))
        if self.transform is not None:
            rate = self.examples.read.sample_rate
            signals = np.stack([self.transform(signal, rate) for signal in batch[0]]).astype(np.float32)
            batch = signals, *batch[1:]
        if self.has_layers:
            draws = Draws(drawn.epoch.seeds[index], np.array([0, len(batch[0])]))
            batch = self._through_layers(batch, mixing, draws)
        return batch

    def _through_layers(self, *arguments) -> tuple[np.ndarray, ...]:
        """Apply the layers by a graph for batches of any size, as a dataset has: the numbers are the same."""
        if self._graph is None:
            any_size = tf.nest.map_structure(
                lambda array: tf.TensorSpec([None, *array.shape[1:]], array.dtype), arguments
            )
            self._graph = tf.function(
                lambda batch, mixing, draws: apply_layers(
                    batch, mixing, draws, self.front_end, self.augmentation
                ),
                input_signature=any_size,
                autograph=False,
            )
        return tuple(part.numpy() for part in self._graph(*arguments))

    def __getstate__(self) -> dict:
        """Leave out the graph, which a process makes for itself."""
        return {**self.__dict__, "_graph": None}
