"""Fetching data sets: downloaded once, checked every time, unpacked whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import queue
import re
import shutil
import stat
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from tfspec.base.errors import UserError
from tfspec.base.files import HIDDEN_PREFIXES, written_beside
from tfspec.base.options import Sha256, check_options
from tfspec.base.progress import has_bars

if TYPE_CHECKING:
    from requests import Response, Session

MINI_SPEECH_COMMANDS_URL = (
    "https://storage.googleapis.com/download.tensorflow.org/data/mini_speech_commands.zip"
)

TIMEOUT_SECONDS = 30
"""Longest wait for the next byte."""
REPLY_SECONDS = 120
"""Longest wait for the beginning of the archive, redirects and all."""
SLOWEST_SECONDS, SLOWEST_BYTES = 60, 60_000
"""So many bytes must come in each such time."""
MOST_REDIRECTS = 10
LARGEST_ARCHIVE = 50 * 10**9
LARGEST_CONTENT = 500 * 10**9
LARGEST_DIRECTORY = 100 * 2**20
"""Bytes of the table of an archive's members, which is read whole."""
MOST_MEMBERS = 1_000_000
LONGEST_PART, LONGEST_NAME = 255, 1024
"""Bytes of a member's name, between slashes and in all."""
CHUNK = 1 << 16
# In the unpacked folder: the checksum of the archive it came from.
STAMP = ".unpacked_from_sha256"
# What zipfile lets through; RuntimeError is for what is encrypted or oddly compressed.
DAMAGE_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OverflowError)
OF_THE_ARCHIVE = (None, errno.EINVAL, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
"""Of damaged offsets, and of names that exclude each other; errors of other numbers are the disk's."""
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Of these, zipfile gives no more at a time than it is asked for; the others swell in memory."""


class _RefusedError(Exception):
    """A server that sends too much or too little."""


def fetch_archive(
    url: str, folder: str | os.PathLike, sha256: Sha256 | None = None, progress: bool = True
) -> Path:
    """Download a zip archive, check it and unpack it beside itself.

    An archive already in the folder, downloaded or put there by hand, is not downloaded again. Without
    `sha256`, the checksum of the first one is recorded in `<name>.zip.sha256` and every later one must match.
    Archives are told apart by file name: those of the same name belong in different folders.

    A server has two minutes to begin and must send 60 kB in each minute; an archive has at most 50 GB, a
    million members and, unpacked, 500 GB, but never more than there is room for on the disk.

    Args:
        url: where the archive is, over http or https.
        folder: where the archive and its content go; made if missing.
        sha256: the archive's checksum, 64 hexadecimal digits; the recorded one if None.
        progress: whether to draw bars on standard error.

    Returns:
        The folder with the content: the archive's only folder if it has just one, else the one around it.

    Raises:
        UserError: the archive cannot be downloaded, is too large or too slow, has another checksum, is
            damaged or encrypted, has a link or a member that would leave the folder, or a folder that is not
            its own stands in its place.
        OSError: a file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with zipfile.ZipFile(f"{folder}/clips.zip", "w") as archive:
        ...         archive.writestr("clips/yes/1.wav", b"")
        ...     content = fetch_archive("https://example.org/clips.zip", folder, progress=False)
        ...     content.relative_to(folder).as_posix()
        'clips/clips'
    """
    import pooch

    target = Path(folder, _stem(url))
    archive, record = target.with_name(f"{target.name}.zip"), target.with_name(f"{target.name}.zip.sha256")
    source = f"{archive} (from {url})"
    check_options(fetch_archive, {"sha256": sha256})
    expected = _recorded(record) if sha256 is None else sha256.lower()
    unpacked = _unpacked_from(target)
    if archive.exists() and not archive.is_file():
        raise UserError(f"{archive} is not a file. Remove it.")
    progress = progress and has_bars()
    with contextlib.nullcontext(archive) if archive.exists() else _downloaded(url, archive, progress) as file:
        digest = pooch.file_hash(str(file))
        if expected not in (None, digest):
            wrong = f"{source} has the wrong sha256. Expected: {expected}. Received: {digest}."
            if sha256 is None:
                raise UserError(
                    f"{wrong} The expected one was recorded in {record}. If you trust the new archive, "
                    "delete that record; otherwise delete the archive, if it is still there, and fetch again."
                )
            file.unlink()
            raise UserError(f"{wrong} The file was removed. Check the sha256 you gave, then fetch again.")
        if unpacked != digest:
            with written_beside(target) as part:
                _unpack(file, part, source, progress)
                (part / STAMP).write_text(digest)
    if expected is None:
        with written_beside(record) as part:
            part.write_text(f"{digest}  {archive.name}\n", "utf-8", newline="\n")
    return _content(target)


def _stem(url: str) -> str:
    stem = PurePosixPath(urlsplit(url).path).name.removesuffix(".zip")
    if not stem.strip("."):
        raise UserError(f"The address names no file. Give one that ends like /name.zip. Received: {url!r}")
    return stem


def _recorded(record: Path) -> str | None:
    if not record.exists():
        return None
    with _opened_file(record) as file:
        found = re.match(r"([0-9a-fA-F]{64})\s", file.read(CHUNK).decode("utf-8", "replace"))
    if not found:
        raise UserError(f"{record} does not begin with a sha256. Delete it to record the archive's anew.")
    return found[1].lower()


def _unpacked_from(target: Path) -> str | None:
    """Read which archive a folder was unpacked from, and refuse one that was not: it is the user's own."""
    if not target.exists():
        return None
    if not (target / STAMP).is_file():
        raise UserError(
            f"{target} stands where the archive would be unpacked, and did not come from there. "
            "Use it as it is, move it, or give another folder."
        )
    return (target / STAMP).read_text()


@contextlib.contextmanager
def _downloaded(url: str, archive: Path, progress: bool) -> Iterator[Path]:
    """Download to a temporary file that becomes `archive` if the block finds nothing wrong with it."""
    import requests
    import urllib3

    with written_beside(archive) as part:
        try:
            with requests.Session() as session, part.open("wb") as file:
                response = _begun(REPLY_SECONDS, lambda: _reply(session, url))
                with response:
                    _save(response, file, archive.name, _room(archive.parent, LARGEST_ARCHIVE), progress)
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            _RefusedError,
            UnicodeError,
        ) as error:
            raise UserError(f"Cannot download {url}: {error}") from None
        yield part


def _begun(seconds: float, work: Callable[[], Response]) -> Response:
    """Wait for what may never end, but not for ever."""
    done: queue.Queue = queue.Queue()

    def put():
        try:
            done.put((work(), None))
        except BaseException as error:
            done.put((None, error))

    threading.Thread(target=put, daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except queue.Empty:
        raise _RefusedError(f"the server did not begin to send within {seconds:g} s") from None
    if error is not None:
        raise error
    return result


def _reply(session: Session, url: str) -> Response:
    """Follow redirects to the archive without reading what else they say, which may have no end."""
    import requests

    # Asked for the next address, it would first read all that comes from this one
    session.resolve_redirects = lambda *_, **__: iter(())  # type: ignore[assignment, method-assign]
    for _ in range(MOST_REDIRECTS + 1):
        response = session.get(
            url,
            stream=True,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
            headers={"Accept-Encoding": "identity"},
        )
        if not response.is_redirect:
            response.raise_for_status()
            return response
        response.close()
        url = urljoin(url, session.get_redirect_target(response) or "")
    raise requests.TooManyRedirects(f"more than {MOST_REDIRECTS} redirects, the last one to {url}")


def _room(folder: Path, most: int) -> int:
    return min(most, shutil.disk_usage(folder).free)


def _save(response: Response, file: io.BufferedWriter, name: str, most: int, progress: bool) -> None:
    """Write what comes to a file, as long as enough comes and not too much."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn()
    announced = response.raw.length_remaining
    if (announced or 0) > most:
        raise _RefusedError(f"{announced:,} bytes are announced, and there may be {most:,} at most")
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task(f"Downloading {name}", total=announced)
        with _hurried(response, file.tell):
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                if file.tell() + len(chunk) > most:
                    raise _RefusedError(f"more than {most:,} bytes came, which is too much")
                file.write(chunk)
                bar.update(task, advance=len(chunk))


@contextlib.contextmanager
def _hurried(response: Response, received: Callable[[], int]) -> Iterator[None]:
    """End a connection, from beside what waits for its next byte, once too little comes."""
    over, slow = threading.Event(), threading.Event()

    def watch():
        before = received()
        while not over.wait(SLOWEST_SECONDS):
            if received() - before < SLOWEST_BYTES:
                slow.set()
                with contextlib.suppress(ValueError, RuntimeError, OSError):  # it has just ended by itself
                    response.raw.shutdown()
                return
            before = received()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except Exception:
        if not slow.is_set():
            raise
    finally:
        over.set()
        watcher.join()
    if slow.is_set():
        raise _RefusedError(f"less than {SLOWEST_BYTES:,} bytes came in {SLOWEST_SECONDS:g} s")


@contextlib.contextmanager
def _opened_file(path: Path) -> Iterator[io.BufferedReader]:
    """Open a regular file; anything else might never end."""
    if not path.is_file():
        raise UserError(f"{path} is not a file. Remove it.")
    with path.open("rb") as file:
        yield file


class _Bounded(io.FileIO):
    """A file of which zipfile reads the table of members only where that fits in memory."""

    def read(self, size: int | None = -1):
        """Read as usual, but never very much at a time."""
        if size is not None and size > LARGEST_DIRECTORY:
            raise zipfile.BadZipFile(f"its table of members has {size:,} bytes, which is too much")
        return super().read(size)


def _unpack(archive: Path, folder: Path, source: str, progress: bool):
    from rich.console import Console
    from rich.progress import track

    with contextlib.ExitStack() as opened:
        file = opened.enter_context(_Bounded(archive))
        with _damage_told(f"{source} is not a whole zip archive"):
            members = opened.enter_context(contents := zipfile.ZipFile(file)).infolist()
        _refuse_too_much(members, _room(archive.parent, LARGEST_CONTENT), source)
        for member in members:
            _refuse_unsafe(member, source)
        folder.mkdir()
        for member in track(members, "Unpacking", console=Console(stderr=True), disable=not progress):
            with _damage_told(f"{source} is damaged or encrypted at {member.filename!r}"):
                if member.compress_type not in COMPRESSIONS:
                    raise zipfile.BadZipFile("it is compressed in another way than zip archives usually are")
                contents.extract(member, folder)


@contextlib.contextmanager
def _damage_told(what: str) -> Iterator[None]:
    try:
        yield
    except (*DAMAGE_ERRORS, OSError) as error:
        if isinstance(error, OSError) and error.errno not in OF_THE_ARCHIVE:
            raise
        raise UserError(
            f"{what}: {error}. Nothing was unpacked. Delete the archive, if it is there, and fetch again."
        ) from None


def _refuse_unsafe(member: zipfile.ZipInfo, source: str):
    # A Windows path takes both slashes for separators and knows drives, so it finds what any system would.
    path = PureWindowsPath(member.filename)
    if path.drive or path.root or ".." in path.parts:
        raise UserError(f"{source} is not safe: {member.filename!r} would be unpacked outside of its folder.")
    lengths = [len(part.encode("utf-8", "replace")) for part in (member.filename, *path.parts)]
    if lengths[0] > LONGEST_NAME or max(lengths[1:], default=0) > LONGEST_PART:
        raise UserError(f"{source} is not safe: the name {member.filename[:50]!r}… is too long.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UserError(f"{source} is not safe: {member.filename!r} is a symbolic link.")


def _refuse_too_much(members: list[zipfile.ZipInfo], most: int, source: str):
    """Refuse an archive that would fill the disk, such as one whose members share their bytes."""
    if len(members) > MOST_MEMBERS:
        raise UserError(f"{source} has {len(members):,} members. There may be {MOST_MEMBERS:,} at most.")
    if (size := sum(member.file_size for member in members)) > most:
        raise UserError(f"{source} would unpack to {size:,} bytes. There may be {most:,} at most.")
    for one, other in itertools.pairwise(sorted(members, key=lambda member: member.header_offset)):
        if one.header_offset + one.compress_size > other.header_offset:
            raise UserError(f"{source} is not safe: {other.filename!r} lies in another member.")


def _content(target: Path) -> Path:
    entries = [p for p in target.iterdir() if not p.name.startswith(HIDDEN_PREFIXES)]
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else target
