"""Several devices and machines train what one trains; the machines are processes on this one."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from overlaps import write_overlaps
from replicated import SMALL, small
from scenes import write_scenes
from tones import write_tones
from wrists import write_people

from tfspec.distributed.launcher import launch
from tfspec.experiment.run import Run
from tfspec.inference.loading import load_keras
from tfspec.training import Progress

SCRIPT = Path(__file__).with_name("programs") / "replicated.py"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_tones(folder / "speech_commands", {"high": 2000, "low": 300}, speakers=6)
    write_scenes(folder / "rainforest", "train", 4)
    write_people(folder / "capture24", people=4, windows=6)
    write_overlaps(folder / "overlapped_speech", train=16, test=2)
    return folder


@pytest.fixture(scope="module")
def one_device(data, tmp_path_factory):
    """Runs of one device, made when they are asked for."""
    folder, made = tmp_path_factory.mktemp("one"), {}

    def run(name: str, **options) -> Run:
        key = name + "".join(options)
        if key not in made:
            made[key] = small(name, data, strategy="none", out=folder / key, **options).train(verbose=0)
        return made[key]

    return run


def assert_same(folder: Path, expected: Run):
    received = Run(folder)
    # Over several replicas Keras's batch norm takes a variance as the difference of two large numbers
    has_batch_norm = received.config["pipeline"] in ("radio_signals", "capture24", "overlapped_speech")
    tolerance = 1e-4 if has_batch_norm else 1e-5
    columns = [name for name in expected.history if name not in ("member", "seconds")]
    close = functools.partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance)
    close(received.history[columns], expected.history[columns])
    for name in expected.history["member"].unique():
        weights = [load_keras(run.folder / name / "last.keras").weights for run in (received, expected)]
        for mine, theirs in zip(*weights, strict=True):
            close(mine, theirs, err_msg=mine.path)
    probabilities = [run.predictions.filter(like="p_") for run in (received, expected)]
    close(*probabilities)


@pytest.mark.slow
def test_two_devices_train_what_one_trains_in_every_pipeline(data, one_device, tmp_path):
    subprocess.run([sys.executable, SCRIPT, "mirrored", data, tmp_path, *SMALL], check=True)
    for name in SMALL:
        assert_same(tmp_path / name, one_device(name))
        devices = json.loads((tmp_path / name / "config.json").read_text())["devices"]
        assert devices["strategy"] == "mirrored"
        assert devices["replicas"] == len(devices["shares"]) == 2
        assert sum(devices["shares"]) == devices["batch_size"]


@pytest.mark.slow
def test_two_workers_train_what_one_device_trains_and_only_the_chief_writes(
    data, one_device, tmp_path, capfd, monkeypatch
):
    places = tmp_path / "temporary"
    places.mkdir()
    monkeypatch.setenv("TMPDIR", str(places))
    out = tmp_path / "out"
    names = ["speech_commands", "radio_signals"]
    assert launch([sys.executable, str(SCRIPT), "multi_worker", str(data), str(out), *names], 2) == 0
    said = capfd.readouterr().out
    for name in names:
        assert_same(out / name, one_device(name))
        assert f"[0] {out / name} has" in said
        assert f"[1] {places}" in said
    assert not [path for path in places.rglob("*") if "tfspec" in path.name]
    assert {path.name for path in out.iterdir()} == {*names, ".tables"}


@pytest.mark.slow
def test_a_killed_worker_stops_all_and_resuming_ends_as_if_undisturbed(data, one_device, tmp_path, capfd):
    out = tmp_path / "killed"
    command = [sys.executable, str(SCRIPT), "multi_worker", str(data), str(out), "speech_commands"]
    assert launch(command, 2) == 137
    folder = out / "speech_commands"
    assert len(pd.read_csv(folder / "history.csv")) == 2
    assert Progress.load(folder).state == "state-2.keras"
    resume = [sys.executable, "-c", "from tfspec.cli.main import main; main()", "resume", str(folder)]
    resume += ["--pipeline", "speech_commands"]
    assert launch(resume, 2) == 0
    assert_same(folder, one_device("speech_commands", epochs=4))
    assert Progress.load(folder).finished
