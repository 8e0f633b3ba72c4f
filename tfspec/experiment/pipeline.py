"""The eight steps, done one after another: from a manifest to a trained, scored run."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from tfspec.base.boundary import disk_errors_told
from tfspec.base.environment import environment
from tfspec.base.errors import UserError
from tfspec.base.files import TEMPORARY, check_place, clear_temporaries, held, written_beside
from tfspec.base.modules import refuse_while_loading
from tfspec.base.options import Quantize
from tfspec.base.progress import say, silenced
from tfspec.data.kept import keep_signals
from tfspec.data.store import FeatureStore
from tfspec.distributed import devices
from tfspec.distributed.service import check_listened_on
from tfspec.experiment.drawing import in_training, view
from tfspec.experiment.evaluate import evaluate
from tfspec.experiment.export import export_micro, export_run
from tfspec.experiment.features import check_features, check_front_end, prepare
from tfspec.experiment.fitting import fit_members
from tfspec.experiment.members import members_of
from tfspec.experiment.predicting import predict_rows
from tfspec.experiment.reference import reference_to
from tfspec.experiment.reporting import PAGE, write_report
from tfspec.experiment.run import KEPT_SIGNALS, Run, Scored, check_run
from tfspec.experiment.splitting import checked_split, described
from tfspec.experiment.steps import Steps
from tfspec.scores.types import AnyScores


@dataclass(kw_only=True)
class Pipeline(Steps):
    """Base of the experiments: a dataclass whose fields are its options and whose methods are its steps.

    A subclass gives `name`, the steps that raise NotImplementedError, and options of its own. It is the
    command line too: `tfspec train NAME` has one option a field.
    """

    def train(self, verbose: int | str = "auto") -> Run:
        """Run the experiment from the manifest to scored predictions.

        Args:
            verbose: "auto" tells a line an epoch, and draws bars in a terminal; 1 and 2 are Keras's own bar
                and lines; 0 tells nothing at all.

        Returns:
            The run, whose folder holds all that it left.

        Raises:
            UserError: the data or an option cannot be used; nothing has been trained.
        """
        refuse_while_loading()
        with silenced(verbose == 0):
            if self.data_service is not None:
                check_listened_on(self.data_service)
            strategy = open_devices(self)
            folder = _new_folder(self) if devices.is_chief(strategy) else devices.elsewhere()
            check_front_end(self)
            steps, split, bad = checked_split(self)
            check_features(steps)
            used = devices.describe(strategy, steps.batch_size)
            config = {**reference_to(steps), "options": steps.options(), "devices": used}
            run = Run.create(folder, {**config, "environment": environment()})
            say(f"Run folder: {folder}")
            _tell_split(run, split, bad)
            return finish(steps, run, verbose)

    def prepare(self) -> FeatureStore:
        """Compute the features that a training uses, and keep them on disk; what is there already stays.

        Returns:
            The store, in the folder `feature_store`, or in `features` beside where the run folder goes.

        Raises:
            UserError: the data cannot be used, the disk is full, or nothing is computed beforehand.
        """
        return prepare(self)

    def resume(self, run: Run, verbose: int | str = "auto") -> Run:
        """Go on with a run that was interrupted; it ends as if it never was. See `finish`."""
        check_run(run)
        return finish(self, run, verbose)

    def evaluate(
        self,
        run: Run,
        data: str | os.PathLike | None = None,
        on_bad_file: Literal["stop", "skip"] | None = None,
        part: Scored = "validation",
    ) -> AnyScores:
        """Score a run's best models again, or on another data set; see `experiment.evaluate.evaluate`."""
        check_run(run)
        return evaluate(self, run, data, on_bad_file, part)

    def export(
        self, run: Run, quantize: Quantize = "none", calibrated: bool = False, streaming: bool = False
    ) -> dict[str, Any]:
        """Write a SavedModel and a TFLite file of a run, and prove them; see `experiment.export`.

        The page of the run, where it has one, then says what they are.
        """
        check_run(run)
        proved = export_run(self, run, quantize, calibrated, streaming)
        if (run.folder / PAGE).exists():
            self.report(run)
        return proved

    def export_micro(self, run: Run, calibrated: bool = False, signal_ops: bool = False) -> dict[str, Any]:
        """Write a run's model as C for microcontrollers; see `experiment.export.export_micro`."""
        check_run(run)
        return export_micro(self, run, calibrated, signal_ops)

    def view(self, run: Run, example: int = 0, part: Scored = "validation") -> Figure:
        """Draw an example beside the probabilities of its classes; see `experiment.drawing.view`."""
        check_run(run)
        return view(self, run, example, part)

    def report(self, run: Run, part: Scored | None = None, data: Path | None = None) -> Path:
        """Write the page of a run anew; see `experiment.reporting.write_report`."""
        check_run(run)
        return write_report(run, self, part, data)


def finish(steps: Steps, run: Run, verbose: int | str = "auto") -> Run:
    """Train what is still to be trained of a run, and score it; a killed run ends as if it never was killed.

    Args:
        steps: the pipeline of the run.
        run: the run.
        verbose: as of `Pipeline.train`.

    Returns:
        The run; on a worker that is not the chief, one in a folder of its own that goes with the process.

    Raises:
        UserError: the data or an option cannot be used, a model cannot be trained, or the disk is full.
    """
    refuse_while_loading()
    strategy = open_devices(steps)
    if not devices.is_chief(strategy):
        run, verbose = _copied(run), 0
    goes_on = disk_errors_told(f"Make room, and `tfspec resume {run.folder}` goes on.")
    with silenced(verbose == 0), held(run.folder), goes_on:
        clear_temporaries(run.folder, of_all_processes=True)
        if not (run.folder / "split.csv").exists():  # killed before it was written
            _, split, bad = checked_split(steps)
            _tell_split(run, split, bad)
        used = devices.describe(strategy, steps.batch_size)
        say("Devices: " + ", ".join(f"{name} {value}" for name, value in used.items()))
        _draw_example(steps, run)
        fit_members(steps, run, verbose)
        _keep_signals(steps, run)
        if run.has_validation_part:
            evaluate(steps, run)
        if run.has_test_part:
            evaluate(steps, run, part="test")
        members = list(members_of(steps, run.split))
        steps.write_results(run, lambda rows: predict_rows(steps, run, [(members, rows)]))
        if devices.is_chief(strategy):
            _write_pages(steps, run)
    return run


def _write_pages(steps: Steps, run: Run) -> None:
    """Write the page of the run, and one of its test part where it is about another one."""
    if run.has_validation_part and run.has_test_part:
        write_report(run, steps, "test")
    say(f"A page to look at: {write_report(run, steps)}")


def open_devices(steps: Steps) -> tf.distribute.Strategy:
    """Take hold of the devices that the options ask for.

    Args:
        steps: the pipeline.

    Returns:
        The strategy of `devices.open_strategy`.

    Raises:
        UserError: they are not there, or do not go with the batch size, several processes or a Sequence.
    """
    strategy = devices.open_strategy(steps.strategy)
    devices.describe(strategy, steps.batch_size)
    if steps.processes > 1 and strategy.num_replicas_in_sync > 1:
        raise UserError(
            f"processes must be 1 on several devices. Received: {steps.processes}; or give --strategy none"
        )
    if steps.loader == "sequence" and strategy.num_replicas_in_sync > 1:
        raise UserError(
            "A Sequence loads for one device. Received: loader='sequence'. Or give --strategy none"
        )
    return strategy


def _new_folder(steps: Steps) -> Path:
    """Name the run folder; what is there is never overwritten, but for a run killed before it began."""
    folder = steps.out or steps.runs_folder / time.strftime(f"{steps.name}-%Y%m%d-%H%M%S")
    check_place(folder, "folder")
    is_free = folder.is_dir() and all(TEMPORARY.fullmatch(path.name) for path in folder.iterdir())
    if os.path.lexists(folder) and not is_free:
        hint = f"`tfspec resume {folder}` goes on with it. " if (folder / "config.json").exists() else ""
        raise UserError(f"{folder} exists and is not empty. {hint}Give another --out, or remove it.")
    return folder


def _tell_split(run: Run, split: pd.DataFrame, bad: pd.DataFrame) -> None:
    """Write a split, and say what it holds."""
    run.write_split(split, bad)
    say(described(split))


def _copied(run: Run) -> Run:
    """Copy a run to where a worker writes that is not the chief, who puts the run in order meanwhile."""
    mine = devices.elsewhere()
    shutil.copytree(
        run.folder, mine, ignore=_temporaries_among, copy_function=_copy_if_there, dirs_exist_ok=True
    )
    return Run(mine)


def _temporaries_among(_: str, names: list[str]) -> list[str]:
    return [name for name in names if TEMPORARY.fullmatch(name)]


def _copy_if_there(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)


def _draw_example(steps: Steps, run: Run) -> None:
    """Draw an example as training sees it, so that one can look at it while it trains."""
    path = run.figure("in_training")
    if not path.exists():
        with written_beside(path) as temporary:
            in_training(steps, run.split).savefig(temporary)
        say(f"An example as training sees it: {path}")


def _keep_signals(steps: Steps, run: Run) -> None:
    """Keep some signals for `export` and `view`, which may be wanted where the data no longer is."""
    path = run.folder / KEPT_SIGNALS
    if not path.exists():
        parts = [rows for rows in (run.part("train"), run.part("validation")) if len(rows)]
        keep_signals(path, parts, steps.reader(), steps.seed)
