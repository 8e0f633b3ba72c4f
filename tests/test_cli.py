"""The command line: one line and exit code 2 for what a user can put right, clean JSON, user pipelines."""

import contextlib
import dataclasses
import errno
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keywords
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from rich.table import Table
from tones import write_tones

from tfspec.audio.opening import Recording
from tfspec.base.errors import UserError
from tfspec.base.files import check_place
from tfspec.base.text import shown
from tfspec.cli import main as cli
from tfspec.cli.commands import COMMANDS
from tfspec.cli.parsing import parse_call
from tfspec.cli.printing import console, print_json
from tfspec.experiment import pipeline
from tfspec.experiment.reference import checksum
from tfspec.inference import load_model, predict_files
from tfspec.pipelines import SpeechCommands, class_folders
from tfspec.report import figures as report

EVERYDAY = ["--data", "--download", "--out", "--epochs", "--num-members"]
OPTIONS = ["--epochs", "1", "--validation-fraction", "0.34", "--preset", "recurrent"]
OPTIONS += ["--model", "conv2d"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    write_tones(folder / "data", {"[red]high": 2000, "low": 300}, speakers=3)
    return folder


@pytest.fixture(scope="module")
def log(folder) -> str:
    """What the training of a user's own pipeline prints where its output goes to a file."""
    shutil.copy(keywords.__file__, folder / "mine.py")
    given = ["--data", str(folder / "data"), "--out", str(folder / "run"), *OPTIONS, "--epochs", "2"]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        cli.main(["train", str(folder / "mine.py"), *given])
    return out.getvalue()


@pytest.fixture(scope="module")
def run(folder, log):
    return folder / "run"


def _fails(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "No command 'frobnicate'"),
        (["train", "nope"], "No pipeline and no data at 'nope'"),
        (["prepare", "nope"], "No pipeline and no data at 'nope'"),
        (["prepare", "speech_commands", "--data", "nowhere"], "No such folder: nowhere"),
        (["train", "nope.py"], "No such file: nope.py"),
        (["train", "speech_commands"], "No such folder: data. Give yours, --data FOLDER, or --download"),
        (["train", "speech_commands", "--data", "nowhere"], "No such folder: nowhere"),
        (["train", "speech_commands", "--data", ".", "--epochs", "many"], "epochs"),
        (["train", "speech_commands", "--data", ".", "--epochs", "0"], "epochs"),
        (["train", "speech_commands", "--data", ".", "--no-such-option", "1"], "no-such-option"),
        (["train", "speech_commands", "--data", ".", "--sample-rate", "10000000"], "do not go together"),
        (["evaluate", "nowhere"], "not a run folder"),
        (["evaluate"], "run folder"),
        (
            ["listen", "m.tflite", "-dash.wav"],
            "No option -dash.wav. A file of this name is given as ./-dash.wav",
        ),
        (["predict", "run", "a.wav", "-1.wav"], "given as ./-1.wav"),
        (["predict", "run", "--x.wav"], "No option --x.wav. A file of this name is given as ./--x.wav"),
        (["predict", "run", "--1.wav"], "given as ./--1.wav"),
        (["predict", "run", "a.wav", "--hop=0.5"], "No option --hop. Did you mean --hop-seconds?"),
        (["detect", "run", "-h.wav"], "given as ./-h.wav"),
        (["check", "-data"], "given as ./-data"),
        (["predict", "run", "a.wav", "--hop-seconds", "-1"], "hop_seconds must be a number above 0"),
        (["predict", "nowhere", "x.wav"], "No model at nowhere"),
        (["export", "nowhere"], "not a run folder"),
        (["export", "run", "--target", "micro", "--streaming"], "leave out --streaming and --quantize"),
        (["export", "run", "--target", "micro", "--quantize", "int8"], "leave out --streaming"),
        (["export", "run", "--streaming", "--quantize", "float16"], "with --quantize none or int8. Received"),
        (["export", "run", "--signal-ops"], "for --target micro"),
        (["resume", "nowhere"], "not a run folder"),
        (["predict", "run", "a.wav", "b.csv", "--out", "x/../b.csv"], "b.csv would be read and written over"),
        (["embed", "run", "a.npz", "--out", "a.npz"], "would be read and written over"),
        (["detect", "run", "a.csv", "--out", "a.csv"], "would be read and written over"),
        (["detect", "run", "a.html", "--out", "a.csv"], "a.html would be read and written over"),
        (["detect", "run", "a.tsv", "--review", "a.tsv"], "would be read and written over"),
        (["listen", "run", "a.txt", "--out", "a.txt"], "would be read and written over"),
        (["evaluate-stream", "m", "a.wav", "b/detections.csv", "--out", "b"], "be read and written over"),
        (["detect", "nowhere"], "at least one recording"),
        (["detect", "nowhere", "x.wav"], "No model at nowhere"),
        (["detect", "nowhere", "a/x.wav", "b/x.flac"], "overwrite each other"),
        (["check", "nowhere"], "No pipeline and no data at 'nowhere'"),
        (
            ["train", "speech_commands", "--num-members", "1e20"],
            "num_members must be a whole number from 1 to 1,000",
        ),
        (["train", "speech_commands", "--clip-seconds", "1e300"], "clip_seconds must be a number above 0"),
        (
            ["train", "speech_commands", "--learning-rate-end", "inf"],
            "learning_rate_end must be a number from 0",
        ),
        (["train", "speech_commands", "--sha256", "x"], "64 hexadecimal digits"),
        (["train", "speech_commands", "--feature-store", ""], "feature_store must be a path"),
        (
            ["train", "speech_commands", "--seed", str(2**31)],
            "seed must be a whole number from 0 to 2,147,483,647",
        ),
        (["prepare", "capture24", "--dropout", "nan"], "dropout must be a number from 0, below 1"),
        (["data-server", "dispatcher", "--port", "65536"], "port must be a whole number from 0 to 65,535"),
        (["data-server", "worker", "--dispatcher", "grpc://a:70000"], "grpc://host:port"),
        (["data-server", "dispatcher", "--host", "a b"], "host must be text that names a machine"),
        (["evaluate", "nowhere", "--data", ""], "data must be a path"),
        (["view", "nowhere", "--example", "-1"], "example must be a whole number from 0"),
        (["view", "nowhere", "--out", "x.txt"], "png, pdf or svg"),
        (["simulate", "radio", "t.csv", "--num", "1e9"], "num must be a whole number"),
        (["simulate", "radio", "."], ". is a folder, where a file is to be written"),
        (
            ["simulate", "radio", "t.csv", "--snr", "0", "inf"],
            "snr must be 2 values, each a number from 0 to 1,000",
        ),
        (["detect", "nowhere", "x.wav", "--threshold", "nan"], "threshold must be a number from 0 to 1"),
        (["predict", "nowhere", "x.wav", "--hop-seconds", "1e300"], "hop_seconds must be a number above 0"),
        (["check", ".", "--groups", "abc"], "a regular expression with a group"),
        (["launch", "--workers", "1000", "--", "train"], "workers must be a whole number from 1 to 256"),
    ],
)
def test_user_errors_are_one_line_and_code_2(capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in _fails(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_what_a_run_keeps_is_not_written_over_and_other_tables_in_it_are(capsys, run, tmp_path):
    kept = {path.name for path in run.iterdir() if path.suffix in (".csv", ".json", ".npz", ".html")}
    assert len(kept) > 6
    for name in kept:
        with pytest.raises(UserError, match=f"{name} is what the run .* keeps"):
            check_place(run / name)
    for command in ("predict", "detect"):
        assert "keeps. Give another name" in _fails(capsys, command, run, ".", "--out", run / "split.csv")
    (run / "figures" / "scores.csv").touch()
    for place in (run / "figures" / "scores.csv", run / "figures" / "split.csv", tmp_path / "split.csv"):
        check_place(place)


def test_a_full_disk_is_one_line(capsys, folder, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "split.csv"))

    monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    with pytest.raises(SystemExit) as stop:
        cli.main(
            [
                "train",
                "speech_commands",
                "--data",
                str(folder / "data"),
                "--out",
                str(tmp_path / "r"),
                *OPTIONS,
            ]
        )
    assert stop.value.code == 2
    assert "split.csv: No space left on device" in capsys.readouterr().err


def test_help_lists_every_command_and_option(capsys):
    cli.main([])
    listed = capsys.readouterr().out
    for command in ("demo", "train", "evaluate", "predict", "export", "check"):
        assert command in listed
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "speech_commands", "--help"])
    assert stop.value.code in (0, None)
    assert re.findall("^  (--[a-z-]+)", said := capsys.readouterr().out, re.M) == EVERYDAY
    others = len(dataclasses.fields(SpeechCommands)) - len(EVERYDAY)
    assert f"{others} more: tfspec train speech_commands --help-all" in said
    with pytest.raises(SystemExit):
        cli.main(["train", "speech_commands", "--help-all"])
    options = {option for line in capsys.readouterr().out.splitlines() for option in line.split()}
    fields = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(SpeechCommands)}
    assert fields <= {option.rstrip(",") for option in options}


def test_a_log_has_a_line_an_epoch_and_nothing_for_terminals(log):
    epochs = re.findall(
        r"^epoch (\d) of 2: loss \d\.\d{3}, val_loss \d\.\d{3}, val_accuracy [01]\.\d{3}, \d+\.\d s$",
        log,
        re.M,
    )
    assert epochs == ["1", "2"]
    assert re.search(r"^Network: \w+, [\d,]+ weights, on features of any × 39 × 1$", log, re.M)
    assert not set(log) & {"\r", "\b", "\x1b"}


def test_what_is_told_on_the_way_can_be_left_out(run, log, capsys):
    assert "Devices: " in log and "accuracy" in log
    cli.main(["--quiet", "resume", str(run)])
    said = capsys.readouterr()
    assert "Devices: " not in said.out
    assert "accuracy" in said.out
    assert "not a run folder" in _fails(capsys, "resume", "nowhere", "--quiet")
    assert "Received: both" in _fails(capsys, "resume", run, "--quiet", "--verbose")


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["predct"], "predict"),
        (["simulate", "radoi"], "radio"),
        (["train", "speech_comands"], "speech_commands"),
        (["check", ".", "--pipeline", "capture_24"], "capture24"),
        (["train", "speech_commands", "--n-mels", "40"], "--num-mel-bins"),
        (["train", "speech_commands", "--hop_length=4"], "--frame-step"),
        (["train", "recordings", "--fom", "a"], "--from"),
        (["predict", "run", "a.wav", "--hop", "1"], "--hop-seconds"),
        (["predict", "run", "a.wav", "-k", "1"], "--top"),
    ],
)
def test_what_was_meant_is_named(capsys, arguments, right):
    assert re.search(f"Did you mean '?{right}'?[?]", _fails(capsys, *arguments))


def test_evaluate_as_json_is_json_and_nothing_else(capsys, run):
    capsys.readouterr()
    cli.main(["evaluate", str(run), "--json"])
    assert json.loads(capsys.readouterr().out)["examples"] == 4


def test_evaluate_prints_labels_as_they_are(capsys, run, folder):
    cli.main(["evaluate", str(run), "--data", str(folder / "data")])
    said = capsys.readouterr().out
    assert "[red]high" in said
    assert "were trained on" in said


def test_predict_prints_a_line_a_file_or_json(capsys, run, folder):
    files = sorted(str(p) for p in (folder / "data").rglob("*.wav"))[:2]
    capsys.readouterr()
    cli.main(["predict", str(run), *files])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == files
    cli.main(["predict", str(run), *files, "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["file"] for row in rows] == files
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert "1 of 1 files cannot be used" in _fails(capsys, "predict", run, _text_file(folder / "broken.wav"))
    assert "at least one" in _fails(capsys, "predict", run)


def test_a_file_that_goes_bad_during_a_run_is_one_line(capsys, folder, tmp_path, monkeypatch):
    write_tones(tmp_path / "data", {"high": 2000, "low": 300}, speakers=3)
    _text_file(tmp_path / "data" / "low" / "speaker0_nohash_0.wav")
    monkeypatch.setattr(class_folders, "inspect_listed", lambda manifest, *_: manifest)
    with pytest.raises(SystemExit) as stop:
        data, out = str(tmp_path / "data"), str(tmp_path / "run")
        cli.main(["train", "speech_commands", "--data", data, "--out", out, *OPTIONS])
    assert stop.value.code == 2
    assert "speaker0_nohash_0.wav cannot be decoded" in capsys.readouterr().err.splitlines()[-1]


def _text_file(path: Path) -> Path:
    path.write_text("no sound")
    return path


CHATTER = re.compile(
    r"absl|oneDNN|XNNPACK|cpu_feature_guard|cudart|^INFO:|^WARNING:|^[IWEF]\d{4} ", re.MULTILINE
)
"""What TensorFlow, its compiler and LiteRT say of themselves on standard error."""


def in_terminal(*arguments, **environment) -> str:
    """Run a command in a terminal of its own, as a person would, and return all that is to be read there."""
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("tfspec")), *map(str, arguments)]
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen(command, **terminal, env={**os.environ, **environment}) as process:
        os.close(theirs)
        read = b""
        with contextlib.suppress(OSError):  # of which Linux makes the end
            while piece := os.read(ours, 65536):
                read += piece
        os.close(ours)
    assert process.returncode == 0, read.decode()
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", read.decode()).replace("\r", "\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "answer"),
    [
        pytest.param("export", "Exported to", id="export"),
        pytest.param("predict", "%)", id="predict"),
    ],
)
def test_nothing_but_tfspec_speaks_in_a_terminal(run, folder, command, answer):
    sound = [next((folder / "data" / "low").glob("*.wav"))] if command == "predict" else []
    read = in_terminal(command, run, *sound)
    assert answer in read
    assert not CHATTER.search(read), read


@pytest.mark.slow
def test_export_says_what_it_compared(capsys, run):
    cli.main(["export", str(run)])
    said = capsys.readouterr().out
    assert "100.00% of 4 signals" in said
    assert (run / "export" / "model.tflite").exists()


def test_the_command_says_that_a_loop_has_no_int8_activations(run, capsys, monkeypatch):
    parity = {"signals": 1, "same_top_class": 1.0, "largest_difference": 0.0, "bytes": 1, "milliseconds": 1.0}
    monkeypatch.setattr(pipeline.Pipeline, "export", lambda *_: {"tflite": {**parity, "quantize": "dynamic"}})
    cli.main(["export", str(run), "--quantize", "int8"])
    assert "no int8 activations" in capsys.readouterr().out
    cli.main(["export", str(run), "--quantize", "dynamic"])
    assert "no int8 activations" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["", "train", "prepare", "simulate"])
def test_help_is_no_wider_than_the_terminal(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    cli.main([*command.split(), "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_check_finds_nothing_or_exits_with_1(capsys, folder, tmp_path):
    cli.main(["check", str(folder / "data"), "--json"])
    assert json.loads(capsys.readouterr().out)["recordings"] == 12
    soundfile.write(
        shutil.copytree(folder / "data", tmp_path / "data") / "low" / "x.wav", np.ones(8000), 16000
    )
    cli.main(["check", str(tmp_path / "data")])
    said = capsys.readouterr().out
    assert "13 recordings, 4 groups, " in said and "epochs of about 1 batch." in said
    assert "clipped: 1, which training takes as they are\n  low/x.wav\n" in said
    _text_file(tmp_path / "data" / "low" / "y.wav")
    _exits(1, "check", tmp_path / "data")
    assert "unreadable: 1\n  low/y.wav: Format not recognised" in capsys.readouterr().out


def test_a_pipeline_of_the_users_own_is_remembered(run, capsys):
    """By view and report, and by all commands of the tests above and below."""
    assert json.loads((run / "config.json").read_text())["options"]["batch_size"] == 5
    for command in ("view", "report"):
        cli.main([command, str(run)])
    assert capsys.readouterr().out.endswith(f"A page to look at: {run / 'report.html'}\n")


def test_a_pipeline_of_the_users_own_is_asked_for_where_it_has_changed(run, tmp_path, capsys):
    out, file = shutil.copytree(run, tmp_path / "run"), tmp_path / "mine.py"
    config = json.loads((run / "config.json").read_text())
    (out / "config.json").write_text(json.dumps({**config, "file": str(file)}))
    file.write_text(f"{Path(keywords.__file__).read_text()}# changed\n")
    assert "which has changed since. Give the file" in _fails(capsys, "evaluate", out)
    cli.main(["evaluate", str(out), "--pipeline", str(file)])
    capsys.readouterr()
    file.unlink()
    assert "which is no longer there" in _fails(capsys, "export", out)
    cli.main(["report", str(out)])
    assert "The page shows no examples" in capsys.readouterr().out
    (out / "mine.py").write_text("raise SystemExit('this file came with the run')")
    changed = {"file": str(out / "mine.py"), "sha256": checksum(out / "mine.py")}
    (out / "config.json").write_text(json.dumps({**config, **changed}))
    assert "which lies in the run folder itself" in _fails(capsys, "evaluate", out)


def test_the_installed_command_keeps_standard_error_clean(tmp_path):
    """Also where TensorFlow is imported before something is wrong."""
    (tmp_path / "config.json").write_text("[")
    command = [str(Path(sys.executable).with_name("tfspec")), "evaluate", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert (
        done.stderr.startswith(f"tfspec: {tmp_path}/config.json is damaged: ")
        and done.stderr.count("\n") == 1
    )


@pytest.mark.parametrize("command", ["evaluate", "resume", "view", "export", "report"])
def test_what_is_no_run_folder_is_refused_before_tensorflow_is_imported(tmp_path, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "tfspec.experiment.run", None)  # which imports it
    with pytest.raises(UserError, match=r"is not a run folder: it has no config\.json"):
        parse_call(COMMANDS[command], [str(tmp_path)], "x")()


EVIL = "robin\x1b[2J\r\u2028\x9b\udc80 Zaunkönig 🐦"


def _written(monkeypatch, encoding: str, call) -> str:
    """Return what is written to a standard output of some encoding, which must hold no control characters."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
    monkeypatch.setattr(cli, "_run", lambda _: call())
    cli.main([])
    text = raw.getvalue().decode(encoding)
    assert not set(text) & {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160))}
    return text


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
def test_what_is_printed_does_no_harm_in_any_encoding(monkeypatch, encoding):
    row = dict.fromkeys(("precision", "recall", "f1"), 0.5) | {"examples": 3}
    table = report.score_table({"per_class": {EVIL: row}})
    text = _written(monkeypatch, encoding, lambda: console.print(f"a {EVIL}\n[b]", table, EVIL))
    assert text.startswith("a robin\\x1b")
    assert "\n[b]" in text
    assert "0.500" in text
    assert ("Zaunkönig" in text) == (encoding != "ascii")


def test_what_is_printed_stands_there_as_it_is(monkeypatch):
    """Also in tables; nothing is taken for a style, a picture or what keeps it from being one."""
    name = r"a:bell:[b]b[/b]\[c]" + "\\"
    table = Table("class")
    table.add_row(name)
    text = _written(monkeypatch, "utf-8", lambda: console.print(name, table))
    assert text.startswith(f"{name}\n") and f"│ {name} │\n" in text


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_is_json_for_any_label_and_number(monkeypatch, encoding):
    document = {EVIL: [EVIL, float("nan"), float("inf"), {"x": (1.5, None)}]}
    text = _written(monkeypatch, encoding, lambda: print_json(document))
    assert json.loads(text) == {EVIL: [EVIL, None, None, {"x": [1.5, None]}]}
    assert ("Zaunkönig" in text) == (encoding != "ascii")


def _raises(error):
    raise error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError(EVIL), 2, "robin\\x1b[2J"),
        (OSError(errno.ENOSPC, "No space left on device", "a\x1bb"), 2, "a\\x1bb: No space left"),
        (MemoryError("Unable to allocate 7 GiB"), 2, "Not enough memory. Unable to allocate 7 GiB"),
        (UnicodeEncodeError("ascii", "ü", 0, 1, "no"), 2, "cannot be written as ascii"),
        (
            tf.errors.ResourceExhaustedError(None, None, "x/variables; No space left on device"),
            2,
            "x/variables; No",
        ),
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"), 2, "Not enough memory. OOM"),
        (
            tf.errors.UnknownError(None, None, "OSError: [Errno 28] No space left on device"),
            2,
            "No space left",
        ),
        (
            tf.errors.InvalidArgumentError(None, None, "UserError: x.wav is no sound\n more"),
            2,
            "x.wav is no sound",
        ),
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_what_a_user_can_mend_is_one_line(monkeypatch, capsys, error, code, said):
    monkeypatch.setattr(cli, "_run", lambda _: _raises(error))
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    assert stop.value.code == code
    written = capsys.readouterr().err
    assert written.startswith("tfspec: ")
    assert said in written
    assert written.count("\n") == 1
    assert "\x1b" not in written


@pytest.mark.parametrize("error", [RuntimeError("a bug"), tf.errors.InternalError(None, None, "a bug")])
def test_what_nobody_expects_keeps_its_traceback(monkeypatch, error):
    monkeypatch.setattr(cli, "_run", lambda _: _raises(error))
    with pytest.raises(type(error), match="a bug"):
        cli.main([])


def test_the_installed_command_ends_quietly_where_nobody_reads_or_nothing_can_be_written():
    command = f"{Path(sys.executable).with_name('tfspec')} --help"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}; {command} > /dev/full; echo $?"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["141", "2"]
    assert done.stderr == "tfspec: Input or output: No space left on device\n"


@pytest.mark.slow
def test_demo_is_over_nine_tenths_right(tmp_path, capfd):
    cli.main(["demo", "--out", str(tmp_path / "demo")])
    assert json.loads((tmp_path / "demo" / "metrics.json").read_text())["accuracy"] > 0.9
    assert (tmp_path / "demo" / "figures" / "confusion_matrix.png").exists()
    assert capfd.readouterr().out.count("is taken for") == 6


def test_detect_writes_scores_and_events_for_other_programs(run, folder, capsys):
    recording = next((folder / "data" / "low").glob("*.wav"))
    cli.main(
        ["detect", str(run), str(recording), "--out", str(folder / "found"), "--threshold", "0", "--json"]
    )
    (found,) = json.loads(capsys.readouterr().out).values()
    assert {event["label"] for event in found} == {"[red]high", "low"}
    names = sorted(path.name for path in (folder / "found").iterdir())
    assert names == [".findings"] + [
        f"{recording.stem}.{kind}" for kind in ("audacity.txt", "events.csv", "raven.txt", "seconds.csv")
    ]
    cli.main(["detect", str(run), str(recording), "--out", str(folder / "found"), "--threshold", "0"])
    assert "[red]high" in capsys.readouterr().out


@pytest.fixture
def some_bad(folder, tmp_path) -> dict[str, str]:
    """Recordings of which some cannot be used, and what is wrong with each."""
    good = next((folder / "data" / "low").glob("*.wav"))
    odd = ("line\nbreak\x1b[2J.wav", os.fsdecode(b"caf\xe9.wav"))
    names = {"good.wav": "", **dict.fromkeys(odd, "rename it")}
    for name in names:
        shutil.copy(good, tmp_path / name)
    (tmp_path / "cut.wav").write_bytes(good.read_bytes()[:-1000])
    soundfile.write(tmp_path / "nan.wav", np.append(np.zeros(16000), np.nan), 16000, "FLOAT")
    os.mkfifo(tmp_path / "pipe.wav")
    bad = {"cut.wav": "truncated", "nan.wav": "NaN", "pipe.wav": "a pipe", "none.wav": "no such file"}
    return {str(tmp_path / name): problem for name, problem in {**bad, **names}.items()}


def _exits(code: int, *arguments) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    assert stop.value.code == code


@pytest.mark.parametrize("command", ["predict", "detect"])
def test_bad_files_are_named_and_the_others_done(run, some_bad, tmp_path, capsys, command):
    out = ["--out", tmp_path / "out"] if command == "detect" else []
    always = ["--threshold", 0] if command == "detect" else []
    _exits(1, command, run, *some_bad, *out, *always)
    said = capsys.readouterr()
    assert said.err.count("\n") == 6 and "\x1b" not in said.out + said.err
    for file, problem in some_bad.items():
        lines = [line for line in said.err.splitlines() if shown(file) in line]
        assert [problem in line for line in lines] == ([True] if problem else [])
    assert "good.wav" in said.out
    _exits(1, command, run, *some_bad, *out, *always, "--json")
    document = json.loads(capsys.readouterr().out)
    if command == "predict":
        problems = {row["file"]: row["problem"] for row in document}
        assert all((row["probabilities"] is None) == bool(row["problem"]) for row in document)
    else:
        bad = {file: found["problem"] for file, found in document.items() if isinstance(found, dict)}
        problems = dict.fromkeys(document) | bad
        assert len([*(tmp_path / "out").glob("*.csv"), *(tmp_path / "out").glob("*.txt")]) == 4
    assert set(problems) == set(some_bad)
    assert all(bool(problems[file]) == bool(text) for file, text in some_bad.items())
    assert all(text in (problems[file] or "") for file, text in some_bad.items())


def test_in_python_a_bad_file_is_a_row_without_an_answer(run, some_bad):
    table = predict_files(load_model(run), list(some_bad))
    assert list(table["file"]) == list(some_bad)
    bad = table["problem"].notna()
    assert list(bad) == [bool(problem) for problem in some_bad.values()]
    assert table.loc[bad, ["predicted", "p_[red]high", "p_low"]].isna().all(axis=None)
    assert table.loc[~bad, "predicted"].isin(["[red]high", "low"]).all()


@pytest.mark.parametrize("hop", [[], ["--hop-seconds", "0.2"]])
def test_a_recording_is_decoded_once(run, folder, capsys, monkeypatch, hop):
    opened, read = [], Recording.blocks

    def blocks(self, *given, **named):
        opened.append(self)
        return read(self, *given, **named)

    monkeypatch.setattr(Recording, "blocks", blocks)
    file = str(next((folder / "data" / "low").glob("*.wav")))
    cli.main(["predict", str(run), file, *hop])
    assert len({id(recording) for recording in opened}) == 1


@pytest.mark.slow
def test_prepare_keeps_features_that_train_finds(folder, tmp_path, capsys, monkeypatch):
    options = ["speech_commands", "--data", folder / "data", "--out", tmp_path / "run", *OPTIONS]
    options += ["--clip-seconds", "0.3"]
    for _ in range(2):
        cli.main(["prepare", *map(str, options)])
        said = capsys.readouterr().out
        assert said.startswith("Features of 12 examples, 52 × 39 × 1 float32, 0.1 MB: ")
        assert (tmp_path / "features") in Path(said.split("MB: ")[1].strip()).parents
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr("tfspec.experiment.features.precompute", None)
    cli.main(["train", *map(str, options)])
    assert (tmp_path / "run" / "metrics.json").exists()
