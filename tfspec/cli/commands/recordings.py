"""Commands that use a model on files. With a TFLite file they need no TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from tfspec.base.errors import UserError, listed, unusable
from tfspec.base.options import Seconds, Share
from tfspec.base.progress import track
from tfspec.base.text import shown

if TYPE_CHECKING:
    import pandas as pd

    from tfspec.base.model import Model


def predict(
    model: Positional[Path],
    files: Positional[tuple[Path, ...]],
    hop_seconds: Seconds | None = None,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Classify recordings of any sample rate and length, pictures of spectrograms, or arrays of windows.

    Files that cannot be used are named on standard error, and the others are done: exit code 1.

    Args:
        model: run folder, .keras file, .tflite file or SavedModel.
        files: wav, flac, ogg or mp3; png for a model that takes pictures; npy for one that takes windows,
            where pid.npy and T.npy beside X.npy name them.
        hop_seconds: classify whole long recordings, one window every so many seconds; without it, the
            beginning of each, cut or padded as in training.
        out: CSV table to write, with all probabilities; replaced if it is there.
        json: print one JSON document and nothing else.
    """
    if not files:
        raise UserError("predict needs at least one recording: tfspec predict RUN FILE…")
    from tfspec.cli.printing import console, fail_for_bad, print_json
    from tfspec.inference import load_model, predict_files, write_csv

    loaded = load_model(model)
    table = predict_files(loaded, files, hop_seconds)
    if out:
        write_csv(table, out)
    if json:
        print_json(_predictions(table, loaded.class_names))
    elif out:
        console.print(f"{len(table)} predictions: {out}", markup=False)
    else:
        _print_predictions(table, loaded.class_names, with_start=hop_seconds is not None)
    fail_for_bad(_problems(table[table["problem"].notna()]))


def _problems(bad: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Name what is bad: files, or a file's windows together."""
    if "window" not in bad:
        yield from zip(bad["file"], bad["problem"], strict=True)
        return
    for (file, problem), rows in bad.groupby(["file", "problem"], sort=False):
        yield f"{file}, window {listed([*map(str, rows['window'])])},", problem


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


def _print_predictions(table: pd.DataFrame, class_names: Sequence[str], with_start: bool) -> None:
    from rich.markup import escape

    from tfspec.cli.printing import console

    highest = table[[f"p_{name}" for name in class_names]].max(axis=1)
    for row, best in zip(table.itertuples(), highest, strict=True):
        if row.problem is None:
            place = f" at {row.start:.2f} s" if with_start else ""
            if "window" in table:
                place = f" window {row.window}"
            console.print(escape(shown(f"{row.file}{place}: {row.predicted} ({best:.1%})")))


def detect(
    model: Positional[Path],
    files: Positional[tuple[Path, ...]],
    hop_seconds: Seconds | None = None,
    threshold: Share | None = None,
    out: Path = Path("detections"),
    json: bool = False,
) -> None:
    """Find what is where in long recordings: scores of every second, and events for Audacity and Raven.

    Writes NAME.seconds.csv, NAME.events.csv, NAME.audacity.txt and NAME.raven.txt for each recording.
    Files that cannot be used are named on standard error, and the others are done: exit code 1.

    Args:
        model: run folder, .keras file or .tflite file.
        files: wav, flac, ogg or mp3, of any sample rate and length.
        hop_seconds: one window every so many seconds; half a window if not given.
        threshold: lowest score of an event; if not given 0.5, or each class's own where several can hold.
        out: folder to write to; files of the same name are replaced.
        json: print one JSON document and nothing else.
    """
    if not files:
        raise UserError("detect needs at least one recording: tfspec detect RUN FILE…")
    if len({file.stem for file in files}) < len(files):
        raise UserError("Recordings of the same name would overwrite each other's results. Give them apart.")
    from tfspec.cli.printing import fail_for_bad, print_json
    from tfspec.inference import load_model

    loaded = load_model(model)
    found, bad = _listen(loaded, files, hop_seconds, threshold, out)
    if not found:
        raise unusable("files", bad, len(files), most=len(files))
    if json:
        events_of = {file: events.to_dict("records") for file, events in found.items()}
        print_json(events_of | {file: {"problem": problem} for file, problem in bad})
    else:
        _print_events(found, out)
    fail_for_bad(bad)


def _listen(
    model: Model, files: Sequence[Path], hop_seconds: float | None, threshold: float | None, out: Path
) -> tuple[dict[str, pd.DataFrame], list[tuple[str, str]]]:
    """Write what is found in each file; return the events by file, and the files that cannot be used."""
    from tfspec.audio.opening import RecordingError
    from tfspec.inference import detect, event_thresholds, find_events

    found, bad = {}, []
    for file in track(files, "Listening", len(files)):
        try:
            seconds = detect(model, file, hop_seconds)
        except RecordingError as error:
            bad.append((os.fspath(file), error.problem))
            continue
        events = found[os.fspath(file)] = find_events(seconds, event_thresholds(model, threshold))
        _write_events(seconds, events, out / file.stem, model.sample_rate or 0)
    return found, bad


def _write_events(seconds: pd.DataFrame, events: pd.DataFrame, stem: Path, sample_rate: int) -> None:
    from tfspec.inference import write_audacity, write_csv, write_raven

    write_csv(seconds, stem.with_name(f"{stem.name}.seconds.csv"))
    write_csv(events, stem.with_name(f"{stem.name}.events.csv"))
    write_audacity(events, stem.with_name(f"{stem.name}.audacity.txt"))
    write_raven(events, stem.with_name(f"{stem.name}.raven.txt"), sample_rate)


def _print_events(found: dict[str, pd.DataFrame], out: Path) -> None:
    from rich.markup import escape

    from tfspec.cli.printing import console

    for file, events in found.items():
        for event in events.itertuples():
            times = f"{event.start:.1f}–{event.end:.1f} s"
            console.print(escape(shown(f"{file} {times}: {event.label} ({event.score:.1%})")))
    console.print(escape(shown(f"Scores and events: {out}")))
