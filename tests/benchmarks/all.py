"""Repeats the figures of README.md and docs/ that two cores can repeat in a night, one table after another.

    python tests/benchmarks/all.py --list                      # what there is, and what is left out
    python tests/benchmarks/all.py DATA OUT                    # all of it
    python tests/benchmarks/all.py DATA OUT --only networks_3  # one table, by its name in docs/results
    python tests/benchmarks/all.py DATA OUT --again            # also what was measured at this commit

DATA holds what a table needs, as --list says: folders of recordings, a folder a class. Models and logs go to
OUT. A measuring script gives the rows of its tables; here they are joined by the command, the processor, the
commit and the day, written to docs/results and filled into the pages. What was measured at this commit is not
measured again, and a script that was stopped goes on with the trainings that it has. A table of which rows
are missing, or others have come, is left in OUT for somebody to read, as the sentences around it would no
longer be true.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from machine import RESULTS, processor

ROOT = Path(__file__).parents[2]
MEASURED_CODE = ("tfspec", "pipelines", "tests/benchmarks")
sys.path.insert(0, str(ROOT / "docs" / "programs"))
import tables  # noqa: E402


@dataclass(frozen=True)
class Measurement:
    """A script and the tables that it gives.

    Args:
        command: the script and its arguments, in which DATA and OUT stand for folders.
        names: of its tables, as in docs/results.
        minutes: about how long it takes on two cores.
        needs: what must be in DATA.
    """

    command: str
    names: tuple[str, ...]
    minutes: int
    needs: tuple[str, ...] = ()

    def started(self, data: Path, out: Path) -> list[str]:
        """Return the command with its folders, as a process is started."""
        folders = {"DATA": str(data), "OUT": str(out)}
        return [
            sys.executable,
            *(
                re.sub(r"\b(DATA|OUT)\b", lambda found: folders[found[0]], word)
                for word in self.command.split()
            ),
        ]


MEASUREMENTS = (
    Measurement("tests/benchmarks/measure_serving.py", ("scale_1",), 3),
    Measurement(
        "tests/benchmarks/measure_input.py recordings speech_commands capture24 "
        "radio_signals overlapped_speech",
        ("scale_2",),
        4,
    ),
    Measurement("tests/benchmarks/measure_networks.py", ("networks_3",), 3),
    Measurement(
        "tests/benchmarks/measure_quantisation.py DATA/speech_commands",
        ("quantised_5",),
        3,
        ("speech_commands",),
    ),
    Measurement(
        "tests/benchmarks/measure_own_signals.py DATA OUT/own_signals",
        ("own_signals_1",),
        45,
        ("esc10", "spoken_digits", "speech_commands", "wrist_accelerometer", "weights"),
    ),
    Measurement(
        "tests/benchmarks/measure_embeddings.py DATA OUT/embeddings DATA/wheels",
        ("embeddings_1",),
        30,
        ("esc10", "spoken_digits", "speech_commands", "wheels"),
    ),
    Measurement(
        "tests/benchmarks/measure_keywords.py DATA/speech_commands OUT/keywords twelve --folds 2",
        ("keywords_2",),
        20,
        ("speech_commands",),
    ),
    Measurement(
        "tests/benchmarks/measure_stream.py DATA/speech_commands DATA/esc10 OUT/stream --mined",
        ("edge_3",),
        40,
        ("speech_commands", "esc10"),
    ),
    Measurement(
        "tests/benchmarks/measure_wrist.py DATA/wrist_accelerometer OUT/wrist",
        ("capture24_1",),
        90,
        ("wrist_accelerometer",),
    ),
    Measurement(
        "tests/benchmarks/measure_events.py DATA OUT/events slices attention max untimed --seeds 0 1 2",
        ("events_1",),
        300,
        ("esc10",),
    ),
    Measurement(
        "tests/benchmarks/measure_pseudo_labels.py DATA OUT/pseudo_labels", ("events_2",), 30, ("esc10",)
    ),
    Measurement(
        "tests/benchmarks/measure_overlapped.py DATA/mixtures OUT/overlapped",
        ("overlapped_speech_1",),
        120,
        ("mixtures",),
    ),
    Measurement(
        "tests/benchmarks/measure_keywords.py DATA/speech_commands OUT/keywords default "
        "'pitch for vocal tract' narrow three small taught --folds 2 3 4 --seeds 0 1 2",
        ("keywords_1",),
        540,
        ("speech_commands",),
    ),
)
"""Minutes are estimates for two free cores, of the trainings from what single ones took."""
LEFT_OUT = {
    "detect_1": "measured by hand; tests/benchmarks/test_detect.py does the like with a minute",
    "edge_1": "needs a compiler for ARM and QEMU, and a run to be exported; docs/edge.md has the commands",
    "edge_2": "says what other projects published; our row is of edge_1",
    "networks_1": "says what papers are about",
    "networks_2": "says what papers published; the tests of the networks hold our numbers to it",
    "quantised_1": "how it was measured was not written down",
    "quantised_2": "how it was measured was not written down",
    "quantised_3": "how it was measured was not written down",
    "quantised_4": "needs runs whose options were not written down; measure_quantisation.py scores any",
    "radio_signals_1": "measured by hand on the second simulator of tests/renderings.py",
    "rainforest_1": "measure_rainforest.py trains all folds; three rows of the page are of the first",
    "versions_1": "needs four systems, each with a Python; make matrix tries the Pythons of one",
}
"""Tables that nothing here repeats, and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for, and say what came of each table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--list", action="store_true", help="say what there is, and measure nothing")
    parser.add_argument("--only", nargs="+", metavar="TABLE", help="by its name in docs/results")
    parser.add_argument("--again", action="store_true", help="also what was measured at this commit")
    given = parser.parse_args(arguments)
    if given.list:
        print("\n".join(listing()))
        return 0
    if given.data is None or given.out is None:
        parser.error("give DATA and OUT, or --list")
    if unknown := {*(given.only or ())} - {name for each in MEASUREMENTS for name in each.names}:
        parser.error(f"no such table, or none that is repeated: {', '.join(sorted(unknown))}")
    if changed := _git("status", "--porcelain", "--untracked-files=no", "--", *MEASURED_CODE):
        parser.error(f"figures are written with their commit, so commit first:\n{changed}")
    wanted = [each for each in MEASUREMENTS if not given.only or {*given.only} & {*each.names}]
    failed = [
        each for each in wanted if not repeat(each, given.data.resolve(), given.out.resolve(), given.again)
    ]
    tables.fill_pages()
    if not given.only:
        print("\nNot repeated:", *_left_out(), sep="\n")
    return len(failed) > 0


def listing() -> Iterator[str]:
    """Say what is repeated and what is not, a line a table."""
    for each in MEASUREMENTS:
        needs = f"; needs DATA/{', DATA/'.join(each.needs)}" if each.needs else ""
        yield f"{', '.join(each.names):22} about {each.minutes} min: {each.command}{needs}"
    yield "Not repeated:"
    yield from _left_out()


def _left_out() -> Iterator[str]:
    for name, why in LEFT_OUT.items():
        yield f"{name:22} {why}"
    yield f"{'timings in sentences':22} `make benchmark` prints them, and tests/benchmarks/README.md has them"


def repeat(measurement: Measurement, data: Path, out: Path, is_again: bool) -> bool:
    """Run a script, with a log of its own, and keep its tables.

    Returns:
        Whether each of its tables is in the pages as it was measured at this commit.
    """
    name, commit = "+".join(measurement.names), commit_now()
    if not is_again and all(_measured_at(each) == commit for each in measurement.names):
        print(f"{name}: was measured at {commit}")
        return True
    if missing := [each for each in measurement.needs if not (data / each).exists()]:
        print(f"{name}: not repeated, as there is no {', '.join(missing)} in {data}")
        return False
    log, given = out / "logs" / f"{name}.log", out / "results"
    for folder in (log.parent, given):
        folder.mkdir(parents=True, exist_ok=True)
    print(f"{name}: measuring, about {measurement.minutes} min; {log}", flush=True)
    for each in measurement.names:
        (given / f"{each}.json").unlink(missing_ok=True)
    with log.open("w", encoding="utf-8") as file:
        ended = subprocess.run(
            measurement.started(data, out),
            cwd=ROOT,
            env={**os.environ, RESULTS: str(given)},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    if ended.returncode:
        print(f"{name}: failed with {ended.returncode}; {log} says why")
        return False
    kept = [keep(each, given, measurement.command, commit) for each in measurement.names]
    return all(kept)


def keep(name: str, given: Path, command: str, commit: str) -> bool:
    """Put a table among those of the pages, if its rows and columns are those of the page."""
    path = given / f"{name}.json"
    measured = json.loads(path.read_text("utf-8")) if path.exists() else {"columns": [], "rows": []}
    before = json.loads((tables.RESULTS / f"{name}.json").read_text("utf-8"))
    if _labels(measured) != _labels(before):
        print(f"{name}: rows or columns are others than in the page, so it stays in {path}")
        return False
    origin = {
        "how": f"python {command}",
        "processor": f"{os.cpu_count()} cores of {processor()}",
        "measured": {"commit": commit, "date": date.today().isoformat()},
    }
    text = json.dumps(origin | measured, indent=1, ensure_ascii=False)
    (tables.RESULTS / f"{name}.json").write_text(f"{text}\n", "utf-8")
    print(f"{name}: measured")
    return True


def _labels(table: dict) -> list[str]:
    """Return the columns of a table and the first cell of each row, numbers left out."""
    cells = [*table["columns"], *(row[0] for row in table["rows"])]
    return [re.sub(r"\d[\d.,]*", "#", cell) for cell in cells]


def _measured_at(name: str) -> str | None:
    document = json.loads((tables.RESULTS / f"{name}.json").read_text("utf-8"))
    return document.get("measured", {}).get("commit")


def commit_now() -> str:
    """Return the commit that is checked out, in short."""
    return _git("rev-parse", "--short", "HEAD")


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
