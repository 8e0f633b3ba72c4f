"""Kills a run before every change of a file, goes on with it, and compares what it leaves with a run undisturbed.

    LD_PRELOAD=kill_at.so python kills.py KIND FOLDER [EVERY]

prints a line of JSON: how many changes there were, how many kills, how many different states of the folder they
left, and each kill after which the end was not the same. TensorFlow is imported once; every run is a fork of that
process, which itself computes nothing.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import signal
import sys
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))
from overlaps import small_network, write_overlaps
from tones import write_tones
from wrists import write_people

from tfspec.base.files import TEMPORARY
from tfspec.pipelines import Capture24, OverlappedSpeech, RadioSignals, SpeechCommands, overlapped_speech
from tfspec.run import Run

LIBRARY = ctypes.CDLL(None)
LIBRARY.changes.restype = ctypes.c_long


class Kind(NamedTuple):
    """What is killed.

    Args:
        prepare: makes what all kills begin with, in a folder.
        begin: what is killed.
        again: what a user does afterwards.
        data: makes the data set.
    """

    data: Callable[[Path], object]
    prepare: Callable[[Path, Path], object]
    begin: Callable[[Path, Path], object]
    again: Callable[[Path, Path], object]


def nothing(*_):
    """Do without."""


def training(make: Callable[[Path, Path], object], data: Callable[[Path], object]) -> Kind:
    """Kill a training; it is resumed, or begun again where it is no run yet."""

    def train(data, folder):
        make(data, folder / "run").train(verbose=0)

    def resume(data, folder):
        if (folder / "run" / "config.json").exists():
            Run(folder / "run").resume(verbose=0)
        else:
            train(data, folder)

    return Kind(data, nothing, train, resume)


def done_with_a_run(action: Callable[[Run], object]) -> Kind:
    """Kill what is done with a finished run; it is done again."""

    def act(data, folder):
        action(Run(folder / "run"))

    def prepare(data, folder):
        keywords(data, folder / "run").train(verbose=0)
        act(data, folder)  # so that there is something to be replaced

    return Kind(tones, prepare, act, act)


def tones(folder):
    """Recordings of words."""
    write_tones(folder, {"high": 2000, "low": 300}, speakers=3)


def keywords(data, out, **options):
    """Recordings: one model, whose best epoch counts."""
    small = {"epochs": 3, "validation_fraction": 1 / 3, "clip_seconds": 0.3, "batch_size": 4, "model": "conv2d"}
    return SpeechCommands(data=data, out=out, **{**small, **options})


def radio(data, out):
    """Pictures: two models, on simulated data."""
    return RadioSignals(out=out, num_train=8, num_validation=4, epochs=2, batch_size=8, num_members=2)


def wrist(data, out):
    """Windows: folds and a test part, whose last epoch counts."""
    frames = {"sample_rate": 20, "frame_length": 24, "frame_step": 10, "label_column": "label:simple"}
    return Capture24(data=data, out=out, epochs=2, batch_size=32, cross_validation=2, test=2, **frames)


def mixtures(data, out):
    """Shares: an ensemble, and a table that is filled in."""
    overlapped_speech.mac = small_network
    return OverlappedSpeech(data=data, out=out, epochs=2, batch_size=4, width=1, validation_fraction=0.25)


def stored(data, out):
    """Features that are kept on disk."""
    return keywords(data, out, feature_store=out.parent / "features")


def prepare_features(data, folder):
    """Compute the features of a training, and keep them."""
    stored(data, folder / "run").prepare()


KINDS = {
    "recordings": training(keywords, tones),
    "pictures": training(radio, nothing),
    "windows": training(wrist, write_people),
    "mixtures": training(mixtures, lambda folder: write_overlaps(folder, train=8, test=3)),
    "prepare": Kind(tones, nothing, prepare_features, prepare_features),
    "export": done_with_a_run(lambda run: run.export()),
    "evaluate": done_with_a_run(lambda run: run.evaluate(run.pipeline.data)),
}


def forked(action: Callable[..., object], *arguments) -> tuple[int, str]:
    """Do something in a forked process: its exit code, negative for a signal, and what went wrong."""
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        os.close(reader)
        code = 0
        try:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            action(*arguments)
        except BaseException:
            code = 1
            os.write(writer, traceback.format_exc()[-1500:].encode())
        os._exit(code)
    os.close(writer)
    with open(reader) as pipe:
        said = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), said


def killed(begin: Callable, data: Path, folder: Path, at: int) -> int:
    """Begin, and be killed before the change of this number: the exit code."""

    def act():
        LIBRARY.watch(str(folder).encode(), ctypes.c_long(at))
        begin(data, folder)

    return forked(act)[0]


def count_changes(begin: Callable, data: Path, folder: Path) -> int:
    """Begin, come to an end, and count the changes."""
    counted = folder.with_suffix(".changes")

    def act():
        LIBRARY.watch(str(folder).encode(), ctypes.c_long(-1))
        begin(data, folder)
        number = LIBRARY.changes()
        LIBRARY.watch(b"", ctypes.c_long(-1))
        counted.write_text(str(number))

    code, said = forked(act)
    if code:
        raise RuntimeError(said)
    return int(counted.read_text())


def state(folder: Path) -> str:
    """Say what a kill has left; of what is temporary only that it is there, for nobody looks into it."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if "logs" in name.parts:
            continue
        temporary = any(TEMPORARY.fullmatch(part) for part in name.parts)
        known = [TEMPORARY.sub(r".\g<stem>.\g<kind>\g<suffix>", part) for part in name.parts]
        digest.update("/".join(known).encode())
        if path.is_file() and not temporary:
            digest.update(content(path).encode())
    return digest.hexdigest()


def outcome(folder: Path) -> dict[str, str]:
    """Say what a run has left: each file and its content, as far as it should be the same."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "logs" not in path.parts]
    return {path.relative_to(folder).as_posix(): content(path) for path in paths}


def content(path: Path) -> str:
    """Give a file's content without times and dates."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return str(archive.getinfo("model.weights.h5").CRC)
    if path.name == "history.csv":
        return pd.read_csv(path).drop(columns="seconds").to_csv()
    if path.name == "progress.json":
        progress = json.loads(path.read_text())
        for row in progress["history"]:
            row.pop("seconds")
        return json.dumps(progress)
    if path.name == "parity.json":
        parity = json.loads(path.read_text())
        parity["tflite"].pop("milliseconds")
        return json.dumps(parity)
    if path.name == "config.json":
        return path.read_text().replace(str(path.parents[1]), "")
    if path.suffix in (".png", ".pb", ".index") or "variables.data" in path.name:  # names, times, lines of history
        return ""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(kind: Kind, folder: Path, every: int) -> dict:
    """Kill before each change, or before one of so many, and say what came of it."""
    data, whole, attempt = folder / "data", folder / "whole", folder / "attempt"
    kind.data(data)

    def fresh(target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        if (folder / "prepared").exists():
            shutil.copytree(folder / "prepared", target)
        else:
            target.mkdir()

    (folder / "prepared").mkdir()
    code, said = forked(kind.prepare, data, folder / "prepared")
    if code:
        raise RuntimeError(said)
    fresh(whole)
    changes = count_changes(kind.begin, data, whole)
    expected, seen, wrong = outcome(whole), set(), []
    chosen = range(changes)[:: every or 1]
    for at in chosen:
        fresh(attempt)
        if killed(kind.begin, data, attempt, at) != -signal.SIGKILL:
            wrong.append(f"{at}: was not killed")
            continue
        left = state(attempt)
        if left in seen:
            continue
        seen.add(left)
        code, said = forked(kind.again, data, attempt)
        received = outcome(attempt)
        if code:
            wrong.append(f"{at}: {said}")
        elif received != expected:
            names = sorted(n for n in {*received, *expected} if received.get(n) != expected.get(n))
            wrong.append(f"{at}: {names}")
    return {"changes": changes, "kills": len(chosen), "states": len(seen), "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(main(KINDS[sys.argv[1]], Path(sys.argv[2]).resolve(), int(*sys.argv[3:] or ["1"]))))
