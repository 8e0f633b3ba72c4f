"""The folder for a microcontroller: it compiles, passes its own test on two processors, and finds events."""

import ctypes
import json
import re
import shutil
import subprocess
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers
from microcontroller import (
    SOURCE,
    STRICT,
    needs_gcc,
    pointer,
    random_bytes,
    residual_network,
    shared_library,
    streamed_features,
)
from test_micro_front_end import LEAD, MEL, RATE, SAMPLES, signals, word_features

from tfspec import UserError
from tfspec.experiment.export import export_micro
from tfspec.export.micro import interpreter
from tfspec.export.micro.folder import LITERT_TOLERANCE, probabilities, quantized, write_micro
from tfspec.export.micro.graph import read_graph
from tfspec.export.micro.micro_model import MicroModel
from tfspec.export.micro.model_code import model_files
from tfspec.export.streamed import Streamed, rates_of
from tfspec.frontends import PCEN, Decibel, Log, MelSpectrogram

pytestmark = needs_gcc
HOP = 320
NAMES = ("_silence_", 'say "no"??/', "yé\\s", "%s")
needs_arm = pytest.mark.skipif(
    not all(map(shutil.which, ("arm-none-eabi-gcc", "qemu-system-arm"))),
    reason="needs gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm",
)
SANITIZED = [*STRICT, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


WARM_UP = 3


def model(features=None, clip=SAMPLES + LEAD, hop=HOP, **changes):
    front_end = keras.Sequential([keras.Input((clip,)), *(features or word_features())])
    given = {
        "front_end": front_end,
        "streamed": Streamed(front_end, rates_of(front_end, clip), clip, hop),
        "network": residual_network(),
        "hop_samples": hop,
        "sample_rate": RATE,
        "class_names": NAMES,
        "several_at_once": False,
        "thresholds": {NAMES[1]: 0.25, NAMES[2]: 0.5, NAMES[3]: 0.25},
        "smoothing_hops": 5,
        "refractory_hops": 10,
        "warm_up_hops": WARM_UP,
    }
    return MicroModel(**{**given, **changes})


def voice():
    return np.rint(signals()["voice"]).astype(np.int16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "micro"
    write_micro(folder, model(), voice())
    return folder


def made(folder, target, *flags, build="build"):
    command = [
        "make",
        "--silent",
        "-C",
        folder,
        f"BUILD={build}",
        f"CFLAGS={' '.join(flags or STRICT)}",
        target,
    ]
    finished = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


@pytest.mark.parametrize(
    "flags",
    [pytest.param(STRICT, marks=pytest.mark.slow, id="strict"), pytest.param(SANITIZED, id="sanitized")],
)
def test_passes_its_own_test(flags, folder, tmp_path):
    assert_passed(made(folder, "test", *flags, build=tmp_path))


def assert_passed(said):
    assert "50 hops" in said and "passed" in said
    assert "logits by 0 steps" in said or not interpreter.is_there()


def test_stays_in_its_buffers_when_bands_are_averaged(tmp_path):
    mel = MelSpectrogram(**{**MEL, "num_mel_bins": 80}, allow_empty_bands=True)
    features = [mel, Log(offset=1e-6), layers.AveragePooling2D((1, 2))]
    write_micro(tmp_path / "micro", model(features), voice())
    assert_passed(made(tmp_path / "micro", "test", *SANITIZED))


def test_rounding_of_what_is_nearly_silent_is_no_fault(tmp_path):
    """In decibels, bands beside a tone differ by more than 1e-3: rounding is at the level of the tone."""
    tone = 3000 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLES) / RATE) + np.rint(signals()["faint noise"])
    decibels = model([MelSpectrogram(**MEL), Decibel(dynamic_range_db=None)])
    write_micro(tmp_path / "micro", decibels, np.rint(tone).astype(np.int16))
    assert_passed(made(tmp_path / "micro", "test"))


@pytest.mark.parametrize(
    ("compression", "clip", "lead"),
    [
        (PCEN(RATE, 320), 8000, 0),
        pytest.param(Log(1e-6), 7990, -10, marks=pytest.mark.slow),
        pytest.param(Log(1e-6), 8064, 64, marks=pytest.mark.slow),
    ],
)
def test_frames_may_lie_apart(compression, clip, lead, tmp_path):
    """A memory of the mean is none of samples, and the first frame may begin after its hop does."""
    mel = MelSpectrogram(**{**MEL, "frame_length": 256, "frame_step": 320, "fft_length": 256})
    apart = model([mel, compression], clip, 640)
    assert apart.streamed.lead == lead
    write_micro(tmp_path / "micro", apart, voice())
    assert "passed" in made(tmp_path / "micro", "test", *SANITIZED)
    received = received_features(compiled_library(apart, tmp_path), 640)
    clip_ends = np.pad(voice() / np.float32(2**15), (max(0, lead), 0))[max(0, -lead) :]
    expected = np.asarray(apart.front_end(clip_ends[np.newaxis]))[0, :, :, 0]
    np.testing.assert_allclose(received, expected[: len(received)], rtol=0, atol=2e-5)


def received_features(library, hop):
    library.tfspec_reset()
    features = np.zeros((SAMPLES // hop, 2, 40), np.float32)
    for samples, computed in zip(voice().reshape(-1, hop), features, strict=True):
        library.tfspec_front_end(pointer(np.ascontiguousarray(samples)), pointer(computed))
    return features.reshape(-1, 40)


@needs_arm
def test_passes_its_own_test_on_a_microcontroller(folder, tmp_path):
    assert_passed(made(folder, "arm", build=tmp_path))


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("kernels.c", "(1 << 30)", "(1 << 29)"),
        ("front_end.c", "0.5f * (b[0] - a[0])", "0.5f * (a[0] - b[0])"),
        ("front_end.c", "x[i] * factor + addend;", "x[i] * factor * 1.01f + addend;"),
        ("front_end.c", "x[i] = x[i] * factor + addend;", "x[i] = (factor + addend) * NAN;"),
    ],
)
def test_its_own_test_notices(file, right, wrong, folder, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    text = (changed / file).read_text()
    assert right in text
    (changed / file).write_text(text.replace(right, wrong))
    finished = subprocess.run(["make", "-C", changed, "test"], capture_output=True, text=True, check=False)
    assert finished.returncode and "FAILED" in finished.stdout


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compiled_library(model(), tmp_path_factory.mktemp("library"))


def compiled_library(model, folder):
    for name, content in model_files(model).items():
        (folder / name).write_text(content, "utf-8")
    names = ("classifier", "detector", "front_end", "kernels", "mathematics")
    return shared_library(folder, folder / "model_data.c", *(SOURCE / f"{name}.c" for name in names))


@pytest.mark.parametrize("several_at_once", [False, True])
def test_steps_give_the_probabilities(several_at_once, tmp_path):
    library = compiled_library(model(several_at_once=several_at_once), tmp_path)
    graph = read_graph(residual_network())
    features = streamed_features(model().front_end, voice(), LEAD).reshape(-1, graph.features.size)
    logits = interpreter.run(residual_network(), quantized(features, graph.features))
    expected = probabilities(logits, graph.logits, several_at_once)
    for _ in range(2):
        library.tfspec_reset()
        received = np.array([stepped(library, hop) for hop in voice().reshape(-1, HOP)])
        # A feature that is the same but for the last bits may be rounded to another integer
        assert np.abs(received - expected).max() < 0.02 and np.mean(np.abs(received - expected) < 1e-6) > 0.9


def stepped(library, hop):
    hop, result = np.ascontiguousarray(hop), np.zeros(len(NAMES), np.float32)
    library.tfspec_step(pointer(hop), pointer(result))
    return result


def detected(library, rows):
    """Return the events after a warm-up, in which what would be one is none."""
    events, score = [], ctypes.c_float()
    library.tfspec_reset_detector()
    for _ in range(WARM_UP):
        assert library.tfspec_detect(pointer(np.eye(4, dtype=np.float32)[3]), ctypes.byref(score)) == -1
    for hop, row in enumerate(np.asarray(rows, np.float32)):
        label = library.tfspec_detect(pointer(np.ascontiguousarray(row)), ctypes.byref(score))
        assert (score.value > 0) == (label >= 0)
        events += [(hop, label, score.value)] * (label >= 0)
    return events


def expected_events(rows, thresholds, smoothing, refractory):
    """Find events as they are defined: in float32, the oldest first."""
    events, blocked = [], 0
    rows = np.asarray(rows, np.float32)
    for hop in range(len(rows)):
        ring = rows[max(0, hop + 1 - smoothing) : hop + 1]
        mean = np.cumsum(ring, axis=0)[-1] / np.float32(len(ring))
        if blocked:
            blocked -= 1
            continue
        reached = np.where(mean >= np.array(thresholds, np.float32), mean, -1)
        if reached.max() >= 0:
            events.append((hop, int(reached.argmax()), float(reached.max())))
            blocked = refractory
    return events


def test_events_are_as_defined(library):
    rows = np.random.default_rng(0).dirichlet([0.3] * 4, 400)
    events = detected(library, rows)
    assert events == expected_events(rows, [np.inf, 0.25, 0.5, 0.25], 5, 10)
    assert {label for _, label, _ in events} == {1, 2, 3}


def test_events_at_the_edges(library):
    # The first hops are averaged over those that have come; of two as high, the first; class 0 is unheard
    assert detected(library, [[0.5, 0.25, 0, 0.25]]) == [(0, 1, 0.25)]
    assert detected(library, [[0, 0, 0, 1]] * 23) == [(0, 3, 1.0), (11, 3, 1.0), (22, 3, 1.0)]
    assert detected(library, [[1, 0, 0, 0]] * 5 + [[0, 0, 1, 0]] * 5) == [(7, 2, pytest.approx(0.6))]


@pytest.fixture(scope="module")
def lines(library):
    library.tfspec_reset()
    rows = [stepped(library, hop) for hop in voice().reshape(-1, HOP)]
    return [
        f"{(hop + 1 + WARM_UP) * HOP / RATE:.2f} {NAMES[label]} {score:.3f}"
        for hop, label, score in detected(library, rows[WARM_UP:])
    ]


def test_listens_to_standard_input(folder, lines, tmp_path):
    made(folder, "all", build=tmp_path)
    said = subprocess.run([tmp_path / "listen"], input=voice().tobytes(), capture_output=True, check=True)
    assert lines and said.stdout.decode().splitlines() == lines


@needs_arm
def test_listens_on_a_microcontroller(folder, lines, tmp_path):
    command = ["make", "--silent", "-C", folder, f"BUILD={tmp_path}", "emulated"]
    said = subprocess.run(command, input=voice().tobytes(), capture_output=True, check=True)
    assert said.stdout.decode().splitlines() == lines


def test_says_what_it_takes(folder):
    facts = json.loads((folder / "micro.json").read_text("utf-8"))
    assert facts["classes"] == list(NAMES)
    assert facts["multiplications_per_hop"] == 5 * 40 * 16 + 5 * 16 + 16 * 4
    if interpreter.is_there():
        assert 0 < facts["tflite_micro_arena_bytes"] < 100_000
    if needs_arm.args[0]:
        assert facts["flash_bytes"] is None and "is not installed" in facts["not_measured"]["flash_bytes"]
    else:
        assert facts["flash_bytes"] < 20_000 and facts["ram_bytes"] < 8_000
        assert 1e6 < facts["instructions_per_second"] < 1e7


def test_litert_says_nearly_the_same(monkeypatch):
    features = random_bytes((2, 40, 1), 50)
    exact = interpreter.run(residual_network(), features)
    monkeypatch.setattr(interpreter, "is_there", lambda: False)
    by_litert = interpreter.run(residual_network(), features)
    assert np.abs(by_litert.astype(int) - exact).max() <= LITERT_TOLERANCE


def test_what_could_not_be_measured_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(interpreter, "is_there", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    facts = write_micro(tmp_path / "micro", model(), voice()[:HOP])
    unknown = {"flash_bytes", "ram_bytes", "instructions_per_second", "tflite_micro_arena_bytes"}
    assert facts["not_measured"].keys() == unknown == {name for name in facts if facts[name] is None}


def test_the_library_needs_little_of_others(folder):
    for path in folder.glob("*.[ch]"):
        if path.name not in ("main.c", "test.c", "count.c", "arm_start.c"):
            assert not re.search(r"alloc\(|stdio|\bdouble \w+ =", path.read_text("utf-8")), path


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_firmware_in_cpp_calls_the_library(folder, tmp_path):
    (tmp_path / "main.cc").write_text('#include "tfspec.h"\nvoid setup() { tfspec_reset(); }\n')
    command = ["g++", "-S", "-I", folder, tmp_path / "main.cc", "-o", tmp_path / "main.s"]
    subprocess.run(list(map(str, command)), check=True)
    called = re.findall(r"\w*tfspec_reset\w*", (tmp_path / "main.s").read_text("utf-8"))
    assert {*called} <= {"tfspec_reset", "_tfspec_reset"} and called  # as C calls it


def test_what_is_there_is_kept_until_all_is_written(folder, tmp_path):
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(UserError, match=r"320 samples or more\. Received: 319"):
        write_micro(folder, model(), voice()[:319])
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_file_in_its_place_is_said_before_anything_is_made(tmp_path):
    (tmp_path / "micro").touch()
    with pytest.raises(UserError, match="micro is no folder, where a folder is to be written"):
        export_micro(None, SimpleNamespace(folder=tmp_path))


def test_names_that_cannot_be_printed_are_refused():
    with pytest.raises(UserError, match="holds the character"):
        model(class_names=["no", "yes\n", "a", "b"])


def test_parts_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="does not fit"):
        write_micro(tmp_path / "micro", model(hop=160), voice())
    with pytest.raises(ValueError, match="too short"):
        shorter = MelSpectrogram(**{**MEL, "frame_length": 160, "fft_length": 256}, allow_empty_bands=True)
        write_micro(tmp_path / "micro", model(streamed=model([shorter]).streamed), voice())
