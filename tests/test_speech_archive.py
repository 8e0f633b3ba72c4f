"""The Speech Commands archive's layout, held to its paper's rules: who is where, and what is drawn."""

import hashlib
import math
import re
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import soundfile
from hypothesis import strategies as st

from tfspec import UserError
from tfspec.base.options import SPEAKER_PATTERN
from tfspec.data.sources.class_folders import from_class_folders
from tfspec.data.sources.speech_archive import with_listed_parts, with_others
from tfspec.data.splits import shared_groups
from tfspec.pipelines import SpeechCommands

SHARED = Path(__file__).parents[2] / "shared" / "data" / "speech_commands"
RATE = 8000
CLIP = 0.5
WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
NOISES = {"tap": 40.0, "bike": 33.33, "click": 4.0}
"""Seconds; ten clips do not fit into the last one."""


def warden_part(path: str) -> str:
    """Type afresh the rule of the archive's README: the hash of who speaks, in parts of a hundred."""
    speaker = re.sub(r"_nohash_.*$", "", Path(path).name)
    number = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % 2**27
    percent = number * 100 / (2**27 - 1)
    return "validation" if percent < 10 else "test" if percent < 20 else "train"


def write_words(folder: Path, words: dict[str, int]) -> list[str]:
    """Write so many recordings of each word, each by another speaker, and return their paths."""
    tone = 0.3 * np.sin(np.arange(RATE // 10))
    paths = []
    for word, count in words.items():
        (folder / word).mkdir(parents=True)
        for i in range(count):
            paths.append(f"{word}/{hashlib.md5(bytes([i])).hexdigest()[:8]}_nohash_0.wav")
            soundfile.write(folder / paths[-1], tone, RATE)
    return paths


def write_lists(folder: Path, paths: list[str]):
    for part, name in {"validation": "validation_list.txt", "test": "testing_list.txt"}.items():
        listed = [path for path in paths if warden_part(path) == part]
        (folder / name).write_text("".join(f"{path}\n" for path in listed))


def write_noise(folder: Path) -> Path:
    (folder / "_background_noise_").mkdir()
    for name, seconds in NOISES.items():
        ramp = np.arange(round(seconds * RATE)) / (50 * RATE)
        soundfile.write(folder / "_background_noise_" / f"{name}.wav", ramp, RATE, subtype="FLOAT")
    return folder


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp("noise"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Ten words, two others, and noise whose samples tell from where they are."""
    folder = tmp_path_factory.mktemp("speech") / "archive"
    counts = {word: 30 + i for i, word in enumerate(WORDS)}
    write_lists(folder, write_words(folder, {**counts, "bed": 50, "cat": 40}))
    return write_noise(folder)


def steps_on(folder, **options):
    chosen = {"classes": WORDS, "others": True, "sample_rate": RATE, "clip_seconds": CLIP}
    return SpeechCommands(data=folder, **{**chosen, **options})


@pytest.fixture(scope="module")
def manifest(archive):
    return steps_on(archive).manifest()


def without_lists(archive, folder):
    """Return a folder of links to the class folders of the archive, without its lists."""
    for path in archive.iterdir():
        if path.is_dir():
            (folder / path.name).symlink_to(path, target_is_directory=True)
    return folder


def clips_of(manifest):
    return manifest[manifest["label"] == "_silence_"]


def test_parts_are_those_of_the_lists_and_no_speaker_is_in_two(manifest):
    spoken = manifest[manifest["label"] != "_silence_"]
    assert spoken["part"].tolist() == [warden_part(path) for path in spoken["path"]]
    assert set(spoken["part"]) == {"train", "validation", "test"}
    assert shared_groups(manifest) == []


def test_the_other_two_classes_are_a_tenth_of_what_ten_words_have_in_each_part(manifest, capsys):
    """Of testing_list.txt's 4,074 recordings of ten words the published test set has 408 more of each."""
    assert set(manifest["label"]) == {*WORDS, "_unknown_", "_silence_"}
    assert manifest["problem"].isna().all()
    for part, rows in manifest.groupby("part"):
        expected = math.ceil(rows["label"].isin(WORDS).sum() * 10 / 100)
        assert (rows["label"] == "_silence_").sum() == expected, part
        assert (rows["label"] == "_unknown_").sum() == expected, part


def test_unknown_words_are_drawn_once_from_the_other_words_and_known_by_who_speaks(manifest, archive):
    unknown = manifest[manifest["label"] == "_unknown_"]
    assert set(unknown["path"].str.split("/").str[0]) == {"bed", "cat"}
    assert unknown["path"].is_unique
    speakers = from_class_folders(archive, ["bed", "cat"]).set_index("path")["group"]
    assert unknown["group"].tolist() == speakers[unknown["path"]].tolist()


def test_no_stretch_of_noise_is_in_two_parts(manifest):
    clips = clips_of(manifest)
    assert set(clips["path"]) == {"_background_noise_/tap.wav", "_background_noise_/bike.wav"}
    assert not clips.duplicated(["path", "start"]).any()
    for one in clips.itertuples():
        touching = clips[(clips["path"] == one.path) & ((clips["start"] - one.start).abs() < CLIP)]
        assert set(touching["part"]) == {one.part}
        assert set(touching["group"]) == {one.group}


def test_the_reader_finds_silence_where_it_begins_and_words_at_their_beginning(manifest, archive):
    reader = steps_on(archive).reader()
    clips = clips_of(manifest)
    gain, signals = clips["clip_gain"], reader(clips)
    np.testing.assert_allclose(signals[:, 0] * 50, clips["start"] * gain, atol=1e-4)
    assert len(set(reader.identities(clips.assign(start=0.0, path=clips["path"].iloc[0])))) == gain.nunique()
    (word,) = reader(manifest[:1])
    assert (manifest["start"][0], manifest["clip_gain"][0]) == (0, 1)
    np.testing.assert_allclose(word[: RATE // 10], 0.3 * np.sin(np.arange(RATE // 10)), atol=1e-4)


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(st.floats(0.05, 3.3), st.integers(0, 2**32 - 1))
def test_clips_of_any_length_lie_in_one_tenth_of_their_recording(noise, clip_seconds, seed):
    words = pd.DataFrame({"path": ["yes/a.wav"] * 50, "label": "yes", "group": "a"})
    clips = clips_of(with_others(words, noise, SPEAKER_PATTERN, clip_seconds, seed))
    for name, seconds in NOISES.items():
        own = clips[clips["path"] == f"_background_noise_/{name}.wav"]
        assert len(own) == 0 or clip_seconds <= seconds / 10
        tenth = math.floor(seconds * 10) / 100
        first, last = own["start"] / tenth, (own["start"] + clip_seconds) / tenth
        np.testing.assert_array_equal(np.floor(first + 1e-6), np.ceil(last - 1e-6) - 1)
        assert own["group"].nunique() == np.floor(first + 1e-6).nunique()


def test_silence_is_as_loud_as_the_noise_or_less_as_in_the_published_test_set(noise):
    """Amplitudes of white noise there, which is as loud throughout, are uniform from 0 to the loudest."""
    words = pd.DataFrame({"path": ["yes/a.wav"] * 1000, "label": "yes", "group": "a"})
    gain = clips_of(with_others(words, noise, SPEAKER_PATTERN, CLIP, 0))["clip_gain"]
    assert scipy.stats.kstest(gain, "uniform").pvalue > 0.01
    if not SHARED.is_dir():
        pytest.skip("needs the shared Speech Commands recordings")
    signals = [soundfile.read(path)[0] for path in sorted((SHARED / "_silence_").iterdir())]
    white = np.array([signal.std() for signal in signals if flatness(signal) > 0.5])
    assert len(white) > 40
    assert scipy.stats.kstest(white / white.max(), "uniform").pvalue > 0.1


def flatness(signal):
    """Compute the geometric by the arithmetic mean of the spectrum: near one for white noise."""
    power = np.abs(np.fft.rfft(signal * np.hanning(len(signal)))) ** 2 + 1e-20
    return np.exp(np.log(power).mean()) / power.mean()


def test_same_seed_same_examples_and_another_seed_others(archive, manifest):
    pd.testing.assert_frame_equal(steps_on(archive).manifest(), manifest)
    other = steps_on(archive, seed=1).manifest()
    for label in ("_unknown_", "_silence_"):
        one, another = (
            frame[frame["label"] == label][["path", "start"]].to_numpy().tolist()
            for frame in (manifest, other)
        )
        assert len(one) == len(another) and one != another


def test_what_is_drawn_and_passed_over_is_told(archive, capsys):
    steps_on(archive).manifest()
    said = capsys.readouterr().err
    found = re.findall(r"(_\w+_) is drawn from ([a-z ]+): (\d+) of ([\d,]+) in test", said)
    assert [(name, kind) for name, kind, *_ in found] == [
        ("_silence_", "clips of noise"),
        ("_unknown_", "recordings of other words"),
    ]
    others = from_class_folders(archive, ["bed", "cat"])["path"].map(warden_part)
    assert int(found[1][3]) == (others == "test").sum()
    assert "ten clips do not fit in or it cannot be read: _background_noise_/click.wav" in said
    assert "validation_list.txt and testing_list.txt" in said


def test_where_there_are_too_few_all_are_taken(archive, tmp_path):
    words = pd.DataFrame({"path": ["a"] * 90, "label": ["yes", "no", "up"] * 30, "group": "x"})
    write_words(tmp_path, {"bed": 7})
    found = with_others(words, tmp_path, SPEAKER_PATTERN, CLIP, seed=0)
    assert found["label"].value_counts().to_dict() == {"yes": 30, "no": 30, "up": 30, "_unknown_": 7}
    assert not {"start", "clip_gain"} & set(found)


def test_without_lists_speakers_and_stretches_are_kept_together(archive, tmp_path):
    steps = steps_on(without_lists(archive, tmp_path))
    manifest = steps.manifest()
    assert "part" not in manifest
    counts = manifest["label"].value_counts()
    assert counts["_unknown_"] == counts["_silence_"] == math.ceil(counts[list(WORDS)].mean())
    split = steps.split(manifest)
    assert set(split["part"]) == {"train", "validation"}
    assert shared_groups(split) == []
    assert clips_of(split)["part"].nunique() == 2


@pytest.mark.parametrize("split_by", ["speaker", "file"])
def test_another_split_can_be_asked_for(archive, split_by):
    steps = steps_on(archive, split_by=split_by)
    assert set(steps.split(steps.manifest())["part"]) == {"train", "validation"}


def test_noise_is_no_word_and_only_what_is_asked_for_is_added(archive):
    both = steps_on(archive, classes=None, others=False).manifest()
    assert set(both["label"]) == {*WORDS, "bed", "cat"}
    assert list(both.columns) == ["path", "label", "group", "part", "problem"]
    every_word = steps_on(archive, classes=None).manifest()
    assert set(every_word["label"]) == {*WORDS, "bed", "cat", "_silence_"}


NAMED = ({}, {"classes": (*WORDS, "_unknown_", "_silence_")}, {"classes": None, "others": False})
"""Ways to ask for the folders of the two further classes."""


@pytest.mark.parametrize("options", NAMED)
def test_folders_of_these_names_are_taken_as_they_are(archive, tmp_path, options):
    """As in the published test set of twelve classes."""
    folder = without_lists(archive, tmp_path)
    for name in ("bed", "cat", "_background_noise_"):
        (folder / name).unlink()
    write_words(folder, {"_unknown_": 5, "_silence_": 3})
    found = steps_on(folder, **options).manifest()
    counts = found["label"].value_counts()
    assert (counts["_unknown_"], counts["_silence_"]) == (5, 3)
    assert list(found.columns) == ["path", "label", "group", "problem"]


@pytest.mark.parametrize("options", NAMED[:2])
def test_what_such_a_folder_lacks_is_drawn(archive, tmp_path, capsys, options):
    folder = without_lists(archive, tmp_path)
    write_words(folder, {"_unknown_": 5, "_silence_": 3})
    found = steps_on(folder, **options).manifest()
    for label, others in (("_unknown_", ["bed", "cat"]), ("_silence_", ["_background_noise_"])):
        own = found.loc[found["label"] == label, "path"]
        assert len(own) == math.ceil(np.mean([30 + i for i in range(len(WORDS))]))
        is_given = own.str.startswith(label)
        assert is_given.sum() == len([*(folder / label).iterdir()])
        assert {*own[~is_given].str.split("/").str[0]} == {*others}
    assert "_unknown_ is drawn from recordings of other words: 30 of 90" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (
            ("yes/a_nohash_0.wav", "maybe/b_nohash_0.wav"),
            "No recording of the classes is in testing_list.txt",
        ),
        (("\n", "\n"), "is in validation_list.txt and testing_list.txt"),
        (("yes/a_nohash_0.wav", "no/a_nohash_0.wav"), "1 speakers in two parts, such as a"),
        (("yes/a_nohash_0.wav", b"\xff\xfe\xff"), "no text in UTF-8"),
        (("yes/a_nohash_0.wav", "yes/a_nohash_0.wav"), "Both lists in .* name yes/a_nohash_0.wav"),
    ],
)
def test_lists_that_cannot_part_the_words(tmp_path, lists, said):
    for name, text in zip(("validation_list.txt", "testing_list.txt"), lists, strict=True):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    paths = [f"{word}/{speaker}_nohash_0.wav" for word in ("no", "yes") for speaker in "abc"]
    words = pd.DataFrame({"path": paths, "group": [*"abcabc"]})
    with pytest.raises(UserError, match=said):
        with_listed_parts(words, tmp_path)


def test_nothing_to_make_the_classes_of(tmp_path):
    write_words(tmp_path, {"yes": 2, "no": 2})
    with pytest.raises(UserError, match="neither other words nor _background_noise_"):
        steps_on(tmp_path, classes=("no", "yes")).manifest()
    (tmp_path / "_background_noise_").mkdir()
    soundfile.write(tmp_path / "_background_noise_" / "hum.wav", np.zeros(RATE), RATE)
    with pytest.raises(UserError, match="has room for ten clips of silence"):
        steps_on(tmp_path, classes=("no", "yes")).manifest()
    with pytest.raises(UserError, match="_background_noise_ is no class: --others"):
        steps_on(tmp_path, classes=("no", "_background_noise_")).manifest()
    with pytest.raises(UserError, match="others needs clip_seconds"):
        steps_on(tmp_path, clip_seconds=None)


def test_the_published_test_set_is_that_of_the_hash():
    if not SHARED.is_dir():
        pytest.skip("needs the shared Speech Commands recordings")
    spoken = [path.name for path in SHARED.glob("*/*") if path.parent.name != "_silence_"]
    speakers = [re.sub(r"^.*_(?=[^_]+_nohash_)", "", name) for name in spoken]
    assert len(spoken) > 3000
    assert {warden_part(name) for name in speakers} == {"test"}


@pytest.mark.slow
def test_a_run_on_the_archive_is_scored_on_its_test_part_and_on_the_published_test_set(archive, tmp_path):
    options = {"classes": ("no", "yes"), "epochs": 1, "augment": (), "model": "tc_resnet"}
    run = steps_on(archive, out=tmp_path / "run", **options).train(verbose=0)
    names = ["_silence_", "_unknown_", "no", "yes"]
    assert list(run.classifier.class_names) == names
    scores = run.metrics("test")
    assert scores["examples"] == (run.split["part"] == "test").sum()
    whole = tmp_path / "whole"
    write_words(whole, {"yes": 4, "no": 4, "_unknown_": 5, "_silence_": 3})
    assert steps_on(whole, **options).evaluate(run, whole)["examples"] == 16
