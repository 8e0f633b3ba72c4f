"""Any value of any option, in Python, config.json or on the command line: a UserError or a pipeline."""

import contextlib
import dataclasses
import functools
import json
import typing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfspec.base.errors import UserError
from tfspec.base.options import Range, check_options, limits
from tfspec.base.plugins import known_pipelines
from tfspec.base.text import text_problem
from tfspec.cli.commands import COMMANDS, machines, simulated
from tfspec.cli.parsing import parse, parse_call

PIPELINES = {name: entry.load() for name, entry in known_pipelines().items()}
FIELDS = [(pipeline, field.name) for pipeline in PIPELINES.values() for field in dataclasses.fields(pipeline)]
CALLS = {**COMMANDS, **simulated.KINDS, "launch": machines._workers}
PARAMETERS = [
    (name, option)
    for name, call in CALLS.items()
    for option in typing.get_type_hints(call)
    if option != "return"
]
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "\0", "\x1b[2J", "\udc80", "none", "None", "nan", "inf", "-inf", "1e400", "9" * 5000]
    ),
    st.sampled_from(
        ["(", "(a", "a{99999999999}", "()" * 200, "(?P<x>a)(?P<x>b)", "grpc://a:99999", "grpc://:1", "0x10"]
    ),
    st.sampled_from(
        ["../..", "/dev/zero", "imagenet", "a" * 5000, "\u2028", "١٢", "1_000", "-1", "1e20", "True"]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**4000), 2**31, 2**31 - 1, 2**63, 1e300, 5e-324, -0.0, 0, 1]),
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
OTHERS = st.sampled_from(
    [
        np.float32("nan"),
        np.int64(3),
        np.bool_(True),
        np.zeros(3),
        np.array([]),
        b"x",
        object(),
        Path("\0"),
        3j,
        {1},
    ]
)
QUICK = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=2000)


def _name(case) -> str:
    return getattr(case, "name", case)


def _construct(pipeline, options) -> None:
    """What can be made has only finite, bounded, writable options, and is made again from its JSON."""
    try:
        made = pipeline(**options)
    except UserError as error:
        assert text_problem(str(error)) is None
        assert len(str(error)) < 2000
        return
    kept = dataclasses.asdict(made)
    again = pipeline(**json.loads(json.dumps(kept, default=str, allow_nan=False)))
    assert dataclasses.asdict(again) == kept


def _construct_any(case, data):
    pipeline, name = case
    _construct(pipeline, {name: data.draw(JSON | OTHERS)})


def _parse_any(target, data, option):
    """Fill an option with any texts; a null cannot be on a command line."""
    values = [text.replace("\0", "") for text in data.draw(st.lists(TEXTS | NUMBERS.map(_text), max_size=3))]
    parser = functools.partial(parse, defaults={}) if isinstance(target, type) else parse_call
    with contextlib.suppress(UserError):
        parser(target, ["--" + option.replace("_", "-"), *values], "x")


def _text(number) -> str:
    try:
        return str(number)
    except ValueError:
        return "1" * 4400


@pytest.mark.parametrize("case", FIELDS, ids=lambda case: f"{case[0].name}-{case[1]}")
def test_any_value_of_any_field(case):
    settings(QUICK)(given(st.data())(lambda data: _construct_any(case, data)))()


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=_name)
def test_any_values_of_all_fields_together(pipeline):
    names = [field.name for field in dataclasses.fields(pipeline)]
    options = st.dictionaries(st.sampled_from(names), JSON, max_size=len(names))
    settings(QUICK)(given(options)(lambda given: _construct(pipeline, given)))()


@pytest.mark.parametrize("name", PIPELINES)
def test_any_option_of_a_pipeline_on_the_command_line(name):
    options = st.sampled_from([field.name for field in dataclasses.fields(PIPELINES[name])])
    settings(QUICK, max_examples=6)(
        given(st.data(), options)(lambda data, option: _parse_any(PIPELINES[name], data, option))
    )()


@pytest.mark.parametrize("case", PARAMETERS, ids="-".join)
def test_any_option_of_a_command(case):
    name, option = case
    with contextlib.suppress(UserError):
        check_options(CALLS[name], {option: -1})

    @settings(QUICK)
    @given(JSON | OTHERS)
    def fuzz(value):
        with contextlib.suppress(UserError):
            check_options(CALLS[name], {option: value})

    fuzz()


@pytest.mark.slow
@pytest.mark.parametrize("case", FIELDS, ids=lambda case: f"{case[0].name}-{case[1]}")
def test_any_value_of_any_field_at_length(case):
    settings(LONG)(given(st.data())(lambda data: _construct_any(case, data)))()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PIPELINES, *CALLS])
def test_any_option_on_the_command_line_at_length(name):
    target = PIPELINES.get(name) or CALLS[name]
    options = [option for option in typing.get_type_hints(target) if option not in ("return", "name")]
    settings(LONG, max_examples=300)(
        given(st.data(), st.sampled_from(options))(lambda data, option: _parse_any(target, data, option))
    )()


def _numbers(hint, bounded=False):
    """Yield, for each number in an annotation, whether a range bounds it."""
    bounded = any(isinstance(each, Range) for each in limits(hint))
    arguments = typing.get_args(hint)
    inner = arguments[:1] if hasattr(hint, "__metadata__") else arguments
    for each in inner:
        yield from [bounded] if each in (int, float) else _numbers(each)
    if hint in (int, float):
        yield False


@pytest.mark.parametrize("target", [*PIPELINES.values(), *CALLS.values()], ids=lambda target: target.__name__)
def test_every_number_has_a_range(target):
    hints = typing.get_type_hints(target, include_extras=True)
    hints.pop("return", None)
    options = {name: hint for name, hint in hints.items() if typing.get_origin(hint) is not typing.ClassVar}
    assert not [name for name, hint in options.items() if not all(_numbers(hint))]
