"""A run folder, and what can be done with it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import tensorflow as tf

from tfspec._version import __version__
from tfspec.base.errors import UserError, user_error_in
from tfspec.base.files import clear_temporaries, written_beside
from tfspec.base.modules import refuse_while_loading
from tfspec.base.text import shown
from tfspec.data.batches import read_batches
from tfspec.data.examples import Examples
from tfspec.data.kept import keep_signals, open_signals
from tfspec.data.readers import Reader
from tfspec.data.targets import label_indices, targets
from tfspec.distributed import replicated as replicas
from tfspec.export.exporting import export
from tfspec.export.quantization import Quantize
from tfspec.inference.files import load_keras, predict_files
from tfspec.models import Classifier, at_temperature
from tfspec.report import figures as report
from tfspec.scores import calibration as distributions
from tfspec.scores import classes as evaluation
from tfspec.training import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tfspec.experiment.pipeline import Member, Pipeline

# Fewer miss the activations' rare peaks: with 256 a probability was off by 0.46, with 1000 by 0.16.
CALIBRATION_SIGNALS = 1000

KEPT_SIGNALS = "signals.npz"

UNANSWERED = "unanswered"
"""Part of the examples whose classes nobody knows: they are predicted, but no score counts them."""


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
        """Make the folder, or put in order what a kill left of it, and write config.json: it is a run now."""
        clear_temporaries(folder, of_all_processes=True)
        config = {
            "pipeline": pipeline.name,
            "tfspec": __version__,
            "options": pipeline.options(),
            "devices": replicas.describe(replicas.open_strategy(pipeline.strategy), pipeline.batch_size),
        }
        with written_beside(folder / "config.json") as temporary:
            temporary.write_text(json.dumps(config, indent=2))
        return cls(folder, pipeline)

    def write_split(self, split: pd.DataFrame, bad: pd.DataFrame) -> None:
        """Write split.csv, and before it bad_files.csv if there are bad examples, and say what they hold."""
        if len(bad):
            print(f"Left out {len(bad)} examples that cannot be used, listed in bad_files.csv")
            self._write_table(self.folder / "bad_files.csv", bad)
        print(shown(self.pipeline.describe(split)))
        self._write_table(self.folder / "split.csv", split)

    def _write_table(self, path: Path, table: pd.DataFrame) -> None:
        with written_beside(path) as temporary:
            # a name says that it is by their index that signals are found
            table.to_csv(temporary, index=table.index.name is not None)

    def resume(self, verbose: int | str = "auto") -> Run:
        """Train what is still to be trained, and score it; a run that was killed ends as if it never was.

        Args:
            verbose: Keras's progress bar: "auto", 0, 1 or 2.

        Returns:
            The run itself.
        """
        refuse_while_loading()
        strategy = self.pipeline.open_devices()
        if not replicas.is_chief(strategy):
            mine = replicas.elsewhere()
            shutil.copytree(self.folder, mine, dirs_exist_ok=True)
            self.folder, verbose = mine, 0
        clear_temporaries(self.folder, of_all_processes=True)
        if not (self.folder / "split.csv").exists():  # killed before it was written
            self.write_split(*self.pipeline.checked_split())
        devices = replicas.describe(strategy, self.pipeline.batch_size)
        print("Devices: " + ", ".join(f"{name} {value}" for name, value in devices.items()))
        self.pipeline.fit(self.folder, self.split, verbose)
        self._keep_signals()
        self.evaluate()
        if self.has_test_part:
            self.evaluate(part="test")
        self.pipeline.write_results(self)
        return self

    def _read_pipeline(self) -> Pipeline:
        from tfspec.pipelines import PIPELINES

        config = self._read_json("config.json")
        name, options = config.get("pipeline"), config.get("options")
        if not isinstance(name, str) or not isinstance(options, dict):
            raise UserError(f"{self.folder / 'config.json'} is damaged: it lacks `pipeline` or `options`.")
        if name not in PIPELINES:
            raise UserError(
                f"{self.folder} was made by the pipeline {name!r}, which is not one of "
                f"{', '.join(PIPELINES)}. In Python, give it: Run(folder, pipeline=…)."
            )
        try:
            return PIPELINES[name](**options)
        except (TypeError, UserError) as error:
            raise UserError(
                f"The options in {self.folder / 'config.json'}, of tfspec {config.get('tfspec')}, cannot be "
                f"used: {error}"
            ) from None

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        if not path.exists():
            raise UserError(f"{self.folder} is not a run folder: it has no {name}.")
        try:
            document = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"{path} is damaged: {error}.") from None
        if not isinstance(document, dict):
            raise UserError(
                f"{path} is damaged: it holds {type(document).__name__}, and not names and values."
            )
        return document

    @functools.cached_property
    def classifier(self) -> Classifier:
        """The model of the epoch with the lowest validation loss, or the mean of all folds' models."""
        return load_keras(self.folder / "best.keras")

    @functools.cached_property
    def members(self) -> dict[str, Member]:
        """The models that were trained, by the name of their folder in the run folder."""
        return self.pipeline.members(self.split)

    @property
    def history(self) -> pd.DataFrame:
        """Losses, accuracies and seconds, one row an epoch; column `member` names the model."""
        files = {name: str(Path(name, "history.csv")) for name in self.members}
        tables = {name: self._read_table(file, ["epoch", "loss"]) for name, file in files.items()}
        return pd.concat(tables, names=["member"]).reset_index("member").reset_index(drop=True)

    @functools.cached_property
    def split(self) -> pd.DataFrame:
        """The manifest with its column `part`."""
        split = self._read_table("split.csv", ["part", "group"])
        if unknown := sorted(set(split["part"]) - {"train", "validation", "test", UNANSWERED}):
            raise UserError(f"{self.folder / 'split.csv'} is damaged: it has the part {shown(unknown[0])!r}.")
        named = [name for name in ("window", "index") if name in split]
        return split.set_index(named[0]) if named else split

    @property
    def has_test_part(self) -> bool:
        """Whether some examples were neither trained nor validated on."""
        return "test" in set(self.split["part"])

    @property
    def predictions(self) -> pd.DataFrame:
        """File, true label, predicted label and probabilities of every validation example."""
        return self._read_table("predictions.csv", ["predicted"])

    def metrics(self, part: Literal["validation", "test"] = "validation") -> dict[str, Any]:
        """Give the scores of a part, as `evaluation.score` does."""
        return self._read_json(f"{self.evaluation_folder(part=part).relative_to(self.folder)}/metrics.json")

    def _read_table(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        path = self.folder / name
        if not path.exists():
            raise UserError(f"{self.folder} has no {name}: it was not trained, or not to the end.")
        text = dict.fromkeys(("label", "group", "predicted", "part"), str)
        try:
            table = pd.read_csv(path, dtype=text, keep_default_na=False)
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is damaged: {error}.") from None
        if missing := [column for column in columns if column not in table]:
            raise UserError(f"{path} is damaged: it has no column {', '.join(missing)}.")
        return table

    def check_finished(self) -> None:
        """Refuse what a killed run has left so far.

        Raises:
            UserError: not all models are trained to their end.
        """
        if not all(Progress.load(self.folder / name).finished for name in self.members):
            raise UserError(f"{self.folder} is not finished: `tfspec resume {self.folder}` goes on with it.")

    def figure(self, name: str) -> Path:
        """Give the path of a figure that the run has left."""
        return self.folder / "figures" / f"{name}.png"

    def evaluation_folder(self, data: str | os.PathLike | None = None, part: str = "validation") -> Path:
        """Give the folder where an evaluation goes: the run folder for the validation part.

        Another data set has a folder of its own, named by its last name and a checksum of its whole path.
        """
        if data is not None:
            path = Path(data).resolve()
            digest = hashlib.blake2b(os.fsencode(path), digest_size=4).hexdigest()
            return self.folder / "evaluations" / f"{path.name[:100]}-{digest}"
        return self.folder if part == "validation" else self.folder / "evaluations" / part

    def evaluate(
        self,
        data: str | os.PathLike | None = None,
        on_bad_file: Literal["stop", "skip"] | None = None,
        part: Literal["validation", "test"] = "validation",
    ) -> dict[str, Any]:
        """Score the best model on the validation or test part, or on all of another data set.

        Every example is predicted by the mean of all models, in cross validation by that of the models that
        were not trained on its fold. Writes metrics.json, predictions.csv, groups.csv
        (the scores of each group by itself) and figures/: into the run folder for the validation part, into
        evaluations/ in it for the rest.

        Args:
            data: as the pipeline's option `data`; None for the run's own.
            on_bad_file: as the pipeline's option, for `data`; the run's own if None.
            part: of the run's own data.

        Returns:
            What `evaluation.score`, `distributions.score_distributions` and `distributions.score_members`
            give, the latter by what was fitted to the validation part; with soft labels, the class of an
            example is that of its largest share. The number of `groups` and `intervals`, as `score_groups`
            gives them; with `data` also `groups_trained_on`; and where the pipeline smooths, the scores of
            that as `smoothed`.

        Raises:
            UserError: the data cannot be used, or has labels that the model does not know.
        """
        self.check_finished()
        clear_temporaries(self.folder)
        pipeline, predicted, bad = self.pipeline, self._predicted(part), None
        if data is not None:
            pipeline, manifest, bad = self._other_data(data, on_bad_file)
            predicted = [(list(self.members), manifest)]
        manifest = pd.concat([rows for _, rows in predicted])
        if manifest.empty:
            raise UserError(f"{self.folder} has no {part} part.")
        held_out = data is None and part == "validation"
        manifest, scores, tables = self._score(
            pipeline, manifest, self._predict(pipeline, predicted), held_out
        )
        if data is not None:
            trained_on = self.split.loc[self.split["part"] == "train", "group"]
            scores["groups_trained_on"] = sorted((set(manifest["group"]) & set(trained_on)) - {""})
            scores["data"] = str(Path(data).resolve())
        folder = self.evaluation_folder(data, part)
        self._write_evaluation(folder, scores, tables, bad)
        self._draw(pipeline, folder / "figures", manifest, scores)
        return scores

    def _other_data(
        self, data: str | os.PathLike, on_bad_file: Literal["stop", "skip"] | None
    ) -> tuple[Pipeline, pd.DataFrame, pd.DataFrame]:
        """Give the pipeline of another data set, its rows that have an answer, and the bad ones."""
        if not hasattr(self.pipeline, "data"):
            raise UserError(f"The pipeline {self.pipeline.name} takes no other data.")
        changes = {"data": Path(data), "on_bad_file": on_bad_file or self.pipeline.on_bad_file}
        pipeline = dataclasses.replace(self.pipeline, **changes)  # type: ignore[arg-type]
        self._check_shape(pipeline)
        manifest, bad = pipeline.usable(pipeline.manifest())
        if "part" in manifest:
            manifest = manifest[manifest["part"] != UNANSWERED]
        return pipeline, manifest, bad

    def _check_shape(self, pipeline: Pipeline) -> None:
        """Refuse signals of a shape that the model does not take."""
        try:
            received = tuple(pipeline.reader(self.split.iloc[:0]).signal_shape)
        except (UserError, OSError):
            return  # listing the data says what is wrong with it
        if received != (known := tuple(self.classifier.signal_shape)):
            raise UserError(f"The model takes signals of shape {known}; those of the data have {received}.")

    def _score(
        self, pipeline: Pipeline, manifest: pd.DataFrame, each: np.ndarray, held_out: bool
    ) -> tuple[pd.DataFrame, dict[str, Any], dict[str, pd.DataFrame]]:
        """Score (members, rows, classes) probabilities; give the rows back with labels and predictions."""
        names = self.classifier.class_names
        shares, probabilities = _shares(manifest, names), np.nanmean(each, axis=0)
        labels, members = shares.argmax(1), dict(zip(self.members, each, strict=True))
        scores = {
            **evaluation.score(labels, probabilities, names),
            **distributions.score_distributions(shares, probabilities, self._prior),
            **distributions.score_members(shares, members, None if held_out else self._fitted),
        }
        groups, scores["intervals"] = evaluation.score_groups(
            labels, probabilities.argmax(1), manifest["group"], names
        )
        scores["groups"] = len(groups)
        soft, manifest = "label" not in manifest, manifest.assign(label=np.take(names, labels))
        table = evaluation.predictions_table(
            pipeline.example_names(manifest), probabilities, names, manifest["label"]
        )
        if soft:
            table = table.join(pd.DataFrame(shares, columns=[f"true_{name}" for name in names]))
        manifest = manifest.assign(predicted=table["predicted"].to_numpy())
        smoothed = pipeline.smooth(manifest, manifest if held_out else self._held_out(), names)
        if smoothed is not None:
            table.insert(table.columns.get_loc("predicted") + 1, "smoothed", smoothed)
            places = label_indices(table["smoothed"], names)
            scores["smoothed"] = evaluation.score_classes(labels, places, names)
            its_groups, scores["smoothed"]["intervals"] = evaluation.score_groups(
                labels, places, manifest["group"], names
            )
            groups = groups.join(its_groups.drop(columns="examples", errors="ignore").add_prefix("smoothed_"))
        return manifest, scores, {"predictions": table, "groups": groups.reset_index()}

    def _predicted(self, part: str) -> list[tuple[list[str], pd.DataFrame]]:
        """Give the members that predict a part, each time with their rows."""
        if part == "test":
            return [(list(self.members), _part(self.split, "test"))]
        folds: dict[int | None, tuple[list[str], pd.DataFrame]] = {}
        for name, member in self.members.items():
            folds.setdefault(member.fold, ([], _part(member.split, "validation")))[0].append(name)
        return list(folds.values())

    def _held_out(self) -> pd.DataFrame:
        """Give the rows of the validation part, and what was predicted of them."""
        rows = pd.concat([rows for _, rows in self._predicted("validation")])
        return rows.assign(predicted=self.predictions["predicted"].to_numpy())

    def _load(self, members: Sequence[str]) -> list[Classifier]:
        return [load_keras(self.folder / name / "best.keras") for name in members]

    def _predict(self, pipeline: Pipeline, predicted: Sequence[tuple[list[str], pd.DataFrame]]) -> np.ndarray:
        """Predict rows by members: (members, rows, classes), NaN where a member does not predict a row."""
        parts = []
        for names, rows in predicted:
            models = self._load(names)
            received = _probabilities(models, _read(pipeline, rows))
            part = np.full((len(self.members), *received.shape[1:]), np.nan, np.float32)
            part[[name in names for name in self.members]] = received
            parts.append(part)
        return np.concatenate(parts, axis=1)

    @property
    def _prior(self) -> np.ndarray:
        """The mean shares of the classes in the training part."""
        return _shares(_part(self.split, "train"), self.classifier.class_names).mean(0)

    @property
    def _fitted(self) -> dict[str, Any]:
        """The scores of the validation part, among them what was fitted to it."""
        scores = self.metrics() if (self.folder / "metrics.json").exists() else {}
        return scores if "tempered" in scores else self.evaluate()

    def _write_evaluation(
        self, folder: Path, scores: dict, tables: dict[str, pd.DataFrame], bad: pd.DataFrame | None
    ):
        with written_beside(folder / "metrics.json") as temporary:
            temporary.write_text(json.dumps(scores, indent=2))
        for name, table in tables.items():
            self._write_table(folder / f"{name}.csv", table)
        if bad is not None:
            self._write_table(folder / "bad_files.csv", bad)

    def _draw(self, pipeline: Pipeline, folder: Path, manifest: pd.DataFrame, scores: dict):
        """Draw the confusion matrix, the calibration, the training and some examples."""
        figures = {
            "confusion_matrix": report.confusion_matrix_figure(scores),
            "calibration": report.calibration_figure(scores),
            "history": report.history_figure(self.history),
            "examples": pipeline.examples_figure(manifest, self.classifier.front_end),
        }
        for name, figure in figures.items():
            with written_beside(folder / f"{name}.png") as temporary:
                figure.savefig(temporary)

    def export(self, quantize: Quantize = "none", calibrated: bool = False) -> dict[str, Any]:
        """Write a SavedModel and a TFLite file, compared with the Keras model on the validation part.

        Args:
            quantize: what becomes of the TFLite file's backbone; "int8" is calibrated on the training part.
            calibrated: divide the logits by the temperature with which the validation part has the lowest
                cross-entropy, so that probabilities are worth what they say.

        Returns:
            As `tfspec.export.exporting.export`, also kept in export/parity.json.

        Raises:
            ParityError: a file does not give what the Keras model gives.
            ValueError: there is no such mode.
        """
        self.check_finished()
        clear_temporaries(self.folder)
        train, validation = (_part(self.split, part) for part in ("train", "validation"))
        if validation.empty:  # as in cross validation, where every example is both
            validation = train
        some = train.sample(min(CALIBRATION_SIGNALS, len(train)), random_state=self.pipeline.seed)
        model = self.classifier
        if calibrated:
            tempered = at_temperature(model.backbone, self._fitted["tempered"]["temperature"])
            model = Classifier(
                model.front_end, tempered, model.class_names, model.signal_shape, model.sample_rate
            )
        return export(model, self.folder / "export", self._signals(validation), quantize, self._signals(some))

    def _keep_signals(self) -> None:
        """Keep some signals for `export` and `view`, which may be wanted where the data no longer is."""
        path = self.folder / KEPT_SIGNALS
        if path.exists():
            return
        chosen = [_part(self.split, part) for part in ("train", "validation")]
        keep_signals(path, [rows for rows in chosen if len(rows)], self.pipeline.reader, self.pipeline.seed)

    def _readable(self, rows: pd.DataFrame) -> tuple[Reader, pd.DataFrame]:
        """Give what reads the signals of rows; where the data is gone, of those of them that were kept."""
        try:
            read = self.pipeline.reader(rows)
            read(rows.iloc[:1])
            return read, rows
        except (UserError, OSError) as error:
            kept = open_signals(self.folder / KEPT_SIGNALS, self.split.index)
            there = rows[rows.index.isin(kept.index)]
            if there.empty:
                raise UserError(f"{error} The run has kept no signal of it either.") from None
            print(shown(f"The data cannot be read ({error}): {len(there)} kept signals stand for it."))
            return kept, there

    def _signals(self, rows: pd.DataFrame) -> Iterator[np.ndarray]:
        """Read the signals of rows of the split, batch by batch, once they are asked for."""
        read, there = self._readable(rows)
        yield from read_batches(there, read, self.pipeline.validation_batch_size).as_numpy_iterator()

    def view(self, example: int = 0, part: Literal["validation", "test"] = "validation") -> Figure:
        """Draw an example's features beside what the best models make of them, none trained on it.

        Args:
            example: its place in predictions.csv, from 0.
            part: of the run's own data.

        Returns:
            The figure: the picture, a bar for each class's probability, the true and the predicted label.

        Raises:
            UserError: there is no such example.
        """
        self.check_finished()
        predicted = self._predicted(part)
        rows = pd.concat([rows.assign(model=i) for i, (_, rows) in enumerate(predicted)])
        if not 0 <= example < len(rows):
            raise UserError(f"The {part} part has {len(rows)} examples, numbered from 0. Received: {example}")
        row = rows.iloc[[example]]
        members, _ = predicted[row["model"].iloc[0]]
        models = self._load(members)
        names = models[0].class_names
        read, _ = self._readable(row)
        signal = read(row)
        return report.view_figure(
            self.pipeline.picture(np.asarray(models[0].front_end(signal))[0]),
            str(self.pipeline.example_names(row).iloc[0]),
            *self.pipeline.picture_axes,
            names,
            _probabilities(models, [signal]).mean(axis=0)[0],
            names[_shares(row, names).argmax()],
        )

    def predict_rows(self, manifest: pd.DataFrame) -> dict[str, np.ndarray]:
        """Predict rows of a manifest, such as some of `split`, by every model.

        Args:
            manifest: rows numbered from 0, and whatever the pipeline's reader needs.

        Returns:
            (rows, classes) probabilities of each model, by the name of its folder in the run folder.
        """
        each = self._predict(self.pipeline, [(list(self.members), manifest)])
        return dict(zip(self.members, each, strict=True))

    def predict(self, files: Sequence[str | os.PathLike], hop_seconds: float | None = None) -> pd.DataFrame:
        """Classify recordings with the best model; see `predict_files`."""
        return predict_files(self.classifier, files, hop_seconds)


def open_examples(source: str) -> Examples:
    """Open what a worker of a data service reads.

    Args:
        source: JSON of a run folder, the name of a member, and a part, as `Pipeline` tells it.

    Raises:
        UserError: it is not a run folder, or that of a pipeline not known by name.
    """
    folder, name, part = json.loads(source)
    member = Run(folder).members[name]
    return member.pipeline.examples_of(member.split, part)


def _part(split: pd.DataFrame, part: str) -> pd.DataFrame:
    return split[split["part"] == part]


def _read(pipeline: Pipeline, rows: pd.DataFrame) -> Iterator[np.ndarray]:
    """Read the signals of rows, batch by batch."""
    batches = read_batches(rows, pipeline.reader(rows), pipeline.validation_batch_size)
    try:
        yield from batches.as_numpy_iterator()
    except tf.errors.OpError as error:
        raise user_error_in(error.message) or error from None


def _shares(manifest: pd.DataFrame, class_names: Sequence[str]) -> np.ndarray:
    """Give (rows, classes): how much of each class a row has, all of one class where it has a label."""
    known = targets(manifest, class_names)
    return known if known.ndim == 2 else np.eye(len(class_names), dtype=np.float32)[known]


def _probabilities(models: Sequence[Classifier], signals: Iterable[np.ndarray]) -> np.ndarray:
    """Give (models, rows, classes); the features, which are the same for all models, are made once."""
    batches = []
    for batch in signals:
        features = models[0].front_end(batch)
        batches.append([tf.nn.softmax(model.backbone(features, training=False)) for model in models])
    return np.concatenate(batches, axis=1)
