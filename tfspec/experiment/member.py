"""Trains one member of a run, in a process that has nothing else to do.

What to train is one line of JSON on standard input, as `fitting` writes it. The end of standard input is the
end of the process that wants it trained, and so of this one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from tfspec.base.boundary import disk_errors_told
from tfspec.base.errors import UserError
from tfspec.base.modules import own_errors_told
from tfspec.base.progress import at_volume
from tfspec.base.text import shown
from tfspec.experiment.features import kept_features
from tfspec.experiment.fitting import fit_member
from tfspec.experiment.members import members_of
from tfspec.experiment.registry import find_pipeline
from tfspec.experiment.run import Run


def main() -> None:
    """Train what standard input says; what a user can put right is one line."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        # Who ordered it says how it goes on
        with at_volume(order["volume"]), disk_errors_told("Make room."), own_errors_told():
            train(order)
    except UserError as error:
        # In one piece, as others write there too
        sys.stderr.write(f"tfspec: {order['member']}: {shown(error)}\n")
        sys.exit(1)


def train(order: dict[str, Any]) -> None:
    """Train a member as `fitting` orders it: `pipeline`, `options`, `folder` and `member`."""
    pipeline = find_pipeline(order["pipeline"])(**order["options"])
    folder, name = Path(order["folder"]), order["member"]
    split = Run(folder).split
    features = kept_features(pipeline, split, folder)
    fit_member(members_of(pipeline, split)[name], folder, name, features)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)
