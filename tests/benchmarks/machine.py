"""What a figure was measured on, and whether the machine had time for it."""

import os
import platform
from pathlib import Path

import pandas as pd


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


def print_table(rows: list[dict]) -> None:
    """Print rows as a table in Markdown, and what they were measured on."""
    table = pd.DataFrame(rows)
    print(f"{described()}\n")
    for cells in (table.columns, ["---"] * len(table.columns), *table.itertuples(index=False)):
        print(f"| {' | '.join(map(str, cells))} |")
