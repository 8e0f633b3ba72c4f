"""Commands that write pages to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from tfspec.base.errors import UserError
from tfspec.base.files import check_place, check_run_folder, written_beside
from tfspec.base.options import Name
from tfspec.base.text import shown

if TYPE_CHECKING:
    from tfspec.report.page import Table

SIDE_BY_SIDE = 3
"""Runs whose scores fit into 80 columns."""


def report(
    run: Positional[Path],
    part: Literal["validation", "test"] | None = None,
    data: Path | None = None,
    pipeline: Name | None = None,
) -> None:
    """Write the page of a run anew: its scores, its mistakes to look at and listen to, and how to repeat it.

    Args:
        run: run folder; the page is report.html in it.
        part: of the run's own data; the validation part, or where there is none the test part, if not given.
        data: where the run's signals are now; where they were if not given.
        pipeline: Python file of the run's pipeline, where that has moved or changed.
    """
    check_run_folder(run)
    from tfspec.cli.printing import console
    from tfspec.experiment.registry import pipeline_of
    from tfspec.experiment.reporting import write_report
    from tfspec.experiment.run import Run

    trained = Run(run)
    try:
        made_by = pipeline_of(trained, pipeline)
    except UserError as error:
        if pipeline is not None or data is not None:
            raise
        made_by = None
        console.print(f"{error} The page shows no examples.")
    console.print(f"A page to look at: {write_report(trained, made_by, part, data)}")


def compare(
    runs: Positional[tuple[Path, ...]],
    part: Literal["validation", "test"] = "validation",
    out: Path | None = None,
) -> None:
    """Put runs side by side: their scores here, and in a page their classes, learning and options too.

    Args:
        runs: run folders, two or more.
        part: of each run's own data.
        out: page to write, FILE.html, replaced if it is there; none if not given.
    """
    if out and out.suffix.lower() != ".html":
        raise UserError(f"The page must be an html file. Received: {out}")
    if out:
        check_place(out)
    from tfspec.cli.printing import console
    from tfspec.experiment.comparing import compare as side_by_side
    from tfspec.report.comparison import written

    found = side_by_side(runs, part)
    for table in (*_turned(found.scores), found.paired):
        if table is not None:
            _print_table(table)
    _print_options(found.options)
    console.print("\n".join(found.notes))
    if out:
        with written_beside(out) as temporary:
            temporary.write_text(written(found), "utf-8")
        console.print(f"A page to look at: {out}")


def _turned(table: Table) -> Iterator[Table]:
    """Put measures in rows and runs in columns, so few that a terminal need not break their numbers."""
    for first in range(0, len(table.rows), SIDE_BY_SIDE):
        runs = table.rows[first : first + SIDE_BY_SIDE]
        header, *rows = map(list, zip(["", *table.header[1:]], *runs, strict=True))
        yield replace(table, header=header, rows=rows)


def _print_options(table: Table) -> None:
    """Print options as a table, or each value in a line of its own where the terminal would break some."""
    from rich.cells import cell_len

    from tfspec.cli.printing import console

    columns = zip(table.header, *table.rows, strict=True)
    if sum(max(map(cell_len, column)) + 3 for column in columns) < console.width:
        return _print_table(table)
    for name, *values in table.rows:
        console.print(name, highlight=False)
        for run, value in zip(table.header[1:], values, strict=True):
            console.print(f"  {run}: {value}", highlight=False)


def _print_table(table: Table) -> None:
    """Print a table of a page in the terminal."""
    from rich.table import Table as RichTable

    from tfspec.cli.printing import console

    if table.rows:
        drawn = RichTable()
        for name in table.header:
            drawn.add_column(shown(name), overflow="fold")
        for row in table.rows:
            drawn.add_row(*(shown(cell) for cell in row))
        console.print(drawn)
    if table.note:
        console.print(table.note)
