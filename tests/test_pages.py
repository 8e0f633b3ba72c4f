"""README and the pages of docs/: links, code, commands and tables."""

import ast
import json
import re
import shlex
import sys
from datetime import date
from pathlib import Path

import pytest

from tfspec import UserError, __version__, augment
from tfspec.base.plugins import known_pipelines
from tfspec.cli.commands import COMMANDS as COMMANDS_OF_TFSPEC
from tfspec.cli.commands import PIPELINE_COMMANDS
from tfspec.cli.commands.simulated import KINDS
from tfspec.cli.parsing import parse, parse_call, split_off_preset, split_off_volume
from tfspec.experiment.registry import find_pipeline

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "programs"))
import check_offline  # noqa: E402
import pictured_augmentations  # noqa: E402
import pictured_front_ends  # noqa: E402
import pictures  # noqa: E402
import tables  # noqa: E402

PAGES = tables.pages()
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
MEASURED = re.compile(r"\b0\.\d{2,}|\d (ms|MB|kB)\b")
PARAMETERS = {"docs/published.md"}
"""Pages whose tables hold parameters, not what was measured."""


def anchors_of(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_parses_and_imports_what_there_is(page):
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("tfspec"):
                module = __import__(node.module, fromlist=["_"])
                assert all(hasattr(module, each.name) for each in node.names), block


@pytest.mark.parametrize(
    "name", ["README.md", "docs/plain_keras.md", "docs/front_ends.md", "docs/augmentation.md"]
)
def test_python_that_needs_no_data_runs(name):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / name).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    alone = [block for block in blocks if "data=" not in block and "run/" not in block]
    assert alone
    for block in alone:
        smaller = block.replace("[8, 480000]", "[2, 48000]").replace("sample(8", "sample(2")
        exec(compile(smaller, name, "exec"), {})


def test_pages_are_in_the_navigation():
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    listed = {
        line
        for block in re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL)
        for line in block.split("\n")
    }
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"} <= listed


def commands_of(page):
    text = page.read_text("utf-8")
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = re.findall(r"^(?:    )(?:\w+=\S+ |srun .*?)?(tfspec .+)$", joined, re.MULTILINE)
    return [re.split(r"\s{2,}#|\s#\s", line)[0].strip() for line in lines]


COMMANDS = sorted({command for page in PAGES for command in commands_of(page)})


def test_commands_are_found():
    assert len(COMMANDS) > 50
    assert "tfspec train my_sounds --out run" in COMMANDS


def check_command(name, *options):
    """Parse a command line as the program does, and run nothing."""
    _, options = split_off_volume(options)
    if name == "launch":
        workers, _, launched = " ".join(options).partition(" -- ")
        assert re.fullmatch(r"--workers \d", workers)
        check_command(*launched.split())
    elif name == "simulate":
        parse_call(KINDS[options[0]], options[1:], name)
    elif name in PIPELINE_COMMANDS:
        data, *options = options
        if data.endswith(".py"):
            return  # tests/test_registry.py has the pipeline of the page
        kind = find_pipeline(data if data in known_pipelines() else "recordings")
        given = {} if data in known_pipelines() else {"data": Path(data)}
        chosen, options = split_off_preset(options)
        parse(kind, options, name, {**given, **kind.preset_options(chosen.preset)})
    else:
        parse_call(COMMANDS_OF_TFSPEC[name], options, name)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command):
    said = command.partition(" < ")[0].partition(" | ")[0]
    if "…" not in said and "--help" not in said:
        check_command(*shlex.split(said)[1:])


def test_a_command_that_does_not_exist_is_found():
    with pytest.raises(UserError, match="No option --epoch"):
        check_command("train", "my_sounds", "--epoch", "3")
    with pytest.raises(KeyError):
        check_command("trian", "my_sounds")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_tables_are_those_of_the_files(page):
    text = page.read_text("utf-8")
    assert tables.filled(text) == text
    if str(page.relative_to(ROOT)) in PARAMETERS:
        return
    typed = tables.FILLED.sub("", text)
    for row in re.findall(r"^\|.*$", typed, re.MULTILINE):
        assert not MEASURED.search(re.sub(r"`.*?`", "", row)), row


def test_figures_say_where_they_come_from():
    for file in tables.RESULTS.glob("*.json"):
        results = json.loads(file.read_text("utf-8"))
        check_origin({key: results[key] for key in results.keys() - {"columns", "rows"}})
        assert all(len(row) == len(results["columns"]) for row in results["rows"]), file.name
        assert any(f"<!-- table {file.stem} -->" in page.read_text("utf-8") for page in PAGES), file.name


def check_origin(origin):
    """Hold an origin to its form: how it was measured, on what where that is known, when, or when it came."""
    when = "measured" if "measured" in origin else "entered"
    assert {"how", when} <= origin.keys() <= {"how", when, "processor"}
    assert re.search(r"\btests/\S+\.py|\btfspec \w+|by hand|published|papers|^not known$", origin["how"])
    assert all((ROOT / path).is_file() for path in re.findall(r"tests/\S+?\.py", origin["how"]))
    assert origin.get("processor", "known") not in ("", "not known")
    assert origin[when].keys() == {"commit", "date", *(["page"] if when == "entered" else [])}
    assert when == "measured" or (ROOT / origin["entered"]["page"]).is_file()
    assert re.fullmatch(r"[0-9a-f]{7,40}", origin[when]["commit"])
    date.fromisoformat(origin[when]["date"])


def test_an_origin_that_is_not_true_is_found():
    entered = {"page": "README.md", "commit": "a7c5688", "date": "2026-11-29"}
    check_origin({"how": "not known", "entered": entered})
    for wrong in (
        {"how": "tests/benchmarks/measure_nothing.py"},
        {"how": "somehow"},
        {"processor": ""},
        {"entered": {**entered, "date": "today"}},
    ):
        with pytest.raises((AssertionError, ValueError)):
            check_origin({"how": "not known", "entered": entered, **wrong})


def test_what_a_page_loads_from_elsewhere_is_found(tmp_path):
    beside = '<a href="https://a.org">a</a><link rel="stylesheet" href="s.css"><script src="s.js"></script>'
    (tmp_path / "beside.html").write_text(beside)
    assert check_offline.find_loaded(tmp_path) == []
    (tmp_path / "script.html").write_text('<script async src="https://a.org/s.js"></script>')
    (tmp_path / "style.html").write_text('<link href="//a.org/s.css" rel="stylesheet">')
    (tmp_path / "font.css").write_text("@font-face { src: url(http://a.org/f.woff) }")
    assert check_offline.find_loaded(tmp_path) == [
        "font.css: http://a.org/f.woff",
        "script.html: https://a.org/s.js",
        "style.html: //a.org/s.css",
    ]


def test_a_sound_that_a_page_names_is_there(tmp_path):
    (tmp_path / "page.html").write_text('<audio src="a.mp3"></audio><img src="data:image/png;base64,">')
    assert check_offline.find_missing(tmp_path) == ["page.html: no a.mp3"]
    (tmp_path / "a.mp3").touch()
    assert check_offline.find_missing(tmp_path) == []


@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("front_ends", pictured_front_ends.PICTURES),
        ("augmentation", pictured_augmentations.PICTURES),
    ],
)
def test_all_pictures_are_shown_once(page, made):
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    assert re.findall(r"^<!-- pictures (\w+) -->$", text, re.MULTILINE) == list(made)


def test_every_augmentation_is_on_its_page_and_has_a_picture():
    page = (ROOT / "docs" / "augmentation.md").read_text("utf-8")
    program = Path(pictured_augmentations.__file__).read_text("utf-8")
    for name in set(augment.__all__) - {"Augmentation", "RandomLayer"}:
        assert f"`{name}`" in page, name
        assert f"augment.{name}(" in program, name


def test_pictures_stand_beside_a_page_with_what_is_heard(tmp_path):
    written = pictures.write(pictured_augmentations.show_polarity(), tmp_path / "pictures")
    assert "\n\n" not in written  # which would end the block for Markdown
    assert 'alt="Polarity: across is time in s, up is amplitude"' in written
    (tmp_path / "page.html").write_text(written)
    assert check_offline.find_missing(tmp_path) == []
    assert sorted(file.suffix for file in (tmp_path / "pictures").iterdir()) == [
        ".mp3",
        ".mp3",
        ".png",
        ".png",
    ]


def test_the_version_is_that_of_the_changelog_and_of_the_citation():
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    released = re.findall(r"^## \[(\d[\d.]*)\] – (\S+)$", changes, re.MULTILINE)[0]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert released[0] == __version__ and f"\nversion: {released[0]}\n" in citation
    assert f"\ndate-released: {released[1]}\n" in citation
