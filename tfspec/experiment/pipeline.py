"""An experiment as one dataclass."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec import training
from tfspec.augment import Augmentation, MixUp, RandomLayer
from tfspec.base import modules
from tfspec.base.errors import UserError, listed
from tfspec.base.files import TEMPORARY, written_beside
from tfspec.base.options import (
    AnyCount,
    Batch,
    Count,
    Name,
    Range,
    Rate,
    Ratio,
    Seed,
    check_options,
    check_seeds,
)
from tfspec.base.text import excerpt, shown
from tfspec.data.batches import make_dataset
from tfspec.data.epochs import Epochs, Order
from tfspec.data.examples import Examples
from tfspec.data.precompute import precompute
from tfspec.data.problems import name_problems
from tfspec.data.readers import Reader
from tfspec.data.splits import shared_groups
from tfspec.data.store import Dtype, FeatureStore, Source
from tfspec.distributed import replicated as replicas
from tfspec.distributed.service import Service, check_address
from tfspec.experiment.run import Run
from tfspec.inference.files import load_keras
from tfspec.models import Classifier, ensemble
from tfspec.report import figures as report

# Features beyond this are kept on disk and not in memory.
FEATURE_BYTES_IN_MEMORY = 2 << 30
# Bad examples that an error names: of windows there may be thousands.
LISTED = 100
POLL_SECONDS = 0.1


class Member(NamedTuple):
    """One of the models that a run trains.

    Args:
        pipeline: makes and trains it.
        split: what it trains on and is validated on, in the column `part`.
        fold: number of the fold that validates it, None without cross validation.
    """

    pipeline: Pipeline
    split: pd.DataFrame
    fold: int | None = None


@dataclass(kw_only=True)
class Pipeline:
    """Base of the experiments. The fields are its options, the methods its steps, in the order of the path.

    A subclass gives `name`, the steps that raise NotImplementedError, and options of its own. It is the
    command line too: `tfspec train NAME` has one option a field.
    """

    name: ClassVar[str]
    picture_axes: ClassVar[tuple[str, str]] = ("time", "bin")
    """What runs across a picture of features, and up."""

    out: Path | None = None
    """Run folder to write; runs/NAME-TIME if not given."""
    epochs: Count = 20
    """Largest number of epochs."""
    patience: AnyCount = 2
    """Epochs without a lower validation loss after which training stops."""
    keep: Literal["best", "last"] = "best"
    """The epoch whose model counts: that of the lowest validation loss, or the last one."""
    batch_size: Batch = 32
    """Examples a training batch."""
    validation_batch_size: Batch = 64
    """Examples a batch in validation and prediction."""
    learning_rate: Rate = 1e-3
    """Adam's learning rate at the start."""
    learning_rate_end: Ratio = 1.0
    """Part of it that a cosine over all epochs leaves at the end; 1 keeps it constant."""
    clip_norm: Annotated[float, Range(0, 10**12, without_low=True)] | None = None
    """Each weight's gradient is scaled down to this norm; none leaves it."""
    on_bad_file: Literal["stop", "skip"] = "stop"
    """Stop before training if any file cannot be used, or leave these out and list them in the run folder."""
    precision: training.Precision = "float32"
    """Of what training computes; 16 bits are faster on devices made for them. Kept models are float32."""
    strategy: replicas.Strategy = "auto"
    """Devices to train on: none is one; auto takes all GPUs, or the machines that TF_CONFIG names. Batches
    stay what they are, each device has its share."""
    jit: replicas.Jit = "auto"
    """Compile training by XLA; auto does so on one GPU."""
    num_members: Annotated[int, Range(1, 1000)] = 1
    """Models that are trained, each from a seed of its own; their probabilities are averaged."""
    processes: Annotated[int, Range(1, 256)] = 1
    """Models that train at the same time, each in a process of its own; 1 trains one after the other."""
    feature_store: Path | None = None
    """Folder that keeps computed features for this run and others; if not given, those that memory does not
    hold go to `features` beside the run folder, and those that are there already are used."""
    data_service: Name | None = None
    """grpc://host:port of a `tfspec data-server`, whose workers read, augment and make features batch by
    batch, none kept; they must have the data and the run folder under the same paths. The batches are the
    same, in any order."""
    seed: Seed = 0
    """Same seed, same split, batches and losses."""

    def __post_init__(self):
        """Hold the options to their annotations; text may be for paths and lists for tuples, as in JSON."""
        for name, value in check_options(type(self), self._options()).items():
            setattr(self, name, value)
        if self.data_service is not None:
            check_address(self.data_service)
        check_seeds(self.seed, self.num_members)

    def _options(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    # The steps

    def manifest(self) -> pd.DataFrame:
        """List the examples, one row each: at least `label` and `group`, what a split keeps together.

        A column `problem` says why a row cannot be used: text, None for a good one.
        """
        raise NotImplementedError

    def split(self, manifest: pd.DataFrame) -> pd.DataFrame:
        """Add the column `part`: "train", "validation", "test" or "unanswered"; for folds `fold` as well.

        With a column `fold`, numbers from 0, what validates is in part "train" too; one model a
        fold trains on the other folds and is validated on its own.
        """
        raise NotImplementedError

    @property
    def groups_may_overlap(self) -> bool:
        """Whether a group may stand on both sides of the split, which makes the score too good."""
        return False

    def class_names(self, manifest: pd.DataFrame) -> list[str]:
        """Order the classes as the logits are."""
        return sorted(manifest["label"].unique())

    def reader(self, manifest: pd.DataFrame) -> Reader:
        """Make what reads the signals of a manifest's rows."""
        raise NotImplementedError

    def augmentation(self) -> RandomLayer | None:
        """Make what changes the training signals at random; None leaves them."""
        return None

    def front_end(self) -> keras.Layer:
        """Make the layer from signals to features."""
        raise NotImplementedError

    def feature_augmentation(self) -> RandomLayer | None:
        """Make what changes the training features at random; None leaves them."""
        return None

    def mix_up(self) -> MixUp | None:
        """Make what mixes the training features and their soft labels at random; None leaves them."""
        return None

    def backbone(self, feature_shape: Sequence[int | None], num_classes: int) -> keras.Model:
        """Make the model from (batch, *feature_shape) features to (batch, num_classes) logits."""
        raise NotImplementedError

    def variants(self) -> dict[str, Pipeline]:
        """Give the pipelines whose models are averaged, by name; there are `num_members` of each."""
        return {"": self}

    def example_weights(self, manifest: pd.DataFrame) -> np.ndarray | None:
        """Give the weight of each of the training examples in the loss; None for equal ones."""
        return None

    def order(self, manifest: pd.DataFrame) -> Order | None:
        """Give the order of the training examples in each epoch, as in `Epochs`; None for permutations."""
        return None

    def loss(self) -> keras.losses.Loss:
        """Make the loss on labels and logits."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self, num_classes: int) -> list[str | keras.metrics.Metric]:
        """List what is measured in every epoch besides the loss."""
        return ["accuracy"]

    def optimizer(
        self, learning_rate: float | keras.optimizers.schedules.LearningRateSchedule
    ) -> keras.optimizers.Optimizer:
        """Make what follows the gradients."""
        return keras.optimizers.Adam(learning_rate, clipnorm=self.clip_norm)

    def phases(self) -> list[training.Phase]:
        """List the stretches of training, each with its own learning rate."""
        return [training.Phase(self.epochs, self.learning_rate, self.learning_rate_end)]

    @property
    def features_once(self) -> bool:
        """Whether the features of all signals are computed before training and kept, or batch by batch."""
        return True

    @property
    def feature_dtype(self) -> Dtype:
        """Number format in which computed features are kept."""
        return "float32"

    @property
    def batches_per_read(self) -> int:
        """Training batches that are read together, for signals that are not kept in memory."""
        return 1

    @property
    def signal_rate(self) -> int | None:
        """Samples per second of the signal, None where that means nothing."""
        return None

    def smooth(
        self, predicted: pd.DataFrame, held_out: pd.DataFrame, class_names: Sequence[str]
    ) -> np.ndarray | None:
        """Give better predictions in the light of all of them, such as those before and after; None for none.

        Args:
            predicted: rows of a manifest with the column `predicted`.
            held_out: such rows of the validation part, and their labels, to learn from; the same rows where
                it is the validation part that is evaluated.
            class_names: all classes.

        Returns:
            (rows,) labels.
        """
        return None

    def write_results(self, run: Run) -> None:
        """Write what else a run is to leave, once it is trained and scored."""

    def examples_figure(self, manifest: pd.DataFrame, front_end: keras.Layer):
        """Draw what the front end makes of one example a class."""
        firsts = manifest.drop_duplicates("label").head(12)
        features = np.asarray(front_end(self.reader(firsts)(firsts)))
        return self.draw_examples(features, list(firsts["label"]))

    def draw_examples(self, features: np.ndarray, titles: Sequence[str]):
        """Draw (examples, frames, bins, channels) features as pictures."""
        pictures = [self.picture(example) for example in features]
        return report.examples_figure(pictures, titles, *self.picture_axes)

    def picture(self, features: np.ndarray) -> np.ndarray:
        """Give the picture of one example's features, its first row to be at the bottom."""
        return features[..., 0].T

    def example_names(self, manifest: pd.DataFrame) -> pd.Series:
        """Name each example in the predictions."""
        if "path" in manifest:
            return manifest["path"].rename("file")
        return pd.Series(manifest.index, name="example")

    # All steps in order

    def train(self, verbose: int | str = "auto") -> Run:
        """Run the experiment from the manifest to scored predictions.

        Args:
            verbose: Keras's progress bar: "auto", 0, 1 or 2.

        Returns:
            The run, whose folder holds all that it left.

        Raises:
            UserError: the data or an option cannot be used; nothing has been trained.
        """
        modules.refuse_while_loading()
        strategy = self.open_devices()
        folder = self._new_folder() if replicas.is_chief(strategy) else replicas.elsewhere()
        self._check_front_end()
        split, bad = self.checked_split()
        run = Run.create(folder, self)
        print(f"Run folder: {shown(folder)}")
        run.write_split(split, bad)
        return run.resume(verbose)

    def checked_split(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """List the examples, and split those that can be used.

        Returns:
            The split, what is trained and validated on first; and the examples that cannot be used.

        Raises:
            UserError: the data cannot be used, or no honest split can be made of them.
        """
        manifest, bad = self.usable(self.manifest())
        if len(names := self.class_names(manifest)) < 2:
            raise UserError(f"There must be at least two classes. Received: {', '.join(names) or 'none'}")
        split = self.split(manifest)
        split = pd.concat([split[_is_trained_on(split)], split[~_is_trained_on(split)]])
        for member in self.members(split).values():
            self._check(member.split)
        return split, bad

    def _check_front_end(self) -> None:
        """Refuse options of which each may be and which do not go together, before anything is read."""
        try:
            self.front_end()
        except ValueError as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"The options do not go together: {error}") from None

    def open_devices(self) -> tf.distribute.Strategy:
        """Take hold of the devices that the options ask for.

        Returns:
            The strategy of `replicas.open_strategy`.

        Raises:
            UserError: they are not there, or do not go with the batch size or with several processes.
        """
        strategy = replicas.open_strategy(self.strategy)
        replicas.describe(strategy, self.batch_size)
        if self.processes > 1 and strategy.num_replicas_in_sync > 1:
            raise UserError(
                f"processes must be 1 on several devices. Received: {self.processes}; or give --strategy none"
            )
        return strategy

    def prepare(self) -> FeatureStore:
        """Compute the features that training uses, and keep them on disk; what is there already stays.

        Returns:
            The store, in the folder `feature_store`, or in `features` beside where the run folder goes.

        Raises:
            UserError: the data cannot be used, the disk is full, or nothing is computed beforehand.
        """
        if not self.features_once:
            raise UserError(f"{self.name} makes its features batch by batch: there is nothing to prepare.")
        self._check_front_end()
        rows = self._read_as_features(self.checked_split()[0])
        store = self._store(rows, self.reader(rows), self.out or Path("runs", self.name))
        store.fill(_track_features)
        return store

    def _new_folder(self) -> Path:
        """Name the run folder; what is there is never overwritten, but for a run killed before it began."""
        folder = self.out or Path("runs", time.strftime(f"{self.name}-%Y%m%d-%H%M%S"))
        is_free = folder.is_dir() and all(TEMPORARY.fullmatch(path.name) for path in folder.iterdir())
        if os.path.lexists(folder) and not is_free:
            hint = f"`tfspec resume {folder}` goes on with it. " if (folder / "config.json").exists() else ""
            raise UserError(f"{folder} exists and is not empty. {hint}Give another --out, or remove it.")
        return folder

    def usable(self, manifest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Part the rows that can be used from those that cannot.

        Args:
            manifest: all rows.

        Returns:
            The good rows, and the bad ones with a column `problem` and without what no table can hold. A
            name that cannot be printed is as bad as a file that cannot be read, which is then not tried.

        Raises:
            UserError: there are bad ones and `on_bad_file` is "stop", or no good ones.
        """
        if "problem" not in manifest:
            manifest = manifest.assign(problem=name_problems(manifest))
        problems = manifest["problem"]
        bad = manifest[problems.notna()]
        bad = bad.map(lambda cell: shown(cell) if isinstance(cell, str) else cell)
        names = self.example_names(bad)
        named = [f"{excerpt(name)} ({why})" for name, why in zip(names, bad["problem"], strict=True)]
        which = listed(named, LISTED, "; ")
        if len(bad) == len(manifest):
            raise UserError(f"None of the {len(manifest)} examples can be used: {which}.")
        if len(bad) and self.on_bad_file == "stop":
            raise UserError(
                f"{len(bad)} of {len(manifest)} examples cannot be used: {which}. Mend or remove them, or "
                "give --on-bad-file skip."
            )
        return manifest[problems.isna()].drop(columns="problem"), bad

    def _check(self, split: pd.DataFrame) -> None:
        """Refuse a split that cannot be trained on or that scores too well."""
        if missing := {"train", "validation"} - set(split["part"]):
            raise UserError(f"There is nothing in the part {' and '.join(sorted(missing))} of the split.")
        shared = shared_groups(split)
        if shared and not self.groups_may_overlap:
            raise UserError(f"{len(shared)} groups are on both sides of the split: {', '.join(shared)}.")

    def describe(self, split: pd.DataFrame) -> str:
        """Say in one line how the examples are split."""
        return ", ".join(f"{len(rows)} examples in {part}" for part, rows in split.groupby("part"))

    def members(self, split: pd.DataFrame) -> dict[str, Member]:
        """List the models that are trained, by the name of their folder in the run folder.

        Args:
            split: columns `part` and, for cross validation, `fold`.

        Returns:
            One model, in the run folder itself; or one for each fold, variant and seed, such as `seed_0` and
            `seed_1`, or `fold_0_seed_0`.
        """
        made = {}
        for fold, its_split in self._folds(split).items():
            seeds = itertools.count(self.seed)
            for variant, pipeline in self.variants().items():
                for seed in itertools.islice(seeds, self.num_members):
                    parts = ["" if fold is None else f"fold_{fold}", variant, f"seed_{seed}"]
                    name = "_".join(part for part in parts[: 2 + (self.num_members > 1)] if part)
                    made[name] = Member(
                        dataclasses.replace(pipeline, seed=seed, num_members=1), its_split, fold
                    )
        return made

    def _folds(self, split: pd.DataFrame) -> dict[int | None, pd.DataFrame]:
        """Give for each fold the split that has it as validation part; without folds, the split itself."""
        if "fold" not in split:
            return {None: split}
        part, fold = split["part"], split["fold"]
        return {
            int(number): split.assign(part=part.mask((part == "train") & (fold == number), "validation"))
            for number in sorted(fold[part == "train"].unique())
        }

    def fit(self, folder: Path, split: pd.DataFrame, verbose: int | str = "auto") -> None:
        """Train all members, or what is still to be trained of them, and join them to `best.keras`.

        Args:
            folder: the run folder.
            split: of the run.
            verbose: Keras's progress bar: "auto", 0, 1 or 2.
        """
        members = self.members(split)
        unfinished = [name for name in members if not training.Progress.load(folder / name).finished]
        features = self.kept_features(split, folder) if unfinished else None
        if self.processes > 1 and len(unfinished) > 1:
            del features  # each process reads them from the store
            self._fit_side_by_side(folder, unfinished)
        else:
            for name in unfinished:
                member = members[name]
                if name:
                    print(f"{name}: {shown(self.describe(member.split))}")
                member.pipeline.fit_member(folder, name, member.split, features, verbose)
        if list(members) != [""] and (unfinished or not (folder / "best.keras").exists()):
            trained = [load_keras(folder / name / "best.keras") for name in members]
            joined = ensemble([member.backbone for member in trained])
            with written_beside(folder / "best.keras") as temporary:
                self._classifier(trained[0].front_end, joined, split).save(temporary)

    def _fit_side_by_side(self, folder: Path, names: Sequence[str]) -> None:
        """Train members in processes of their own; when one fails, the others are trained all the same."""
        waiting = list(names)
        running: dict[str, subprocess.Popen] = {}
        codes: dict[str, int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.processes:
                    name = waiting.pop(0)
                    running[name] = self._start(folder, name)
                time.sleep(POLL_SECONDS)
                for name in [name for name, process in running.items() if process.poll() is not None]:
                    codes[name] = running.pop(name).returncode
                    print(f"{name}: {'failed' if codes[name] else 'trained'}", flush=True)
        finally:
            for process in running.values():
                process.kill()
                process.wait()
        if failed := [f"{name} (exit code {code})" for name, code in codes.items() if code]:
            raise UserError(
                f"{len(failed)} of {len(codes)} models failed, for the reasons above: {', '.join(failed)}. "
                f"The others are trained; `tfspec resume {folder}` goes on with these."
            )

    def _start(self, folder: Path, name: str) -> subprocess.Popen:
        """Start a process that trains one member; it ends when this one does."""
        order = {"pipeline": self.source(), "options": self.options(), "folder": str(folder), "member": name}
        process = subprocess.Popen(
            [sys.executable, "-m", "tfspec.experiment.member"], stdin=subprocess.PIPE, text=True
        )
        assert process.stdin
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return process

    def options(self) -> dict[str, Any]:
        """Give all options as JSON has them; paths are absolute."""
        return {name: str(v.resolve()) if isinstance(v, Path) else v for name, v in self._options().items()}

    def source(self) -> str:
        """Say where another process finds the pipeline: its name, or its file.

        Raises:
            UserError: it is neither built in nor in a file, as in a notebook.
        """
        if type(self).__module__.startswith("tfspec.pipelines."):
            return self.name
        try:
            return str(Path(inspect.getfile(type(self))).resolve())
        except (TypeError, OSError):
            raise UserError(
                f"Another process cannot find the pipeline {self.name!r}. Put it into a Python file of its "
                "own, or give processes=1."
            ) from None

    def kept_features(self, split: pd.DataFrame, folder: Path) -> Reader | None:
        """Compute once what all epochs use, or find it computed.

        Args:
            split: of the run.
            folder: the run folder.

        Returns:
            A reader of the features of the rows read as such; None where all are made batch by batch.

        Raises:
            UserError: the data cannot be used, or the disk is full.
        """
        if not self.features_once or self.data_service is not None:
            return None
        rows = self._read_as_features(split)
        read, front_end = self.reader(rows), self.front_end()
        shape = front_end.compute_output_shape((len(rows), *read.signal_shape))
        too_large = np.dtype(self.feature_dtype).itemsize * math.prod(shape) > FEATURE_BYTES_IN_MEMORY
        shared = self.processes > 1 and isinstance(read, Source)
        to_be_stored = too_large or shared or self.feature_store is not None
        if to_be_stored or isinstance(read, Source):
            store = self._store(rows, read, folder)
            if to_be_stored or not store.missing:
                store.fill(_track_features)
                return store
        return precompute(rows, read, front_end, self.feature_dtype, _track_features)

    def _read_as_features(self, split: pd.DataFrame) -> pd.DataFrame:
        """Give the rows whose features stay the same: not those that are augmented in every epoch."""
        members = self.members(split).values()
        if any(member.pipeline.augmentation() is None for member in members):
            return split[_is_trained_on(split)]
        return split[np.any([member.split["part"] == "validation" for member in members], axis=0)]

    def _store(self, split: pd.DataFrame, read: Reader, run_folder: Path) -> FeatureStore:
        root = self.feature_store or run_folder.parent / "features"
        return FeatureStore(root, split, read, self.front_end(), self.feature_dtype)

    def fit_member(
        self,
        run_folder: Path,
        name: str,
        split: pd.DataFrame,
        features: Reader | None,
        verbose: int | str = "auto",
    ) -> None:
        """Train one model on the part "train", or go on with it.

        Args:
            run_folder: of the run.
            name: of the member, and of its folder in the run folder.
            split: of the member.
            features: of the run's training and validation parts, where they are computed once.
            verbose: Keras's progress bar: "auto", 0, 1 or 2.
        """
        progress = training.Progress.load(run_folder / name)
        progress.folder.mkdir(exist_ok=True)
        keras.utils.set_random_seed(self.seed)
        class_names = self.class_names(split)
        front_end, augmentation = self.front_end(), self.augmentation()
        signal_shape = self.reader(split.iloc[:1]).signal_shape
        feature_shape = front_end.compute_output_shape((None, *signal_shape))[1:]
        strategy = replicas.open_strategy(self.strategy)
        with strategy.scope(), training.in_precision(self.precision):
            backbone = progress.backbone() or self.backbone(feature_shape, len(class_names))
        train, validation = (split[split["part"] == part] for part in ("train", "validation"))
        epochs = Epochs(self.seed, order=self.order(train))
        read, layer = self._source(split, features if augmentation is None else None)
        make_training = functools.partial(
            make_dataset,
            train,
            read,
            class_names,
            self.batch_size,
            layer,
            epochs,
            augmentation=Augmentation(augmentation, self.feature_augmentation(), self.mix_up()),
            sample_weight=self.example_weights(train),
            batches_per_read=self.batches_per_read,
            service=self._service(run_folder, name, "train"),
        )
        read, layer = self._source(split, features)
        make_validation = functools.partial(
            make_dataset,
            validation,
            read,
            class_names,
            self.validation_batch_size,
            layer,
            service=self._service(run_folder, name, "validation"),
        )
        with strategy.scope():
            training.fit(
                self._classifier(front_end, training.in_float32(backbone), split),
                backbone,
                replicas.distribute(strategy, make_training),
                epochs,
                replicas.distribute(strategy, make_validation),
                progress,
                self.phases(),
                self.patience,
                self.loss(),
                self.optimizer,
                verbose,
                self.metrics(len(class_names)),
                self.keep,
                self.jit,
            )

    def _service(self, run_folder: Path, name: str, part: str) -> Service | None:
        if self.data_service is None:
            return None
        return Service(self.data_service, json.dumps([str(run_folder.resolve()), name, part]))

    def examples_of(self, split: pd.DataFrame, part: str) -> Examples:
        """Give what the workers of a data service read: the examples of a part, as `fit_member` takes them.

        Args:
            split: of a member.
            part: "train" or "validation".
        """
        rows = split[split["part"] == part]
        weights = self.example_weights(rows) if part == "train" else None
        return Examples(rows, self.reader(split), self.class_names(split), weights)

    def _source(self, split: pd.DataFrame, features: Reader | None) -> tuple[Reader, keras.Layer | None]:
        """Give what reads the features that are kept, or the signals and the layer that makes features."""
        return (self.reader(split), self.front_end()) if features is None else (features, None)

    def _classifier(self, front_end: keras.Layer, backbone: keras.Model, split: pd.DataFrame) -> Classifier:
        signal_shape = self.reader(split.iloc[:1]).signal_shape
        return Classifier(front_end, backbone, self.class_names(split), signal_shape, self.signal_rate)


def _track_features(items: Iterable, total: int) -> Iterable:
    return report.track(items, "Computing features", total)


def _is_trained_on(split: pd.DataFrame) -> pd.Series:
    """Tell which rows some model trains on or is validated on."""
    return split["part"].isin(["train", "validation"])
