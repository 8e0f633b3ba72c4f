"""Listening: streaming files hop by hop, other models slid, recordings, pipes and microphones."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
import types

import numpy as np
import pytest
import soundfile
from endless import Silence
from hypothesis import example, given, settings
from hypothesis import strategies as st
from streaming_files import CLASSES, HOP, HOPS, RATE, expected, write_streaming

from tfspec import UserError
from tfspec.audio.decoding import audio_blocks, hops_of
from tfspec.cli.main import main
from tfspec.export.streaming_file import DetectorSettings, read_facts, write_facts
from tfspec.export.streaming_runner import load_streaming
from tfspec.inference.listening import listen, load_listener, stream_probabilities
from tfspec.inference.sliding import SlidingClassifier
from tfspec.inference.streams import stream_blocks

LENGTH = HOP * HOPS


class MeanModel:
    """Does with a clip what the streaming file does with the last one of a stream."""

    class_names, signal_shape, sample_rate, takes = CLASSES, (LENGTH,), RATE, "recording"
    labels, thresholds = "one", None

    def probabilities(self, signal):
        mean = signal.mean(1)
        return np.stack([1 - np.abs(mean), np.maximum(mean, 0), np.maximum(-mean, 0)], 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A streaming model in a run's folder, and a recording in which one is up twice and down once."""
    folder = tmp_path_factory.mktemp("listen")
    write_streaming(folder / "export")
    write_streaming(folder / "stereo", channels=2)
    samples = np.zeros(5030, np.float32)
    for start, height in ((700, 0.75), (2000, -0.75), (3500, 0.75)):
        samples[start : start + 300] = height
    soundfile.write(folder / "a.wav", samples, RATE)
    return folder


HEARD = [(0.85, "up"), (2.15, "down"), (3.65, "up")]
"""Three of the four hops of a clip of 0.75 have a mean above a half."""


def _fails(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments)])
    captured = capsys.readouterr()
    assert (stop.value.code, captured.out, captured.err.count("\n")) == (2, "", 1)
    return captured.err


# Streaming files


def test_a_stream_gives_what_its_last_clips_give_and_again_after_a_reset(folder):
    samples = np.random.default_rng(0).uniform(-1, 1, 40 * HOP).astype(np.float32)
    model = load_streaming(folder / "export")
    for _ in range(2):
        given = [model.step(hop) for hop in samples.reshape(-1, HOP)]
        np.testing.assert_allclose(given, expected(samples), atol=1e-6)
        model.reset()


def test_states_may_be_whole_numbers(tmp_path):
    model = load_streaming(write_streaming(tmp_path, is_int8=True))
    samples = np.random.default_rng(0).uniform(-1, 1, (40, HOP)).astype(np.float32)
    given = [model.step(hop) for hop in samples]
    np.testing.assert_allclose(given, expected(samples.ravel()), atol=0.005)
    model.reset()
    np.testing.assert_allclose(model.step(np.zeros(HOP)), [1, 0, 0], atol=1e-6)


def test_two_streams_do_not_disturb_each_other(folder):
    first, second = (load_streaming(folder / "export" / f"streaming.{each}") for each in ("json", "tflite"))
    first.step(np.ones(HOP))
    np.testing.assert_allclose(second.step(np.zeros(HOP)), [1, 0, 0])


def test_several_channels(folder):
    model = load_streaming(folder / "stereo")
    np.testing.assert_allclose(model.step(np.full((HOP, 2), 1.0)), [0.75, 0.25, 0])
    with pytest.raises(UserError, match=r"shape \(50, 2\)\. Received: one of shape \(50,\)"):
        model.step(np.zeros(HOP))


def test_what_is_not_finite_counts_as_zero_and_poisons_nothing(folder):
    model = load_streaming(folder / "export")
    hop = np.ones(HOP)
    hop[:3] = np.nan, np.inf, -np.inf
    model.step(hop)
    assert model.not_finite == 3
    assert np.isfinite([model.step(np.zeros(HOP)) for _ in range(5)]).all()
    model.reset()
    assert model.not_finite == 0


def test_a_file_that_does_not_fit_its_facts_is_refused(folder, tmp_path):
    facts = read_facts(folder / "export" / "streaming.json")
    (tmp_path / "streaming.tflite").write_bytes((folder / "export" / "streaming.tflite").read_bytes())
    wrong = [
        ({"states": ()}, "takes samples, state_0, and should take samples"),
        ({"hop_samples": 60}, r"its samples has float32 of shape \(1, 50\), and should have"),
        ({"classes": ("a", "b")}, "its probabilities has"),
    ]
    for changed, said in wrong:
        write_facts(tmp_path / "streaming.json", facts.__class__(**{**vars(facts), **changed}))
        with pytest.raises(UserError, match=said):
            load_streaming(tmp_path)
    write_facts(tmp_path / "streaming.json", facts)
    (tmp_path / "streaming.tflite").write_bytes(b"\0\0\0\0TFL3" + bytes(100))
    with pytest.raises(UserError, match="cannot be used as a streaming model"):
        load_streaming(tmp_path)


def test_nothing_of_tensorflow_is_imported(folder):
    program = "import sys; from tfspec.cli.main import main; main(sys.argv[1:]); " + (
        "assert not {'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", program, "listen", str(folder), str(folder / "a.wav")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 3
    assert done.stderr == ""


# Any other model


@given(st.integers(1, 3 * LENGTH), st.integers(0, 3 * LENGTH))
def test_a_slid_model_classifies_the_last_window_at_each_hop(hop, length):
    samples = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    model = SlidingClassifier(MeanModel(), hop / RATE)
    given = stream_probabilities(model, [samples])
    padded = np.append(np.zeros(LENGTH, np.float32), samples)
    ends = range(hop, length + 1, hop)
    windows = [padded[end : end + LENGTH] for end in ends]
    assert given.shape == (len(windows), 3)
    if windows:
        np.testing.assert_allclose(given, MeanModel().probabilities(np.stack(windows)), atol=1e-6)
    full = [end >= LENGTH for end in ends]
    assert full == [number >= model.warm_up_hops for number in range(len(windows))]


def test_a_slid_model_refuses_whole_numbers():
    with pytest.raises(UserError, match=r"floats in −1…1\. Received: int16"):
        stream_probabilities(SlidingClassifier(MeanModel()), [np.zeros(LENGTH, np.int16)] * 3)


def test_a_slid_model_hears_what_the_streaming_file_does(folder):
    slid = SlidingClassifier(MeanModel(), HOP / RATE)
    chosen = DetectorSettings(0.5, 0, 0.5)
    of_both = [
        [*listen(model, audio_blocks(folder / "a.wav", RATE), chosen)]
        for model in (slid, load_listener(folder))
    ]
    assert [[(each.time, each.label) for each in heard] for heard in of_both] == [HEARD, HEARD]


def test_own_thresholds_of_classes_that_can_hold_at_once():
    model = MeanModel()
    model.thresholds = (0.25, 0.5, 0.75)
    assert SlidingClassifier(model).detector.threshold == {"up": 0.5, "down": 0.75}


def test_the_warm_up_is_not_listened_to(folder):
    model = load_listener(folder)
    (heard,) = listen(model, [np.ones(LENGTH, np.float32)], DetectorSettings(0, 0, 0))
    assert heard.time == LENGTH / RATE


@given(st.lists(st.integers(0, 120), max_size=6), st.integers(1, 70))
def test_hops_are_cut_from_blocks_of_any_length(lengths, hop):
    whole = np.arange(sum(lengths), dtype=np.float32)
    blocks = np.split(whole, np.cumsum(lengths)[:-1]) if lengths else []
    given = [*hops_of(blocks, hop)]
    assert all(len(each) == hop for each in given)
    assert np.concatenate([*given, whole[:0]]).tolist() == whole[: len(whole) // hop * hop].tolist()


@settings(max_examples=10)
@given(st.integers(1, 200), st.sampled_from([("s16le", "<i2", 2**15), ("f32le", "<f4", 1)]))
@example(91, ("s16le", "<i2", 2**15))
def test_raw_samples_come_in_blocks(size, kind):
    name, stored, full = kind
    samples = np.random.default_rng(size).uniform(-1, 1, 500).astype(np.float32)
    if full > 1:  # next to 1, a sample would be rounded to what 16 bits have not, and come out as -1
        content = np.round(samples * full).clip(-full, full - 1).astype(stored)
    else:
        content = samples.astype(stored)
    blocks = [*stream_blocks(io.BytesIO(content.tobytes() + b"\1"), name, size)]
    assert len(blocks) == 500 // size
    np.testing.assert_allclose(
        np.concatenate([*blocks, samples[:0]]), samples[: len(blocks) * size], atol=1e-4
    )


# The command


def test_events_of_a_recording(folder, tmp_path, capsys):
    main(["listen", str(folder), str(folder / "a.wav"), "--out", str(tmp_path / "events.csv")])
    assert capsys.readouterr().out.splitlines()[1] == "2.15 s: down (56.2%)"
    main(["listen", str(folder), str(folder / "a.wav"), "--out", str(tmp_path / "events.txt"), "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["time"], line["label"]) for line in lines] == HEARD
    rows = (tmp_path / "events.csv").read_text().splitlines()
    assert rows[0] == "time,label,score" and len(rows) == 4
    assert (tmp_path / "events.txt").read_text().splitlines()[1] == "2.150000\t2.150000\tdown"


def test_options_go_before_the_model_s_own(folder, capsys):
    listening = ["listen", str(folder / "export" / "streaming.tflite"), str(folder / "a.wav"), "--json"]
    for options, number in (
        (["--threshold", "0.7"], 3),
        (["--threshold", "0.8"], 0),
        (["--classes", "down"], 1),
        (["--classes", "_silence_", "--refractory-seconds", "10"], 1),
        (["--refractory-seconds", "2"], 2),
        (["--smoothing-seconds", "1"], 0),
    ):
        main([*listening, *options])
        assert len(capsys.readouterr().out.splitlines()) == number, options


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{folder}"], "listen needs a recording, - for standard input, or --microphone"),
        (["{folder}", "a.wav", "--microphone"], "listen needs a recording"),
        (["{folder}", "nowhere.wav"], "nowhere.wav"),
        (["{folder}", "{folder}/a.wav", "--out", "a.json"], "must end in .csv or .txt"),
        (["{folder}", "{folder}/a.wav", "--hop-seconds", "1"], "hops of its own"),
        (["{folder}", "{folder}/a.wav", "--classes", "left"], "No class left. There are _silence_, up, down"),
        (["{folder}", "{folder}/a.wav", "--threshold", "2"], "threshold must be a number from 0 to 1"),
        (["{folder}/stereo", "{folder}/a.wav"], "2 channels"),
        (["nowhere", "a.wav"], "No model at nowhere"),
        (["nowhere/streaming.tflite", "a.wav"], "no such file"),
    ],
)
def test_user_errors_are_one_line(folder, capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in _fails(capsys, "listen", *(each.format(folder=folder) for each in arguments))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_pipe_is_told_while_it_comes_until_stopped(number, code, folder, tmp_path, monkeypatch, capsys):
    (samples, into), (lines, out) = os.pipe(), os.pipe()
    monkeypatch.setattr(sys, "stdin", open(samples))  # noqa: PTH123, SIM115
    monkeypatch.setattr(sys, "stdout", open(out, "w"))  # noqa: PTH123, SIM115
    rows, before = [], signal.signal(signal.SIGINT, signal.default_int_handler)

    def speak():
        """Give the next event only where the line of the one before has come."""
        with open(lines) as told:  # noqa: PTH123
            os.write(into, bytes(2 * LENGTH))
            for height in (0.75, -0.75):
                os.write(into, np.full(LENGTH, height * 2**15, "<i2").tobytes())
                rows.append(json.loads(told.readline()))
                os.write(into, bytes(2 * 10 * LENGTH))
            signal.pthread_kill(threading.main_thread().ident, number)

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        with pytest.raises(SystemExit) as stop:
            main(["listen", str(folder), "-", "--json", "--out", str(tmp_path / "events.csv")])
    finally:
        signal.signal(signal.SIGINT, before)
    speaker.join(10)
    assert stop.value.code == code
    assert [row["label"] for row in rows] == ["up", "down"]
    assert (tmp_path / "events.csv").read_text().count("\n") == 3


def test_an_empty_pipe_is_told(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "No samples came" in _fails(capsys, "listen", folder, "-")


def test_a_closed_pipe_is_told(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it of `tfspec … <&-`, and of some services
    assert "Standard input is closed" in _fails(capsys, "listen", folder, "-")


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "AIFF", "RF64"])
def test_a_file_that_comes_through_a_pipe_is_told(kind, folder, monkeypatch, capsys):
    soundfile.write(file := io.BytesIO(), np.zeros(1000), 8000, format=kind)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.getvalue())))
    said = _fails(capsys, "listen", folder, "-")
    assert "raw samples, but a" in said and "file came: give its name instead of -" in said


def test_a_stream_shorter_than_a_hop_is_told(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(2 * HOP - 2))))
    assert "shorter than the model's hop of 0.05 s" in _fails(capsys, "listen", folder, "-")
    soundfile.write(tmp_path / "short.wav", np.zeros(HOP - 1), RATE)
    assert "shorter than the model's hop" in _fails(capsys, "listen", folder, tmp_path / "short.wav")


def test_an_mp3_with_tags_that_comes_through_a_pipe_is_told(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ID3\4" + bytes(1000))))
    assert "an MP3 file came" in _fails(capsys, "listen", folder, "-")


def test_a_stream_in_which_nothing_can_be_found_is_told(folder, tmp_path, capsys):
    soundfile.write(tmp_path / "short.wav", np.zeros(LENGTH - 1), RATE)
    said = _fails(capsys, "listen", folder, tmp_path / "short.wav")
    assert "Nothing can be found in 0.15 s" in said and "has heard 0.2 s" in said
    soundfile.write(tmp_path / "short.wav", np.zeros(LENGTH), RATE)
    main(["listen", str(folder), str(tmp_path / "short.wav")])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_table_is_written_where_nobody_reads_the_lines(options, folder, tmp_path):
    """As of `tfspec listen … | head -1`: what has been heard until then is kept, and the end is quiet."""
    program = [sys.executable, "-c", "from tfspec.cli.main import main; main()"]
    command = [*program, "listen", folder, folder / "a.wav", "--out", tmp_path / "events.csv", *options]
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as lines:  # noqa: PTH123
        done = subprocess.run([*map(str, command)], stdout=lines, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
    assert (tmp_path / "events.csv").read_text().splitlines()[1].startswith("0.85,up")


def test_bad_samples_of_a_pipe_are_told(folder, monkeypatch, capsys, recwarn):
    samples = np.full(1000, 0.75, "<f4")
    samples[:5].view("<u4")[:] = 0x7F800001  # which computing tells, as what 16 bits look like may be
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(samples.tobytes())))
    main(["listen", str(folder), "-", "--input-format", "f32le"])
    captured = capsys.readouterr()
    assert captured.out.count("up") == 2
    assert "5 samples were NaN or infinite" in captured.err
    assert not recwarn.list


class FakeStream:
    """Stands for a microphone that hears noise, and loses some, until it is switched off."""

    blocks = 60

    def __init__(self, **options):
        assert options == {"samplerate": RATE, "blocksize": HOP, "channels": 1, "dtype": "float32"}
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def read(self, count):
        self.number += 1
        if self.number > self.blocks:
            raise KeyboardInterrupt
        return np.full((count, 1), 0.75, np.float32), self.number == 7


def test_a_microphone_is_listened_to_until_interrupted(folder, tmp_path, monkeypatch, capsys):
    fake = types.SimpleNamespace(InputStream=FakeStream, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    main(["listen", str(folder), "--microphone", "--out", str(tmp_path / "events.csv")])
    captured = capsys.readouterr()
    assert captured.out.count(": up (75.0%)") == 6  # each half second, from 0.2 to 2.95
    assert captured.err == "Samples were lost: the model takes longer than the sound.\n"
    assert (tmp_path / "events.csv").read_text().count("\n") == 7


def test_without_a_microphone_it_is_said_what_to_do(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "pip install 'tfspec[microphone]'" in _fails(capsys, "listen", folder, "--microphone")
    monkeypatch.delitem(sys.modules, "sounddevice")
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    assert "PortAudio: apt install" in _fails(capsys, "listen", folder, "--microphone")

    def refuse(**_):
        raise RuntimeError("Invalid sample rate [PaErrorCode -9997]")

    fake = types.SimpleNamespace(InputStream=refuse, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    said = _fails(capsys, "listen", folder, "--microphone")
    assert "cannot be used at 1000 Hz: Invalid sample rate" in said


def test_memory_stays_flat_however_long_the_stream(folder):
    model = load_listener(folder)
    blocks = stream_blocks(io.BufferedReader(Silence()), "s16le", HOP)
    heard = listen(model, blocks, DetectorSettings({"_silence_": 0.5}, 0, 10))
    tracemalloc.start()
    next(heard)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(30):  # five minutes
        next(heard)
    assert tracemalloc.get_traced_memory()[0] < before + 20_000
    tracemalloc.stop()
