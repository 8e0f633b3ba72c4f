"""Commands that use a model on files. With a TFLite file they need no TensorFlow."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tyro.conf import Positional

from tfspec.base.errors import UserError, listed
from tfspec.base.options import Count, SampleFormat, Seconds
from tfspec.base.text import excerpt, shown

if TYPE_CHECKING:
    import pandas as pd

    from tfspec.base.model import Model

STREAM = Path("-")
"""What stands for standard input among the names of files."""


def predict(
    model: Positional[Path],
    files: Positional[tuple[Path, ...]],
    hop_seconds: Seconds | None = None,
    top: Count | None = None,
    out: Path | None = None,
    input_format: SampleFormat = "s16le",
    json: bool = False,
) -> None:
    """Classify recordings of any sample rate and length, pictures of spectrograms, or arrays of windows.

    Files that cannot be used are named on standard error, and the others are done: exit code 1. Of standard
    input, a line is printed for each window as soon as it is there.

    Args:
        model: run folder, .keras file, .tflite file or SavedModel.
        files: wav, flac, ogg or mp3; png or jpeg for a model that takes pictures; npy for one that takes
            windows, where pid.npy and T.npy beside X.npy name them. Folders, patterns such as 'in/*.wav', or
            - for samples of one channel on standard input, at the model's sample rate.
        hop_seconds: classify whole long recordings, one window every so many seconds; without it, the
            beginning of each, cut or padded as in training. Of standard input, half a window if not given.
        top: print so many classes, the most probable first, and write them as top_1, p_top_1 and so on.
        out: table to write, with all probabilities: .csv, .tsv, .parquet or .json; replaced if it is there.
        input_format: of standard input: 16-bit whole or 32-bit floating-point numbers.
        json: print one JSON document and nothing else; of standard input, one in a line for each window.
    """
    if not files:
        raise UserError("predict needs at least one recording: tfspec predict RUN FILE…")
    if STREAM in files:
        if len(files) > 1 or out:
            raise UserError("Standard input (-) is classified for itself: without other files and --out.")
        return _predict_stream(model, hop_seconds, input_format, top, json)
    from tfspec.cli.printing import console, fail_for_bad, print_json
    from tfspec.inference import predict_files
    from tfspec.inference.inputs import check_kept
    from tfspec.inference.outputs import table_writer
    from tfspec.scores.predictions import with_most_probable

    if out:
        check_kept(out, files)
    write = table_writer(out) if out else None
    loaded = _loaded(model, top)
    table = with_most_probable(predict_files(loaded, files, hop_seconds), loaded.class_names, top or 0)
    if write:
        write(table)
    if json:
        print_json(_predictions(table, loaded.class_names))
    elif out:
        console.print(f"{len(table)} predictions: {out}")
    else:
        _print_predictions(table, loaded, with_start=hop_seconds is not None)
    fail_for_bad(_problems(table[table["problem"].notna()]))


def _predict_stream(
    model: Path, hop_seconds: float | None, input_format: SampleFormat, top: int | None, json: bool
) -> None:
    from tfspec.cli.printing import name_bad, print_json
    from tfspec.inference.streams import predict_stream
    from tfspec.scores.predictions import with_most_probable

    stream = standard_input()
    loaded, bad = _loaded(model, top), 0
    for row in predict_stream(loaded, stream, hop_seconds, input_format):
        row = with_most_probable(row, loaded.class_names, top or 0)
        if json:
            print_json(_predictions(row, loaded.class_names)[0], indent=None)
        else:
            _print_predictions(row, loaded, with_start=True)
        sys.stdout.flush()
        bad += name_bad(_problems(row[row["problem"].notna()]))
    if bad:
        sys.exit(1)


def _loaded(path: Path, top: int | None) -> Model:
    """Load a model, unless a column of its most probable classes would be one of a class's probabilities."""
    from tfspec.inference import load_model

    model = load_model(path)
    taken = {f"top_{place + 1}" for place in range(min(top or 0, len(model.class_names)))}
    if taken := taken & {*model.class_names}:
        name = excerpt(min(taken))
        raise UserError(
            f"The model has a class called {name}, and with --top {top} column p_{name} would be that of "
            "another one: leave out --top, all probabilities are in the table without it."
        )
    return model


def standard_input() -> BinaryIO:
    """Return what samples are read from.

    Raises:
        UserError: it is closed, or a terminal, where nobody types samples.
    """
    if sys.stdin is None:
        raise UserError("Standard input is closed. Pipe samples into it: arecord -t raw … | tfspec …")
    if sys.stdin.isatty():
        raise UserError("Standard input is a terminal. Pipe samples into it: arecord -t raw … | tfspec …")
    return sys.stdin.buffer


def embed(
    model: Positional[Path],
    files: Positional[tuple[Path, ...]],
    out: Path,
    hop_seconds: Seconds | None = None,
) -> None:
    """Write what a network's last layer takes of each file, for a classifier or a search of one's own.

    Files that cannot be used are named on standard error, and the others are done: exit code 1.

    Args:
        model: run folder or .keras file; of an ensemble, its members' embeddings stand side by side.
        files: as in predict, without standard input.
        out: table to write: .parquet or .csv, with the columns e_0, e_1 and so on, or .npz, with the array
            embeddings; replaced if it is there.
        hop_seconds: as in predict.
    """
    if not files:
        raise UserError("embed needs at least one recording: tfspec embed RUN FILE… --out TABLE")
    from tfspec.cli.printing import console, fail_for_bad
    from tfspec.inference import embed_files, load_model
    from tfspec.inference.inputs import check_kept
    from tfspec.inference.outputs import table_writer

    check_kept(out, files)
    write = table_writer(out, (".parquet", ".csv", ".npz"))
    table = embed_files(load_model(model), files, hop_seconds)
    write(table)
    size = sum(name.startswith("e_") for name in table)
    console.print(f"{len(table)} embeddings of {size} numbers: {out}")
    fail_for_bad(_problems(table[table["problem"].notna()]))


def _problems(bad: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Name what is bad: files, or a file's windows together."""
    if "window" not in bad:
        yield from zip(bad["file"], bad["problem"], strict=True)
        return
    for (file, problem), rows in bad.groupby(["file", "problem"], sort=False):
        windows = listed([*map(str, rows["window"].dropna())])
        yield f"{file}, window {windows}," if windows else file, problem


def _predictions(table: pd.DataFrame, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Put predictions in the shape of the JSON document."""
    columns = [f"p_{name}" for name in class_names]
    facts = table.drop(columns=columns)
    rows = facts.astype(dict.fromkeys(facts.select_dtypes("datetime"), str)).to_dict("records")
    for row, values in zip(rows, table[columns].to_numpy(), strict=True):
        row["probabilities"] = (
            None if row["problem"] else dict(zip(class_names, values.tolist(), strict=True))
        )
    return rows


def _print_predictions(table: pd.DataFrame, model: Model, with_start: bool) -> None:
    from tfspec.cli.printing import console

    for row in table.to_dict("records"):
        if row["problem"] is None:
            start = f" at {row['start']:.2f} s" if with_start and "start" in row else ""
            place = f" window {row['window']}" if "window" in row else start
            said = ", ".join(f"{name} ({row[f'p_{name}']:.1%})" for name in _named(row, model)) or "none"
            console.print(shown(f"{row['file']}{place}: {said}"))


def _named(row: dict[Any, Any], model: Model) -> list[str]:
    """Return the most probable classes where these were asked for; otherwise what is predicted."""
    import numpy as np

    from tfspec.scores.predictions import predicted_places

    if most_probable := [row[name] for name in row if re.fullmatch(r"top_\d+", name)]:
        return most_probable
    scores = np.array([row[f"p_{name}"] for name in model.class_names])
    return [model.class_names[place] for place in predicted_places(scores, model.thresholds)]
