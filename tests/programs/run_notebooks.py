"""Runs notebooks where there is nothing else, and writes them with what they show.

    python run_notebooks.py FOLDER NOTEBOOK…

FOLDER is where they run. Outputs keep no paths of this machine and no sounds, and small pictures.
"""

from __future__ import annotations

import base64
import io
import itertools
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

MOST_BYTES = 99_000
"""Of a picture."""
COLOURS = (128, 64, 32)


def run(path: Path, folder: Path) -> None:
    """Run a notebook from top to bottom, and write it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": folder}}).execute()
    _tidy(notebook)
    path.write_text(nbformat.writes(notebook).replace(f"{folder}/", "") + "\n")


def _tidy(notebook: nbformat.NotebookNode) -> None:
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            kept = [_with_small_picture(each) for each in cell.outputs if _is_kept(each)]
            cell.outputs = [
                each for _, some in itertools.groupby(kept, _is_text) for each in _joined([*some])
            ]
    notebook.metadata.language_info = {"name": "python"}


def _is_kept(output: nbformat.NotebookNode) -> bool:
    """Leave out sounds, bars that are gone, and what TensorFlow tells."""
    if output.output_type == "stream":
        return output.name == "stdout" and not output.text.startswith("INFO:tensorflow")
    data = output.get("data", {})
    return "<audio" not in data.get("text/html", "") and data.get("text/plain") != ""


def _is_text(output: nbformat.NotebookNode) -> bool:
    return output.output_type == "stream"


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Make one text of several."""
    if _is_text(outputs[0]):
        outputs[0].text = "".join(output.text for output in outputs)
        return outputs[:1]
    return outputs


def _with_small_picture(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    data = output.get("data", {})
    if "image/png" in data:
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
        data["image/png"] = base64.b64encode(_small(picture)).decode()
    return output


def _small(picture: Image.Image) -> bytes:
    """Write a picture as PNG: with few colours, with fewer, and then with fewer pixels, until it is small.

    Colours are those of all the range (MAXCOVERAGE), not the most frequent: the scale keeps its ends.
    """
    for step in itertools.count():
        size = [round(0.95**step * side) for side in picture.size]
        resized = picture.resize(size, Image.Resampling.LANCZOS)
        for colours in COLOURS:
            file = io.BytesIO()
            few = resized.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            few.save(file, "png", optimize=True)
            if file.tell() <= MOST_BYTES:
                return file.getvalue()


if __name__ == "__main__":
    for name in sys.argv[2:]:
        run(Path(name), Path(sys.argv[1]).resolve())
        print(name, flush=True)
