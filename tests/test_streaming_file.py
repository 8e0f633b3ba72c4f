"""streaming.json says what it said, and whatever else stands in it is refused in one line."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspec import UserError
from tfspec.export.streaming_file import (
    DetectorSettings,
    StreamingFacts,
    StreamingState,
    read_facts,
    streaming_paths,
    write_facts,
)

FACTS = StreamingFacts(
    ("_silence_", "no", "yes"),
    "one",
    16000,
    320,
    15920,
    50,
    (StreamingState("state_0", (1, 160)), StreamingState("state_1", (1, 4, 8), "int8", 0.5, -3, -3)),
    quantize="int8",
    detector=DetectorSettings({"yes": 0.75}, 0.3, 2.0),
)
DOCUMENT = json.loads(FACTS.to_json())
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4
)


def test_facts_come_back(tmp_path):
    write_facts(tmp_path / "streaming.json", FACTS)
    assert read_facts(tmp_path / "streaming.json") == FACTS
    assert FACTS.hop_seconds == 0.02


def test_the_document_is_what_others_read():
    assert DOCUMENT["format"] == 1
    assert DOCUMENT["states"][1] == {
        "name": "state_1", "shape": [1, 4, 8], "type": "int8", "scale": 0.5, "zero_point": -3, "initial": -3,
    }  # fmt: skip
    assert DOCUMENT["detector"] == {
        "threshold": {"yes": 0.75}, "smoothing_seconds": 0.3, "refractory_seconds": 2.0,
    }  # fmt: skip


@given(st.sampled_from([None, *DOCUMENT]), ANYTHING)
def test_what_is_changed_is_taken_or_refused_in_one_line(tmp_path_factory, name, value):
    path = tmp_path_factory.getbasetemp() / "changed.json"
    path.write_text(json.dumps(value if name is None else {**DOCUMENT, name: value}))
    try:
        facts = read_facts(path)
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert name is not None and json.loads(facts.to_json()).keys() == DOCUMENT.keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "empty file"),
        (b"\xff\xfe", "utf-8"),
        (b"{", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b'{"format": 2}', "format 1"),
        (b'{"format": 1}', "an object must have"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, said):
    (tmp_path / "streaming.json").write_bytes(text)
    with pytest.raises(UserError, match=said):
        read_facts(tmp_path / "streaming.json")


@pytest.mark.parametrize("name", DOCUMENT)
def test_nothing_may_be_missing(tmp_path, name):
    path = tmp_path / "streaming.json"
    path.write_text(json.dumps({key: value for key, value in DOCUMENT.items() if key != name}))
    with pytest.raises(UserError, match="cannot be used as a streaming"):
        read_facts(path)


def test_facts_must_fit_each_other():
    with pytest.raises(UserError, match="different names"):
        dataclasses.replace(FACTS, classes=("yes", "yes"))
    with pytest.raises(UserError, match="No class yes"):
        dataclasses.replace(FACTS, classes=("no",))
    with pytest.raises(UserError, match="is listened for"):
        dataclasses.replace(FACTS, classes=("_silence_",), detector=DetectorSettings(0.5))


@pytest.mark.parametrize("threshold", [1.5, {"yes": -1}, "high", {"yes": None}, float("nan"), True])
def test_thresholds_are_shares(threshold):
    with pytest.raises(UserError, match="threshold must be a number from 0 to 1"):
        DetectorSettings(threshold)


def test_which_classes_are_listened_for():
    assert DetectorSettings(0.5).thresholds(FACTS.classes) == {"no": 0.5, "yes": 0.5}
    given = {"yes": 0.5, "_silence_": 0.25}
    thresholds = DetectorSettings(given).thresholds(FACTS.classes)
    assert list(thresholds.items()) == [("_silence_", 0.25), ("yes", 0.5)]


def test_hops():
    assert DetectorSettings(smoothing_seconds=0).smoothing_hops(0.02) == 1
    assert DetectorSettings(refractory_seconds=0).refractory_hops(0.02) == 0


@pytest.mark.parametrize("name", ["", "streaming.json", "streaming.tflite"])
def test_either_file_or_their_folder_names_both(tmp_path, name):
    assert streaming_paths(tmp_path / name) == (tmp_path / "streaming.tflite", tmp_path / "streaming.json")
