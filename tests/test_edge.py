"""From a folder of words to what an emulated microcontroller prints, by the commands of docs/edge.md."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from tones import write_tones

from tfspec.cli.main import main
from tfspec.export.streaming_file import read_facts
from tfspec.inference import load_streaming

RATE = 16000
pytestmark = pytest.mark.slow  # test_streaming_export, test_stream_scores and test_micro_folder stand in
needs_arm = pytest.mark.skipif(
    not all(map(shutil.which, ("make", "arm-none-eabi-gcc", "qemu-system-arm"))),
    reason="needs make, gcc-arm-none-eabi and qemu-system-arm",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Words, noises, and a run that has learned to listen to them."""
    folder = tmp_path_factory.mktemp("edge")
    write_tones(folder / "words", {"no": 400, "yes": 900, "other": 2500}, speakers=8)
    noises = folder / "noises"
    noises.mkdir()
    soundfile.write(noises / "room.wav", np.random.default_rng(0).normal(0, 0.01, 3 * RATE), RATE)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    """Train, by the first command, a network that takes no time."""
    pipeline = Path(__file__).with_name("keywords.py")
    train = ["train", pipeline, "--data", folder / "words", "--classes", "no", "yes", "--others"]
    options = ["--background", folder / "noises", "--streaming", "--epochs", 2, "--augment", "shift"]
    _tfspec(*train, *options, "--out", folder / "run")
    return folder / "run"


def _tfspec(*arguments):
    assert main([str(each) for each in arguments]) in (None, 0)


@pytest.fixture(scope="module")
def exported(run):
    """Export, by the second command."""
    _tfspec("export", run, "--streaming", "--quantize", "int8")
    return run / "export"


def test_a_run_is_exported_as_a_stream(exported):
    facts = read_facts(exported / "streaming.json")
    assert facts.classes == ("_silence_", "_unknown_", "no", "yes")
    assert (facts.hop_samples, facts.quantize) == (160, "int8")
    assert json.loads((exported / "parity.json").read_text())["streaming"]["same_top_class"] >= 0.95
    assert load_streaming(exported).step(np.zeros(160)).shape == (4,)


@pytest.fixture(scope="module")
def chosen(folder, run, exported):
    """Choose thresholds on a stream, by the third command, after one that makes the stream."""
    stream = folder / "stream"
    words = ["--words", folder / "words", "--classes", "no", "yes", "--background", folder / "noises"]
    _tfspec("simulate", "stream", stream, "--minutes", 0.5, *words)
    measured = [stream / "stream.wav", stream / "events.csv"]
    _tfspec("evaluate-stream", run, *measured, "--false-accepts-per-hour", 3600, "--save")
    return read_facts(exported / "streaming.json").detector


def test_thresholds_are_chosen_for_each_class_and_the_page_shows_what_they_cost(run, chosen):
    assert [*chosen.threshold] == ["no", "yes"]
    assert {"threshold", "false_accepts_per_hour"} <= {
        *pd.read_csv(run / "streams" / "stream-stream" / "curve.csv")
    }
    assert "false accepts an hour" not in (run / "report.html").read_text("utf-8")
    _tfspec("report", run)
    assert "false accepts an hour" in (run / "report.html").read_text("utf-8")


@needs_arm
def test_an_emulated_microcontroller_prints_what_listen_prints(folder, run, chosen, capsys, monkeypatch):
    _tfspec("export", run, "--target", "micro", "--signal-ops")
    facts = json.loads((run / "micro" / "micro.json").read_text())
    assert facts["flash_bytes"] < 64_000 and facts["ram_bytes"] < 32_000
    assert facts["instructions_per_second"] < 20e6
    assert (run / "micro" / "model_signal.tflite").exists()
    samples, _ = soundfile.read(folder / "stream" / "stream.wav", dtype="int16")
    made = ["make", "--silent", "-C", str(run / "micro"), "emulated"]
    said = subprocess.run(made, input=samples.tobytes(), capture_output=True, check=True).stdout.decode()
    capsys.readouterr()
    _tfspec("listen", run, folder / "stream" / "stream.wav", "--json")
    heard = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    printed = [line.split() for line in said.splitlines()]
    assert [each[1] for each in printed] == [each["label"] for each in heard]
    times = [[float(time), event["time"]] for (time, *_), event in zip(printed, heard, strict=True)]
    assert len(times) == 0 or np.abs(np.diff(times, axis=1)).max() <= 0.1
