"""Options: what their annotations say, what they refuse, and what the command line shows of that."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import pytest
from tyro.conf import Positional

from tfspec.base import options
from tfspec.base.errors import UserError
from tfspec.base.options import Range, check_options, check_seeds
from tfspec.cli.parsing import parse, parse_call
from tfspec.experiment.members import members_of
from tfspec.pipelines import Capture24, OverlappedSpeech, RadioSignals, Rainforest, SpeechCommands


@dataclass(kw_only=True)
class Options:
    """Some of every kind."""

    count: options.Count = 3
    """How many."""
    rate: options.Rate = 1.0
    part: options.Fraction | None = None
    people: options.AnyCount | options.Share | tuple[options.Name, ...] = 0.5
    pair: tuple[options.Ratio, options.Ratio] | None = None
    kinds: tuple[Literal["a", "b"], ...] = ("a",)
    folds: Annotated[int, Range(2, 9)] | Literal["all"] | None = 5
    sha256: options.Sha256 | None = None
    pattern: options.Expression = "(a)"
    out: Path | None = None
    flag: bool = False
    plain: tuple = ()
    port: options.Port = 0

    def __post_init__(self):
        for name, value in check_options(Options, vars(self)).items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    ("name", "given", "received"),
    [
        ("count", np.int64(7), 7),
        ("rate", 2, 2.0),
        ("rate", np.float32(0.5), 0.5),
        ("part", None, None),
        ("people", 2, 2),
        ("people", 0.25, 0.25),
        ("people", ["P1", "P2"], ("P1", "P2")),
        ("pair", [0, 1.5], (0.0, 1.5)),
        ("kinds", [], ()),
        ("folds", "all", "all"),
        ("folds", 9, 9),
        ("sha256", "aF" * 32, "aF" * 32),
        ("out", "a/\udc80", Path("a/\udc80")),
        ("plain", [1, "x"], (1, "x")),
        ("port", 65535, 65535),
    ],
)
def test_what_is_allowed_comes_as_the_annotation_has_it(name, given, received):
    value = check_options(Options, {name: given})[name]
    assert value == received
    assert type(value) is type(received)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("count", 0, "count must be a whole number from 1 to 1,000,000. Received: 0"),
        ("count", 1e20, "Received: 1e+20"),
        ("count", 3.0, "Received: 3.0"),
        ("count", True, "Received: True"),
        ("count", "3", "Received: '3'"),
        ("count", None, "Received: None"),
        ("rate", float("inf"), "rate must be a number above 0, at most 1,000. Received: inf"),
        ("rate", float("nan"), "Received: nan"),
        ("rate", 10**400, "Received: "),
        ("part", 1.0, "part must be a number above 0, below 1 or none. Received: 1.0"),
        (
            "people",
            -1,
            "people must be a whole number from 0 to 1,000,000 or a number from 0 to 1 or a list, each",
        ),
        ("people", ["\x1b"], r"Received: ['\x1b']"),
        ("pair", [1], "pair must be 2 values, each a number from 0 to 1,000 or none. Received: [1]"),
        ("pair", [1, 2, 3], "Received: [1, 2, 3]"),
        ("kinds", ["c"], "kinds must be a list, each one of a, b. Received: ['c']"),
        ("kinds", "a", "Received: 'a'"),
        ("kinds", [["a"]], "Received: [['a']]"),
        ("folds", "some", "folds must be a whole number from 2 to 9 or one of all or none. Received: 'some'"),
        ("sha256", "x", "sha256 must be text of 64 hexadecimal digits or none. Received: 'x'"),
        ("sha256", "a" * 64 + "\n", "64 hexadecimal digits"),
        ("pattern", "abc", "that is a regular expression with a group"),
        ("pattern", "(", "that is a regular expression with a group"),
        ("pattern", "(a{99999999999999999999})", "that is a regular expression with a group"),
        ("pattern", "(a)" * 1000, "of at most 1,000 characters"),
        ("out", "", "out must be a path or none. Received: ''"),
        ("out", "a\0b", r"Received: 'a\x00b'"),
        ("flag", 1, "flag must be true or false. Received: 1"),
        ("port", 65536, "port must be a whole number from 0 to 65,535. Received: 65536"),
    ],
)
def test_what_is_refused_is_named_with_what_is_allowed(name, given, said):
    with pytest.raises(UserError) as error:
        check_options(Options, {name: given})
    assert said in str(error.value)


def test_what_was_received_is_shortened():
    with pytest.raises(UserError) as error:
        check_options(Options, {"count": "x" * 10**6})
    assert len(str(error.value)) < 300
    with pytest.raises(UserError, match="Received: something that cannot be shown"):
        check_options(Options, {"count": 10**5000})  # more digits than Python writes


def command(
    run: Positional[Path],
    count: options.Count = 3,
    rate: options.Rate = 1.0,
    out: Path | None = None,
    folds: Annotated[int, Range(2, 9)] | Literal["all"] | None = 5,
):
    """Do something.

    Args:
        run: with what.
        count: how often.
    """
    return run, count, rate, out, folds


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--count", "1e20"], "count must be a whole number from 1 to 1,000,000. Received: 1e+20"),
        (["--count", "1.5"], "count must be a whole number from 1 to 1,000,000. Received: 1.5"),
        (["--count", "9" * 5000], "Received: inf"),
        (["--count", "many"], "count must be a whole number from 1 to 1,000,000. Received: 'many'"),
        (["--rate", "inf"], "rate must be a number above 0"),
        (["--out", ""], "out must be a path"),
        (["--folds", "some"], "or one of all or none. Received: 'some'"),
        (["--folds", "1"], "folds must be a whole number from 2 to 9 or one of all or none. Received: 1"),
        (["--nothing"], "No option --nothing. x --help-all lists all."),
        (["--cuont", "3"], "No option --cuont. Did you mean --count?"),
        (["--count=3", "--lr=2"], "No option --lr. x --help-all lists all."),
        (["--count", "3", "4"], "More is given than is taken: 4. `x --help` says what is."),
        (["--count", "3", *"abcdefg"], "than is taken: a, b, c and 4 more. `x --help` says what is."),
        (["--count"], "Missing value for argument '--count'."),
    ],
)
@pytest.mark.parametrize(
    "make",
    [lambda given: parse(Options, given, "x", {}), lambda given: parse_call(command, ["r", *given], "x")],
)
def test_the_command_line_refuses_the_same(make, given, said):
    with pytest.raises(UserError) as error:
        make(given)
    assert said in str(error.value)
    assert "Annotated" not in str(error.value)


def test_the_command_line_gives_what_the_annotations_say():
    given = "--count 5 --rate 2 --people P1 P2 --pair 1 2 --folds all --out x --flag"
    made = parse(Options, given.split(), "x", {})
    assert type(made) is Options
    assert made == Options(
        count=5, rate=2.0, people=("P1", "P2"), pair=(1, 2), folds="all", out="x", flag=True
    )
    assert parse(Options, ["--people", "0.5"], "x", {}).people == 0.5
    assert parse_call(command, ["r", "--folds", "all"], "x")() == (Path("r"), 3, 1.0, None, "all")
    assert parse_call(command, ["r", "--folds", "none"], "x")() == (Path("r"), 3, 1.0, None, None)
    assert parse(Options, ["--part", "None", "--pair", "none"], "x", {}).part is None
    with pytest.raises(UserError, match="run must be a path"):
        parse_call(command, [""], "x")


@pytest.mark.parametrize(
    "show", [lambda: parse(Options, ["--help"], "x", {}), lambda: parse_call(command, ["--help"], "x")]
)
def test_help_states_ranges(show, capsys):
    with pytest.raises(SystemExit):
        show()
    said = " ".join(capsys.readouterr().out.split())
    for option in ("--count INT", "--rate NUMBER (above 0, at most 1,000; default: 1.0)", "--out PATH"):
        assert option in said
    assert "|none" not in said.partition("--folds")[0]
    assert "often" in said or "How many." in said
    assert "(from 1 to 1,000,000; default: 3)" in said
    assert "(from 2 to 9; default: 5)" in said


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: SpeechCommands(seed=2**31 - 1, num_members=2), "seed must leave room for 2"),
        (lambda: OverlappedSpeech(seed=2**31 - 3, num_members=2), "seed must leave room for 4"),
        (lambda: SpeechCommands(seed=2**31), "seed must be a whole number"),
        (lambda: SpeechCommands(clip_seconds=86_400, sample_rate=10**7), "from 1 to 268,435,456 samples"),
        (lambda: Rainforest(slice_seconds=3600, sample_rate=10**7), "from 1 to 268,435,456 samples"),
        (lambda: Rainforest(slice_seconds=1e-9), "from 1 to "),
        (lambda: SpeechCommands(speaker_pattern="abc"), "regular expression with a group"),
        (lambda: SpeechCommands(sha256="x"), "64 hexadecimal digits"),
        (lambda: SpeechCommands(data_service="grpc://a:70000"), "grpc://host:port"),
        (lambda: SpeechCommands(data_service="grpc://a:" + "9" * 5000), "grpc://host:port"),
        (lambda: RadioSignals(weights=""), "weights must be one of imagenet, none or a path"),
        (lambda: RadioSignals(num_train=10**9), "num_train must be a whole number"),
    ],
)
def test_pipelines_refuse_before_anything_is_read(make, said):
    with pytest.raises(UserError, match=said):
        make()


def test_nobody_tests_where_none_is_asked_for():
    people = pd.DataFrame({"group": [*"aabbccddee"], "label": [*"xyxyxyxyxy"]})
    made = parse(Capture24, ["--test", "none", "--cross-validation", "0"], "x", {})
    assert set(made.split(people)["part"]) == {"train", "validation"}
    assert parse(Capture24, ["--max-hz", "none"], "x", {}).max_hz is None
    assert parse(Capture24, ["--test", "P1", "P2"], "x", {}).test == ("P1", "P2")
    assert parse(Rainforest, ["--weights", "none"], "x", {}).weights == "none"
    assert parse(Rainforest, ["--weights", "a.h5"], "x", {}).weights == Path("a.h5")


def test_members_have_the_last_seeds():
    pipeline = SpeechCommands(seed=2**31 - 2, num_members=2)
    members = members_of(pipeline, pd.DataFrame({"part": ["train"]}))
    assert [member.seed for member in members.values()] == [2**31 - 2, 2**31 - 1]
    check_seeds(2**31 - 2, 2)
