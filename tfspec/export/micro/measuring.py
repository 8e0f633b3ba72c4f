"""What the library takes of a Cortex-M4F: measured with its compiler and with an emulator."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
LONGEST_SECONDS = 120


def on_cortex_m4f(folder: Path, hops_per_second: float) -> dict[str, Any]:
    """Measure flash, memory and instructions of the library in a folder.

    Args:
        folder: with its Makefile.
        hops_per_second: how often a step is taken.

    Returns:
        By name; None for what could not be measured, and the reason by name under "not_measured".
    """
    facts: dict[str, Any] = dict.fromkeys(("flash_bytes", "ram_bytes", "instructions_per_second"))
    with tempfile.TemporaryDirectory(prefix="tfspec-") as build:
        try:
            sizes = _made("size", folder, build, COMPILER)
            text, data, bss = (int(word) for word in sizes.splitlines()[-1].split()[:3])
            facts.update(flash_bytes=text + data, ram_bytes=data + bss)
            instructions = int(_made("count", folder, build, EMULATOR))
            facts.update(instructions_per_second=round(instructions * hops_per_second))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            facts["not_measured"] = {name: str(error) for name, value in facts.items() if value is None}
    return facts


def _made(target: str, folder: Path, build: str, program: str) -> str:
    """Return what a target of the Makefile prints."""
    for needed in ("make", program):
        if shutil.which(needed) is None:
            raise FileNotFoundError(f"{needed} is not installed")
    command = ["make", "--silent", "-C", str(folder), f"BUILD={build}", target]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS)
    if finished.returncode:
        raise ValueError(f"make {target} failed: {finished.stderr.strip().splitlines()[-1:]}")
    return finished.stdout
