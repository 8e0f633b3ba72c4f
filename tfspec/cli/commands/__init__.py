"""The commands by name. Their modules import what takes long in the functions that need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfspec.cli.commands.detections import detect
from tfspec.cli.commands.experiments import check, evaluate, export, prepare, resume, train, view
from tfspec.cli.commands.machines import data_server, launch_workers
from tfspec.cli.commands.recordings import embed, predict
from tfspec.cli.commands.reports import compare, report
from tfspec.cli.commands.simulated import demo, simulate
from tfspec.cli.commands.streams import evaluate_stream, listen
from tfspec.cli.commands.windows import windows

COMMANDS: dict[str, Callable] = {
    "demo": demo,
    "evaluate": evaluate,
    "resume": resume,
    "predict": predict,
    "detect": detect,
    "listen": listen,
    "evaluate-stream": evaluate_stream,
    "embed": embed,
    "export": export,
    "check": check,
    "view": view,
    "report": report,
    "compare": compare,
    "windows": windows,
    "data-server": data_server,
}
PIPELINE_COMMANDS: dict[str, Callable[[Any], None]] = {"train": train, "prepare": prepare}
"""Those whose options are the fields of a pipeline, which they name first."""
NESTING = {"launch": launch_workers, "simulate": simulate}
"""Those that take another command, or the name of one of several, with options of its own."""
