"""Several runs side by side, each from its folder alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tfspec.base.errors import UserError
from tfspec.base.text import shown
from tfspec.experiment.run import Run, Scored
from tfspec.report import comparison
from tfspec.report.comparison import Comparison
from tfspec.report.tables import score_table


def compare(folders: Sequence[str | os.PathLike], part: Scored = "validation") -> Comparison:
    """Put runs side by side.

    Args:
        folders: of two runs or more.
        part: of each run's own data, which it was scored on.

    Returns:
        What the page of the comparison shows.

    Raises:
        UserError: there is but one, one is no run or was not scored, or they name one class and several.
    """
    if len(folders) < 2:
        raise UserError(f"At least two runs can be compared. Received: {len(folders)}")
    runs = _named([Run(folder) for folder in folders])
    for run in runs.values():
        run.check_scored(part)
    scores = {name: run.metrics(part) for name, run in runs.items()}
    if len({found["labels"] for found in scores.values()}) > 1:
        raise UserError("Runs of one class an example cannot be compared with runs of several classes.")
    paired = comparison.paired_table({name: run.table("predictions", part) for name, run in runs.items()})
    table = score_table(scores)
    assert table is not None
    return Comparison(
        title=f"{len(runs)} runs side by side",
        notes=_notes(paired is not None, part),
        scores=replace(table, header=["run", *table.header[1:]]),
        paired=paired,
        classes=comparison.f1_table(scores),
        history=comparison.learning_charts({name: run.history for name, run in runs.items()}),
        options=comparison.option_table({name: run.config["options"] for name, run in runs.items()}),
    )


def _notes(same_examples: bool, part: Scored) -> list[str]:
    if same_examples:
        return [f"All were scored on the same examples, those of the {part} part."]
    return [
        f"They were scored on different examples of a {part} part, so part of the difference comes from that."
    ]


def _named(runs: Sequence[Run]) -> dict[str, Run]:
    """Name runs by their folders' last names; by their whole paths where these are not enough."""
    short = [shown(run.folder.resolve().name) for run in runs]
    names = short if len(set(short)) == len(short) else [shown(Path(run.folder).resolve()) for run in runs]
    if len(set(names)) < len(names):
        raise UserError("The same run was given twice.")
    return dict(zip(names, runs, strict=True))
