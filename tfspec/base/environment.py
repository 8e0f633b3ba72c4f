"""What a result was computed with: versions and processor."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "librosa", "scikit-learn")


def environment() -> dict[str, str]:
    """Name the versions and the machine that compute.

    Returns:
        What each is, by its name.

    Example:
        >>> list(environment())[:2]
        ['python', 'tensorflow']
    """
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # such as of a TensorFlow for one kind of processor
        return "of another name"


def _processor() -> str:
    """Name the processor; where Linux does not say it, by its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
