"""An experiment as one dataclass, and the run folder that it leaves."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import tempfile
import time
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import keras
import numpy as np
import pandas as pd

from tfspec import evaluation, report, training
from tfspec._version import __version__
from tfspec.data.audio import fit_length, inspect_all, load_audio
from tfspec.data.dataset import Reader, label_indices, make_dataset
from tfspec.data.manifest import shared_groups
from tfspec.errors import UserError
from tfspec.export import TFLiteClassifier, export
from tfspec.files import written_beside
from tfspec.models import Classifier
from tfspec.quantization import Quantize

# Features beyond this are cached on disk, in the run folder, and not in memory.
CACHE_BYTES_IN_MEMORY = 2 << 30
# Fewer miss the activations' rare peaks: with 256 a probability was off by 0.46, with 1000 by 0.16.
CALIBRATION_SIGNALS = 1000


@dataclass(kw_only=True)
class Pipeline:
    """Base of the experiments. The fields are its options, the methods its steps, in the order of the path.

    A subclass gives `name`, the steps that raise NotImplementedError, and options of its own. It is the
    command line too: `tfspec train NAME` has one option a field.
    """

    name: ClassVar[str]

    out: Path | None = None
    """Run folder to write; runs/NAME-TIME if not given."""
    epochs: int = 20
    """Largest number of epochs."""
    patience: int = 2
    """Epochs without a lower validation loss after which training stops."""
    batch_size: int = 32
    """Examples a training batch."""
    validation_batch_size: int = 64
    """Examples a batch in validation and prediction."""
    learning_rate: float = 1e-3
    """Adam's learning rate at the start."""
    learning_rate_end: float = 1.0
    """Part of it that a cosine over all epochs leaves at the end; 1 keeps it constant."""
    clip_norm: float | None = None
    """Each weight's gradient is scaled down to this norm; none leaves it."""
    shuffle_buffer: int = 6400
    """Examples that the shuffle chooses from."""
    on_bad_file: Literal["stop", "skip"] = "stop"
    """Stop before training if any file cannot be used, or leave these out and list them in the run folder."""
    seed: int = 0
    """Same seed, same split, batches and losses."""

    def __post_init__(self):
        """Accept text for paths and lists for tuples, as JSON and notebooks give them."""
        for name, hint in typing.get_type_hints(type(self)).items():
            value = getattr(self, name)
            if isinstance(value, str) and Path in (hint, *typing.get_args(hint)):
                setattr(self, name, Path(value))
            elif isinstance(value, list):
                setattr(self, name, tuple(value))
        for name in ("epochs", "batch_size", "validation_batch_size", "learning_rate", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UserError(f"{name} must be positive and finite. Received: {value}")
        for name in ("patience", "learning_rate_end", "shuffle_buffer", "seed"):
            if not getattr(self, name) >= 0:
                raise UserError(f"{name} must not be negative. Received: {getattr(self, name)}")
        if self.seed >= 2**31:
            raise UserError(f"seed must be below 2**31. Received: {self.seed}")

    # The steps

    def manifest(self) -> pd.DataFrame:
        """List the examples, one row each: at least `label` and `group`, what a split keeps together."""
        raise NotImplementedError

    def problems(self, manifest: pd.DataFrame) -> pd.Series:
        """Say why a row cannot be used: text a row, None for a good one."""
        return pd.Series(None, index=manifest.index, dtype=object)

    def split(self, manifest: pd.DataFrame) -> pd.DataFrame:
        """Add the column `part`: "train" or "validation"."""
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

    def front_end(self) -> keras.Layer:
        """Make the layer from signals to features."""
        raise NotImplementedError

    def backbone(self, feature_shape: Sequence[int | None], num_classes: int) -> keras.Model:
        """Make the model from (batch, *feature_shape) features to (batch, num_classes) logits."""
        raise NotImplementedError

    @property
    def signal_rate(self) -> int | None:
        """Samples per second of the signal, None where that means nothing."""
        return None

    def draw_examples(self, features: np.ndarray, titles: Sequence[str]):
        """Draw (examples, frames, bins, channels) features as pictures."""
        pictures = [example[..., 0].T for example in features]
        return report.examples_figure(pictures, titles, "time", "bin")

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
        folder = self._new_folder()
        manifest, bad = self.usable(self.manifest())
        if len(names := self.class_names(manifest)) < 2:
            raise UserError(f"There must be at least two classes. Received: {', '.join(names) or 'none'}")
        split = self.split(manifest)
        if missing := {"train", "validation"} - set(split["part"]):
            raise UserError(f"There is nothing in the part {' and '.join(sorted(missing))} of the split.")
        shared = shared_groups(split)
        if shared and not self.groups_may_overlap:
            raise UserError(f"{len(shared)} groups are on both sides of the split: {', '.join(shared)}.")
        run = Run.create(folder, self)
        split.to_csv(run.folder / "split.csv", index=False)
        print(f"Run folder: {run.folder}")
        if len(bad):
            bad.to_csv(run.folder / "bad_files.csv", index=False)
            print(f"Left out {len(bad)} files that cannot be used, listed in bad_files.csv")
        print(self.describe(split))
        self._fit(split, run.folder, verbose)
        run.evaluate()
        return run

    def _new_folder(self) -> Path:
        """Name the run folder; an existing run is never overwritten."""
        folder = self.out or Path("runs", time.strftime(f"{self.name}-%Y%m%d-%H%M%S"))
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} exists and is not empty. Give another --out, or remove it.")
        return folder

    def usable(self, manifest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Part the rows that can be used from those that cannot.

        Args:
            manifest: all rows.

        Returns:
            The good rows, and the bad ones with a column `problem`.

        Raises:
            UserError: there are bad ones and `on_bad_file` is "stop", or no good ones.
        """
        problems = self.problems(manifest)
        bad = manifest.assign(problem=problems)[problems.notna()]
        listed = "; ".join(f"{row.path} ({row.problem})" for row in bad.itertuples())
        if len(bad) == len(manifest):
            raise UserError(f"None of the {len(manifest)} files can be used: {listed}.")
        if len(bad) and self.on_bad_file == "stop":
            raise UserError(
                f"{len(bad)} of {len(manifest)} files cannot be used: {listed}. Mend or remove them, or give "
                "--on-bad-file skip."
            )
        return manifest[problems.isna()].reset_index(drop=True), bad

    def describe(self, split: pd.DataFrame) -> str:
        """Say in one line how the examples are split."""
        return ", ".join(f"{len(rows)} examples in {part}" for part, rows in split.groupby("part"))

    def _fit(self, split: pd.DataFrame, folder: Path, verbose: int | str) -> None:
        """Train on the features of a split."""
        keras.utils.set_random_seed(self.seed)
        class_names = self.class_names(split)
        read = self.reader(split)
        front_end = self.front_end()
        feature_shape = front_end.compute_output_shape((None, *read.signal_shape))[1:]
        backbone = self.backbone(feature_shape, len(class_names))
        classifier = Classifier(front_end, backbone, class_names, read.signal_shape, self.signal_rate)

        in_memory = len(split) * 4 * np.prod(feature_shape) <= CACHE_BYTES_IN_MEMORY
        dataset = functools.partial(make_dataset, read=read, class_names=class_names, front_end=front_end)
        with tempfile.TemporaryDirectory(prefix="cache-", dir=folder) as cache:
            train_data = dataset(
                split[split["part"] == "train"],
                batch_size=self.batch_size,
                cache="" if in_memory else f"{cache}/train",
                shuffle_buffer=self.shuffle_buffer,
                seed=self.seed,
            )
            validation_data = dataset(
                split[split["part"] == "validation"],
                batch_size=self.validation_batch_size,
                cache="" if in_memory else f"{cache}/validation",
            )
            training.fit(
                classifier,
                train_data,
                validation_data,
                folder,
                epochs=self.epochs,
                patience=self.patience,
                learning_rate=self.learning_rate,
                learning_rate_end=self.learning_rate_end,
                clip_norm=self.clip_norm,
                verbose=verbose,
            )


class Run:
    """A run folder: what was asked for, what came of it, and what can still be done with it.

    Args:
        folder: as `Pipeline.train` wrote it.
        pipeline: the pipeline that made it; found by the name in config.json if None.

    Raises:
        UserError: it is not a run folder, or its pipeline is not known by name.
    """

    def __init__(self, folder: str | os.PathLike, pipeline: Pipeline | None = None):
        self.folder = Path(folder)
        self.pipeline = pipeline or self._read_pipeline()

    @classmethod
    def create(cls, folder: Path, pipeline: Pipeline) -> Run:
        """Make the folder and write config.json, from which the run can be had again."""
        folder.mkdir(parents=True, exist_ok=True)
        options = dataclasses.asdict(pipeline)
        for name, value in options.items():
            if isinstance(value, Path):
                options[name] = str(value.resolve())
        config = {"pipeline": pipeline.name, "tfspec": __version__, "options": options}
        (folder / "config.json").write_text(json.dumps(config, indent=2))
        return cls(folder, pipeline)

    def _read_pipeline(self) -> Pipeline:
        from tfspec.pipelines import PIPELINES

        config = self._read_json("config.json")
        if config["pipeline"] not in PIPELINES:
            raise UserError(
                f"{self.folder} was made by the pipeline {config['pipeline']!r}, which is not one of "
                f"{', '.join(PIPELINES)}. In Python, give it: Run(folder, pipeline=…)."
            )
        try:
            return PIPELINES[config["pipeline"]](**config["options"])
        except TypeError as error:
            raise UserError(f"{self.folder} was made by tfspec {config['tfspec']}: {error}.") from None

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            return json.loads(path.read_text())
        except FileNotFoundError:
            raise UserError(f"{self.folder} is not a run folder: it has no {name}.") from None
        except ValueError as error:
            raise UserError(f"{path} is damaged: {error}.") from None

    @functools.cached_property
    def classifier(self) -> Classifier:
        """The model of the epoch with the lowest validation loss."""
        return load_keras(self.folder / "best.keras")

    @property
    def history(self) -> pd.DataFrame:
        """Losses, accuracies and seconds, one row an epoch."""
        return pd.read_csv(self.folder / "history.csv")

    @property
    def split(self) -> pd.DataFrame:
        """The manifest with its column `part`."""
        text = {"label": str, "group": str}
        return pd.read_csv(self.folder / "split.csv", dtype=text, keep_default_na=False)

    @property
    def predictions(self) -> pd.DataFrame:
        """File, true label, predicted label and probabilities of every validation example."""
        text = {"label": str, "predicted": str}
        return pd.read_csv(self.folder / "predictions.csv", dtype=text, keep_default_na=False)

    def figure(self, name: str) -> Path:
        """Give the path of a figure that the run has left."""
        return self.folder / "figures" / f"{name}.png"

    def evaluation_folder(self, data: str | os.PathLike | None = None) -> Path:
        """Give the folder where the evaluation on other data goes; the run folder for None."""
        return self.folder if data is None else self.folder / "evaluations" / Path(data).resolve().name

    def evaluate(
        self, data: str | os.PathLike | None = None, on_bad_file: Literal["stop", "skip"] | None = None
    ) -> dict[str, Any]:
        """Score the best model on the validation part, or on all of another data set.

        Writes metrics.json, predictions.csv and figures/: into the run folder for the validation part, into
        evaluations/NAME-OF-DATA/ in it for other data.

        Args:
            data: as the pipeline's option `data`; None for the validation part.
            on_bad_file: as the pipeline's option, for `data`; the run's own if None.

        Returns:
            What `evaluation.score` gives, and with `data` also `groups_trained_on`.

        Raises:
            UserError: the data cannot be used, or has labels that the model does not know.
        """
        split = self.split
        if data is None:
            pipeline, bad = self.pipeline, None
            manifest = split[split["part"] == "validation"].reset_index(drop=True)
        else:
            if not hasattr(self.pipeline, "data"):
                raise UserError(f"The pipeline {self.pipeline.name} takes no other data.")
            changes = {"data": Path(data), "on_bad_file": on_bad_file or self.pipeline.on_bad_file}
            pipeline = dataclasses.replace(self.pipeline, **changes)  # type: ignore[arg-type]
            manifest, bad = pipeline.usable(pipeline.manifest())
        model = self.classifier
        labels = label_indices(manifest["label"], model.class_names)
        read = pipeline.reader(manifest)
        dataset = make_dataset(manifest, read, model.class_names, pipeline.validation_batch_size)
        probabilities = np.concatenate([model.probabilities(signals) for signals, _ in dataset])
        scores = evaluation.score(labels, probabilities, model.class_names)
        if data is not None:
            trained_on = split.loc[split["part"] == "train", "group"]
            scores["groups_trained_on"] = sorted(set(manifest["group"]) & set(trained_on))
        table = evaluation.predictions_table(
            pipeline.example_names(manifest), probabilities, model.class_names, manifest["label"]
        )
        folder = self.evaluation_folder(data)
        self._write_evaluation(folder, scores, table, bad)
        self._draw(pipeline, folder / "figures", manifest, read, scores)
        return scores

    def _write_evaluation(self, folder: Path, scores: dict, table: pd.DataFrame, bad: pd.DataFrame | None):
        with written_beside(folder / "metrics.json") as part:
            part.write_text(json.dumps(scores, indent=2))
        with written_beside(folder / "predictions.csv") as part:
            table.to_csv(part, index=False)
        if bad is not None:
            bad.to_csv(folder / "bad_files.csv", index=False)

    def _draw(self, pipeline: Pipeline, folder: Path, manifest: pd.DataFrame, read: Reader, scores: dict):
        """Draw the confusion matrix, the training and one example a class."""
        firsts = manifest.drop_duplicates("label").head(12)
        features = np.asarray(self.classifier.front_end(read(firsts)))
        figures = {
            "confusion_matrix": report.confusion_matrix_figure(scores),
            "history": report.history_figure(self.history),
            "examples": pipeline.draw_examples(features, list(firsts["label"])),
        }
        for name, figure in figures.items():
            with written_beside(folder / f"{name}.png") as part:
                figure.savefig(part)

    def export(self, quantize: Quantize = "none") -> dict[str, Any]:
        """Write a SavedModel and a TFLite file, compared with the Keras model on the validation part.

        Args:
            quantize: what becomes of the TFLite file's backbone; "int8" is calibrated on the training part.

        Returns:
            As `tfspec.export.export`, also kept in export/parity.json.

        Raises:
            ParityError: a file does not give what the Keras model gives.
            ValueError: there is no such mode.
        """
        train, validation = (self.split.query("part == @part") for part in ("train", "validation"))
        some = train.sample(min(CALIBRATION_SIGNALS, len(train)), random_state=self.pipeline.seed)
        return export(
            self.classifier, self.folder / "export", self._signals(validation), quantize, self._signals(some)
        )

    def _signals(self, manifest: pd.DataFrame) -> Iterator[np.ndarray]:
        """Read the signals of a manifest's rows, batch by batch, once they are asked for."""
        manifest = manifest.reset_index(drop=True)
        read, batch_size = self.pipeline.reader(manifest), self.pipeline.validation_batch_size
        for signals, _ in make_dataset(manifest, read, self.classifier.class_names, batch_size):
            yield signals.numpy()

    def predict(self, files: Sequence[str | os.PathLike], hop_seconds: float | None = None) -> pd.DataFrame:
        """Classify recordings with the best model; see `predict_files`."""
        return predict_files(self.classifier, files, hop_seconds)


def load_model(path: str | os.PathLike) -> Classifier | TFLiteClassifier:
    """Load what a run left: its best model, a .keras file or a .tflite file.

    Args:
        path: run folder or file.

    Returns:
        Something with `class_names`, `signal_shape`, `sample_rate` and `probabilities(signals)`.

    Raises:
        UserError: there is no such thing, or it was not made by tfspec.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "best.keras"
    if not path.is_file():
        raise UserError(f"No model at {path}. Give a run folder, a .keras file or a .tflite file.")
    return TFLiteClassifier(path) if path.suffix == ".tflite" else load_keras(path)


def load_keras(path: Path) -> Classifier:
    """Load a `Classifier` in safe mode, which runs no code that the file may hold.

    Args:
        path: a .keras file.

    Returns:
        The model.

    Raises:
        UserError: the file is missing or damaged, or holds another kind of model.
    """
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError) as error:
        raise UserError(f"{path} cannot be loaded as a Keras model: {str(error).splitlines()[0]}") from None
    if not isinstance(model, Classifier):
        raise UserError(f"{path} is a Keras model, but not a tfspec Classifier.")
    return model


def predict_files(
    model: Classifier | TFLiteClassifier, files: Sequence[str | os.PathLike], hop_seconds: float | None = None
) -> pd.DataFrame:
    """Classify recordings of any sample rate and length.

    Args:
        model: from `load_model`.
        files: the recordings.
        hop_seconds: None classifies the beginning of each recording, cut or padded as in training. A number
            classifies a whole long recording, one window every `hop_seconds`.

    Returns:
        One row a file or window: `file`, `start` in seconds, `predicted`, `p_<class>` for every class.

    Raises:
        UserError: files cannot be used, all of which are listed, or the model does not take recordings.
    """
    if model.sample_rate is None:
        raise UserError(f"This model takes signals of shape {model.signal_shape}, not recordings.")
    if hop_seconds is not None and not 0 < hop_seconds < math.inf:
        raise UserError(f"The hop must be longer than 0 seconds, and finite. Received: {hop_seconds}")
    if bad := [f"{i.path} ({i.problem})" for i in inspect_all(files) if i.problem]:
        raise UserError(f"{len(bad)} of {len(files)} files cannot be used: {'; '.join(bad)}.")
    names, starts, probabilities = [], [], []
    for file in files:
        first_seconds, windows = _windows(model, file, hop_seconds)
        names += [os.fspath(file)] * len(windows)
        starts += first_seconds
        probabilities.append(model.probabilities(windows))
    table = evaluation.predictions_table(
        pd.Series(names, name="file"), np.concatenate(probabilities), model.class_names
    )
    table.insert(1, "start", starts)
    return table


def _windows(model, file: str | os.PathLike, hop_seconds: float | None) -> tuple[list[float], np.ndarray]:
    """Cut a recording into the windows to classify: their starts in seconds, and (windows, samples)."""
    length = model.signal_shape[0]
    if hop_seconds is None:
        return [0.0], load_audio(file, model.sample_rate, length)[np.newaxis]
    samples = load_audio(file, model.sample_rate)
    hop = max(1, round(hop_seconds * model.sample_rate))
    starts = range(0, max(1, len(samples) - length + 1), hop)
    windows = np.stack([fit_length(samples[start:], length) for start in starts])
    return [start / model.sample_rate for start in starts], windows
