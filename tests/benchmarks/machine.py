"""What a figure was measured on, whether the machine had time for it, and where its table goes."""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path

RESULTS = "TFSPEC_RESULTS"
"""Variable of the environment by which all.py tells a measuring script where the rows of its tables go."""


def processor() -> str:
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def described() -> str:
    """Describe the machine as it is: processor, cores, and how many processes wanted one of late."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{processor()}, {os.cpu_count()} cores{load}, Python {platform.python_version()}"


def give_table(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of the pages in Markdown; where all.py asked for it, write it, too.

    Args:
        name: of the file in docs/results, without its ending.
        columns: what stands above.
        rows: of as many cells, as they stand in the page.
    """
    _print_lines([columns, *rows])
    if folder := os.environ.get(RESULTS):
        document = {"columns": list(columns), "rows": [list(row) for row in rows]}
        Path(folder, f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False), "utf-8")


def _print_lines(table: Sequence[Sequence[str]]) -> None:
    columns, *rows = table
    for cells in (columns, ["---"] * len(columns), *rows):
        print(f"| {' | '.join(cells)} |")
