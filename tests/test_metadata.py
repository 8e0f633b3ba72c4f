import io
import struct
import time
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from tfspec.base.errors import UserError
from tfspec.export.metadata import CHECKSUM_BYTES, TFLiteMetadata, metadata_of, read_model, write_metadata

NAMES = ("да", "naïve café", " 犬 🐕", "no")


def convert(function, *specs):
    module = tf.Module()
    module.call = tf.function(function, input_signature=specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
    return converter.convert()


def classifier(width):
    first = np.random.default_rng(0).normal(size=(64, width)).astype(np.float32)
    second = np.random.default_rng(1).normal(size=(width, len(NAMES))).astype(np.float32) / 100

    def probabilities(signal):
        return tf.nn.softmax(tf.nn.relu(signal @ first) @ second)

    return convert(probabilities, tf.TensorSpec([1, 64], tf.float32))


@pytest.fixture(scope="module")
def model():
    return classifier(10)


def run(model, signal):
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], signal)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def saved(tmp_path, data):
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    return path


def read_file(path):
    return metadata_of(read_model(path), path)


def without_checksum(data):
    """Return the file as another program would have written it: the zip's comment empty."""
    return data[: -CHECKSUM_BYTES - 2] + bytes(2)


@pytest.mark.parametrize("sample_rate", [16000, 4_000_000_000, None])
def test_what_is_written_is_read(model, tmp_path, sample_rate):
    data = write_metadata(model, "name", "description", NAMES, sample_rate)
    assert read_file(saved(tmp_path, data)) == TFLiteMetadata(NAMES, sample_rate)


@pytest.mark.parametrize("takes", ["recording", "windows", "picture"])
def test_what_the_model_takes_is_read(model, tmp_path, takes):
    data = write_metadata(model, "", "", NAMES, 16000, takes)
    assert read_file(saved(tmp_path, data)).takes == takes


def test_thresholds_are_read_as_exactly_as_they_were(model, tmp_path):
    thresholds = (0.1, 1 / 3, 0.0, 1.0)
    data = write_metadata(model, "", "", NAMES, 16000, thresholds=thresholds)
    metadata = read_file(saved(tmp_path, data))
    assert (metadata.thresholds, metadata.labels) == (thresholds, "several")
    assert zipfile.ZipFile(io.BytesIO(data)).read("thresholds.txt").split()[1] == b"0.3333333333333333"
    with pytest.raises(UserError, match=r"thresholds\.txt must hold 4 numbers in 0…1"):
        read_file(saved(tmp_path, write_metadata(model, "", "", NAMES, 16000, thresholds=[0.5])))


def test_gives_the_same_numbers(model):
    signal = np.random.default_rng(2).normal(size=(1, 64)).astype(np.float32)
    before, after = run(model, signal), run(write_metadata(model, "", "", NAMES, 16000), signal)
    assert before.tobytes() == after.tobytes()
    assert np.ptp(before) > 0


def test_the_signature_stays(model):
    data = write_metadata(model, "", "", NAMES, 16000)
    before, after = (Interpreter(model_content=m).get_signature_list() for m in (model, data))
    assert before == after
    assert before["serving_default"]["inputs"] == ["signal"]


def test_any_unzip_finds_the_labels(model):
    with zipfile.ZipFile(io.BytesIO(write_metadata(model, "", "", NAMES, 16000))) as archive:
        (info,) = archive.infolist()
        assert archive.testzip() is None
        assert (info.filename, info.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert archive.read("labels.txt") == "да\nnaïve café\n 犬 🐕\nno\n".encode()


def test_buffers_are_aligned(model):
    tables = schema.Model.GetRootAs(write_metadata(model, "", "", NAMES, 16000), 0)
    buffers = [tables.Buffers(i) for i in range(tables.BuffersLength())]
    starts = [b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength()]
    assert len(starts) > 2
    assert not any(start % 16 for start in starts)


def test_same_model_same_file(model):
    assert write_metadata(model, "a", "b", NAMES, 16000) == write_metadata(model, "a", "b", NAMES, 16000)


def test_writing_again_replaces(model, tmp_path):
    once = write_metadata(model, "", "", NAMES, 16000)
    twice = write_metadata(once, "", "", NAMES[::-1], 8000)
    assert read_file(saved(tmp_path, twice)) == TFLiteMetadata(NAMES[::-1], 8000)
    assert zipfile.ZipFile(io.BytesIO(twice)).namelist() == ["labels.txt"]


def test_large_weights_are_fast():
    model = classifier(20_000)
    assert len(model) > 5_000_000
    start = time.perf_counter()
    data = write_metadata(model, "", "", NAMES, 16000)
    assert time.perf_counter() - start < 1  # 10 ms; byte by byte it is over 2 s
    signal = np.ones([1, 64], np.float32)
    assert run(data, signal).tobytes() == run(model, signal).tobytes()


@pytest.mark.parametrize("label", ["a\nb", "a\n", "a\r", "a\u2028b", ""])
def test_labels_that_are_not_one_line(model, label):
    with pytest.raises(UserError, match="is empty or has a line break"):
        write_metadata(model, "", "", [*NAMES[:3], label], 16000)


def test_labels_must_fit_the_model(model):
    with pytest.raises(UserError, match="3 class names"):
        write_metadata(model, "", "", NAMES[:3], 16000)
    two = convert(lambda x: (x, x + 1), tf.TensorSpec([1, 4], tf.float32))
    with pytest.raises(UserError, match="one output"):
        write_metadata(two, "", "", NAMES, 16000)


def test_a_model_without_metadata(model, tmp_path):
    with pytest.raises(
        UserError, match=r"does not name its classes .* streaming\.tflite is for `tfspec listen`"
    ):
        read_file(saved(tmp_path, model))


@pytest.mark.parametrize("data", [b"TFL3", b"a text file", bytes(100)])
def test_not_a_tflite_file(tmp_path, data):
    with pytest.raises(UserError, match="is not a TFLite file"):
        read_file(saved(tmp_path, data))


def test_what_is_no_file_with_content(tmp_path):
    for path, problem in (
        (tmp_path, "a folder"),
        (saved(tmp_path, b""), "empty file"),
        ("/dev/zero", "a device"),
    ):
        with pytest.raises(UserError, match=f"cannot be read: {problem}"):
            read_file(path)


def test_a_file_cut_short_anywhere(model, tmp_path):
    data = write_metadata(model, "", "", NAMES, 16000)
    for size in [*range(8, len(data), 7), *range(len(data) - 80, len(data))]:
        with pytest.raises(UserError):
            read_file(saved(tmp_path, data[:size]))


@pytest.mark.parametrize("number", [1, 3])
def test_any_damage_to_a_file_written_here_is_noticed(model, tmp_path, number):
    data = np.frombuffer(write_metadata(model, "", "", NAMES, 16000), np.uint8)
    random = np.random.default_rng(0)
    for _ in range(200):
        broken = data.copy()
        broken[random.integers(8, len(data), number)] ^= random.integers(1, 256, number, np.uint8)
        with pytest.raises(UserError, match="is damaged"):
            read_file(saved(tmp_path, broken.tobytes()))


def test_a_damaged_file_without_a_checksum(model, tmp_path):
    data = np.frombuffer(without_checksum(write_metadata(model, "", "", NAMES, 16000)), np.uint8)
    assert read_file(saved(tmp_path, data.tobytes())) == TFLiteMetadata(NAMES, 16000)
    random = np.random.default_rng(0)
    damaged = 0
    for _ in range(500):
        broken = data.copy()
        broken[random.integers(8, len(data), 3)] = random.integers(0, 256, 3)
        try:
            read_file(saved(tmp_path, broken.tobytes()))
        except UserError:
            damaged += 1
    assert 0 < damaged < 500


def test_labels_that_claim_gigabytes(model, tmp_path):
    data = bytearray(without_checksum(write_metadata(model, "", "", NAMES, 16000)))
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 20 : entry + 28] = struct.pack("<II", 2**31, 2**31)
    with pytest.raises(UserError, match="too large for labels"):
        read_file(saved(tmp_path, bytes(data)))


@pytest.mark.parametrize("sample_rate", [0, -1, 2**32])
def test_a_sample_rate_out_of_range(model, sample_rate):
    with pytest.raises(UserError, match="sample_rate must be from 1"):
        write_metadata(model, "", "", NAMES, sample_rate)


def test_a_missing_file():
    with pytest.raises(UserError, match=r"missing\.tflite cannot be read"):
        read_file("missing.tflite")
