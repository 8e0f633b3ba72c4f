"""Trains one member of a run, in a process that has nothing else to do.

What to train is one line of JSON on standard input, as `Pipeline` writes it. The end of standard input is the
end of the process that wants it trained, and so of this one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from tfspec.base.errors import UserError
from tfspec.base.text import shown
from tfspec.experiment.registry import find_pipeline
from tfspec.experiment.run import Run


def main() -> None:
    """Train what standard input says; what a user can put right is one line."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        train(order)
    except UserError as error:
        sys.exit(f"tfspec: {order['member']}: {shown(error)}")


def train(order: dict[str, Any]) -> None:
    """Train a member as `Pipeline` orders it: `pipeline`, `options`, `folder` and `member`."""
    pipeline = find_pipeline(order["pipeline"])(**order["options"])
    folder = Path(order["folder"])
    split = Run(folder, pipeline).split
    member = pipeline.members(split)[order["member"]]
    features = pipeline.kept_features(split, folder)
    member.pipeline.fit_member(folder, order["member"], member.split, features, verbose=0)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)
