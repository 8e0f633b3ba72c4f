"""Which files are recordings, and what is passed over."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import soundfile

from tfspec.base.errors import UserError
from tfspec.base.files import HIDDEN_PREFIXES, file_problem, walk_files
from tfspec.base.text import shown

AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".voc", ".sph"),
)
"""What is a recording by its name, so that a damaged one is told and not passed over."""
CHANCE_FORMATS = ("MPC2K",)
"""What libsndfile tells by two bytes alone."""
UTF16 = b"\xff\xfe"
"""The beginning of a text, which could as well be that of an MPEG frame."""


def is_recording(path: str | os.PathLike) -> bool:
    """Tell recordings from other files: by a well-known suffix, else by whether libsndfile knows the content.

    Args:
        path: a file, which is opened only where its suffix does not tell.

    Example:
        >>> is_recording("missing.opus"), is_recording("missing.txt")
        (True, False)
    """
    path = Path(path)
    return path.suffix.lower() in AUDIO_SUFFIXES or (file_problem(path) is None and _holds_audio(path))


def _holds_audio(path: Path) -> bool:
    try:
        with path.open("rb", buffering=0) as file:
            if file.read(2) == UTF16:
                return False
            file.seek(0)
            # By its number, as libsndfile would take the suffixes .raw, .gsm and .vox for a format
            with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
                return sound.format not in CHANCE_FORMATS
    except (OSError, soundfile.LibsndfileError):
        return False


def list_recordings(folder: str | os.PathLike) -> tuple[list[Path], list[Path]]:
    """List the recordings in a folder and those below it, linked ones too, and the other files.

    Args:
        folder: where to look. Hidden names, and macOS's `__MACOSX`, count as nothing.

    Returns:
        The recordings, and what is passed over, sorted within each folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("1.wav", "2.txt"):
        ...         _ = Path(folder, name).write_bytes(b"")
        ...     [[path.name for path in paths] for paths in list_recordings(folder)]
        [['1.wav'], ['2.txt']]
    """
    recordings: list[Path] = []
    others: list[Path] = []
    for path in walk_files(folder):
        (recordings if is_recording(path) else others).append(path)
    return recordings, others


def recording_names(folder: str | os.PathLike) -> list[str]:
    """List the file names of the recordings in one folder, without those below it, sorted.

    Args:
        folder: where to look.

    Raises:
        UserError: there is no such folder, or it cannot be read.

    Example:
        >>> recording_names("missing")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No such folder: missing. Give the one that holds the recordings.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"No such folder: {shown(folder)}. Give the one that holds the recordings.")
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise UserError(f"The folder {shown(folder)} cannot be read: {error.strerror}.") from None
    return [name for name in names if not name.startswith(HIDDEN_PREFIXES) and is_recording(folder / name)]


def count_suffixes(paths: Iterable[Path]) -> dict[str, int]:
    """Count files by their suffixes, the commonest first.

    Args:
        paths: the files.

    Example:
        >>> count_suffixes([Path("a.txt"), Path("b.m4a"), Path("c.M4A"), Path("README")])
        {'.m4a': 2, '.txt': 1, 'no suffix': 1}
    """
    counts = Counter(shown(path.suffix.lower()) or "no suffix" for path in paths)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def counted(suffixes: dict[str, int]) -> str:
    """Say in words what `count_suffixes` has counted.

    Args:
        suffixes: number of files by suffix.

    Example:
        >>> counted({".m4a": 3, ".txt": 1})
        '3 .m4a, 1 .txt'
    """
    return ", ".join(f"{count} {suffix}" for suffix, count in suffixes.items())
