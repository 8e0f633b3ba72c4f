"""Runs notebooks where there is nothing else, and writes them with what they show.

    python run_notebooks.py FOLDER NOTEBOOK…

FOLDER is where they run. Outputs keep no paths of this machine and no sounds, and small pictures.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

MOST_BYTES = 90_000
"""Of a picture."""
COLOURS = 128


def run(path: Path, folder: Path) -> None:
    """Run a notebook from top to bottom, and write it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": folder}}).execute()
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [_with_small_picture(each) for each in cell.outputs if _is_kept(each)]
    notebook.metadata.language_info = {"name": "python"}
    path.write_text(nbformat.writes(notebook).replace(f"{folder}/", "") + "\n")


def _is_kept(output: nbformat.NotebookNode) -> bool:
    return output.get("name") != "stderr" and "<audio" not in output.get("data", {}).get("text/html", "")


def _with_small_picture(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    data = output.get("data", {})
    if "image/png" in data:
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
        data["image/png"] = base64.b64encode(_small(picture)).decode()
    return output


def _small(picture: Image.Image) -> bytes:
    """Write a picture as PNG with few colours, and where it is still too large, fewer pixels."""
    file = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(file, "png", optimize=True)
    if file.tell() <= MOST_BYTES:
        return file.getvalue()
    return _small(picture.resize([round(0.9 * size) for size in picture.size], Image.Resampling.LANCZOS))


if __name__ == "__main__":
    for name in sys.argv[2:]:
        run(Path(name), Path(sys.argv[1]).resolve())
        print(name, flush=True)
