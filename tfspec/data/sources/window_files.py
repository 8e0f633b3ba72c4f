"""The files X.npy, Y.npy, T.npy and pid.npy, made from raw recordings by several processes."""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.audio.opening import RecordingError
from tfspec.base.errors import UserError, listed, unusable
from tfspec.base.files import check_place, clear_temporaries, walk_files, written_beside
from tfspec.base.progress import Tracker, untracked
from tfspec.base.text import normalized, shown
from tfspec.data.sources.accelerometer import LEFT_OUT, Cutter
from tfspec.data.sources.windows import DICTIONARY

SUFFIXES = (".csv", ".csv.gz")
NO_RECORDINGS = (DICTIONARY, "metadata.csv")
"""Tables of Capture-24's archive that are none."""
SUMMARY = "recordings.csv"


def make_windows(
    raw: str | os.PathLike,
    out: str | os.PathLike,
    cutter: Cutter | None = None,
    processes: int = 1,
    progress: Tracker = untracked,
) -> pd.DataFrame:
    r"""Cut recordings into windows, for `list_windows` and others that read Capture-24's arrays.

    Several recordings are cut at a time, each hour after hour, so that memory stays flat. `out` is there once
    all that is in it is; until then, what is cut waits in `<out>.unfinished`, and is not cut again after a
    kill. In the end, the disk holds all windows twice for a moment.

    Args:
        raw: folder of recordings, CSV files such as P001.csv.gz and maybe the annotations' dictionary, which
            is copied; or one recording. What a file's name has before its first dot is the person.
        out: folder to write: X.npy, T.npy, pid.npy and, if windows are annotated, Y.npy; and recordings.csv,
            what `make_windows` returns.
        cutter: how to cut; 30 s of 100 Hz if None.
        processes: how many work at a time; with more than one, a program that calls this must be importable.
        progress: wraps the iteration over the recordings.

    Returns:
        Columns `file`, `person`, `windows`, what was left out (`without annotation`, `incomplete`, `not
        finite`), and `problem`, why a recording cannot be used, else None.

    Raises:
        UserError: there are no recordings, none can be used, two have one person's name, or `out` is there
            or cannot be.

    Example:
        >>> import tempfile
        >>> rows = "".join(f"{second},0,0,1,sitting\n" for second in range(60))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "P1.csv").write_text("time,x,y,z,annotation\n" + rows)
        ...     make_windows(folder, f"{folder}/windows", Cutter(sample_rate=1))["windows"].tolist()
        [2]
    """
    raw, out, cutter = Path(raw), Path(out), cutter or Cutter()
    if os.path.lexists(out):
        raise UserError(f"{shown(out)} is there already. Give another folder, or remove it.")
    files = _recordings(raw)
    unfinished = out.with_name(f"{out.name}.unfinished")
    check_place(unfinished, "folder")
    clear_temporaries(unfinished)
    work = {file: unfinished / _key(file, cutter) for file in files}
    rows = _cut_all(work, cutter, processes, progress)
    table = pd.DataFrame([rows[file] for file in files])
    bad = table[table["problem"].notna()]
    if len(bad) == len(table):
        shutil.rmtree(unfinished, ignore_errors=True)
        raise unusable("recordings", zip(bad["file"], bad["problem"], strict=True), len(table))
    with written_beside(out) as temporary:
        temporary.mkdir()
        good = table[table["problem"].isna()]
        _join([work[Path(file)] for file in good["file"]], good, temporary, cutter)
        table.to_csv(temporary / SUMMARY, index=False)
        if (dictionary := raw / DICTIONARY).is_file():
            shutil.copyfile(dictionary, temporary / DICTIONARY)
    shutil.rmtree(unfinished)
    return table


def _recordings(raw: Path) -> list[Path]:
    """List what is to be cut, one recording a person."""
    if not raw.exists():
        raise UserError(f"No such file or folder: {shown(raw)}. Give a folder of recordings.")
    files = list(walk_files(raw)) if raw.is_dir() else [raw]
    if raw.is_dir():
        files = [file for file in files if file.name.endswith(SUFFIXES) and file.name not in NO_RECORDINGS]
    if not files:
        raise UserError(f"{shown(raw)} holds no recordings ({' or '.join('*' + each for each in SUFFIXES)}).")
    people = pd.Series([_person(file) for file in files])
    if twice := sorted(set(people[people.duplicated()])):
        raise UserError(f"{shown(raw)} has several recordings of {listed([shown(each) for each in twice])}.")
    return files


def _person(file: Path) -> str:
    return normalized(file.name.partition(".")[0])


def _key(file: Path, cutter: Cutter) -> str:
    """Name the folder of a recording's windows: another one where the file or the cutter has changed."""
    stat = file.stat()
    facts = repr((os.fspath(file.resolve()), stat.st_size, stat.st_mtime_ns, cutter))
    return hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()


def _cut_all(work: dict[Path, Path], cutter: Cutter, processes: int, progress: Tracker) -> dict[Path, dict]:
    """Cut all recordings, in processes of their own where there are several."""
    cut = functools.partial(_cut_one, cutter)
    if processes == 1 or len(work) == 1:
        return {file: cut(file, work[file]) for file in progress(work, len(work))}
    context = multiprocessing.get_context("spawn")  # TensorFlow, if it is there, survives no fork
    with ProcessPoolExecutor(min(processes, len(work)), context, _end_with_parent) as pool:
        futures = {pool.submit(cut, file, folder): file for file, folder in work.items()}
        try:
            return {futures[done]: done.result() for done in progress(as_completed(futures), len(work))}
        except BrokenProcessPool:
            raise UserError("A process was killed, maybe for lack of memory. Give fewer processes.") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _end_with_parent() -> None:
    """End this process when the one ends that started it, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def wait() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _cut_one(cutter: Cutter, file: Path, folder: Path) -> dict:
    """Write a recording's windows into a folder of their own, if they are not there yet, and count them."""
    known = {"file": os.fspath(file), "person": _person(file)}
    try:
        if not folder.is_dir():
            with written_beside(folder) as temporary:
                temporary.mkdir()
                _write(cutter, file, temporary)
        return {**known, **json.loads((folder / "counts.json").read_text()), "problem": None}
    except RecordingError as error:
        return {**known, "windows": 0, **dict.fromkeys(LEFT_OUT, 0), "problem": error.problem}


def _write(cutter: Cutter, file: Path, folder: Path) -> None:
    times, names, left_out = [], [], dict.fromkeys(LEFT_OUT, 0)
    with (folder / "X").open("wb") as signals:
        for cut in cutter(file):
            cut.signals.tofile(signals)
            times.append(cut.times)
            names.append(cut.annotations)
            left_out = {name: number + cut.left_out[name] for name, number in left_out.items()}
    arrays = {"T": np.concatenate(times), "Y": np.concatenate(names)}
    if not len(arrays["T"]):
        said = ", ".join(f"{number} {name}" for name, number in left_out.items())
        what = "annotated window" if cutter.annotated else "window"
        raise RecordingError(
            file, f"it has no {what} of {cutter.seconds} s at {cutter.sample_rate} Hz: {said}"
        )
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "counts.json").write_text(json.dumps({"windows": len(arrays["T"]), **left_out}))


def _join(folders: list[Path], good: pd.DataFrame, out: Path, cutter: Cutter) -> None:
    """Put the windows of all recordings one after another."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (int(good["windows"].sum()), *cutter.shape)}
    with (out / "X.npy").open("wb") as signals:
        np.lib.format.write_array_header_1_0(signals, header)
        for folder in folders:
            with (folder / "X").open("rb") as some:
                shutil.copyfileobj(some, signals, 2**20)
    for name in ("T", "Y") if cutter.annotated else ("T",):
        np.save(out / f"{name}.npy", np.concatenate([np.load(folder / f"{name}.npy") for folder in folders]))
    np.save(out / "pid.npy", np.repeat(good["person"].to_numpy(str), good["windows"]))
