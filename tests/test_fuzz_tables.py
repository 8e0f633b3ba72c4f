"""Whatever is in a picture, a table, an array or a folder: it is read, or a UserError says why not."""

import io
import os
import resource
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from checking import check_folder
from PIL import Image

from tfspec.base.errors import UserError
from tfspec.data.sources.annotations import list_annotations
from tfspec.data.sources.class_folders import from_class_folders
from tfspec.data.sources.columns import found_columns
from tfspec.data.sources.file_tables import inspect_file_table
from tfspec.data.sources.mixtures import list_mixtures, write_predictions
from tfspec.data.sources.picture_files import MAX_PIXELS, load_picture
from tfspec.data.sources.picture_folders import list_picture_folders
from tfspec.data.sources.pictures import read_table
from tfspec.data.sources.windows import DICTIONARY, WindowReader, inspect_windows, list_windows
from tfspec.data.tables import LINE_CHARACTERS, read_any_table, read_csv

LONGEST_ERROR = 4000
SPECIAL = [
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b'"',
    b",",
    b"\r",
    b"\n",
    b"\x1b[2J",
    b"nan",
    b"1e999",
    b"9" * 500,
]
SPECIAL += [
    b"-1",
    b"a" * 200_000,
    b"\xed\xa0\x80",
    struct.pack(">I", 2**31),
    struct.pack("<Q", 2**63 - 1),
    b"{",
    b"(",
]

ANNOTATIONS = b"recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max\na,14,1,0,0,1,9\nb,1,1,2,0,3,9\n"
FILES = b"file\tlabels\tstart\tend\tsplit\na.wav\tdog;cat\t0\t1\ttrain\nb\tdog\t0.5\t\ttest\n"
SHARES = b"file,yes,no\na,0.5,0.5\nb.wav,1,0\n"
DICTIONARIES = {DICTIONARY: b"annotation,label\nwalk,w\nsit,s\n"}
PICTURES = (",".join([*map(str, range(8192)), "labels"]) + "\n" + "0.5," * 8192 + "A\n").encode()


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def png(shape=(10, 20), mode=None) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.resize(np.arange(251, dtype=np.uint8), shape), mode).save(file, "PNG")
    return file.getvalue()


ARRAYS = {
    "X": npy(np.zeros((2, 4, 3), np.float32)),
    "Y": npy(["walk", "sit"]),
    "T": npy(np.array(["2020-01-01", "2020-01-02"], "datetime64[s]")),
    "pid": npy(np.array([b"P1", b"P2"])),
}


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Damage some bytes: change, cut, double, or put in what has a meaning."""
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(content) + 1) * rng.choice([1, min(1, 150 / max(1, len(content)))]))
        other = int(rng.integers(len(content) + 1))
        insert = (
            SPECIAL[rng.integers(len(SPECIAL))] if rng.random() < 0.5 else rng.bytes(int(rng.integers(1, 5)))
        )
        content = [
            content[:place] + insert + content[place:],
            content[:place] + insert + content[place + len(insert) :],
            content[:place],
            content[:place] + content[min(place, other) :],
        ][rng.choice(4, p=[0.3, 0.5, 0.1, 0.1])]
    return content


def read_or_refused(read, *arguments) -> str | None:
    """Return the error's message; whatever else is raised, or warned of, fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            read(*arguments)
        except UserError as error:
            assert len(str(error)) < LONGEST_ERROR
            assert "\x1b" not in str(error)
            return str(error)
    return None


def annotations(folder):
    list_annotations(folder / "some.csv", folder, 1)


def shares(folder):
    list_mixtures(folder / "some.csv", folder, 4000, 4000)
    write_predictions(folder / "out.csv", folder / "some.csv", ["a.wav", "b.wav"], ["yes", "no"], np.eye(2))


def pictures(folder):
    read_table(folder / "some.csv", ["A", "B"], folder / "kept")


def picture(folder):
    assert load_picture(folder / "some.png").shape == (64, 128)


def windows(folder):
    manifest = list_windows(folder, "label")
    WindowReader(folder / "X.npy")(manifest)
    inspect_windows(folder, manifest)


def files(folder):
    table = read_any_table(folder / "some.tsv")
    inspect_file_table(table, found_columns(table), folder)


KINDS = {
    "files": (files, {"some.tsv": FILES}),
    "annotations": (annotations, {"some.csv": ANNOTATIONS}),
    "shares": (shares, {"some.csv": SHARES}),
    "pictures": (pictures, {"some.csv": PICTURES}),
    "grey": (picture, {"some.png": png()}),
    "colour": (picture, {"some.png": png((10, 20, 4), "RGBA")}),
    "windows": (
        windows,
        {f"{name}.npy": array for name, array in ARRAYS.items()} | DICTIONARIES,
    ),
}


def fuzz(kind: str, folder: Path, times: int, seed: int):
    read, files = KINDS[kind]
    rng = np.random.default_rng(seed)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    assert read_or_refused(read, folder) is None
    for _ in range(times):
        name = [*files][rng.integers(len(files))]
        (folder / name).write_bytes(mutated(files[name], rng))
        read_or_refused(read, folder)
        (folder / name).write_bytes(files[name])


@pytest.fixture
def folder(tmp_path):
    """Two recordings."""
    import soundfile

    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(16000), 4000)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused(kind, folder):
    fuzz(kind, folder, 80, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2, 6))
def test_damaged_files_are_read_or_refused_for_longer(kind, seed, folder):
    fuzz(kind, folder, 300, seed)


# What is no file, by intention


def make_fifo(path):
    os.mkfifo(path)


def make_device(path):
    path.symlink_to("/dev/zero")


def make_folder(path):
    path.mkdir()


def make_dangling(path):
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [make_fifo, make_device, make_folder, make_dangling])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_and_not_read(kind, make, folder):
    read, files = KINDS[kind]
    for name in files:
        for other, content in files.items():
            if other != name:
                (folder / other).write_bytes(content)
        (folder / name).unlink(missing_ok=True)
        make(folder / name)
        assert read_or_refused(read, folder) is not None
        (folder / name).rmdir() if make is make_folder else (folder / name).unlink()


# Small files that ask for much memory


def header_png(width: int, height: int, depth: int = 8, colour: int = 2, rows: int = 0) -> bytes:
    """Make a PNG file whose header says one thing and that holds so many rows of zeros."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    pixels = zlib.compress(bytes(rows * (1 + width * depth * {0: 1, 2: 3, 6: 4}.get(colour, 1) // 8)))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def megabytes_more(read, *arguments) -> tuple[float, str | None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = read_or_refused(read, *arguments)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, message


@pytest.mark.parametrize(
    ("size", "rows"),
    [
        ((20_000, 10_000), 100),
        ((2**31 - 1, 1), 0),
        ((2**32 - 1,) * 2, 0),
        ((0, 0), 0),
        ((5000, 0), 0),
        ((4097, 4096), 0),
    ],
)
def test_a_picture_s_size_is_read_before_its_pixels(tmp_path, size, rows):
    (tmp_path / "some.png").write_bytes(header_png(*size, rows=rows))
    more, message = megabytes_more(picture, tmp_path)
    assert f"{size[0]} pixels wide and {size[1]} high" in message
    assert str(MAX_PIXELS) in message
    assert more < 50


@pytest.mark.parametrize("kind", ["annotations", "shares", "pictures"])
@pytest.mark.parametrize("after", [b"", ANNOTATIONS, SHARES, PICTURES])
def test_a_line_without_an_end_is_not_read(kind, after, folder):
    with (folder / "some.csv").open("wb") as file:
        file.write(after)
        file.truncate(2**31)  # takes no place on the disk
    more, message = megabytes_more(KINDS[kind][0], folder)
    assert message is not None
    assert more < 100


@pytest.mark.parametrize(
    "cell", ["x" * 100_000, "x" * 300_000, '"' + "x\n" * 400_000, "7" * 100_000, "1," * 300_000]
)
@pytest.mark.parametrize("kind", ["annotations", "shares", "pictures"])
def test_long_cells_are_not_echoed(kind, cell, folder):
    table = KINDS[kind][1]["some.csv"].decode()
    for changed in (
        table.replace("A\n", cell + "\n"),
        table.replace("0.5", cell, 1),
        table + cell,
        cell + table,
    ):
        (folder / "some.csv").write_text(changed)
        read_or_refused(KINDS[kind][0], folder)


@pytest.mark.parametrize(
    "content", [b"", b"a", b"\xff\xfea\0,\0b\0", b"\x1f\x8b\x08" + bytes(100), b"PK\3\4", b"a,a\n1,2\n"]
)
def test_what_is_no_table(tmp_path, content):
    (tmp_path / "some.csv.gz").write_bytes(content)
    assert read_or_refused(read_csv, tmp_path / "some.csv.gz") is not None
    assert LINE_CHARACTERS > 25 * 8193


def npy_header(text: str) -> bytes:
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize(
    "content",
    [
        *(
            npy_header(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}")
            for descr, order, shape in [
                ("'<f4'", False, (2**40, 600, 3)),
                ("'<f4'", False, (2**62, 2**62, 3)),
                ("'<f4'", False, (-1, 2, 3)),
                ("'<f4'", False, "(" * 40),
                ("'<f4'", "None", (1,)),
                ("'|O'", False, (2,)),
                ("[('a', '<f4')]", False, (2,)),
                ("'<U1000000000'", False, (2,)),
                ("'<M8'", False, (2,)),
                ("'nonsense'", False, (2,)),
                ("'<f4'", False, "(1, {})"),
            ]
        ),
        b"\x93NUMPY\1\0",
        b"\x93NUMPY\x09\0" + bytes(100),
        b"PK\3\4" + bytes(100),
        npy(np.array([1, None])),
        npy(np.array(["NaT", "NaT"], "M8[s]")),
        npy(np.array([2**62, -(2**62)], "M8[Y]")),
        npy(np.array([b"\xff\xfe", b"b"])),
        npy(np.array([0x110000, 5], "<u4")).replace(b"'<u4'", b"'<U1'"),
        npy(np.array(["a\x1b", "b"])),
        npy(np.zeros((2, 0, 3), np.float32)),
        npy(np.zeros((), np.float32)),
        npy(np.array(["", ""], "U")),
    ],
    ids=lambda content: repr(content[10:70]),
)
def test_arrays_with_other_headers(name, content, tmp_path):
    for file, whole in KINDS["windows"][1].items():
        (tmp_path / file).write_bytes(whole)
    (tmp_path / f"{name}.npy").write_bytes(content)
    read_or_refused(windows, tmp_path)


def test_names_of_any_bytes(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(60):
        name = rng.bytes(int(rng.integers(1, 30))).replace(b"/", b"").replace(b"\0", b"")
        folder = os.fsencode(tmp_path) + b"/" + name if number % 2 else os.fsencode(tmp_path / "a")
        try:
            Path(os.fsdecode(folder)).mkdir(exist_ok=True)
            Path(
                os.fsdecode(folder + b"/" + name + rng.choice([b".wav", b".png", b".txt", b""]))
            ).write_bytes(b"x")
        except (OSError, ValueError):
            continue
    assert len(from_class_folders(tmp_path)) > 5
    read_or_refused(check_folder, tmp_path)
    read_or_refused(from_class_folders, tmp_path, ("a", "b"))
    read_or_refused(list_picture_folders, tmp_path, ["A", "B"])
