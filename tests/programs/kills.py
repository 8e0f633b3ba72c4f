"""Kills a run before every change of a file, goes on with it, and compares it with a run that was not killed.

    LD_PRELOAD=kill_at.so python kills.py KIND FOLDER [EVERY]

prints a line of JSON: how many changes there were, how many kills, how many different states of the folder
these left, and each kill after which the end was not the same. TensorFlow is imported once; every run is a
fork of that process, which itself computes nothing.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
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

import h5py
import keras
import matplotlib.backends.backend_agg  # noqa: F401  here, and not in every fork
import numpy as np
import pandas as pd
import scipy.optimize  # noqa: F401
import sklearn.metrics
import sklearn.model_selection  # noqa: F401
import tensorflow as tf
from matplotlib.figure import Figure
from tensorflow.python.autograph.impl import api as autograph

sys.path.insert(0, str(Path(__file__).parents[1]))
from overlaps import write_overlaps
from tones import write_tones
from wrists import write_people

from tfspec.base.files import TEMPORARY
from tfspec.experiment import reporting
from tfspec.experiment.pipeline import Pipeline
from tfspec.experiment.run import Run
from tfspec.pipelines import Capture24, OverlappedSpeech, RadioSignals, SpeechCommands
from tfspec.report import figures as report

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


def without_tracing_and_drawing():
    """Leave out what takes most of a short run's time and writes nothing."""
    tf.config.run_functions_eagerly(True)
    autograph.tf_convert = lambda function, *_, **__: function
    for name in (
        "confusion_matrix_figure",
        "calibration_figure",
        "history_figure",
        "examples_figure",
    ):
        setattr(report, name, lambda *_, **__: Figure(figsize=(1, 1)))
    reporting.page_of = reporting.written = lambda *_: "page"


def nothing(*_):
    """Do without."""


def training(make: Callable[[Path, Path], object], data: Callable[[Path], object]) -> Kind:
    """Kill a training; it is resumed, or begun again where it is no run yet."""

    def train(data, folder):
        make(data, folder / "run").train(verbose=0)

    def resume(data, folder):
        if (folder / "run" / "config.json").exists():
            make(data, folder / "run").resume(Run(folder / "run"), verbose=0)
        else:
            train(data, folder)

    return Kind(data, nothing, train, resume)


def done_with_a_run(action: Callable[[Pipeline, Run], object]) -> Kind:
    """Kill what is done with a finished run; it is done again."""

    def act(data, folder):
        action(keywords(data, folder / "run"), Run(folder / "run"))

    def prepare(data, folder):
        keywords(data, folder / "run").train(verbose=0)
        act(data, folder)  # so that there is something to be replaced

    return Kind(tones, prepare, act, act)


def tones(folder):
    """Recordings of words."""
    write_tones(folder, {"high": 2000, "low": 300}, speakers=3)


class Light:
    """A front end and a network that take no time: what is tested is what is written, and in which order."""

    def front_end(self):
        """Return the signal as it is."""
        return keras.layers.Reshape(self.feature_shape)

    def backbone(self, feature_shape, num_classes):
        """Return a network that is random in training too."""
        layers = [keras.layers.Flatten(), keras.layers.Dropout(0.25), keras.layers.Dense(num_classes)]
        return keras.Sequential([keras.Input(feature_shape), *layers])


class Keywords(Light, SpeechCommands):
    """Recordings: one model, whose best epoch counts."""

    feature_shape = (49, 135, 1)


class Radio(Light, RadioSignals):
    """Pictures: two models, on simulated data."""

    feature_shape = (64, 128, 1)


class Wrist(Light, Capture24):
    """Windows: folds and a test part, whose last epoch counts."""

    feature_shape = (200, 3, 1)


class Mixtures(Light, OverlappedSpeech):
    """Shares: an ensemble, and a table that is filled in."""

    feature_shape = (160, 100, 1)


def keywords(data, out, **options):
    """Make a training on recordings, whose validation part is never augmented."""
    small = {"epochs": 3, "validation_fraction": 1 / 3, "clip_seconds": 0.3, "batch_size": 4, "augment": ()}
    return Keywords.preset("recurrent", data=data, out=out, **small, **options)


def radio(data, out):
    """Make a training of two models on pictures."""
    return Radio(out=out, num_train=8, num_validation=4, epochs=2, batch_size=8, num_members=2, augment=())


def wrist(data, out):
    """Make a training of folds on windows."""
    frames = {"sample_rate": 20, "frame_length": 24, "frame_step": 10, "label_column": "label:simple"}
    options = {"epochs": 2, "batch_size": 32, "cross_validation": 2, "test": 2, "augment": False}
    return Wrist(data=data, out=out, **options, **frames)


def mixtures(data, out):
    """Make a training of an ensemble on shares."""
    return Mixtures(data=data, out=out, epochs=2, batch_size=4, validation_fraction=0.25, augment=("mix_up",))


def stored(data, out):
    """Make a training whose features are kept on disk."""
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
    "export": done_with_a_run(lambda pipeline, run: pipeline.export(run)),
    "evaluate": done_with_a_run(lambda pipeline, run: pipeline.evaluate(run, pipeline.data)),
}


def forked(action: Callable[..., object], *arguments) -> tuple[int, str]:
    """Do something in a forked process: its exit code, negative for a signal, and what went wrong."""
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        os.close(reader)
        code = 0
        try:
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
            action(*arguments)
        except BaseException:
            code = 1
            os.write(writer, traceback.format_exc()[-1500:].encode())
        os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as pipe:
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
    """Return a file's content without times and dates."""
    if path.suffix == ".keras":
        return weights(path)
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
    if (
        path.suffix in (".png", ".html", ".pb", ".index") or "variables.data" in path.name
    ):  # names, times, lines of history
        return ""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights(path: Path) -> str:
    """Return all numbers of a model; its layers' names count the layers that the process has made before."""
    arrays: list[bytes] = []

    def add(_, item):
        if isinstance(item, h5py.Dataset):
            arrays.append(item[()].tobytes())

    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        file.visititems(add)
    return hashlib.sha256(b"|".join(sorted(arrays))).hexdigest()


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
    without_tracing_and_drawing()
    print(json.dumps(main(KINDS[sys.argv[1]], Path(sys.argv[2]).resolve(), int(*sys.argv[3:] or ["1"]))))
