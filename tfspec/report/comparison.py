"""Runs side by side: their scores, their classes, how they learnt, and what they were told differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from tfspec.report.answers import short
from tfspec.report.charts import Chart, line_chart
from tfspec.report.page import Table, write_template
from tfspec.report.tables import member_lines, number
from tfspec.scores.types import AnyScores


@dataclass(frozen=True)
class Comparison:
    """What the page of several runs shows.

    Args:
        title: of the page.
        notes: what is to be known before scores are compared.
        scores: one row a run.
        paired: the same examples, by who was right; None where the examples are not the same.
        classes: F1 of each class, a column a run.
        history: the learning curves, a line a run.
        options: those that differ, a column a run.
    """

    title: str
    notes: Sequence[str]
    scores: Table
    paired: Table | None
    classes: Table
    history: Sequence[Chart]
    options: Table


def written(comparison: Comparison) -> str:
    """Write the page of several runs as HTML.

    Args:
        comparison: what it shows; all of it is escaped.
    """
    return write_template("compare.html", page=comparison)


def paired_table(answers: Mapping[str, pd.DataFrame]) -> Table | None:
    """Count where each run is right and the first one is not, and the other way round.

    Args:
        answers: of each run, by its name, as predictions.csv has them.

    Returns:
        One row a run; None where they are of other examples, or their labels differ.

    Example:
        >>> first = pd.DataFrame({"file": ["a", "b"], "label": ["x", "y"], "predicted": ["x", "x"]})
        >>> paired_table({"first": first, "second": first.assign(predicted=["y", "y"])}).rows
        [['second', '1', '1', '0', '0']]
    """
    name_of_first, *names = answers
    first, *others = (table.set_index(table.columns[0]) for table in answers.values())
    same = all(
        first.index.is_unique and other["label"].sort_index().equals(first["label"].sort_index())
        for other in others
    )
    if not same:
        return None
    mine, *theirs = ((table["predicted"] == table["label"])[first.index] for table in (first, *others))
    rows = []
    for name, its in zip(names, theirs, strict=True):
        kinds = (its & ~mine, mine & ~its, its & mine, ~its & ~mine)
        rows.append([name, *(str(kind.sum()) for kind in kinds)])
    return Table(["run", "right alone", f"only {name_of_first} right", "both right", "none right"], rows)


def f1_table(scores: Mapping[str, AnyScores]) -> Table:
    """Put the F1 of each class in a row, a column a run.

    Args:
        scores: of each run, by its name.
    """
    per_class = [cast(dict[str, Any], found["per_class"]) for found in scores.values()]
    names = dict.fromkeys(name for classes in per_class for name in classes)
    rows = [
        [short(name), *(number(classes.get(name, {}).get("f1")) for classes in per_class)] for name in names
    ]
    return Table(["F1 of", *scores], rows)


def learning_charts(histories: Mapping[str, pd.DataFrame]) -> list[Chart]:
    """Draw loss and metrics against the epoch, a line a run: of the validation part where there is one.

    Args:
        histories: of each run, by its name, as `Run.history`.
    """
    measured = dict.fromkeys(
        name
        for history in histories.values()
        for name in history
        if name.startswith("val_") or name == "loss"
    )
    charts = []
    for name in measured:
        lines = {run: member_lines(history, name) for run, history in histories.items() if name in history}
        spoken = name.removeprefix("val_").replace("_", " ")
        part = "validation" if name.startswith("val_") else "training"
        charts.append(line_chart(f"{spoken}, {part}", "epoch", spoken, lines))
    return charts


def option_table(options: Mapping[str, Mapping[str, Any]]) -> Table:
    """List the options that differ.

    Args:
        options: of each run, by its name.

    Returns:
        One row an option; a run's cell is empty where it has none of that name.

    Example:
        >>> option_table({"a": {"seed": 0, "epochs": 3}, "b": {"seed": 1, "epochs": 3}}).rows
        [['seed', '0', '1']]
    """
    names = dict.fromkeys(name for its in options.values() for name in its if name != "out")
    cells = {name: [str(its.get(name, "")) for its in options.values()] for name in names}
    rows = [[name, *values] for name, values in cells.items() if len(set(values)) > 1]
    return Table(["option", *options], rows, "" if rows else "All options are the same.")
