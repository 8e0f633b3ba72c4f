"""The options that all pipelines share, each group a mixin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tfspec.base.options import AnyCount, Batch, Count, Name, Range, Rate, Ratio, Seed, Strategy
from tfspec.distributed.devices import Jit
from tfspec.training import Precision


@dataclass(kw_only=True)
class RunOptions:
    """What is run, and what becomes of it."""

    out: Path | None = None
    """Run folder to write; runs/NAME-TIME if not given."""
    on_bad_file: Literal["stop", "skip"] = "stop"
    """Stop before training if any file cannot be used, or leave these out and list them in the run folder."""
    examples: Literal["first", "random"] = "first"
    """Which examples of each class are drawn."""
    num_members: Annotated[int, Range(1, 1000)] = 1
    """Models that are trained, each from a seed of its own; their probabilities are averaged."""
    seed: Seed = 0
    """Same seed, same split and batches, and on the same machine the same losses."""

    @property
    def runs_folder(self) -> Path:
        """Folder that the run folder goes into, and beside it what several runs can use."""
        return Path("runs") if self.out is None else self.out.parent


@dataclass(kw_only=True)
class TrainingOptions:
    """How the backbone learns."""

    epochs: Count = 20
    """Largest number of epochs."""
    patience: AnyCount | None = 2
    """Epochs without a lower validation loss after which training stops; none never stops before the end."""
    keep: Literal["best", "last"] = "best"
    """The epoch whose model counts: that of the lowest validation loss, or the last one."""
    batch_size: Batch = 32
    """Examples a training batch."""
    drop_remainder: bool = False
    """Leave out each epoch's last training batch if it is smaller than the others."""
    validation_batch_size: Batch = 64
    """Examples a batch in validation and prediction."""
    learning_rate: Rate = 1e-3
    """Adam's learning rate at the start."""
    learning_rate_end: Ratio = 1.0
    """Part of it that a cosine over all epochs leaves at the end; 1 keeps it constant."""
    clip_norm: Annotated[float, Range(0, 10**12, without_low=True)] | None = None
    """Each weight's gradient is scaled down to this norm; none leaves it."""


@dataclass(kw_only=True)
class ComputingOptions:
    """What computes, how precisely, and what is kept for the next time."""

    precision: Precision = "float32"
    """Of what training computes; 16 bits are faster on devices made for them. Kept models are float32."""
    strategy: Strategy = "auto"
    """Devices to train on: none is one; auto takes all GPUs, or the machines that TF_CONFIG names. Batches
    stay what they are, each device has its share."""
    jit: Jit = "auto"
    """Compile training by XLA; auto does so on one GPU."""
    processes: Annotated[int, Range(1, 256)] = 1
    """Models that train at the same time, each in a process of its own; 1 trains one after the other."""
    feature_store: Path | None = None
    """Folder that keeps computed features for this run and others; if not given, those that memory does not
    hold go to `features` beside the run folder, and those that are there already are used."""
    loader: Literal["tf.data", "sequence"] = "tf.data"
    """What makes the batches of training: tf.data, or a keras.utils.Sequence, which reads one after another
    on one device. They are the same batches."""
    data_service: Name | None = None
    """grpc://host:port of a `tfspec data-server`, whose workers read, augment and make features batch by
    batch, none kept; they must have the data and the run folder under the same paths. The batches are the
    same, in any order."""
