import contextlib
import errno
import hashlib
import io
import itertools
import os
import random
import socket
import socketserver
import stat
import struct
import threading
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from tfspec.base.errors import UserError
from tfspec.data import download
from tfspec.data.download import fetch_archive

CLIPS = {"clips/yes/1.wav": b"first", "clips/no/2.wav": b"second"}
FETCHED = {
    "clips.zip",
    "clips.zip.sha256",
    f"clips/{download.STAMP}",
    "clips/clips/yes/1.wav",
    "clips/clips/no/2.wav",
}


def zipped(members: dict, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Make a zip archive; the keys are names or ZipInfos."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def files_in(folder: Path) -> set[str]:
    """List everything, hidden files and empty folders too."""
    paths = [p for p in folder.rglob("*") if not (p.is_dir() and any(p.iterdir()))]
    return {p.relative_to(folder).as_posix() for p in paths}


class Server(ThreadingHTTPServer):
    """Serves `body` at every address but /missing.zip, and counts the requests."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = zipped(CLIPS)
        self.unsent = 0  # bytes that are promised and not sent
        self.stalls = False
        self.released = threading.Event()
        self.hits = Counter()

    def url(self, name: str = "clips.zip") -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.hits[self.path] += 1
        if self.path == "/missing.zip":
            return self.send_error(404)
        body = self.server.body
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - self.server.unsent])
        if self.server.stalls:
            self.server.released.wait(5)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


def fetch(server: Server, folder: Path, sha256: str | None = None) -> Path:
    return fetch_archive(server.url(), folder, sha256, progress=False)


def test_downloads_checks_unpacks_and_records(server, folder):
    content = fetch(server, folder)
    assert content == folder / "clips" / "clips"
    assert {name: (folder / "clips" / name).read_bytes() for name in CLIPS} == CLIPS
    assert (folder / "clips.zip").read_bytes() == server.body
    # The line that `sha256sum -c` reads.
    assert (folder / "clips.zip.sha256").read_bytes() == f"{sha256_of(server.body)}  clips.zip\n".encode()
    assert files_in(folder) == FETCHED


def test_second_use_neither_downloads_nor_unpacks(server, folder):
    first = fetch(server, folder)
    (first / "yes" / "1.wav").write_bytes(b"unpacking again would overwrite this")
    assert fetch(server, folder) == first
    assert server.hits == {"/clips.zip": 1}
    assert (first / "yes" / "1.wav").read_bytes().startswith(b"unpacking")


def test_archive_put_there_by_hand_needs_no_server(folder):
    folder.mkdir()
    (folder / "clips.zip").write_bytes(zipped(CLIPS))
    fetch_archive("http://nowhere.invalid/clips.zip", folder, progress=False)
    assert files_in(folder) == FETCHED


def test_downloading_the_same_archive_again_keeps_what_is_unpacked(server, folder):
    first = fetch(server, folder)
    (folder / "clips.zip").unlink()
    (first / "kept").touch()
    assert fetch(server, folder) == first
    assert server.hits == {"/clips.zip": 2}
    assert files_in(folder) == FETCHED | {"clips/clips/kept"}


def test_unpacks_again_if_the_folder_is_gone(server, folder):
    fetch(server, folder)
    (folder / "clips").rename(folder.with_name("elsewhere"))
    fetch(server, folder)
    assert server.hits == {"/clips.zip": 1}
    assert files_in(folder) == FETCHED


def test_archive_that_changed_on_the_server_is_refused(server, folder):
    fetch(server, folder)
    old, new = sha256_of(server.body), zipped({"clips/yes/1.wav": b"changed"})
    server.body = new
    (folder / "clips.zip").unlink()
    for _ in range(2):  # being refused once does not make it known
        with pytest.raises(UserError, match=r"clips\.zip\.sha256") as error:
            fetch(server, folder)
        assert old in str(error.value)
        assert sha256_of(new) in str(error.value)
        assert files_in(folder) == FETCHED - {"clips.zip"}
    assert (folder / "clips" / "clips" / "yes" / "1.wav").read_bytes() == b"first"


def test_deleting_the_record_accepts_the_change(server, folder):
    fetch(server, folder)
    server.body = zipped({"clips/yes/3.wav": b"changed"})
    (folder / "clips.zip").unlink()
    (folder / "clips.zip.sha256").unlink()
    fetch(server, folder)
    assert files_in(folder / "clips") == {download.STAMP, "clips/yes/3.wav"}
    assert (folder / "clips.zip.sha256").read_text().startswith(sha256_of(server.body))


def test_local_archive_that_was_tampered_with_is_refused(server, folder):
    fetch(server, folder)
    (folder / "clips.zip").write_bytes(zipped({"clips/yes/1.wav": b"tampered"}))
    with pytest.raises(UserError, match=r"clips\.zip\.sha256"):
        fetch(server, folder)
    assert server.hits == {"/clips.zip": 1}
    assert files_in(folder) == FETCHED
    assert (folder / "clips" / "clips" / "yes" / "1.wav").read_bytes() == b"first"


def test_record_in_capital_letters_is_read(server, folder):
    folder.mkdir()
    (folder / "clips.zip.sha256").write_text(f"{sha256_of(server.body).upper()} *clips.zip\r\n")
    fetch(server, folder)
    assert files_in(folder) == FETCHED


@pytest.mark.parametrize("damaged", ["", "clips.zip\n", "0" * 63 + "  clips.zip\n"])
def test_unreadable_record_is_refused_before_downloading(server, folder, damaged):
    folder.mkdir()
    (folder / "clips.zip.sha256").write_text(damaged)
    with pytest.raises(UserError, match=r"clips\.zip\.sha256"):
        fetch(server, folder)
    assert not server.hits
    assert files_in(folder) == {"clips.zip.sha256"}


def test_right_checksum_is_accepted_in_either_case(server, folder):
    fetch(server, folder, sha256_of(server.body).upper())
    assert files_in(folder) == FETCHED - {"clips.zip.sha256"}


@pytest.mark.parametrize("present", [False, True])
def test_wrong_checksum_is_refused_and_the_file_removed(server, folder, present):
    if present:
        folder.mkdir()
        (folder / "clips.zip").write_bytes(server.body)
    wrong = "0" * 64
    with pytest.raises(UserError, match=f"Expected: {wrong}. Received: {sha256_of(server.body)}"):
        fetch(server, folder, wrong)
    assert files_in(folder) == set()
    assert sum(server.hits.values()) == (not present)


def test_given_checksum_goes_before_the_record(server, folder):
    fetch(server, folder)
    server.body = zipped({"clips/yes/3.wav": b"changed"})
    (folder / "clips.zip").unlink()
    fetch(server, folder, sha256_of(server.body))
    assert files_in(folder / "clips") == {download.STAMP, "clips/yes/3.wav"}


def test_malformed_checksum_removes_nothing(server, folder):
    fetch(server, folder)
    with pytest.raises(UserError, match="64 hexadecimal digits"):
        fetch(server, folder, "abc")
    assert files_in(folder) == FETCHED


def test_broken_connection_leaves_nothing_and_the_next_try_works(server, folder):
    server.unsent = 50
    with pytest.raises(UserError, match=r"Cannot download .*IncompleteRead") as error:
        fetch(server, folder)
    assert server.url() in str(error.value)
    assert "\n" not in str(error.value)
    assert files_in(folder) == set()
    server.unsent = 0
    fetch(server, folder)
    assert files_in(folder) == FETCHED


def test_stalled_connection_times_out(server, folder, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.1)
    server.unsent, server.stalls = 50, True
    with pytest.raises(UserError, match="timed out"):
        fetch(server, folder)
    assert files_in(folder) == set()


def test_missing_on_the_server(server, folder):
    with pytest.raises(UserError, match="404") as error:
        fetch_archive(server.url("missing.zip"), folder, progress=False)
    assert server.url("missing.zip") in str(error.value)
    assert files_in(folder) == set()


def test_refused_connection(folder, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/clips.zip"
        with pytest.raises(UserError, match=r"(?i)refused") as error:
            fetch_archive(url, folder, progress=False)
    assert url in str(error.value)
    assert files_in(folder) == set()


@pytest.mark.parametrize("url", ["clips.zip", "ftp://127.0.0.1/clips.zip", "http:///clips.zip"])
def test_address_that_cannot_be_used(folder, url):
    with pytest.raises(UserError, match=f"Cannot download {url}"):
        fetch_archive(url, folder, progress=False)
    assert files_in(folder) == set()


@pytest.mark.parametrize("name", ["", ".zip", "..zip", "...zip", ".."])
def test_address_without_a_file_name(server, folder, name):
    with pytest.raises(UserError, match="names no file"):
        fetch_archive(server.url(name), folder, progress=False)
    assert not server.hits
    assert not folder.exists()


def symlink(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    "evil",
    [
        "../evil",
        "clips/../../evil",
        "/evil",
        "C:\\evil",
        "C:evil",
        "..\\evil",
        "clips\\..\\..\\evil",
        "\\evil",
        "\\\\host\\share\\evil",
        symlink("evil"),
    ],
    ids=lambda evil: getattr(evil, "filename", evil),
)
def test_unsafe_member_is_refused_by_name(server, folder, evil):
    server.body = zipped(CLIPS | {evil: "/etc/passwd"})
    with pytest.raises(UserError, match="not safe") as error:
        fetch(server, folder)
    assert repr(getattr(evil, "filename", evil)) in str(error.value)
    assert files_in(folder.parent) == set()


@pytest.mark.parametrize("name", ["..clips/a.wav", "clips/a..b.wav", "clips/.hidden", "clips/ü ?.wav"])
def test_odd_but_safe_names_are_unpacked(server, folder, name):
    server.body = zipped({name: b"content"})
    fetch(server, folder)
    assert (folder / "clips" / name).read_bytes() == b"content"


def with_bad_crc(archive: bytes) -> bytes:
    return archive.replace(b"second", b"sEcond")


def with_bad_stream(archive: bytes) -> bytes:
    start = archive.index(b"no/2.wav") + len(b"no/2.wav")
    return archive[:start] + b"\xff" * 4 + archive[start + 4 :]


def with_encryption_flag(archive: bytes) -> bytes:
    return _with_byte(archive, local_offset=6, value=1)


def with_unknown_compression(archive: bytes) -> bytes:
    return _with_byte(archive, local_offset=8, value=99)


def _with_byte(archive: bytes, local_offset: int, value: int) -> bytes:
    """Change a byte of the last member's headers; the central one has two bytes more before it."""
    changed = bytearray(archive)
    changed[archive.rindex(b"PK\3\4") + local_offset] = value
    changed[archive.rindex(b"PK\1\2") + local_offset + 2] = value
    return bytes(changed)


@pytest.mark.parametrize(
    ("damage", "compression"),
    [
        (with_bad_crc, zipfile.ZIP_STORED),
        (with_bad_stream, zipfile.ZIP_DEFLATED),
        (with_encryption_flag, zipfile.ZIP_STORED),
        (with_unknown_compression, zipfile.ZIP_STORED),
    ],
)
def test_damaged_or_encrypted_member_is_refused_by_name(server, folder, damage, compression):
    server.body = damage(zipped(CLIPS, compression))
    with pytest.raises(UserError, match=r"damaged or encrypted at 'clips/no/2\.wav'"):
        fetch(server, folder)
    assert files_in(folder) == set()


def test_what_is_no_zip_is_neither_kept_nor_recorded(server, folder):
    good, server.body = server.body, b"<html>Log in to the network</html>"
    with pytest.raises(UserError, match="not a whole zip archive"):
        fetch(server, folder)
    assert files_in(folder) == set()
    server.body = good
    fetch(server, folder)
    assert files_in(folder) == FETCHED


def test_damaged_archive_put_there_by_hand_is_left_and_not_recorded(folder):
    folder.mkdir()
    (folder / "clips.zip").write_bytes(with_bad_crc(zipped(CLIPS)))
    with pytest.raises(UserError, match="Delete the archive"):
        fetch_archive("http://nowhere.invalid/clips.zip", folder, progress=False)
    assert files_in(folder) == {"clips.zip"}


@pytest.mark.parametrize(
    ("members", "content"),
    [
        (["top/a.wav", "top/b/c.wav"], "clips/top"),
        (["top/a.wav", "__MACOSX/top/._a.wav", ".DS_Store"], "clips/top"),
        (["yes/a.wav", "no/b.wav"], "clips"),
        (["top/a.wav", "README"], "clips"),
        (["a.wav"], "clips"),
        ([], "clips"),
    ],
)
def test_single_top_folder_is_the_content(server, folder, members, content):
    server.body = zipped(dict.fromkeys(members, b""))
    assert fetch(server, folder) == folder / content
    assert fetch(server, folder) == folder / content


def test_address_without_suffix_and_with_a_query(server, folder):
    content = fetch_archive(server.url("clips?download=1"), folder, progress=False)
    assert content == folder / "clips" / "clips"
    assert files_in(folder) == FETCHED


def test_a_folder_of_the_users_is_never_replaced(server, folder):
    (folder / "clips").mkdir(parents=True)
    (folder / "clips" / "mine.wav").touch()
    with pytest.raises(UserError, match="did not come from there"):
        fetch(server, folder)
    assert not server.hits
    assert files_in(folder) == {"clips/mine.wav"}


def test_full_disk_while_unpacking(server, folder, monkeypatch):
    extract, calls = zipfile.ZipFile.extract, itertools.count()

    def fills_up(archive, member, path):
        if next(calls) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return extract(archive, member, path)

    monkeypatch.setattr(zipfile.ZipFile, "extract", fills_up)
    with pytest.raises(OSError, match="No space left"):
        fetch(server, folder)
    assert files_in(folder) == set()
    fetch(server, folder)
    assert files_in(folder) == FETCHED


def test_full_disk_while_downloading(server, folder, monkeypatch):
    def fills_up(response, file, *_):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_save", fills_up)
    with pytest.raises(OSError, match="No space left"):
        fetch(server, folder)
    assert files_in(folder) == set()


def test_progress_is_drawn_on_standard_error_only_and_only_in_a_terminal(server, folder, capsys, monkeypatch):
    fetch_archive(server.url(), folder.with_name("log"))
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(download, "has_bars", lambda: True)
    fetch_archive(server.url(), folder)
    shown = capsys.readouterr()
    assert "Downloading clips.zip" in shown.err
    assert f"{len(server.body)}/{len(server.body)} bytes" in shown.err
    assert "Unpacking" in shown.err
    assert not shown.out
    fetch_archive(server.url(), folder)  # nothing to do, nothing to draw
    fetch(server, folder.with_name("other"))
    assert capsys.readouterr() == ("", "")


class Talker(socketserver.ThreadingTCPServer):
    """Answers every request with what `talk` sends."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, talk):
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), self.handler(talk))

    def handler(self, talk):
        over = self.over

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    self.request.recv(65536)
                    talk(self.request.sendall, over)

        return Handler


@contextlib.contextmanager
def talking(talk):
    with Talker(talk) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/clips.zip"
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


def drips(begin: bytes, drop: bytes = b"x"):
    """Send a byte now and then for as long as anybody listens."""

    def talk(send, over):
        send(begin)
        while not over.wait(0.02):
            send(drop)

    return talk


def says(head: bytes, body: bytes):
    return lambda send, over: send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body)


GOOD = zipped(CLIPS)
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (drips(OK + b"Content-Length: 5000000\r\n\r\n"), "less than 60,000 bytes came in 0.3 s"),
        (drips(OK + b"\r\n"), "less than 60,000"),
        (drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), "less than 60,000"),
        (drips(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"), "less than 60,000"),
        (drips(OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b"), "Cannot download"),
        (drips(OK + b"x: "), "did not begin to send within 0.5 s"),
        (drips(b""), "did not begin|Cannot download"),
        (drips(b"HTTP/1.1 302 Found\r\nLocation: /clips.zip\r\n\r\n"), "more than 10 redirects"),
        (drips(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"), "did not begin"),
        (drips(b"HTTP/1.1 404 Not Found\r\n\r\n"), "404"),
    ],
)
def test_a_server_that_drips_is_given_up(folder, monkeypatch, talk, said):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "REPLY_SECONDS", 0.5)
    monkeypatch.setattr(download, "SLOWEST_SECONDS", 0.3)
    with talking(talk) as url, pytest.raises(UserError, match=said) as error:
        fetch_archive(url, folder, progress=False)
    assert url in str(error.value)
    assert files_in(folder) == set()


@pytest.mark.parametrize(
    "announced", [b"many", b"-5", b"", b"1e3", b"9" * 5000, b"5, 6", str(10 * len(GOOD)).encode(), b"7", b"0"]
)
def test_a_broken_length_is_an_error_or_the_whole_archive(folder, monkeypatch, announced):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with talking(says(b"Content-Length: " + announced, GOOD)) as url:
        try:
            fetch_archive(url, folder, progress=False)
        except UserError as error:
            assert url in str(error)
            assert files_in(folder) == set()
        else:
            assert files_in(folder) == FETCHED


@pytest.mark.parametrize("head", [b"Content-Length: 99999999", b"a: b"])
def test_what_is_too_large_is_refused(folder, monkeypatch, head):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "LARGEST_ARCHIVE", 100_000)

    def talk(send, over):
        send(OK + head + b"\r\n\r\n")
        while not over.is_set():
            send(bytes(1 << 16))

    with (
        talking(talk) as url,
        pytest.raises(UserError, match=r"100,000 (at most|bytes came, which is too much)"),
    ):
        fetch_archive(url, folder, progress=False)
    assert files_in(folder) == set()


def test_never_more_than_there_is_room_for(server, folder, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: shutil_usage(100))
    with pytest.raises(UserError, match=r"announced, and there may be 100 at most"):
        fetch(server, folder)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: shutil_usage(2000))
    server.body = zipped({"zeros": bytes(10_000)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match=r"would unpack to 10,000 bytes. There may be 2,000 at most"):
        fetch(server, folder)
    assert files_in(folder) == set()


def shutil_usage(free: int) -> SimpleNamespace:
    return SimpleNamespace(free=free)


def with_overlap(archive: bytes) -> bytes:
    """Let the last member's entry point to the first member's bytes."""
    changed = bytearray(archive)
    struct.pack_into("<L", changed, archive.rindex(b"PK\1\2") + 42, 0)
    return bytes(changed)


def with_announced_size(archive: bytes, size: int) -> bytes:
    changed = bytearray(archive)
    struct.pack_into("<L", changed, archive.rindex(b"PK\1\2") + 24, size)
    return bytes(changed)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (with_overlap(GOOD), "lies in another member"),
        (
            with_announced_size(zipped({"a": bytes(10**6)}, zipfile.ZIP_DEFLATED), 10),
            "damaged or encrypted at 'a'",
        ),
        (with_announced_size(GOOD, 2**32 - 2), "would unpack to 4,294,967,299 bytes"),
        (zipped({"a": bytes(10**6)}, zipfile.ZIP_BZIP2), "damaged .* compressed in another way"),
        (zipped({"a": bytes(10**6)}, zipfile.ZIP_LZMA), "damaged .* compressed in another way"),
        (zipped({str(number): b"" for number in range(11)}), "has 11 members. There may be 10"),
        (zipped({"a" * 300: b""}), "the name 'aaa.* is too long"),
        (zipped({"a/" * 600 + "b": b""}), "is too long"),
        (zipped({"ü" * 200: b""}), "is too long"),
        (zipped({"a": b"", "a/b": b""}), "damaged or encrypted at 'a/b'"),
        (zipped({"a/b": b"", "a": b""}), "damaged or encrypted at 'a'"),
        (zipped({"x" * 200 + str(number): b"" for number in range(9)}), "table of members has .* too much"),
    ],
)
def test_an_archive_that_would_be_too_much_is_refused(server, folder, monkeypatch, body, said):
    monkeypatch.setattr(download, "LARGEST_CONTENT", 2**31)
    monkeypatch.setattr(download, "MOST_MEMBERS", 10)
    monkeypatch.setattr(download, "LARGEST_DIRECTORY", 2000)
    server.body = body
    with pytest.raises(UserError, match=said):
        fetch(server, folder)
    assert files_in(folder) == set()


@pytest.mark.parametrize("name", ["clips.zip", "clips.zip.sha256"])
def test_what_is_no_file_is_not_read(folder, name):
    folder.mkdir()
    os.mkfifo(folder / name)
    with pytest.raises(UserError, match=f"{name} is not a file"):
        fetch_archive("http://nowhere.invalid/clips.zip", folder, progress=False)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_archives_are_one_error_or_unpacked(folder, seed):
    draw = random.Random(seed)
    body = bytearray(zipped(CLIPS, zipfile.ZIP_DEFLATED))
    for _ in range(draw.randint(1, 6)):
        body[draw.randrange(len(body))] = draw.randrange(256)
    folder.mkdir()
    (folder / "clips.zip").write_bytes(body)
    with contextlib.suppress(UserError):
        fetch_archive("http://nowhere.invalid/clips.zip", folder, progress=False)
        return
    assert files_in(folder) == {"clips.zip"}
