"""What all simulated folders have in common, in Python and on the command line."""

from pathlib import Path

import pytest
import soundfile

from tfspec import UserError
from tfspec.base.options import ClipSpecies, PeopleCount, WordCount
from tfspec.cli import main as cli
from tfspec.cli.commands.simulated import KINDS as COMMANDS
from tfspec.data.sources.simulate import (
    write_clips,
    write_mixtures,
    write_soundscapes,
    write_stream,
    write_wrist,
)
from tfspec.data.sources.simulate.clips import NUM_SPECIES
from tfspec.data.sources.simulate.speech import WORDS
from tfspec.data.sources.simulate.wrist import ALL_PEOPLE

KINDS = {
    "clips": (write_clips, {"num_clips": 3, "num_species": 2}),
    "soundscapes": (write_soundscapes, {"num_train": 2, "num_test": 1, "seconds": 6}),
    "mixtures": (write_mixtures, {"num_train": 2, "num_test": 1, "num_words": 3}),
    "stream": (write_stream, {"minutes": 0.2}),
    "wrist": (write_wrist, {"num_people": 3, "minutes": 1, "sample_rate": 20}),
}
MOST = {ClipSpecies: NUM_SPECIES, WordCount: len(WORDS), PeopleCount: ALL_PEOPLE}
all_kinds = pytest.mark.parametrize("kind", KINDS)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("option", "there"), MOST.items())
def test_as_many_may_be_asked_for_as_there_are(option, there):
    (allowed,) = option.__metadata__
    assert allowed.high == there


@all_kinds
def test_same_seed_same_bytes_and_another_seed_others(tmp_path, kind):
    write, options = KINDS[kind]
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        write(tmp_path / name, **options, seed=seed)
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    assert set(first) == set(other)
    signals = [name for name in first if name.endswith((".flac", ".wav", "X.npy"))]
    assert len(signals) == (1 if kind in ("wrist", "stream") else 3)
    assert all(first[name] != other[name] for name in signals)


@pytest.mark.parametrize("kind", ["soundscapes", "mixtures"])
def test_the_first_recordings_are_the_same_whatever_their_number(tmp_path, kind):
    write, options = KINDS[kind]
    write(tmp_path / "few", **options)
    write(tmp_path / "many", **{**options, "num_train": 3, "num_test": 2})
    few, many = contents(tmp_path / "few"), contents(tmp_path / "many")
    for name in few:
        assert many[name].startswith(few[name])


@all_kinds
def test_what_is_there_already_stays(tmp_path, kind):
    write, options = KINDS[kind]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"exists and is not empty\. Give another folder"):
        write(tmp_path / "out", **options)
    assert contents(tmp_path) == {"out/mine.txt": b"mine"}
    (tmp_path / "out" / "mine.txt").unlink()
    write(tmp_path / "out", **options)
    assert contents(tmp_path / "out")


@all_kinds
def test_a_place_where_nothing_can_be_is_told(tmp_path, kind):
    write, options = KINDS[kind]
    (tmp_path / "a.txt").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / "a.txt" / "out", **options)


@all_kinds
def test_an_interrupted_simulation_leaves_nothing(tmp_path, kind):
    write, options = KINDS[kind]

    def interrupted(items, total):
        for number, item in enumerate(items):
            if number == total - 1:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", **options, progress=interrupted)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "option", "said"),
    [
        ("soundscapes", {"num_train": 0}, "num_train must be a whole number from 1"),
        ("soundscapes", {"seconds": 1}, "seconds must be a number from 5 to 3,600"),
        ("soundscapes", {"num_species": 3, "sounds": "."}, "num_species is for made-up species"),
        ("clips", {"num_species": 7}, "num_species must be a whole number from 2 to 6"),
        ("mixtures", {"num_words": 31}, "num_words must be a whole number from 2 to 30"),
        ("mixtures", {"num_words": 3, "words": "."}, "num_words is for made-up speech"),
        ("mixtures", {"num_words": None, "words": "nowhere"}, "No such folder: nowhere"),
        ("stream", {"minutes": 0}, "minutes must be a number from 0.1 to 1,440"),
        ("stream", {"classes": ()}, "classes has none"),
        ("stream", {"classes": ("qwertz",)}, "Nobody can say qwertz"),
        ("stream", {"split": "split.csv"}, "split is for real words"),
        ("stream", {"words": "nowhere"}, "No such folder: nowhere"),
        ("stream", {"background": "nowhere"}, "No recordings of noise in nowhere"),
        ("wrist", {"num_people": 152}, "num_people must be a whole number from 2 to 151"),
        ("wrist", {"sample_rate": 9}, "sample_rate must be a whole number from 10"),
        ("wrist", {"seed": -1}, "seed must be a whole number from 0"),
    ],
)
def test_odd_options_are_refused_before_anything_is_written(tmp_path, kind, option, said):
    write, options = KINDS[kind]
    with pytest.raises(UserError, match=said):
        write(tmp_path / "out", **{**options, **option})
    assert not list(tmp_path.iterdir())


def test_each_kind_has_options_of_its_own(capsys):
    own = {
        "clips": "--num-places",
        "radio": "--snr N",
        "soundscapes": "--sounds",
        "mixtures": "--num-words",
        "stream": "--snr-db",
        "wrist": "--num-people",
    }
    assert set(own) == set(COMMANDS)
    for kind in own:
        with pytest.raises(SystemExit) as stop:
            cli.main(["simulate", kind, "--help"])
        shown = capsys.readouterr().out
        assert stop.value.code == 0
        assert [option for option in own.values() if option in shown] == [own[kind]]


def test_the_kinds_are_listed(capsys):
    cli.main(["simulate"])
    listed = capsys.readouterr().out
    assert all(f"  {kind} " in listed for kind in COMMANDS)
    with pytest.raises(SystemExit):
        cli.main(["simulate", "forest", "out"])
    assert (
        "called 'forest'. Give one of clips, radio, soundscapes, mixtures, stream, wrist."
        in capsys.readouterr().err
    )


def test_the_command_writes_what_the_function_does(tmp_path, capsys):
    given = ["--num-train", "2", "--num-test", "1", "--num-words", "3", "--seed", "5"]
    cli.main(["simulate", "mixtures", str(tmp_path / "command"), *given])
    assert "2 + 1 clips" in capsys.readouterr().out
    write_mixtures(tmp_path / "function", **KINDS["mixtures"][1], seed=5)
    assert contents(tmp_path / "command") == contents(tmp_path / "function")
    clip = soundfile.info(tmp_path / "command" / "test" / "test_00000.wav")
    assert (clip.samplerate, clip.frames, clip.channels, clip.subtype) == (16000, 16000, 1, "PCM_16")
