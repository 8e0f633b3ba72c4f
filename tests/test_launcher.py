import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tfspec.cli.main import main
from tfspec.distributed.launcher import launch

SHOW = """
import json, os
config = json.loads(os.environ["TF_CONFIG"])
print(json.dumps({**config, "gpus": os.environ["CUDA_VISIBLE_DEVICES"]}))
"""
ONE_FAILS = """
import json, os, sys, time
number = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
if number == 1:
    {failure}
print("waits", flush=True)
time.sleep(60)
"""


def test_workers_know_the_cluster_and_their_part_of_the_gpus(capfd):
    assert launch([sys.executable, "-c", SHOW], workers=3, gpus=range(5)) == 0
    rows = sorted(capfd.readouterr().out.splitlines())
    told = [json.loads(row.removeprefix(f"[{i}] ")) for i, row in enumerate(rows)]
    addresses = told[0]["cluster"]["worker"]
    assert len(set(addresses)) == 3
    assert all(worker["cluster"] == {"worker": addresses} for worker in told)
    assert [worker["task"] for worker in told] == [{"type": "worker", "index": i} for i in range(3)]
    assert [worker["gpus"] for worker in told] == ["0,3", "1,4", "2"]


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        ("sys.exit(3)", 3, "ended with exit code 3"),
        ("os.kill(os.getpid(), 9)", 137, "was ended by signal 9, Killed"),
        ("raise OSError('full')", 1, "ended with exit code 1"),
    ],
)
def test_all_stop_when_one_fails(failure, code, said, capfd):
    begin = time.monotonic()
    assert launch([sys.executable, "-c", ONE_FAILS.format(failure=failure)], workers=3) == code
    assert time.monotonic() - begin < 30
    out, errors = capfd.readouterr()
    assert errors == f"[1] {said}, so all other workers are stopped.\n"
    if code == 1:
        assert "[1] OSError: full" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_launcher_leaves_no_worker(number, tmp_path):
    wait = f"import os, time; open({str(tmp_path)!r} + f'/{{os.getpid()}}', 'w'); time.sleep(60)"
    # As in a terminal: what runs the tests may ignore interrupts or block them, and children inherit that
    script = (
        "import signal, sys; from tfspec.distributed.launcher import launch\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"launch([sys.executable, '-c', {wait!r}], 2)"
    )
    launcher = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    while len(list(tmp_path.iterdir())) < 2:
        time.sleep(0.05)
    launcher.send_signal(number)
    assert launcher.wait(30) != 0
    for path in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name), 0)


WRITES_MUCH = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(20_000):
    print(number, flush=True)
open({ended!r}, "w").close()
"""


def test_workers_stop_quietly_once_nobody_reads_what_they_write(tmp_path):
    """Also one that ends in its own time, which its output does not keep from doing so."""
    ended = tmp_path / "ended"
    script = (
        "import sys; from tfspec.cli import main; from tfspec.distributed.launcher import launch\n"
        "main._run = lambda command: launch(command, workers=1)\n"
        f"main.main([sys.executable, '-c', {WRITES_MUCH.format(ended=str(ended))!r}])"
    )
    with (tmp_path / "errors").open("w+") as errors:
        launcher = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert launcher.stdout.readline() == "[0] 0\n"
        launcher.stdout.close()
        try:
            assert launcher.wait(30) == 128 + signal.SIGPIPE
        finally:
            launcher.kill()
        assert errors.seek(0) == 0 and errors.read() == ""
    assert ended.exists()


@pytest.mark.parametrize(
    "arguments", [["--workers", "0", "--", "train"], ["--workers", "2"], ["--", "train"], ["--workers", "x"]]
)
def test_wrong_arguments_are_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["launch", *arguments])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("tfspec: ")
