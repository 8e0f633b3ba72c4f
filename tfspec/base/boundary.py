"""Where other libraries read and write files: whatever they raise becomes one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from tfspec.base.errors import UserError
from tfspec.base.text import shown

NOT_ON_DISK = "No space left on device|Disk quota exceeded|Read-only file system|File too large"
IN_CALL = re.compile(r"Exception encountered when calling .*\x1b\[1m(?P<message>.*)\x1b\[0m", re.DOTALL)
"""What Keras makes of an error in a layer's `call`: its message in bold, behind the layer's name."""
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
    innermost = _innermost(error)
    lines = [line for line in innermost.splitlines() if line.strip()]
    message = shown(lines[0].strip()) if lines else ""
    if not isinstance(error, (ValueError, OSError, RuntimeError)) or not message:
        message = f"{type(error).__name__}: {message}".removesuffix(": ")
    return message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"


def _innermost(error: BaseException) -> str:
    """Return what an error says without what Keras and TensorFlow put around it."""
    is_text = len(error.args) == 1 and isinstance(error.args[0], str)
    called = IN_CALL.search(error.args[0] if is_text else str(error))  # a KeyError's text is quoted
    said = re.split("(?:Exception|Error) encountered: *", called["message"] if called else str(error))[-1]
    return re.sub(r"^\s*\{\{.*?\}\} ", "", said)
