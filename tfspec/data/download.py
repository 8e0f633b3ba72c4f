"""Fetching data sets: downloaded once, checked every time, unpacked whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tfspec.base.errors import UserError
from tfspec.base.files import written_beside

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MINI_SPEECH_COMMANDS_URL = (
    "https://storage.googleapis.com/download.tensorflow.org/data/mini_speech_commands.zip"
)

TIMEOUT_SECONDS = 30
# In the unpacked folder: the checksum of the archive it came from.
STAMP = ".unpacked_from_sha256"
# What zipfile lets through; RuntimeError is for what is encrypted or oddly compressed.
DAMAGE_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)


def fetch_archive(
    url: str, folder: str | os.PathLike, sha256: str | None = None, progress: bool = True
) -> Path:
    """Download a zip archive, check it and unpack it beside itself.

    An archive already in the folder, downloaded or put there by hand, is not downloaded again. Without
    `sha256`, the checksum of the first one is recorded in `<name>.zip.sha256` and every later one must match.
    Archives are told apart by file name: those of the same name belong in different folders.

    Args:
        url: where the archive is, over http or https.
        folder: where the archive and its content go; made if missing.
        sha256: the archive's checksum, 64 hexadecimal digits; the recorded one if None.
        progress: whether to draw bars on standard error.

    Returns:
        The folder with the content: the archive's only folder if it has just one, else the one around it.

    Raises:
        UserError: the archive cannot be downloaded, has another checksum, is damaged or encrypted, has a link
            or a member that would leave the folder, or a folder that is not its own stands in its place.
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
    expected = _recorded(record) if sha256 is None else _as_digest(sha256)
    unpacked = _unpacked_from(target)
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


def _as_digest(sha256: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UserError(f"A sha256 has 64 hexadecimal digits. Received: {sha256!r}")
    return sha256.lower()


def _recorded(record: Path) -> str | None:
    if not record.exists():
        return None
    found = re.match(r"([0-9a-fA-F]{64})\s", record.read_text("utf-8", "replace"))
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
    import pooch
    import requests
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    name = TextColumn("{task.description}", markup=False)
    columns = name, BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with written_beside(archive) as part:
        try:
            with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
                drawn = _PoochBar(bar, bar.add_task(f"Downloading {archive.name}", total=None))
                download = pooch.HTTPDownloader(drawn, chunk_size=1 << 16, timeout=TIMEOUT_SECONDS)
                download(url, str(part), None)
        except requests.RequestException as error:
            raise UserError(f"Cannot download {url}: {error}") from None
        yield part


@dataclass
class _PoochBar:
    """What pooch asks of a progress bar, drawn by rich."""

    bar: Progress
    task: TaskID
    total: int = 0  # pooch sets it; 0 if the server does not say

    def update(self, num_bytes: int):
        self.bar.update(self.task, total=self.total or None, advance=num_bytes)

    def reset(self):
        self.bar.reset(self.task)

    def close(self):
        """Leave it to rich, which also closes the bar after an error."""


def _unpack(archive: Path, folder: Path, source: str, progress: bool):
    from rich.console import Console
    from rich.progress import track

    with _damage_told(f"{source} is not a whole zip archive"):
        opened = zipfile.ZipFile(archive)
    with opened:
        members = opened.infolist()
        for member in members:
            _refuse_unsafe(member, source)
        folder.mkdir()
        for member in track(members, "Unpacking", console=Console(stderr=True), disable=not progress):
            with _damage_told(f"{source} is damaged or encrypted at {member.filename!r}"):
                opened.extract(member, folder)


@contextlib.contextmanager
def _damage_told(what: str) -> Iterator[None]:
    try:
        yield
    except (*DAMAGE_ERRORS, OSError) as error:
        # bz2's errors have no number, and damaged offsets are invalid to seek; the others are the disk's.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise UserError(
            f"{what}: {error}. Nothing was unpacked. Delete the archive, if it is there, and fetch again."
        ) from None


def _refuse_unsafe(member: zipfile.ZipInfo, source: str):
    # A Windows path takes both slashes for separators and knows drives, so it finds what any system would.
    path = PureWindowsPath(member.filename)
    if path.drive or path.root or ".." in path.parts:
        raise UserError(f"{source} is not safe: {member.filename!r} would be unpacked outside of its folder.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UserError(f"{source} is not safe: {member.filename!r} is a symbolic link.")


def _content(target: Path) -> Path:
    entries = [p for p in target.iterdir() if not p.name.startswith((".", "__MACOSX"))]
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else target
