"""Where other libraries read and write files: whatever they raise becomes one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from tfspec.base.errors import UserError
from tfspec.base.text import shown

NOT_ON_DISK = "No space left on device|Disk quota exceeded|Read-only file system|File too large"
LONGEST = 200
"""Characters of another library's message; some print whole configurations."""


@contextlib.contextmanager
def in_one_line(problem: str, remedy: str) -> Iterator[None]:
    """Turn any exception of a block into a `UserError`: what a damaged file raises can be anything.

    Args:
        problem: what could not be done, to which the exception's first line is added.
        remedy: what to say behind that.

    Raises:
        UserError: the block raised something; a UserError of its own stays as it is.

    Example:
        >>> with in_one_line("a.json cannot be read", "it is damaged"):
        ...     {}["name"]
        Traceback (most recent call last):
        tfspec.base.errors.UserError: a.json cannot be read: KeyError: 'name'; it is damaged
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{problem}: {in_brief(error)}; {remedy}") from error


@contextlib.contextmanager
def disk_errors_told(remedy: str) -> Iterator[None]:
    """Turn what a disk that takes no more raises, in Python or in TensorFlow, into a `UserError`.

    Args:
        remedy: what to do, a sentence.

    Raises:
        UserError: the block could not write a file.

    Example:
        >>> with disk_errors_told("Make room."):
        ...     raise OSError(28, "No space left on device", "a.csv")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: a.csv: No space left on device. Make room.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not re.search(NOT_ON_DISK, str(error)):
            raise
        file = getattr(error, "filename", None)
        said = f"{file}: {error.strerror}" if file else in_brief(error)  # type: ignore[attr-defined]
        raise UserError(f"{said}. {remedy}") from error


def in_brief(error: BaseException) -> str:
    r"""Shorten an exception to one line.

    Args:
        error: any exception.

    Returns:
        Its kind, where it is not plain from the message, and the first line of the message.

    Example:
        >>> in_brief(ValueError("no such layer\nconfig={...}"))
        'no such layer'
    """
    innermost = str(error).rpartition("Exception encountered: ")[2]  # Keras puts configurations before it
    lines = [line for line in innermost.splitlines() if line.strip()]
    message = shown(lines[0].strip()) if lines else ""
    if not isinstance(error, (ValueError, OSError, RuntimeError)) or not message:
        message = f"{type(error).__name__}: {message}".removesuffix(": ")
    return message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"
