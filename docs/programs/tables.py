"""Fill the tables of README.md and docs/*.md from the figures that were measured, docs/results/*.json.

    python docs/programs/tables.py

A table stands between `<!-- table NAME -->` and `<!-- end of table -->`, and NAME.json holds its columns
and rows, and whence they are: how they were measured, on which processor where that is known, and at which
commit and on which day; where tests/benchmarks/all.py has not repeated them yet, with which commit they came
into a page. So pages show their tables wherever they are read, and a test holds each to its file.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
FILLED = re.compile(r"<!-- table ([\w-]+) -->\n(.*?)<!-- end of table -->\n", re.DOTALL)


def pages() -> list[Path]:
    """List what people read: README.md and the pages of the site."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def render(name: str) -> str:
    """Write a file of results as a table in Markdown."""
    results = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    columns = results["columns"]
    head, *rows = [f"| {' | '.join(row)} |\n".replace("|  |", "| |") for row in [columns, *results["rows"]]]
    return f"{head}|{'---|' * len(columns)}\n{''.join(rows)}"


def filled(text: str) -> str:
    """Fill all tables of a page."""
    return FILLED.sub(
        lambda found: f"<!-- table {found[1]} -->\n{render(found[1])}<!-- end of table -->\n", text
    )


def fill_pages() -> None:
    """Fill all tables of all pages."""
    for page in pages():
        page.write_text(filled(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    fill_pages()
