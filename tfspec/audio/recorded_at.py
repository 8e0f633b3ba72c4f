"""When a recording began: as recorders write it into its name, or into the file."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path

import soundfile

IN_NAME = re.compile(r"(?<!\d)(\d{8})[_T-]?(\d{6})(?!\d)")
"""Date and time, as in 20210305_174500.wav, SITE_20210305-174500.wav or 20210305T174500Z.flac."""
IN_COMMENT = re.compile(r"Recorded at (\d{2}:\d{2}:\d{2} \d{2}/\d{2}/\d{4})")
"""What AudioMoth writes (https://github.com/OpenAcousticDevices/AudioMoth-Firmware-Basic)."""


def recorded_at(path: str | os.PathLike) -> datetime | None:
    """Tell when a recording began, by its name, else by the file's own date or comment.

    The clock is the recorder's, whatever zone it was set to. When the file was written on this disk says
    nothing, as copies have the date of copying.

    Args:
        path: the recording; opened only where the name does not tell.

    Returns:
        The date and time, or None where nothing tells it.

    Example:
        >>> str(recorded_at("SITE_20210305-174500.wav"))
        '2021-03-05 17:45:00'
        >>> recorded_at("20211399_174500.wav") is None  # no such month
        True
    """
    found = (_time("".join(match), "%Y%m%d%H%M%S") for match in IN_NAME.findall(Path(path).stem))
    return next(filter(None, found), None) or _in_file(path)


def _in_file(path: str | os.PathLike) -> datetime | None:
    try:
        with soundfile.SoundFile(os.fspath(path)) as sound:
            texts = sound.copy_metadata()
    except (OSError, soundfile.LibsndfileError, UnicodeError):
        return None
    if match := IN_COMMENT.search(texts.get("comment", "")):
        return _time(match[1], "%H:%M:%S %d/%m/%Y")
    try:
        date = texts.get("date", "").strip().removesuffix("Z")  # which Python 3.10 does not take
        found = datetime.fromisoformat(date).replace(tzinfo=None)
    except ValueError:
        return None
    return found if ":" in texts["date"] else None  # a day alone has no hour


def _time(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None
