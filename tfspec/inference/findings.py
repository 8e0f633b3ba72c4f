"""What was found in many recordings: a file each, which says what it was made of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.files import written_beside

EVENT_COLUMNS = ["start", "end", "label", "score"]
VERSION = 1
"""Of what a file says; it changes with what is found in the same recording by the same model."""


@dataclass(frozen=True)
class Finding:
    """What was found in one recording.

    Args:
        file: the recording, as it was named.
        seconds: its length.
        recorded_at: when it began, None where nothing tells it.
        events: as from `find_events`.
        written: what else was written of it, from `Outputs.written`.
    """

    file: str
    seconds: float
    recorded_at: datetime | None
    events: pd.DataFrame
    written: list[list] = field(default_factory=list)


class Findings:
    """A folder of findings, each good only for what it was made of.

    That a recording is done is said by its file alone, which is written last. A recording that has changed,
    and one that was searched with another model or other settings, is not done.

    Args:
        folder: where they are; made with the first one.
        made_by: what they depend on besides the recordings, fit for JSON: the model's digest, the settings.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.wav").write_bytes(b"...")
        ...     findings, none = Findings(Path(folder, "found"), {}), pd.DataFrame(columns=EVENT_COLUMNS)
        ...     source = findings.source_of(f"{folder}/a.wav")
        ...     findings.save(Finding(f"{folder}/a.wav", 60.0, None, none), source)
        ...     done = findings.load(f"{folder}/a.wav")
        ...     _ = Path(folder, "a.wav").write_bytes(b"other")
        ...     done.seconds, findings.load(f"{folder}/a.wav")
        (60.0, None)
    """

    def __init__(self, folder: Path, made_by: Mapping[str, Any]):
        self.folder, self._made_by = folder, json.loads(json.dumps(made_by))

    def source_of(self, file: str) -> dict[str, Any]:
        """Say what a finding would be made of now; asked before the recording is read.

        Args:
            file: the recording, which is there.
        """
        status = Path(file).stat()
        recording = [os.path.realpath(file), status.st_size, status.st_mtime_ns]
        return {"version": VERSION, "recording": recording, **self._made_by}

    def save(self, finding: Finding, source: Mapping[str, Any]) -> None:
        """Say that a recording is done.

        Args:
            finding: what was found.
            source: from `source_of`.
        """
        began = finding.recorded_at
        document = {
            "source": source,
            "seconds": finding.seconds,
            "recorded_at": began and began.isoformat(),
            "events": finding.events[EVENT_COLUMNS].to_numpy(object).tolist(),
            "written": finding.written,
        }
        with written_beside(self._path(finding.file)) as temporary:
            temporary.write_text(json.dumps(document), "utf-8")

    def begin(self, file: str) -> None:
        """Say that the files of a recording are being written: half of them may be, if that is interrupted.

        Args:
            file: the recording.
        """
        with written_beside(self._path(file)) as temporary:
            temporary.write_text(json.dumps({"written": []}), "utf-8")

    def written(self, file: str) -> list[list]:
        """Return what was written of a recording the last time, by whatever model and settings.

        Args:
            file: the recording.
        """
        try:
            return json.loads(self._path(file).read_text("utf-8"))["written"]
        except (OSError, ValueError, KeyError, TypeError):  # missing, or of an earlier version
            return []

    def load(self, file: str) -> Finding | None:
        """Return what was found in a recording, None where it has to be searched.

        Args:
            file: the recording.
        """
        try:
            document = json.loads(self._path(file).read_text("utf-8"))
            if document["source"] != self.source_of(file):
                return None
            events = pd.DataFrame(document["events"], columns=EVENT_COLUMNS)
            began = document["recorded_at"]
            times = events.astype({"start": float, "end": float, "score": float})
            began = began and datetime.fromisoformat(began)
            return Finding(file, document["seconds"], began, times, document["written"])
        except (OSError, ValueError, KeyError, TypeError):  # missing, begun, or not what was written
            return None

    def _path(self, file: str) -> Path:
        digest = hashlib.sha256(os.fsencode(os.path.realpath(file))).hexdigest()
        return self.folder / f"{digest}.json"


def model_digest(path: str | os.PathLike) -> str:
    """Compute a checksum of what a model was loaded from.

    Args:
        path: as in `load_model`.

    Returns:
        The same for the same model, wherever it lies.

    Raises:
        UserError: there is no such thing.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "best.keras").write_bytes(b"model")
        ...     model_digest(folder) == model_digest(f"{folder}/best.keras")
        True
    """
    path = Path(path)
    if (path / "best.keras").is_file():
        path = path / "best.keras"
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise UserError(f"No model at {path}. Give a run folder, a .keras file or a .tflite file.")
    digest = hashlib.sha256()
    for each in files:
        digest.update(hashlib.sha256(each.read_bytes()).digest())
    return digest.hexdigest()
