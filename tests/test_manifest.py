import os
import re
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from tfspec.base.errors import UserError
from tfspec.data.label_targets import targets
from tfspec.data.sources.class_folders import from_class_folders
from tfspec.data.splits import (
    check_groups,
    draw_groups,
    folds,
    group_names,
    shared_groups,
    split_by_file,
    split_by_group,
)

SHARED = Path(__file__).parents[2] / "shared" / "data"
SPLITS = [split_by_group, split_by_file]
both_splits = pytest.mark.parametrize("split", SPLITS)


def make_files(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def group_of(folder: Path, stem: str, *pattern: str) -> str:
    make_files(folder, f"label/{stem}.wav")
    return from_class_folders(folder, None, *pattern)["group"].item()


def balanced(num_groups: int, files_a_group: int = 4) -> pd.DataFrame:
    """Make a manifest of two classes in which every speaker says both equally often."""
    rows = [("ab"[i % 2], f"s{g}") for g in range(num_groups) for i in range(files_a_group)]
    return pd.DataFrame(rows, columns=["label", "group"])


# from_class_folders


def test_manifest_has_path_label_and_group_in_order_of_path(tmp_path):
    make_files(tmp_path, "yes/b_1.wav", "no/b_2.flac", "yes/a_2.ogg", "yes/a_1.mp3")
    manifest = from_class_folders(tmp_path)
    assert list(manifest.columns) == ["path", "label", "group"]
    assert list(manifest.index) == [0, 1, 2, 3]
    assert manifest.values.tolist() == [
        ["no/b_2.flac", "no", "b"],
        ["yes/a_1.mp3", "yes", "a"],
        ["yes/a_2.ogg", "yes", "a"],
        ["yes/b_1.wav", "yes", "b"],
    ]
    pd.testing.assert_frame_equal(manifest, from_class_folders(str(tmp_path)))


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    make_files(tmp_path, "yes/a.wav", "yes/._a.wav", ".git/b.wav", "__MACOSX/yes/._a.wav", "__MACOSX/c.wav")
    make_files(tmp_path, "yes/.cache/d.wav", "yes/deep/.cache/deeper/e.wav", "yes/__MACOSX/f.wav")
    assert list(from_class_folders(tmp_path)["path"]) == ["yes/a.wav"]


def test_folders_below_a_class_belong_to_it(tmp_path):
    make_files(tmp_path, "yes/monday/a.wav", "yes/tuesday/late/b.wav", "yes/take.wav/c.wav")
    manifest = from_class_folders(tmp_path)
    assert list(manifest["path"]) == ["yes/monday/a.wav", "yes/take.wav/c.wav", "yes/tuesday/late/b.wav"]
    assert set(manifest["label"]) == {"yes"}


def test_suffixes_in_capitals_are_recordings_and_other_files_are_not(tmp_path):
    make_files(tmp_path, "yes/a.WAV", "yes/b.Flac", "yes/c.txt", "yes/d.wav.bak", "yes/wav", "top.wav")
    assert list(from_class_folders(tmp_path)["path"]) == ["yes/a.WAV", "yes/b.Flac"]


@pytest.mark.parametrize(
    "label", ["grün", "да", "はい", "with space", "a,b", "NA", "001", "None", "1e5", "[x]*"]
)
def test_any_name_of_a_class_survives(tmp_path, label):
    make_files(tmp_path, f"{label}/ö 1_é.wav")
    manifest = from_class_folders(tmp_path)
    assert manifest.values.tolist() == [[f"{label}/ö 1_é.wav", label, "ö 1"]]
    assert (tmp_path / manifest["path"].item()).is_file()
    assert from_class_folders(tmp_path, (label,))["label"].tolist() == [label]


def test_class_subset(tmp_path):
    make_files(tmp_path, "no/a.wav", "up/a.wav", "yes/a.wav")
    assert list(from_class_folders(tmp_path, ("yes", "no"))["label"]) == ["no", "yes"]


def test_missing_class_is_named_with_what_there_is(tmp_path):
    make_files(tmp_path, "no/a.wav", "yes/a.wav")
    with pytest.raises(UserError, match=r"no folder for maybe\. It has: no, yes\."):
        from_class_folders(tmp_path, ("yes", "maybe"))


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match=r"No such folder: .*missing"):
        from_class_folders(tmp_path / "missing")
    make_files(tmp_path, "file.wav")
    with pytest.raises(UserError, match=r"No such folder: .*file\.wav"):
        from_class_folders(tmp_path / "file.wav")


@pytest.mark.parametrize("names", [[], ["a.wav"], ["yes/readme.txt"], [".hidden/a.wav"]])
def test_folder_without_recordings(tmp_path, names):
    make_files(tmp_path, *names)
    with pytest.raises(UserError, match=r"holds no recordings in class folders.*\.flac"):
        from_class_folders(tmp_path)


def test_linked_folders_are_followed_once(tmp_path):
    make_files(tmp_path, "elsewhere/b.wav", "elsewhere/deep/c.wav", "data/yes/a.wav")
    data = tmp_path / "data"
    (data / "no").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (data / "yes" / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (data / "yes" / "round").symlink_to(data / "yes", target_is_directory=True)
    assert list(from_class_folders(data)["path"]) == [
        "no/b.wav",
        "no/deep/c.wav",
        "yes/a.wav",
        "yes/more/b.wav",
        "yes/more/deep/c.wav",
    ]


def test_linked_recordings_count_even_where_the_link_leads_nowhere(tmp_path):
    """So that the check of the files reports it."""
    make_files(tmp_path, "yes/a.wav", "other.wav")
    (tmp_path / "yes" / "b.wav").symlink_to(tmp_path / "other.wav")
    (tmp_path / "yes" / "c.wav").symlink_to(tmp_path / "nowhere.wav")
    assert list(from_class_folders(tmp_path)["path"]) == ["yes/a.wav", "yes/b.wav", "yes/c.wav"]


# Who speaks


@pytest.mark.parametrize(
    ("stem", "speaker"),
    [
        ("022cd682_nohash_0", "022cd682"),
        ("backward_0cb74144_nohash_2", "0cb74144"),
        ("two_words_0cb74144_nohash_10", "0cb74144"),
        ("1037", "1037"),
        ("anna_1_2", "anna"),
        ("anna-1.take.2", "anna-1.take.2"),
    ],
)
def test_speaker_in_a_file_name(tmp_path, stem, speaker):
    assert group_of(tmp_path, stem) == speaker


@pytest.mark.parametrize(
    ("stem", "pattern", "speaker"),
    [
        ("0_george_0", r"[^_]+_([^_]+)", "george"),
        ("1-100038-A-14", r"\d-(\d+)-", "100038"),
        ("take3_anna", r"(?P<take>x)?.*_(?P<who>.*)", "anna"),
    ],
)
def test_speaker_pattern(tmp_path, stem, pattern, speaker):
    assert group_of(tmp_path, stem, pattern) == speaker


@pytest.mark.parametrize("pattern", ["(", "[a", "(?P<a", "*"])
def test_pattern_that_is_none(tmp_path, pattern):
    with pytest.raises(UserError, match=r"no regular expression .* Received: "):
        group_of(tmp_path, "a_1", pattern)


@pytest.mark.parametrize("pattern", ["[^_]+", r"x(\d)", r"(\d*)[a-z]", ""])
def test_pattern_that_finds_no_group_leaves_it_out_and_what_needs_groups_says_so(tmp_path, pattern):
    assert group_of(tmp_path, "a_1", pattern) == ""
    manifest = pd.concat([balanced(10), from_class_folders(tmp_path, None, pattern)], ignore_index=True)
    with pytest.raises(UserError, match=r"finds no group in the file name label/a_1\.wav.*parentheses"):
        check_groups(manifest, pattern)
    for needs_groups in (
        lambda: split_by_group(manifest, 0.2, 0),
        lambda: folds(manifest, 2, 0),
        lambda: draw_groups(manifest, 2, 0),
    ):
        with pytest.raises(UserError, match=r"1 of 41 examples have no group, such as label/a_1\.wav"):
            needs_groups()
    parts = split_by_file(pd.concat([manifest, manifest[-1:], manifest[-1:]]), 0.5, 0)
    assert "" not in shared_groups(parts)
    assert "" not in group_names(parts)


# Splits


@pytest.mark.filterwarnings("error:The least populated class")
@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1, max_size=80),
    st.floats(0.05, 0.5),
    st.integers(0, 2**32 - 1),
)
def test_split_by_group_never_shares_a_group(rows, fraction, seed):
    manifest = pd.DataFrame([(label, f"s{g}") for label, g in rows], columns=["label", "group"])
    try:
        split = split_by_group(manifest, fraction, seed)
    except UserError:
        return
    assert shared_groups(split) == []
    sides = [set(split["group"][split["part"] == part]) for part in ("train", "validation")]
    assert not sides[0] & sides[1]
    assert sides[0]
    assert sides[1]
    assert set(split["label"][split["part"] == "train"]) == set(manifest["label"])
    pd.testing.assert_frame_equal(split.drop(columns="part"), manifest)


@both_splits
@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 1 / 3, 0.35, 0.4, 0.45, 0.5])
def test_validation_part_is_as_large_as_asked_for_and_has_all_classes(split, fraction):
    parts = split(balanced(200), fraction, seed=3)
    validation = parts[parts["part"] == "validation"]
    assert len(validation) / len(parts) == pytest.approx(fraction, abs=0.01)
    counts = validation["label"].value_counts()
    assert set(counts.index) == {"a", "b"}
    assert counts.max() - counts.min() <= 8


@both_splits
def test_few_speakers_give_the_nearest_fraction_they_allow(split):
    parts = split(balanced(4), 0.4, seed=0)
    assert 0.25 <= (parts["part"] == "validation").mean() <= 0.5


@both_splits
def test_same_seed_same_split_and_another_seed_another(split):
    first, again, other = (split(balanced(30), 0.2, seed)["part"].tolist() for seed in (7, 7, 8))
    assert first == again
    assert first != other


@both_splits
def test_split_goes_by_position_and_keeps_index_and_columns(split):
    manifest = balanced(30).assign(more=range(120)).sample(frac=1, random_state=0)
    before = manifest.copy()
    parts = split(manifest, 0.2, seed=0)
    pd.testing.assert_frame_equal(manifest, before)
    pd.testing.assert_frame_equal(parts.drop(columns="part"), manifest)
    expected = split(manifest.reset_index(drop=True), 0.2, seed=0)
    assert parts["part"].tolist() == expected["part"].tolist()


def test_split_by_file_separates_the_speakers_files():
    parts = split_by_file(balanced(10), 0.2, seed=0)
    assert len(shared_groups(parts)) > 3


def test_split_by_file_keeps_the_share_of_a_rare_class():
    parts = split_by_file(pd.DataFrame({"label": ["a"] * 90 + ["b"] * 10}), 0.2, seed=0)
    assert parts["label"][parts["part"] == "validation"].value_counts().to_dict() == {"a": 18, "b": 2}


def test_too_few_speakers():
    with pytest.raises(UserError, match=r"needs at least 5 groups\. Received: 4\. .* needs no groups at all"):
        split_by_group(balanced(4), 0.2, seed=0)
    assert (split_by_group(balanced(4), 0.25, seed=0)["part"] == "validation").mean() == 0.25


def test_split_by_group_with_too_few_files():
    manifest = pd.DataFrame({"label": list("aabbcc"), "group": list("123456")})
    with pytest.raises(UserError, match=r"needs at least 5 files a class\. Received: at most 2\."):
        split_by_group(manifest, 0.2, seed=0)


def test_too_few_files():
    manifest = pd.DataFrame({"label": ["a"] * 9 + ["b"] * 4})
    with pytest.raises(UserError, match=r"needs at least 5 files a class\. Received: 4 of class 'b'"):
        split_by_file(manifest, 0.2, seed=0)
    assert split_by_file(manifest, 0.25, seed=0)["part"].value_counts()["validation"] in (3, 4)


def test_class_of_a_single_speaker_is_trained_on():
    manifest = pd.concat([balanced(10), pd.DataFrame({"label": ["rare"] * 5, "group": ["s0"] * 5})])
    for seed in range(5):
        parts = split_by_group(manifest, 0.2, seed)
        assert set(parts["part"][parts["label"] == "rare"]) == {"train"}


def test_pattern_that_takes_the_class_for_the_speaker_leaves_a_class_without_training(tmp_path):
    """The default pattern on the Free Spoken Digit Dataset's names."""
    make_files(tmp_path, *(f"{i // 6}/{i // 6}_george_{i % 6}.wav" for i in range(60)))
    manifest = from_class_folders(tmp_path)
    with pytest.raises(UserError, match=r"All groups .* of \d, \d are in the validation part.*told apart"):
        split_by_group(manifest, 0.2, seed=0)


@both_splits
@pytest.mark.parametrize("fraction", [-0.1, 0, 0.51, 1, 20, float("nan")])
def test_impossible_validation_part(split, fraction):
    with pytest.raises(UserError, match="above 0 and at most"):
        split(balanced(10), fraction, seed=0)


# Folds

both_kinds_of_folds = pytest.mark.parametrize("by_group", [True, False])


@pytest.mark.filterwarnings("error:The least populated class")
@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1, max_size=80),
    st.integers(2, 6),
    st.booleans(),
)
def test_folds_never_share_a_group_nor_leave_a_class_untrained(rows, num_folds, by_group):
    manifest = pd.DataFrame([(label, f"s{g}") for label, g in rows], columns=["label", "group"])
    try:
        parts = folds(manifest, num_folds, 0, by_group)
    except UserError:
        return
    pd.testing.assert_frame_equal(parts.drop(columns="fold"), manifest)
    assert set(parts["fold"]) == set(range(num_folds))
    if by_group:
        assert (parts.groupby("group")["fold"].nunique() == 1).all()
    for number in range(num_folds):
        assert set(parts["label"][parts["fold"] != number]) == set(manifest["label"])


@both_kinds_of_folds
def test_folds_are_balanced(by_group):
    parts = folds(balanced(50), 5, 3, by_group)
    assert (parts.groupby(["fold", "label"]).size() == 20).all()


@both_kinds_of_folds
def test_same_seed_same_folds_and_another_seed_others(by_group):
    first, again, other = (folds(balanced(30), 5, seed, by_group)["fold"].tolist() for seed in (7, 7, 8))
    assert first == again
    assert first != other


@both_kinds_of_folds
def test_folds_go_by_position(by_group):
    manifest = balanced(30).sample(frac=1, random_state=0)
    expected = folds(manifest.reset_index(drop=True), 5, 0, by_group)["fold"].tolist()
    assert folds(manifest, 5, 0, by_group)["fold"].tolist() == expected


def test_too_few_for_the_folds():
    with pytest.raises(UserError, match=r"5 folds need at least 5 groups\. Received: 4"):
        folds(balanced(4), 5, seed=0)
    assert folds(balanced(4), 5, seed=0, by_group=False)["fold"].nunique() == 5
    with pytest.raises(UserError, match=r"5 folds need at least 5 examples a class\. Received: at most 4"):
        folds(balanced(4, 2), 5, seed=0, by_group=False)
    with pytest.raises(UserError, match="at least 2 folds"):
        folds(balanced(4), 1, seed=0)


@pytest.mark.filterwarnings("error:The least populated class")
@both_kinds_of_folds
def test_class_that_would_be_in_one_fold(by_group):
    rare = pd.DataFrame({"label": ["rare"], "group": ["s0"]})
    with pytest.raises(UserError, match="Every example of rare is in one fold"):
        folds(pd.concat([balanced(10), rare], ignore_index=True), 5, 0, by_group)


def test_shared_groups_are_those_on_both_sides():
    split = pd.DataFrame({"group": list("bbaacc"), "part": ["train", "validation"] * 2 + ["train"] * 2})
    assert shared_groups(split) == ["a", "b"]


def test_speech_commands_by_speaker():
    folder = SHARED / "speech_commands"
    if not folder.is_dir():
        pytest.skip("needs the shared Speech Commands recordings")
    words = ("down", "go", "left", "no", "right", "stop", "up", "yes")
    split = split_by_group(from_class_folders(folder, words), 0.2, seed=0)
    assert shared_groups(split) == []
    parts = split.groupby("label")["part"].value_counts(normalize=True).unstack()
    assert set(parts.index) == set(words)
    assert parts["validation"].between(0.15, 0.25).all()
    assert not os.fspath(split["path"][0]).startswith("/")


PEOPLE = pd.DataFrame({"group": np.repeat([f"P{number:02}" for number in range(20)], 3)})


@pytest.mark.parametrize("given", [["yes", "no"], "tones", pd.Series(["yes", "no"])])
def test_what_is_no_manifest_is_told(given):
    for use in (
        lambda: split_by_group(given, 0.2, seed=0),
        lambda: split_by_file(given, 0.2, seed=0),
        lambda: folds(given, 2, seed=0),
        lambda: draw_groups(given, 1, seed=0),
        lambda: targets(given, ["no", "yes"]),
    ):
        with pytest.raises(UserError, match=f"pandas DataFrame, .* Received: {type(given).__name__}"):
            use()


@pytest.mark.parametrize(
    ("wanted", "number"),
    [(5, 5), (np.int64(5), 5), (0, 0), (19, 19), (0.25, 5), (0.01, 1), (0.99, 19), (("P03", "P07"), 2)],
)
def test_groups_are_drawn_by_name_number_or_part(wanted, number):
    drawn = draw_groups(PEOPLE, wanted, seed=1)
    assert drawn == sorted(set(drawn) & set(PEOPLE["group"]))
    assert len(drawn) == number
    assert drawn == draw_groups(PEOPLE.sample(frac=1, random_state=0), wanted, seed=1)
    if number == 5:
        assert drawn != draw_groups(PEOPLE, wanted, seed=2)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (("P03", "Q1", "Q2"), "nobody called Q1, Q2. There are: P00, P01"),
        (20, "a number from 0 to 19, as there are 20, or a part between 0 and 1. Received: 20"),
        (-1, "Received: -1"),
        (1.0, "Received: 1.0"),
        (0.0, "Received: 0.0"),
        (float("nan"), "Received: nan"),
    ],
)
def test_groups_that_cannot_be_drawn(wanted, said):
    with pytest.raises(UserError, match=re.escape(said)):
        draw_groups(PEOPLE, wanted, seed=0)
