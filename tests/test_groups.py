"""Which files belong together, told from their names."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfspec.base.errors import UserError
from tfspec.data.groups import groups_of, proposals

WORDS = ("yes", "no", "up")


def proposed(names, labels=None):
    return [(str(each), each.counts) for each in proposals(names, labels or [n.split("/")[0] for n in names])]


def test_speakers_are_the_part_of_the_name_that_every_class_has():
    names = [f"{w}/{w}_{who}_{take}.wav" for w in WORDS for who in ("ann", "ben", "eve") for take in range(5)]
    (speaker, takes) = proposals(names, [name.split("/")[0] for name in names])
    assert groups_of(names, speaker.pattern) == [name.split("_")[1] for name in names]
    assert not speaker.counts
    assert str(speaker) == "the second part of the names has 3 different values, 15 files each"
    assert takes.counts and "third part" in str(takes)


def test_recordings_that_were_cut_into_pieces():
    """ESC-50's names: fold, recording, piece, class."""
    names = [f"dog/{i % 5 + 1}-{i * 977 % 99991}-{p}-0.ogg" for i in range(40, 70) for p in "AB"]
    names += [f"cat/{i % 5 + 1}-{i * 977 % 99991}-{p}-5.ogg" for i in range(30) for p in "AB"]
    sure = [each for each in proposals(names, [n.split("/")[0] for n in names]) if not each.counts]
    assert [each.groups.nunique() for each in sure] == [60]


def test_dates_are_groups_and_times_of_day_are_not():
    names = [
        f"{label}/{date}_{time}.wav"
        for label in WORDS
        for date in ("20230401", "20230402", "20230403")
        for time in ("053000", "060000", "193000")
    ]
    assert proposed(names) == [("the first part of the names has 3 different values, 9 files each", False)]


def test_folders_between_class_and_file_are_groups():
    names = [f"{word}/{who}/{i}.wav" for word in WORDS for who in ("ann", "ben", "eve") for i in range(9)]
    best = proposals(names, [name.split("/")[0] for name in names])[0]
    assert (best.pattern, sorted(set(groups_of(names, best.pattern)))) == (
        "/([^/]+)/[^/]*$",
        ["ann", "ben", "eve"],
    )


@pytest.mark.parametrize(
    "names",
    [
        [f"{w}/{w}_{i}.wav" for w in WORDS for i in range(10)],  # the class, and a number
        [f"{WORDS[i % 3]}/{i * 7919 % 10007:05d}.wav" for i in range(30)],  # a name of its own each
        [f"{w}/a{'b' * (i < 25)}_{i}.wav" for w in WORDS for i in range(30)],  # one has most of the files
    ],
)  # fmt: skip
def test_what_says_nothing_is_not_proposed(names):
    assert [said for said, counts in proposed(names) if not counts] == []


def test_a_pattern_with_a_slash_searches_the_path():
    assert groups_of(["a/b/c_d.wav", "e.wav"], "^([^/]+)/") == ["a", ""]
    assert groups_of(["a/b/c_d.wav", "c.x_d.wav"], "^(.*)_") == ["c", "c.x"]


def test_a_recording_that_a_table_names_often_is_looked_at_once(monkeypatch):
    asked = []
    monkeypatch.setattr("tfspec.data.groups.normalized", lambda text: asked.append(text) or text)
    names = ["ann_1.wav", "ben_2.wav", "eve_3.wav"] * 100
    assert groups_of(names, "^([a-z]+)_") == ["ann", "ben", "eve"] * 100
    assert asked == ["ann_1", "ben_2", "eve_3"]


def test_a_pattern_that_is_none():
    with pytest.raises(UserError, match=r"no regular expression .* Received: '\('"):
        groups_of(["a.wav"], "(")


@settings(max_examples=50)
@given(st.lists(st.text(min_size=1).filter(lambda text: "\0" not in text), min_size=1, max_size=20))
def test_any_names_at_all(names):
    for each in proposals(names, ["a"] * len(names)):
        assert len(each.groups) == len(names)
        assert groups_of(names, each.pattern) == each.groups.tolist()
