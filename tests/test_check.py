import json

import numpy as np
import pandas as pd
import pytest
import soundfile
from checking import check_folder

from tfspec.base.errors import UserError
from tfspec.data.check import check_manifest, with_inspections

NO_PROBLEMS = {
    "unreadable": [],
    "silent": [],
    "clipped": [],
    "wrong_rate": [],
    "too_short": [],
    "duplicates": [],
}


def tone(num_samples=8000, hertz=777, sample_rate=16000):
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(num_samples) / sample_rate)


def test_good_folder_has_no_problems(tone_folder):
    assert check_folder(tone_folder) == {
        "examples": 12,
        "recordings": 12,
        "speakers": 3,
        "without_speaker": 0,
        "seconds": pytest.approx(6.0),
        "sample_rate": 16000,
        "classes": {"high": 6, "low": 6},
        "problems": NO_PROBLEMS,
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"text" * 100, "Format not recognised"), (None, "no such file")],
)
def test_unreadable(tone_folder, content, reason):
    bad = tone_folder / "low" / "bad.wav"
    if content is None:
        bad.symlink_to("nowhere.wav")
    else:
        bad.write_bytes(content)
    found = check_folder(tone_folder)
    assert found["problems"] == NO_PROBLEMS | {"unreadable": [f"low/bad.wav: {reason}"]}
    assert found["recordings"] == 13
    assert found["classes"] == {"high": 6, "low": 7}
    assert found["seconds"] == pytest.approx(6.0)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_truncated_is_unreadable_and_nothing_else(tone_folder, suffix):
    bad = tone_folder / "low" / f"bad.{suffix}"
    soundfile.write(bad, tone(32000), 16000)
    bad.write_bytes(bad.read_bytes()[: int(0.6 * bad.stat().st_size)])
    problems = check_folder(tone_folder)["problems"]
    (line,) = problems["unreadable"]
    assert problems == NO_PROBLEMS | {"unreadable": [line]}
    file, _, reason = line.partition(": ")
    assert file == f"low/bad.{suffix}"
    assert reason


def test_silent(tone_folder):
    soundfile.write(tone_folder / "low" / "bad.wav", np.zeros(8000), 16000)
    assert check_folder(tone_folder)["problems"] == NO_PROBLEMS | {"silent": ["low/bad.wav"]}


def test_silent_recordings_are_not_called_duplicates(tone_folder):
    for name in ("low/bad.wav", "high/bad.wav"):
        soundfile.write(tone_folder / name, np.zeros(8000), 16000)
    assert check_folder(tone_folder)["problems"] == NO_PROBLEMS | {"silent": ["high/bad.wav", "low/bad.wav"]}


def test_clipped(tone_folder):
    soundfile.write(tone_folder / "low" / "bad.wav", np.clip(10 * tone(), -1, 1), 16000)
    assert check_folder(tone_folder)["problems"] == NO_PROBLEMS | {"clipped": ["low/bad.wav"]}


def test_wrong_rate_is_another_than_the_commonest(tone_folder):
    soundfile.write(tone_folder / "high" / "a.wav", tone(), 8000)
    assert check_folder(tone_folder)["problems"] == NO_PROBLEMS | {"wrong_rate": ["high/a.wav: 8000 Hz"]}


def test_wrong_rate_is_another_than_the_one_asked_for(tone_folder):
    soundfile.write(tone_folder / "low" / "good.wav", tone(), 8000)
    found = check_folder(tone_folder, sample_rate=8000)
    assert found["sample_rate"] == 8000
    assert len(found["problems"]["wrong_rate"]) == 12
    assert not any("good" in line for line in found["problems"]["wrong_rate"])


def test_too_short(tone_folder):
    soundfile.write(tone_folder / "low" / "bad.wav", tone(1599), 16000)
    soundfile.write(tone_folder / "low" / "good.wav", tone(1600, 555), 16000)
    assert check_folder(tone_folder)["problems"] == NO_PROBLEMS | {"too_short": ["low/bad.wav: 0.100 s"]}
    assert len(check_folder(tone_folder, min_seconds=0.51)["problems"]["too_short"]) == 14
    assert check_folder(tone_folder, min_seconds=0.05)["problems"] == NO_PROBLEMS


def test_duplicates_across_classes_names_and_formats(tone_folder):
    samples = np.round(tone() * 2**15) / 2**15
    for name in ("high/z.wav", "low/b.flac", "low/a.wav"):
        soundfile.write(tone_folder / name, samples, 16000)
    for name in ("high/x.wav", "high/y.wav"):
        soundfile.write(tone_folder / name, -samples, 16000)
    assert check_folder(tone_folder)["problems"] == NO_PROBLEMS | {
        "duplicates": [
            "high/x.wav = high/y.wav",
            "high/z.wav = low/a.wav = low/b.flac (of different classes: high, low)",
        ]
    }


def test_each_problem_in_its_place_and_all_of_it_ready_for_json(tone_folder):
    low = tone_folder / "low"
    (low / "empty.wav").write_bytes(b"")
    soundfile.write(low / "nan.wav", [0, np.nan, 0], 16000, subtype="FLOAT")
    soundfile.write(low / "silent.wav", np.zeros(100), 44100)
    soundfile.write(low / "clipped.wav", np.ones(8000), 16000)
    soundfile.write(low / "copy.wav", soundfile.read(low / "speaker0_nohash_0.wav")[0], 16000)
    found = check_folder(tone_folder)
    assert found["problems"] == {
        "unreadable": ["low/empty.wav: empty file", "low/nan.wav: NaN or infinite samples"],
        "silent": ["low/silent.wav"],
        "clipped": ["low/clipped.wav"],
        "wrong_rate": ["low/silent.wav: 44100 Hz"],
        "too_short": ["low/silent.wav: 0.002 s"],
        "duplicates": ["low/copy.wav = low/speaker0_nohash_0.wav"],
    }
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_folder_in_which_nothing_can_be_read(tmp_path):
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "a.wav").write_bytes(b"")
    found = check_folder(tmp_path)
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "examples": 1,
        "recordings": 1,
        "speakers": 1,
        "without_speaker": 0,
        "seconds": 0.0,
        "sample_rate": None,
        "classes": {"yes": 1},
        "problems": NO_PROBLEMS | {"unreadable": ["yes/a.wav: empty file"]},
    }


def test_no_recordings_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="holds no recordings"):
        check_folder(tmp_path)


def test_progress_sees_every_recording_and_how_many_there_will_be(tone_folder):
    seen = []

    def progress(items, total):
        for item in items:
            seen.append((item.path, total))
            yield item

    check_folder(tone_folder, progress=progress)
    assert len(seen) == 12
    assert {total for _, total in seen} == {12}


def test_any_manifest_is_counted_and_what_cannot_be_used_named():
    windows = pd.DataFrame(
        {"label": ["sit", "walk"], "group": ["P1", ""], "problem": [None, "holds NaN"]}, [7, 9]
    )
    found = check_manifest(windows)
    assert found == {
        "examples": 2,
        "recordings": 2,
        "speakers": 1,
        "without_speaker": 1,
        "classes": {"sit": 1, "walk": 1},
        "problems": {"unreadable": ["9: holds NaN"]},
    }
    shares = pd.DataFrame({"path": ["a", "b"], "group": ["a", "b"], "yes": [0.25, 1], "no": [0.75, 0]})
    assert check_manifest(shares.assign(problem=None))["classes"] == {"no": 0.75, "yes": 1.25}


def test_a_bad_name_is_told_and_the_file_not_tried(tone_folder):
    manifest = pd.DataFrame({"path": ["high/bad\x1b.wav", "missing.wav"]})
    problem = with_inspections(manifest, tone_folder)["problem"].tolist()
    assert problem == ["the name holds the character \\x1b; rename it", "no such file"]
