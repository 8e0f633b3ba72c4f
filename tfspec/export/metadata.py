"""The class names and the sample rate inside a TFLite file, where other programs look for them.

The format is TFLite Model Metadata: a FlatBuffer in the model, and labels.txt appended to it as a zip. Its
schema is tensorflow_lite_support/metadata/metadata_schema.fbs in github.com/tensorflow/tflite-support. That
package stops at Python 3.11, so the few tables needed are written and read here, fields by number.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import flatbuffers
import numpy as np
from flatbuffers.number_types import Uint8Flags, Uint32Flags
from flatbuffers.table import Table

from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.files import file_problem
from tfspec.base.frames import EventRule, Frames, event_facts, read_event_facts
from tfspec.base.model import Labels, Takes
from tfspec.borrowed import tflite_tree
from tfspec.export.layers import packed, schema

ENTRY = b"TFLITE_METADATA"
LABELS_FILE, THRESHOLDS_FILE, EVENTS_FILE = "labels.txt", "thresholds.txt", "events.json"
LARGEST_LABELS = 2**24
"""Bytes of a list of labels."""
CHECKSUM_MARK = b"sha256:"
"""What begins the zip's comment in a file written here: a digest of all before it."""
CHECKSUM_BYTES = 71

# Numbers of the fields in the schema's tables.
MODEL_NAME, MODEL_DESCRIPTION, MODEL_SUBGRAPHS, MODEL_MIN_PARSER_VERSION = 0, 1, 3, 7
SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS = 2, 3
TENSOR_NAME, TENSOR_DESCRIPTION, TENSOR_CONTENT, TENSOR_STATS, TENSOR_FILES = 0, 1, 3, 5, 6
CONTENT_TYPE, CONTENT_PROPERTIES = 0, 1
AUDIO_SAMPLE_RATE, AUDIO_CHANNELS = 0, 1
STATS_MAX, STATS_MIN = 0, 1
FILE_NAME, FILE_DESCRIPTION, FILE_TYPE = 0, 1, 2
# Values of its enumerations.
FEATURE_PROPERTIES, AUDIO_PROPERTIES = 1, 4
DESCRIPTIONS, TENSOR_AXIS_LABELS = 1, 2
UNSAID = "signal"
"""Name of the input in a file that does not say what it takes."""


@dataclass(frozen=True)
class TFLiteMetadata:
    """What a TFLite file says of itself.

    Args:
        class_names: one a score, in order.
        sample_rate: samples per second of the signal; None where it is not audio.
        takes: where the signals come from; None where the file does not say it.
        thresholds: lowest probability at which each class holds; None where one class an example does.
        frames: where the frames lie of which it says what is heard in them; None where it has none.
        event_rule: how events are made of them.
    """

    class_names: tuple[str, ...]
    sample_rate: int | None
    takes: Takes | None = None
    thresholds: tuple[float, ...] | None = None
    frames: Frames | None = None
    event_rule: EventRule | None = None

    @property
    def labels(self) -> Labels:
        """Whether one class holds, or several can at once: there is nothing but the thresholds to tell."""
        return "one" if self.thresholds is None else "several"


def write_metadata(
    model: bytes,
    name: str,
    description: str,
    class_names: Sequence[str],
    sample_rate: int | None,
    takes: Takes | None = None,
    thresholds: Sequence[float] | None = None,
    frames: Frames | None = None,
    event_rule: EventRule | None = None,
) -> bytes:
    r"""Add metadata and labels.txt to a classifier, and a checksum of the whole as the zip's comment.

    Where several classes can hold at once there is a thresholds.txt beside labels.txt, one number a line.
    Where the model says what is heard in its frames, events.json holds when they are, as of `event_facts`.

    Args:
        model: a TFLite file with one input, the signal, and one output, (1, classes) probabilities; with
            frames another one, (1, frames, classes).
        name: the model's, for people.
        description: the model's, for people.
        class_names: one a score, in order.
        sample_rate: samples per second of the signal; None where it is not audio.
        takes: where the signals come from: the input's name in the metadata; None leaves it unsaid.
        thresholds: where several classes can hold at once, the lowest probability at which each does.
        frames: where the frames lie, if there are any.
        event_rule: how events are made of them.

    Returns:
        The new file, which computes what the model did. Metadata already there are replaced.

    Raises:
        UserError: a class name is empty or has a line break, the names do not fit the model's output, or the
            sample rate is no whole number above 0.

    Example:
        >>> import tensorflow as tf
        >>> softmax = tf.function(tf.nn.softmax).get_concrete_function(tf.TensorSpec([1, 2]))
        >>> model = tf.lite.TFLiteConverter.from_concrete_functions([softmax]).convert()
        >>> model = write_metadata(model, "pets", "Tells dogs from cats.", ["cat", "dog"], 16000)
        >>> zipfile.ZipFile(io.BytesIO(model)).read("labels.txt")
        b'cat\ndog\n'
    """
    for label in class_names:
        if label.splitlines() != [label]:
            raise UserError(f"class name {label!r} is empty or has a line break: rename it")
    if sample_rate is not None and not 0 < sample_rate < 2**32:
        raise UserError(f"sample_rate must be from 1 to 2**32 - 1, or None. Received: {sample_rate}")
    tree = tflite_tree(model)
    graph = tree.subgraphs[0]
    shapes = [tuple(map(int, graph.tensors[i].shape)) for i in graph.outputs]
    of_classes = all(shape[-1:] == (len(class_names),) for shape in shapes)
    if len(graph.inputs) != 1 or len(shapes) != (1 if frames is None else 2) or not of_classes:
        raise UserError(
            f"{len(class_names)} class names, {len(graph.inputs)} inputs and outputs of shapes {shapes}: "
            "give a model with one input and one output, and one name a score"
        )
    order = [frames is not None and len(shape) > 2 for shape in shapes]
    metadata = _pack(name, description, sample_rate, takes, thresholds is not None, order)
    facts = [] if frames is None or event_rule is None else [json.dumps(event_facts(frames, event_rule))]
    entry = schema.MetadataT()
    entry.name, entry.buffer = ENTRY, len(tree.buffers)
    tree.metadata = [old for old in tree.metadata or [] if old.name != ENTRY] + [entry]
    added = schema.BufferT()
    added.data = np.frombuffer(metadata, np.uint8)
    tree.buffers.append(added)
    file = io.BytesIO(packed(tree))
    with zipfile.ZipFile(file, "a") as archive:
        files = ((LABELS_FILE, class_names), (THRESHOLDS_FILE, thresholds or ()), (EVENTS_FILE, facts))
        for file_name, lines in files:
            if lines:  # a ZipInfo carries a fixed date: same model, same file
                archive.writestr(zipfile.ZipInfo(file_name), "".join(f"{line}\n" for line in lines))
        archive.comment = bytes(CHECKSUM_BYTES)
    content = file.getvalue()[:-CHECKSUM_BYTES]
    return content + _checksum(content)


def read_model(path: str | os.PathLike) -> bytes:
    """Read a TFLite file, and hold one that `write_metadata` wrote to its checksum.

    Args:
        path: the file.

    Returns:
        Its content.

    Raises:
        UserError: it cannot be read, is not a TFLite file or is damaged.

    Example:
        >>> read_model("missing.tflite")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: missing.tflite cannot be read: no such file
    """
    if problem := file_problem(path):
        raise UserError(f"{path} cannot be read: {problem}")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if data[4:8] != b"TFL3":
        raise UserError(f"{path} is not a TFLite file")
    if _has_checksum(data) and data[-CHECKSUM_BYTES:] != _checksum(data[:-CHECKSUM_BYTES]):
        raise UserError(f"{path} is damaged: it is not what was written; copy or export it again")
    return data


def metadata_of(model: bytes, path: str | os.PathLike) -> TFLiteMetadata:
    """Take the class names and the sample rate from a TFLite file's content, whichever program wrote them.

    Args:
        model: the content.
        path: where it was read, for messages.

    Returns:
        The metadata.

    Raises:
        UserError: they are damaged, or there are none or no labels.
    """
    with in_one_line(f"{path} is damaged", "copy or export it again"):
        metadata = _unpack(model)
    if metadata is None:
        raise UserError(
            f"{path} does not name its classes (TFLite metadata with labels): give an export's model.tflite. "
            "streaming.tflite is for `tfspec listen`, and what is in micro/ for firmware."
        )
    return metadata


def _checksum(content: bytes) -> bytes:
    return CHECKSUM_MARK + hashlib.sha256(content).hexdigest().encode()


def _has_checksum(data: bytes) -> bool:
    """Tell by the zip's end, which says how long its comment is, even if that is damaged or cut off."""
    end = data.rfind(b"PK\x05\x06")
    announced = end >= 0 and data[end + 20 : end + 22] == CHECKSUM_BYTES.to_bytes(2, "little")
    return announced or CHECKSUM_MARK in data[-CHECKSUM_BYTES:]


def _pack(
    name: str,
    description: str,
    sample_rate: int | None,
    takes: Takes | None,
    several: bool,
    of_frames: Sequence[bool],
) -> bytes:
    """Make the metadata's FlatBuffer, for outputs of signals, or of frames."""
    features = {CONTENT_TYPE: np.uint8(FEATURE_PROPERTIES), CONTENT_PROPERTIES: {}}
    audio = {AUDIO_SAMPLE_RATE: np.uint32(sample_rate or 0), AUDIO_CHANNELS: np.uint32(1)}
    labels = {
        FILE_NAME: LABELS_FILE,
        FILE_DESCRIPTION: "Names of the classes, one a line, in the order of the probabilities.",
        FILE_TYPE: np.uint8(TENSOR_AXIS_LABELS),
    }
    thresholds = {
        FILE_NAME: THRESHOLDS_FILE,
        FILE_DESCRIPTION: "Lowest probability at which each class holds, in the same order.",
        FILE_TYPE: np.uint8(DESCRIPTIONS),
    }
    signal = {
        TENSOR_NAME: takes or UNSAID,
        TENSOR_DESCRIPTION: "The raw signal.",
        TENSOR_CONTENT: features
        if sample_rate is None
        else {CONTENT_TYPE: np.uint8(AUDIO_PROPERTIES), CONTENT_PROPERTIES: audio},
    }
    probabilities = {
        TENSOR_NAME: "probabilities",
        TENSOR_DESCRIPTION: "The probability of each class"
        + (", several of which can hold at once." if several else "."),
        TENSOR_CONTENT: features,
        TENSOR_STATS: {STATS_MAX: np.ones(1, np.float32), STATS_MIN: np.zeros(1, np.float32)},
        TENSOR_FILES: [labels, thresholds] if several else [labels],
    }
    frame_times = {
        FILE_NAME: EVENTS_FILE,
        FILE_DESCRIPTION: "When the frames are, and from which probabilities on they are events, as JSON.",
        FILE_TYPE: np.uint8(DESCRIPTIONS),
    }
    frame_probabilities = {
        **probabilities,
        TENSOR_NAME: "frame_probabilities",
        TENSOR_DESCRIPTION: "The probability that each class is heard in each frame.",
        TENSOR_FILES: [labels, frame_times],
    }
    outputs = [frame_probabilities if each else probabilities for each in of_frames]
    metadata = {
        MODEL_NAME: name,
        MODEL_DESCRIPTION: description,
        MODEL_SUBGRAPHS: [{SUBGRAPH_INPUTS: [signal], SUBGRAPH_OUTPUTS: outputs}],
        # The schema's version that brought what is used here: AudioProperties are of 1.3.0.
        MODEL_MIN_PARSER_VERSION: "1.0.0" if sample_rate is None else "1.3.0",
    }
    builder = flatbuffers.Builder()
    builder.Finish(_write(builder, metadata), b"M001")
    return bytes(builder.Output())


def _write(builder: flatbuffers.Builder, value: str | np.ndarray | list | dict) -> int:
    """Write a string, an array, a list of tables, or a table as {field: value}; return where it is."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, np.ndarray):
        return builder.CreateNumpyVector(value)
    if isinstance(value, list):
        places = [_write(builder, item) for item in value]
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return builder.EndVector()
    # What a table points to must be complete before the table begins.
    fields = {i: item if isinstance(item, np.integer) else _write(builder, item) for i, item in value.items()}
    builder.StartObject(max(fields, default=-1) + 1)
    for i, field in fields.items():
        if isinstance(field, np.uint8):
            builder.PrependUint8Slot(i, int(field), 0)
        elif isinstance(field, np.uint32):
            builder.PrependUint32Slot(i, int(field), 0)
        else:
            builder.PrependUOffsetTRelativeSlot(i, field, 0)
    return builder.EndObject()


def _unpack(data: bytes) -> TFLiteMetadata | None:
    """Read a file's metadata; None where it has none or they name no labels."""
    model = schema.Model.GetRootAs(data, 0)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    for buffer in [model.Buffers(entry.Buffer()) for entry in entries if entry.Name() == ENTRY]:
        packed = bytes(buffer.DataAsNumpy())
        for graph in _tables(Table(packed, struct.unpack_from("<I", packed)[0]), MODEL_SUBGRAPHS):
            files = [f for scores in _tables(graph, SUBGRAPH_OUTPUTS) for f in _tables(scores, TENSOR_FILES)]
            for file in files:
                if file.GetSlot(_slot(FILE_TYPE), 0, Uint8Flags) == TENSOR_AXIS_LABELS:
                    labels = _lines(data, _text(file, FILE_NAME))
                    names = {_text(each, FILE_NAME) for each in files}
                    thresholds = _thresholds(data, len(labels), names)
                    of_signal = (labels, _sample_rate(graph), _takes(graph), thresholds)
                    return TFLiteMetadata(*of_signal, *_events(data, len(labels), names))
    return None


def _events(data: bytes, count: int, names: set[str]) -> tuple[Frames, EventRule] | tuple[None, None]:
    if EVENTS_FILE not in names:
        return None, None
    return read_event_facts(json.loads("\n".join(_lines(data, EVENTS_FILE))), count)


def _thresholds(data: bytes, count: int, names: set[str]) -> tuple[float, ...] | None:
    if THRESHOLDS_FILE not in names:
        return None
    thresholds = tuple(map(float, _lines(data, THRESHOLDS_FILE)))
    if len(thresholds) != count or not all(0 <= each <= 1 for each in thresholds):
        raise ValueError(f"{THRESHOLDS_FILE} must hold {count} numbers in 0…1")
    return thresholds


def _lines(data: bytes, name: str) -> tuple[str, ...]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if archive.getinfo(name).file_size > LARGEST_LABELS:
            raise ValueError(f"{name} is too large for labels")
        return tuple(archive.read(name).decode().splitlines())


def _sample_rate(graph: Table) -> int | None:
    for signal in _tables(graph, SUBGRAPH_INPUTS):
        content = _table(signal, TENSOR_CONTENT)
        if content and content.GetSlot(_slot(CONTENT_TYPE), 0, Uint8Flags) == AUDIO_PROPERTIES:
            audio = _table(content, CONTENT_PROPERTIES)
            return (audio and audio.GetSlot(_slot(AUDIO_SAMPLE_RATE), 0, Uint32Flags)) or None
    return None


def _takes(graph: Table) -> Takes | None:
    names = {_text(signal, TENSOR_NAME) for signal in _tables(graph, SUBGRAPH_INPUTS)}
    return next((takes for takes in get_args(Takes) if takes in names), None)


def _text(table: Table, field: int) -> str:
    offset = table.Offset(_slot(field))
    return table.String(table.Pos + offset).decode() if offset else ""


def _slot(field: int) -> int:
    """Where a table's list of fields has this one: two sizes stand before the first."""
    return 4 + 2 * field


def _table(table: Table, field: int) -> Table | None:
    offset = table.Offset(_slot(field))
    return Table(table.Bytes, table.Indirect(table.Pos + offset)) if offset else None


def _tables(table: Table, field: int) -> list[Table]:
    offset = table.Offset(_slot(field))
    if not offset:
        return []
    first = table.Vector(offset)
    return [Table(table.Bytes, table.Indirect(first + 4 * i)) for i in range(table.VectorLen(offset))]
