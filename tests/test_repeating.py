"""The figures of the pages can be repeated: what tests/benchmarks/all.py does with what scripts give."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "tests" / "benchmarks"
GIVES = """
import sys
sys.path.insert(0, {benchmarks!r})
from machine import give_table
give_table("speeds_1", ["network", "ms"], [["small, 12 weights", "0.3"], [{second!r}, "0.4"]])
"""


pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="figures are kept with their commit")


@pytest.fixture
def repeating(tmp_path, monkeypatch):
    """The program, with a page's table of its own and a script that gives one."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("repeating", BENCHMARKS / "all.py")
    program = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "repeating", program)  # where its dataclass looks for itself
    spec.loader.exec_module(program)
    monkeypatch.setattr(program.tables, "RESULTS", tmp_path / "kept")
    before = {
        "how": "by hand",
        "columns": ["network", "ms"],
        "rows": [["small, 10 weights", "1"], ["large", "2"]],
    }
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "speeds_1.json").write_text(json.dumps(before))

    def repeat(second="large", needs=(), is_again=False):
        (tmp_path / "script.py").write_text(GIVES.format(benchmarks=str(BENCHMARKS), second=second))
        asked = program.Measurement(f"{tmp_path / 'script.py'} DATA", ("speeds_1",), 1, needs)
        return program.repeat(asked, tmp_path, tmp_path / "out", is_again)

    program.kept = lambda: json.loads((tmp_path / "kept" / "speeds_1.json").read_text())
    program.repeat_script = repeat
    return program


def test_a_table_is_kept_with_its_command_processor_commit_and_day(repeating, capsys):
    assert repeating.repeat_script()
    kept = repeating.kept()
    assert kept["rows"] == [["small, 12 weights", "0.3"], ["large", "0.4"]]
    assert kept["how"].endswith("script.py DATA") and kept["how"].startswith("python ")
    assert kept["measured"]["commit"] == repeating.commit_now() and "cores of" in kept["processor"]
    assert repeating.repeat_script(second="huge")  # not measured again at the same commit
    assert "was measured at" in capsys.readouterr().out and repeating.kept() == kept


def test_a_table_with_other_rows_stays_out_of_the_pages(repeating, capsys):
    assert not repeating.repeat_script(second="huge")
    assert repeating.kept()["how"] == "by hand"
    assert "rows or columns are others" in capsys.readouterr().out


def test_what_is_missing_and_what_fails_is_said(repeating, tmp_path, capsys):
    assert not repeating.repeat_script(needs=("forest",))
    assert "no forest in" in capsys.readouterr().out
    assert not repeating.repeat_script(second=None)  # no text, which cannot be joined
    assert "speeds_1.log says why" in capsys.readouterr().out
    assert "TypeError" in (tmp_path / "out" / "logs" / "speeds_1.log").read_text()


def test_each_table_of_the_pages_is_repeated_or_it_is_said_why_not(repeating):
    repeated = [name for each in repeating.MEASUREMENTS for name in each.names]
    known = sorted([*repeated, *repeating.LEFT_OUT])
    assert known == sorted(path.stem for path in (ROOT / "docs" / "results").glob("*.json"))
    for each in repeating.MEASUREMENTS:
        script = (ROOT / each.command.split()[0]).read_text("utf-8")
        assert all(f'"{name}"' in script for name in each.names), each.command
    assert "Not repeated:" in list(repeating.listing())
