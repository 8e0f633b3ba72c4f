"""A run folder: what was asked for, what came of it, and what can be done with it alone."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd
from matplotlib.figure import Figure

from tfspec._version import __version__
from tfspec.base.errors import UserError
from tfspec.base.files import check_run_folder, clear_temporaries, written_beside
from tfspec.base.frames import EventRule
from tfspec.base.progress import say
from tfspec.base.text import excerpt, number_of, shown
from tfspec.data.kept import open_signals
from tfspec.data.readers import ArrayReader
from tfspec.data.splits import UNANSWERED
from tfspec.export.streaming import StreamingClassifier
from tfspec.inference.files import predict_files
from tfspec.inference.loading import load_keras
from tfspec.models import Classifier
from tfspec.scores.types import AnyScores

PARTS = ("train", "validation", "test", UNANSWERED)
Scored = Literal["validation", "test"]
INDEX_NAMES = ("example", "window", "index")
"""What the first column of split.csv may be called where it is the rows' index."""
KEPT_SIGNALS = "signals.npz"
NOT_ALWAYS = ("groups", "recordings")
"""Tables that an evaluation writes of some data and not of others."""


class Run:
    """A run folder, which stands for the folder wherever a path is asked for.

    Args:
        folder: as a training wrote it.

    Raises:
        UserError: it is not a run folder, or its config.json is damaged.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self.config = self._read_json("config.json")
        kinds = {"pipeline": str, "options": dict}
        if not all(isinstance(self.config.get(name), kind) for name, kind in kinds.items()):
            raise UserError(f"{self.folder / 'config.json'} is damaged: it lacks `pipeline` or `options`.")

    def __fspath__(self) -> str:
        """Return the folder."""
        return os.fspath(self.folder)

    # What a training writes

    @classmethod
    def create(cls, folder: Path, config: Mapping[str, Any]) -> Run:
        """Make the folder, or put in order what a kill left of it, and write config.json: it is a run now.

        Args:
            folder: where it is to be.
            config: `pipeline`, its name; `options`; and whatever else is worth knowing, ready for JSON.

        Raises:
            UserError: it is a run already: another training has been faster.
        """
        if (folder / "config.json").exists():
            raise UserError(f"Another training has begun in {folder} meanwhile. Give another --out.")
        clear_temporaries(folder, of_all_processes=True)
        with written_beside(folder / "config.json") as temporary:
            temporary.write_text(json.dumps({"tfspec": __version__, **config}, indent=2))
        return cls(folder)

    def write_split(self, split: pd.DataFrame, bad: pd.DataFrame) -> None:
        """Write split.csv, and before it bad_files.csv if there are bad examples.

        Args:
            split: the manifest with its column `part`; its index goes into the first column.
            bad: the examples that cannot be used, with a column `problem`.
        """
        if len(bad):
            say(f"Left out {number_of(len(bad), 'example')} that cannot be used, listed in bad_files.csv")
            _write_table(self.folder / "bad_files.csv", bad)
        names = (split.index.name, *INDEX_NAMES)
        name = next(name for name in names if name in INDEX_NAMES and name not in split)
        _write_table(self.folder / "split.csv", split.rename_axis(name).reset_index())

    def write_evaluation(
        self,
        folder: Path,
        scores: Mapping[str, Any],
        tables: Mapping[str, pd.DataFrame],
        figures: Mapping[str, Figure],
    ) -> None:
        """Write what an evaluation found instead of what an earlier one did.

        The scores go first and come last: where this is interrupted, the part was not scored.

        Args:
            folder: of `evaluation_folder`.
            scores: for metrics.json.
            tables: by name, for NAME.csv.
            figures: by name, for figures/NAME.png.
        """
        for file in ("metrics.json", *(f"{name}.csv" for name in NOT_ALWAYS if name not in tables)):
            (folder / file).unlink(missing_ok=True)
        for name, table in tables.items():
            _write_table(folder / f"{name}.csv", table)
        for name, figure in figures.items():
            with written_beside(folder / "figures" / f"{name}.png") as temporary:
                figure.savefig(temporary)
        with written_beside(folder / "metrics.json") as temporary:
            temporary.write_text(json.dumps(scores, indent=2))

    def write_thresholds(self, thresholds: Sequence[float]) -> None:
        """Write into best.keras from which probabilities on its classes hold, if it says something else.

        Args:
            thresholds: (classes,).
        """
        if self.classifier.thresholds != (chosen := tuple(map(float, thresholds))):
            self.classifier.thresholds = chosen
            self._write_classifier()

    def write_event_rule(self, rule: EventRule) -> None:
        """Write into best.keras how events are made of its frames, if it says something else.

        Args:
            rule: one threshold and one length a class.
        """
        if self.classifier.event_rule != rule:
            self.classifier.event_rule = rule
            self._write_classifier()

    def _write_classifier(self) -> None:
        with written_beside(self.folder / "best.keras") as temporary:
            self.classifier.save(temporary)

    # What it holds

    @functools.cached_property
    def split(self) -> pd.DataFrame:
        """The manifest with its column `part`, rows named as in the manifest."""
        split = self._read_table("split.csv", ["part", "group"])
        if unknown := sorted(set(split["part"]) - set(PARTS)):
            raise UserError(f"{self.folder / 'split.csv'} is damaged: it has the part {shown(unknown[0])!r}.")
        return split.set_index(split.columns[0]) if split.columns[0] in INDEX_NAMES else split

    def part(self, part: str) -> pd.DataFrame:
        """Return the rows of the split that belong to a part."""
        return self.split[self.split["part"] == part]

    @property
    def has_test_part(self) -> bool:
        """Whether some examples were neither trained nor validated on."""
        return len(self.part("test")) > 0

    @property
    def has_validation_part(self) -> bool:
        """Whether every example that trains was held out from some model, or some examples from all."""
        return "fold" in self.split or len(self.part("validation")) > 0

    @functools.cached_property
    def classifier(self) -> Classifier:
        """The model of the epoch that counts, or the mean of all models."""
        return load_keras(self.folder / "best.keras")

    def forget_classifier(self) -> None:
        """Have the model read anew when it is asked for next, as its file has changed."""
        self.__dict__.pop("classifier", None)

    @property
    def history(self) -> pd.DataFrame:
        """Losses, metrics and seconds, one row an epoch; the column `member` names the model."""
        files = {"": "history.csv"} if (self.folder / "history.csv").exists() else {}
        others = [path.parent.name for path in self.folder.glob("*/history.csv")]
        files |= {name: f"{name}/history.csv" for name in sorted(others, key=_with_numbers)}
        read = {name: self._read_table(file, ["epoch", "loss"]) for name, file in files.items()}
        # Where a loss was not finite the column holds text
        tables = {name: table.apply(pd.to_numeric, errors="coerce") for name, table in read.items()}
        if not tables:
            raise UserError(f"{self.folder} has no history.csv: it was not trained, or not to the end.")
        return pd.concat(tables, names=["member"]).reset_index("member").reset_index(drop=True)

    @property
    def predictions(self) -> pd.DataFrame:
        """Name, true label, predicted label and probabilities of every validation example."""
        return self.table("predictions", "validation")

    def table(self, name: Literal["predictions", "groups"], part: Scored) -> pd.DataFrame:
        """Return a table of the evaluation of a part: what was predicted, or the scores of each group."""
        file = self.evaluation_folder(part=part) / f"{name}.csv"
        needed = {"predictions": ["predicted"], "groups": ["group"]}
        with self._written_anew(part):
            table = self._read_table(str(file.relative_to(self.folder)), needed[name])
            if name == "predictions" and part in self.scored_parts:
                scored = self.metrics(part).get("examples", len(table))
                if len(table) != scored:
                    raise UserError(f"{file} is damaged: it has {len(table)} of {scored} examples.")
        return table

    @contextlib.contextmanager
    def _written_anew(self, part: Scored) -> Iterator[None]:
        """Say of what an evaluation wrote, and cannot be read, what writes it anew."""
        try:
            yield
        except UserError as error:
            told = f"`tfspec evaluate {self.folder} --part {part}` writes it anew."
            raise error if told in str(error) else UserError(f"{error} {told}") from None

    def metrics(self, part: Scored = "validation") -> AnyScores:
        """Return the scores of a part; those of earlier versions do not say that they are of one label."""
        file = self.evaluation_folder(part=part) / "metrics.json"
        with self._written_anew(part):
            scores = self._read_json(str(file.relative_to(self.folder)))
        return cast(AnyScores, {"labels": "one", **scores})

    @property
    def scored_parts(self) -> list[Scored]:
        """The parts that an evaluation was written of."""
        parts: tuple[Scored, ...] = ("validation", "test")
        return [part for part in parts if (self.evaluation_folder(part=part) / "metrics.json").exists()]

    def check_scored(self, part: Scored) -> None:
        """Refuse a part that no evaluation was written of."""
        if part not in self.scored_parts:
            raise UserError(
                f"The {part} part of {self.folder} was not scored: "
                f"`tfspec evaluate {self.folder} --part {part}` does it, where there is one."
            )

    def kept_signals(self) -> ArrayReader:
        """Return what reads the signals that were kept for when the data is gone, by their rows."""
        return open_signals(self.folder / KEPT_SIGNALS, self.split.index)

    @property
    def streams(self) -> dict[str, Path]:
        """The folders of scores on streams, as `tfspec evaluate-stream` left them, by name."""
        return {path.parent.name: path.parent for path in sorted(self.folder.glob("streams/*/scores.json"))}

    def figure(self, name: str) -> Path:
        """Return the path of a figure that the run has left."""
        return self.folder / "figures" / f"{name}.png"

    def evaluation_folder(self, data: str | os.PathLike | None = None, part: str = "validation") -> Path:
        """Return the folder where an evaluation goes: the run folder itself for the validation part.

        Another data set has a folder of its own, named by its last name and a checksum of its whole path.
        """
        if data is not None:
            path = Path(data).resolve()
            digest = hashlib.blake2b(os.fsencode(path), digest_size=4).hexdigest()
            return self.folder / "evaluations" / f"{path.name[:100]}-{digest}"
        return self.folder if part == "validation" else self.folder / "evaluations" / part

    # What can be done with it alone

    def streaming(self) -> StreamingClassifier:
        """Make the best model one that is given a stream hop by hop; see `StreamingClassifier`."""
        return StreamingClassifier(self.classifier)

    def predict(self, files: Sequence[str | os.PathLike], hop_seconds: float | None = None) -> pd.DataFrame:
        """Classify files with the best model; see `predict_files`."""
        return predict_files(self.classifier, files, hop_seconds)

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        check_run_folder(self.folder, name)
        try:
            document = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"{path} is damaged: {error}.") from None
        if not isinstance(document, dict):
            raise UserError(
                f"{path} is damaged: it holds {type(document).__name__}, and not names and values."
            )
        return document

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


def check_run(run: object) -> None:
    """Refuse what is no run, such as the path of one.

    Args:
        run: what should be one.

    Raises:
        UserError: it is none.

    Example:
        >>> check_run("run")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No run is given: Run(PATH) makes one of a run folder. Received: 'run'
    """
    if not isinstance(run, Run):
        raise UserError(
            f"No run is given: Run(PATH) makes one of a run folder. Received: {excerpt(repr(run))}"
        )


def _write_table(path: Path, table: pd.DataFrame) -> None:
    with written_beside(path) as temporary:
        table.to_csv(temporary, index=False)


def _with_numbers(name: str) -> list[tuple[int, int, str]]:
    """Order names such that fold_10 comes after fold_9."""
    return [(0, int(each), "") if each.isdigit() else (1, 0, each) for each in re.split(r"(\d+)", name)]
