"""The command that searches recordings, one or thousands. With a TFLite file it needs no TensorFlow."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from tfspec.base.errors import UserError, unusable
from tfspec.base.files import check_place, clear_temporaries
from tfspec.base.options import Count, Seconds, Share
from tfspec.base.progress import track
from tfspec.base.text import shown

if TYPE_CHECKING:
    import pandas as pd

    from tfspec.base.model import Model
    from tfspec.experiment.heard import Heard
    from tfspec.inference.findings import Finding, Findings
    from tfspec.inference.inputs import Inputs
    from tfspec.inference.many_recordings import Outputs

TABLES = (".csv", ".tsv", ".parquet")
"""What makes the name of a table of `--out`, and not of a folder."""
OTHER_FILES = (".xlsx", ".xls", ".ods", ".txt", ".tab", ".pq", ".json", ".html", ".npz")
"""What makes a name that nobody gives a folder, of a table that cannot be written."""
PIECE = 10_000
"""Events that are written at once."""


def detect(
    model: Positional[Path],
    files: Positional[tuple[Path, ...]],
    hop_seconds: Seconds | None = None,
    threshold: Share | None = None,
    out: Path = Path("detections"),
    raven: Path | None = None,
    audacity: Path | None = None,
    review: Path | None = None,
    most_doubtful: Count = 100,
    json: bool = False,
) -> None:
    """Find what is where in recordings, one or thousands: events for Audacity and Raven, and a page of all.

    Writes NAME.seconds.csv, NAME.events.csv, NAME.audacity.txt and NAME.raven.txt for each recording, or one
    table of all events; of several recordings also a page (summary.html, or beside the table). What was
    stopped goes on where it was when it is begun again; only what has changed is done anew.
    Files that cannot be used are named on standard error, and the others are done: exit code 1.

    Args:
        model: run folder, .keras file or .tflite file.
        files: wav, flac, ogg or mp3, of any sample rate and length; folders, below which results are named
            as recordings are in them; patterns such as 'in/*.wav'.
        hop_seconds: one window every so many seconds; half a window if not given.
        threshold: lowest score of an event; if not given 0.5, or each class's own where several can hold.
        out: folder to write to, or a table of all events: .csv, .tsv or .parquet; what has the same name is
            replaced.
        raven: folder for a selection table of each recording, beside a table of all.
        audacity: folder for a label track of each recording, beside a table of all.
        review: table of the most doubtful events to write, .csv or .tsv, with a column for your yes or no.
        most_doubtful: how many events the review has.
        json: print one JSON document and nothing else; it holds all events.
    """
    if not files:
        raise UserError("detect needs at least one recording: tfspec detect RUN FILE…")
    from tfspec.inference.inputs import check_kept, find_inputs

    inputs = find_inputs(files, "recording")
    table = out if out.suffix.lower() in (*TABLES, *OTHER_FILES) and not out.is_dir() else None
    folder = out if table is None else None
    if review and table and os.path.realpath(review) == os.path.realpath(table):
        raise UserError(f"--out and --review are one file: {shown(review)}. Give the review another name.")
    for written in [each for each in (table, table and table.with_suffix(".html"), review) if each]:
        check_place(written)
        check_kept(written, files)
    if folders := [each for each in (folder, raven, audacity) if each]:
        _check_names(inputs)
        _check_places([Path(each) for each in files], folders)
    inputs.tell()
    from tfspec.cli.printing import fail_for_bad, print_json
    from tfspec.inference import event_thresholds, load_model
    from tfspec.inference.findings import Findings, model_digest
    from tfspec.inference.many_recordings import Outputs
    from tfspec.inference.outputs import growing_table
    from tfspec.inference.reviews import Review

    growing = growing_table(table) if table else None  # a name that will not do is told first
    loaded = load_model(model)
    thresholds = event_thresholds(loaded, threshold)
    doubtful = Review(review, thresholds, most_doubtful) if review else None
    outputs = Outputs(loaded.sample_rate or 0, folder, raven, audacity)
    made_by = {"model": model_digest(model), "hop_seconds": hop_seconds, "thresholds": thresholds}
    is_whole = bool(table) or len(inputs.files) > 1
    page = _page(table.with_suffix(".html") if table else out / "summary.html", loaded) if is_whole else None
    document: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        findings = Findings(_findings_folder(out, table), made_by)
        bad = _search(loaded, inputs, findings, outputs, thresholds, hop_seconds)
        takers = [each.add for each in (page, doubtful) if each]
        if growing:
            rows = _Rows(stack.enter_context(growing))
            stack.callback(rows.flush)
            takers.append(rows.add)
        if json:
            takers.append(lambda finding: document.update({finding.file: finding.events.to_dict("records")}))
        elif folder:
            takers.append(_print_events)
        unusable_files = dict(bad)
        _give(findings, [file for file in inputs.files if file not in unusable_files], takers)
    if doubtful:
        doubtful.write()
    if page:
        settings = f"Searched with {model}, {_said(thresholds)}."
        page.write(bad, shown(settings), _command(model, files, hop_seconds, threshold, out))
    if json:
        print_json(document | {file: {"problem": problem} for file, problem in bad})
    else:
        _print_places(out, page.path if page else None, review)
    fail_for_bad(bad)


def _check_names(inputs: Inputs) -> None:
    stems = [inputs.files[file].with_suffix("") for file in inputs.files.keys() - inputs.problems.keys()]
    if len({*stems}) < len(stems):
        raise UserError("Recordings of the same name would overwrite each other's results. Give them apart.")


def _check_places(searched: list[Path], places: list[Path]) -> None:
    """Refuse what can be no folder, and label tracks among recordings, whose annotations they would seem."""
    for place in places:
        check_place(place, "folder")
    for folder, place in itertools.product(searched, places):
        if folder.is_dir() and place.resolve().is_relative_to(folder.resolve()):
            raise UserError(
                f"{shown(place)} is in {shown(folder)}, whose annotations the results would be taken for. "
                "Give another --out, or a table: --out events.csv"
            )


def _page(path: Path, model: Model) -> Heard:
    from tfspec.experiment.heard import Heard

    return Heard(model.class_names, model.sample_rate or 0, path)


def _findings_folder(out: Path, table: Path | None) -> Path:
    """Return where findings are, beside what is written, without what a killed command has left there."""
    folder = table.with_name(f".{table.name}.findings") if table else out / ".findings"
    clear_temporaries(out if table is None else folder)
    return folder


def _search(
    model: Model,
    inputs: Inputs,
    findings: Findings,
    outputs: Outputs,
    thresholds: Mapping[str, float],
    hop_seconds: float | None,
) -> list[tuple[str, str]]:
    """Search what is not done; return the files that cannot be used, and why."""
    from tfspec.inference.many_recordings import detect_files

    with contextlib.closing(detect_files(model, inputs, findings, outputs, thresholds, hop_seconds)) as found:
        tracked = track(found, "Listening", len(inputs.files))
        bad = [(file, problem) for file, problem in tracked if problem]
    if len(bad) == len(inputs.files):
        raise unusable("files", bad, len(bad), most=len(bad))
    return bad


def _give(findings: Findings, files: Iterable[str], takers: Iterable[Callable[[Finding], None]]) -> None:
    """Hand on what was found in each recording, one at a time."""
    for file in files:
        finding = findings.load(file)
        if finding is None:
            raise UserError(f"{shown(file)} has changed meanwhile: begin again, the others are done.")
        for take in takers:
            take(finding)


class _Rows:
    """Writes the events of many recordings, so many at a time."""

    def __init__(self, write: Callable[[pd.DataFrame], None]):
        self._write, self._events, self._count = write, [self._none()], 0

    def add(self, finding: Finding) -> None:
        import pandas as pd

        events = finding.events.assign(file=shown(finding.file), time=pd.NaT)
        if finding.recorded_at:
            events["time"] = finding.recorded_at + pd.to_timedelta(events["start"], unit="s")
        self._events.append(events)
        self._count += len(events)
        if self._count >= PIECE:
            self.flush()

    def flush(self) -> None:
        import pandas as pd

        table = pd.concat([each.astype(self._none().dtypes) for each in self._events])[[*self._none()]]
        self._write(table)
        self._events, self._count = [self._none()], 0

    @staticmethod
    def _none() -> pd.DataFrame:
        """Return a table without rows, which says what kinds the columns are of."""
        import pandas as pd

        kinds = {"file": "string", "start": float, "end": float, "label": "string", "score": float}
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()}).assign(
            time=pd.Series(dtype="datetime64[ms]")
        )


def _print_events(finding: Finding) -> None:
    from tfspec.cli.printing import console

    for event in finding.events.itertuples():
        times = f"{event.start:.1f}–{event.end:.1f} s"
        console.print(shown(f"{finding.file} {times}: {event.label} ({event.score:.1%})"))


def _print_places(out: Path, page: Path | None, review: Path | None) -> None:
    from tfspec.cli.printing import console

    for name, path in {"Scores and events": out, "Page": page, "Review": review}.items():
        if path:
            console.print(shown(f"{name}: {path}"))


def _said(thresholds: Mapping[str, float]) -> str:
    """Say the thresholds in words, however many there are."""
    lowest, highest = min(thresholds.values()), max(thresholds.values())
    if lowest == highest:
        return f"events from a score of {lowest:g} on"
    return f"events from each class's own threshold on, {lowest:g} to {highest:g}"


def _command(
    model: Path, files: Iterable[Path], hop_seconds: float | None, threshold: float | None, out: Path
) -> str:
    given = {"--hop-seconds": hop_seconds, "--threshold": threshold, "--out": out}
    options = [each for name, value in given.items() if value is not None for each in (name, str(value))]
    return shown(shlex.join(["tfspec", "detect", *map(str, (model, *files)), *options]))
