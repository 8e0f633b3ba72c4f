"""An experiment as eight steps, in the order of the path of the data."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import keras
import numpy as np
import pandas as pd

from tfspec.augment import Augmentation
from tfspec.base.errors import UserError
from tfspec.base.model import Labels, Takes
from tfspec.base.named_arguments import NamedArguments
from tfspec.base.options import check_options, check_seeds
from tfspec.data.manifest import class_columns
from tfspec.data.readers import Reader
from tfspec.data.store import Dtype
from tfspec.distributed.service import check_address
from tfspec.experiment.giving import hold_steps
from tfspec.experiment.options import ComputingOptions, RunOptions, TrainingOptions
from tfspec.experiment.run import Run
from tfspec.report.figures import Picture
from tfspec.training import MeanAveragePrecision, Phase, Training
from tfspec.training.losses import KnownLabelsLoss

Kind = TypeVar("Kind", bound="Steps")


@dataclass(kw_only=True)
class Steps(NamedArguments, ComputingOptions, TrainingOptions, RunOptions):
    """What differs from one experiment to another: options, which are the fields, and eight steps.

    The steps only say what is to be done; `Pipeline` does it. They change nothing, and may be asked several
    times, in several processes.
    """

    name: ClassVar[str]
    """What the command line calls it; the default run folder begins with it."""
    takes: ClassVar[Takes | None] = None
    """Where the signals come from; what their shape suggests if None."""
    features_once: ClassVar[bool] = True
    """Whether features that are the same in every epoch are computed before training and kept."""
    feature_dtype: ClassVar[Dtype] = "float32"
    """Number format in which they are kept."""
    examples_per_class: ClassVar[int] = 1
    """Pictures of each class among the run's figures."""
    everyday: ClassVar[Sequence[str]] = ("data", "out", "epochs", "num_members", "on_bad_file")
    """Options that everybody needs: `--help` shows these, `--help-all` the others too."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named sets of options, such as those of the published experiment; "default" is always there."""
    earlier: ClassVar[Mapping[str, Any]] = {}
    """What stands for the options that a run of an earlier version does not say."""

    def __init_subclass__(cls, **options: Any):
        """Hold what the steps give to its kind, wherever they are asked."""
        super().__init_subclass__(**options)
        hold_steps(cls)

    def __post_init__(self):
        """Hold the options to their annotations; text may be for paths and lists for tuples, as in JSON."""
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name, value in check_options(type(self), given).items():
            setattr(self, name, value)
        if self.data_service is not None:
            check_address(self.data_service)
            if self.loader == "sequence":
                raise UserError("A data service makes its batches by tf.data. Received: loader='sequence'")
        check_seeds(self.seed, self.num_members)

    @classmethod
    def all_presets(cls) -> dict[str, Mapping[str, Any]]:
        """Return what each preset sets, by its name."""
        return {"default": {}, **cls.presets}

    @classmethod
    def preset_options(cls, name: str) -> Mapping[str, Any]:
        """Return the options that a preset sets.

        Args:
            name: of `all_presets`.

        Raises:
            UserError: there is no such preset.
        """
        if name not in (presets := cls.all_presets()):
            raise UserError(f"{cls.name} has the presets {', '.join(presets)}. Received: {name!r}")
        return presets[name]

    @classmethod
    def preset(cls: type[Kind], name: str, **options) -> Kind:
        """Make the pipeline with a named set of options.

        Args:
            name: of `all_presets`.
            **options: fields of the pipeline, which go before those of the preset.

        Raises:
            UserError: there is no such preset, or an option is not as its annotation asks.
        """
        return cls(**{**cls.preset_options(name), **options})

    def options(self) -> dict[str, Any]:
        """Return all options as JSON has them; paths are absolute."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: str(v.resolve()) if isinstance(v, Path) else v for name, v in values.items()}

    # The eight steps

    @abstractmethod
    def manifest(self) -> pd.DataFrame:
        """List the examples.

        Returns:
            One row an example: where its signal is, `label` or a column of numbers a class, `group`, what a
            split keeps together, and maybe `problem`, text where the example cannot be used, and `is_absent`,
            whether it is known not to be of the class that `label` names.
        """
        raise NotImplementedError

    @abstractmethod
    def split(self, manifest: pd.DataFrame) -> pd.DataFrame:
        """Say which examples train.

        Args:
            manifest: the examples that can be used.

        Returns:
            The manifest with a column `part`: "train", "validation", "test" or "unanswered". For
            cross-validation also with `fold`, numbers from 0; what validates is in part "train" then, too:
            one model a fold trains on the other folds and is validated on its own. Only where the last epoch
            counts, `keep`, may nothing validate.
        """
        raise NotImplementedError

    @abstractmethod
    def reader(self) -> Reader:
        """Make what reads the signals of the manifest's rows."""
        raise NotImplementedError

    def augmentation(self) -> Augmentation:
        """Make what changes the training examples at random, in every epoch anew."""
        return Augmentation()

    @abstractmethod
    def front_end(self) -> keras.Layer:
        """Make the layer from (batch, *signal_shape) signals to (batch, frames, bins, channels) features."""
        raise NotImplementedError

    @abstractmethod
    def backbone(self, feature_shape: Sequence[int | None], num_classes: int) -> keras.Model:
        """Make the model from (batch, *feature_shape) features to (batch, num_classes) logits."""
        raise NotImplementedError

    def training(self, examples: pd.DataFrame, class_names: Sequence[str]) -> Training:
        """Say how the backbone learns: by Adam, from cross-entropy, until the validation loss stops falling.

        The cross-entropy is that of a softmax, with classes or with shares of them; of several labels it is
        the mean of that of their sigmoids.

        Args:
            examples: rows of the manifest that train.
            class_names: labels in the order of the logits.

        Returns:
            Loss, optimizer, metrics, phases, early stopping, and the examples' weights and order.
        """
        measured: dict[str, Any] = {}
        if self.labels == "several":
            measured = {"loss": KnownLabelsLoss(), "metrics": (MeanAveragePrecision(len(class_names)),)}
        elif "label" not in examples:
            measured = {"loss": keras.losses.CategoricalCrossentropy(from_logits=True)}
        return Training(
            phases=[Phase(self.epochs, self.learning_rate, self.learning_rate_end)],
            optimizer=lambda rate: keras.optimizers.Adam(rate, clipnorm=self.clip_norm),
            patience=self.patience,
            keep=self.keep,
            drop_remainder=self.drop_remainder,
            **measured,
        )

    def picture(self, signal: np.ndarray, features: np.ndarray) -> Picture:
        """Draw one example.

        Args:
            signal: (*signal_shape).
            features: (frames, bins, channels).

        Returns:
            The picture, time from left to right.
        """
        return Picture(features[..., 0].T, "time", "bin")

    # What else a pipeline may say

    def class_names(self, manifest: pd.DataFrame) -> list[str]:
        """Order the classes as the logits are: as text, or as their columns are."""
        return sorted(manifest["label"].unique()) if "label" in manifest else class_columns(manifest)

    @property
    def labels(self) -> Labels:
        """Whether an example has "one" class, or "several" can hold at once."""
        return "one"

    @property
    def groups_may_overlap(self) -> bool:
        """Whether a group may stand on both sides of the split, which makes the score too good."""
        return False

    def settled(self: Kind, manifest: pd.DataFrame) -> Kind:
        """Return the pipeline with the options that depend on the data, which a run keeps, and say them.

        Args:
            manifest: the examples that can be used.
        """
        return self

    def recordings_of(self, rows: pd.DataFrame) -> pd.Series | None:
        """Name the recording of each row, where these are windows whose scores are to be joined.

        Args:
            rows: of a manifest.

        Returns:
            (rows,) names; None where every example stands for itself.
        """
        return None

    def on_data(self, data: Path) -> Steps:
        """Return the pipeline of another data set of the same kind.

        Args:
            data: as the option `data`.

        Raises:
            UserError: there is no such option.
        """
        if not hasattr(self, "data"):
            raise UserError(f"The pipeline {self.name} takes no other data.")
        return dataclasses.replace(self, data=data)  # type: ignore[call-arg]

    def variants(self) -> dict[str, Steps]:
        """Return the pipelines whose models are averaged, by name; there are `num_members` of each."""
        return {"": self}

    def smooth(
        self, predicted: pd.DataFrame, held_out: pd.DataFrame, class_names: Sequence[str]
    ) -> np.ndarray | None:
        """Predict each row anew in the light of all rows, such as those before and after it.

        Args:
            predicted: rows of a manifest with the column `predicted`.
            held_out: such rows of the validation part, with their labels, to learn from; the same rows where
                it is the validation part that is evaluated.
            class_names: all classes.

        Returns:
            (rows,) labels; None where nothing is smoothed.
        """
        return None

    def write_results(self, run: Run, predict: Callable[[pd.DataFrame], dict[str, np.ndarray]]) -> None:
        """Write what else a run is to leave, once it is trained and scored.

        Args:
            run: the run.
            predict: computes (rows, classes) probabilities of rows of a manifest by each model, by its name.
        """
