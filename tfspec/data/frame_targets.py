"""What is to be learnt of the frames of signals, batch by batch from what is told of stretches of time."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tfspec.augment.augmentation import Augmentation
from tfspec.base.errors import UserError
from tfspec.base.frames import Frames
from tfspec.base.ranges import joined_ranges
from tfspec.data.label_targets import targets

COLUMN = "events"
"""Column of a manifest that tells what is heard when."""
EVERY_CLASS = -1
VALUES = (0, 1, None)
"""Of a statement: not heard, heard, not known."""


class FrameTargets:
    """The targets of signals and their frames, read like an array (rows, 1 + frames, classes) of float32.

    1 is heard, 0 is not, NaN is not known. A row's column `events` is a list in JSON of what is told of it:
    [start, end, label, value], in seconds from the row's beginning. Each statement sets the frames that it
    covers by half or more, or the one in its middle where it covers none, to its value (null: not known), for
    its label or, if that is null, for all classes; later ones go before earlier ones. What no statement sets
    is not known. What the frames decide of the whole signal goes before what the row's columns of classes
    say, its label for short: it is heard if it is in a frame, and not if it is in none of all frames. So a
    row without statements has a weak label, and one may have both.

    In memory are the statements, which are as many as the events, and the rows' labels.

    Args:
        manifest: with labels as in `targets` of several at once, and maybe `events`.
        class_names: labels in the order of the model's logits; what is told of others is passed over.
        frames: where the frames lie in each signal.

    Raises:
        UserError: as of `targets`, or what a row tells is no such list.

    Example:
        >>> told = '[[0, 2, null, 0], [0.4, 1.1, "owl", 1]]'
        >>> rows = pd.DataFrame({"owl": [1, 1], "cat": [0, None], "events": [told, ""]})
        >>> made = FrameTargets(rows, ["cat", "owl"], Frames(first=0.25, step=0.5, num_frames=4))
        >>> made[np.array([0, 1])][..., 1].tolist()
        [[1.0, 0.0, 1.0, 0.0, 0.0], [1.0, nan, nan, nan, nan]]
    """

    dtype = np.dtype(np.float32)

    def __init__(self, manifest: pd.DataFrame, class_names: Sequence[str], frames: Frames):
        self._of_signals = targets(manifest, class_names, "several")
        self._frames = frames
        self.shape = (len(manifest), 1 + frames.num_frames, len(class_names))
        places = {name: place for place, name in enumerate(class_names)} | {None: EVERY_CLASS}
        cells = manifest[COLUMN] if COLUMN in manifest else [""] * len(manifest)
        told = [
            [
                (start, end, places[name], value)
                for start, end, name, value in statements_of(cell)
                if name in places
            ]
            for cell in cells
        ]
        self._counts = np.array([len(each) for each in told], np.int64)
        self._firsts = np.cumsum(self._counts) - self._counts
        # Where the value is None, it becomes NaN
        numbers = np.array([statement for each in told for statement in each], float).reshape(-1, 4)
        self._begin, self._end = self._covered(numbers[:, 0], numbers[:, 1])
        self._class, self._value = numbers[:, 2].astype(np.int64), numbers[:, 3].astype(np.float32)

    def _covered(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the frames that stretches cover: the first, and the one behind the last."""
        in_frames = (np.stack([start, end, (start + end) / 2]) - self._frames.first) / self._frames.step + 0.5
        begin, behind = np.ceil(in_frames[:2] - 0.5).clip(0, self._frames.num_frames)
        middle = np.floor(in_frames[2])
        is_short = (np.ceil(in_frames[0] - 0.5) >= np.ceil(in_frames[1] - 0.5)) & (middle >= 0)
        is_short &= middle < self._frames.num_frames
        begin, behind = np.where(is_short, middle, begin), np.where(is_short, middle + 1, behind)
        return begin.astype(np.int64), behind.astype(np.int64)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Make the targets of the rows at these positions: (rows, 1 + frames, classes) float32."""
        _, _, num_classes = self.shape
        made = np.full((len(rows), self._frames.num_frames, num_classes), np.nan, np.float32)
        told = joined_ranges(self._firsts[rows], self._counts[rows])
        row = np.repeat(np.arange(len(rows)), self._counts[rows])
        of_every = self._class[told] == EVERY_CLASS
        width = np.where(of_every, num_classes, 1)
        size = (self._end - self._begin)[told] * width
        # Each cell that a statement sets, its frame and class; of two that set one the later counts
        statement = np.repeat(np.arange(len(told)), size)
        place = joined_ranges(np.zeros(len(told), np.int64), size)
        frame = self._begin[told][statement] + place // width[statement]
        of_class = np.where(of_every, 0, self._class[told])[statement] + place % width[statement]
        made[row[statement], frame, of_class] = self._value[told][statement]
        return np.concatenate([self._joined(made, self._of_signals[rows])[:, np.newaxis], made], axis=1)

    @staticmethod
    def _joined(of_frames: np.ndarray, of_signals: np.ndarray) -> np.ndarray:
        """Return what the frames decide of the signals, and what is said of these where they do not."""
        highest = np.fmax.reduce(of_frames, axis=1, initial=np.nan)
        is_decided = (highest > 0) | ~np.isnan(of_frames).any(axis=1)
        return np.where(is_decided, highest, of_signals)


def statement_text(statements: Sequence[Sequence]) -> str:
    """Write what is told of a row, for the column `events`.

    Args:
        statements: [start, end, label, value] each.

    Example:
        >>> statement_text([[0, 0.75, "owl", 1]])
        '[[0, 0.75, "owl", 1]]'
    """
    return json.dumps(statements, ensure_ascii=False)


def statements_of(cell: str) -> list[tuple[float, float, str | None, int | None]]:
    """Read what is told of a row, from the column `events`.

    Args:
        cell: what `statement_text` has written, or "" where nothing is told.

    Returns:
        (start, end, label, value) each.

    Raises:
        UserError: it is no such list.

    Example:
        >>> statements_of('[[0, 0.75, "owl", 1]]')
        [(0.0, 0.75, 'owl', 1)]
    """
    if not cell:
        return []
    try:
        told = [(float(start), float(end), name, value) for start, end, name, value in json.loads(cell)]
        if not all(
            math.isfinite(start) and math.isfinite(end) and isinstance(name, str | None) and value in VALUES
            for start, end, name, value in told
        ):
            raise ValueError
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise UserError(
            f"The column `{COLUMN}` must hold lists [start, end, label, value]. Received: {cell[:200]!r}"
        ) from None
    return told


def check_keeps_time(augmentation: Augmentation) -> None:
    """Refuse what moves sounds in time where targets tell when they are.

    Args:
        augmentation: of the training examples. `MixUp` joins the frames of two examples, as it does labels.

    Raises:
        UserError: it has a layer that stretches, shifts or covers time.

    Example:
        >>> from tfspec.augment import Gain
        >>> check_keeps_time(Augmentation(signals=Gain()))
    """
    moving = [layer for layer in augmentation.layers if not layer.keeps_time]
    if moving:
        raise UserError(
            f"{', '.join(layer.name for layer in moving)} would move sounds from when they are annotated. "
            "Leave out what shifts, stretches or masks time."
        )
