"""Runs notebooks where there is nothing else, and writes them with what they show.

    python run_notebooks.py FOLDER NOTEBOOK…

FOLDER is where they run. Outputs keep no paths of this machine, and no sounds, which are large.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def run(path: Path, folder: Path) -> None:
    """Run a notebook from top to bottom, and write it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": folder}}).execute()
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if _is_kept(each)]
    notebook.metadata.language_info = {"name": "python"}
    path.write_text(nbformat.writes(notebook).replace(f"{folder}/", "") + "\n")


def _is_kept(output: nbformat.NotebookNode) -> bool:
    return output.get("name") != "stderr" and "<audio" not in output.get("data", {}).get("text/html", "")


if __name__ == "__main__":
    for name in sys.argv[2:]:
        run(Path(name), Path(sys.argv[1]).resolve())
        print(name, flush=True)
