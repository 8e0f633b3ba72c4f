"""Commands that write pages to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from tfspec.base.errors import UserError
from tfspec.base.options import Name


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
    from rich.markup import escape

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
        console.print(escape(f"{error} The page shows no examples."))
    console.print(escape(f"A page to look at: {write_report(trained, made_by, part, data)}"))
