"""How far a training came, on disk: one file says it, and says when the training is finished.

A kill may come before or after any write or rename. So nothing is concluded from what is not there. What the
next epoch starts from lies in a file of its own, `state-EPOCH.keras`; `progress.json`, which is replaced in
one rename, names it. The state before is removed only then.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import keras

from tfspec.base.boundary import in_one_line
from tfspec.base.errors import UserError
from tfspec.base.files import written_beside
from tfspec.training.recipe import Phase

FILE = "progress.json"
STATES = "state-*.keras"
OLD_STATE = "state/backbone.keras"
"""Of earlier versions, which had `progress.json` beside it."""


@dataclass
class Progress:
    """How far a training came.

    Args:
        folder: of the training.
        phase: number of the phase that it is in.
        first_epoch: number of that phase's first epoch.
        history: losses, metrics and seconds of every epoch, of all phases.
        state: file in the folder with the compiled backbone after the last whole epoch; None before the first
            epoch's end, and once the training is finished.
        finished: whether nothing is left to be trained.
    """

    folder: Path
    phase: int = 0
    first_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    state: str | None = None
    finished: bool = False

    @classmethod
    def load(cls, folder: str | os.PathLike) -> Progress:
        """Read how far the training in a folder came.

        Args:
            folder: of the training; nothing is begun where it is empty or missing.

        Raises:
            UserError: the file is damaged, or the training is finished and its best model gone.

        Example:
            >>> Progress.load("nowhere").finished
            False
        """
        folder = Path(folder)
        for path, state in ((folder / FILE, None), (folder / "state" / FILE, OLD_STATE)):
            if path.is_file():
                return cls._read(path, {"folder": folder, "state": state})
        # Earlier versions had no such file for a finished training, but a state for one that was not
        has_state = any(folder.glob(STATES)) or (folder / OLD_STATE).exists()
        return cls(folder, finished=(folder / "best.keras").is_file() and not has_state)

    @classmethod
    def _read(cls, path: Path, known: dict) -> Progress:
        try:
            progress = cls(**{**known, **json.loads(path.read_text())})
            is_sound = (
                all(type(number) is int for number in (progress.phase, progress.first_epoch))
                and isinstance(progress.state, str | None)
                and type(progress.finished) is bool
                and all(progress._is_row(number, row) for number, row in enumerate(progress.history))
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path} is damaged: {error}; {_anew(known['folder'])}") from None
        if not is_sound:
            raise UserError(f"{path} is damaged; {_anew(progress.folder)}")
        if progress.finished and not (best := progress.folder / "best.keras").exists():
            raise UserError(f"{best} is gone: put it back, or {_anew(progress.folder)}")
        return progress

    @staticmethod
    def _is_row(number: int, row: dict) -> bool:
        numbers = (_loss(row), *row.values())
        return row["epoch"] == number and all(isinstance(value, int | float) for value in numbers)

    def save(self, backbone: keras.Model | None = None, finished: bool = False) -> None:
        """Write how far it came, at once or not at all.

        Args:
            backbone: compiled, after the last epoch of the history; None before the first epoch.
            finished: whether nothing is left to be trained, so that no state is needed.
        """
        self.state, self.finished = None, finished
        if backbone is not None and not finished:
            self.state = f"state-{len(self.history)}.keras"
            with written_beside(self.folder / self.state) as temporary:
                backbone.save(temporary)
        kept = {name: value for name, value in vars(self).items() if name != "folder"}
        with written_beside(self.folder / FILE) as temporary:
            temporary.write_text(json.dumps(kept))
        self.clear()

    def clear(self) -> None:
        """Remove the states that the next epoch does not start from."""
        for path in self.folder.glob(STATES):
            if path.name != self.state:
                path.unlink()
        if self.state != OLD_STATE:
            shutil.rmtree(self.folder / Path(OLD_STATE).parent, ignore_errors=True)

    def backbone(self) -> keras.Model | None:
        """Load the backbone of a training that was interrupted, with its optimizer.

        Returns:
            The compiled backbone after the last whole epoch; None if there was none.

        Raises:
            UserError: its file is missing or damaged.
        """
        if self.state is None:
            return None
        path = self.folder / self.state
        with in_one_line(f"{path} cannot be loaded", _anew(self.folder)):
            return keras.saving.load_model(path, safe_mode=True)

    def lowest(self, first_epoch: int = 0) -> int | None:
        """Number the epoch with the lowest validation loss, or training loss where nothing validates."""
        losses = {row["epoch"]: _loss(row) for row in self.history if row["epoch"] >= first_epoch}
        finite = {epoch: loss for epoch, loss in losses.items() if math.isfinite(loss)}
        return int(min(finite, key=finite.__getitem__)) if finite else None

    @property
    def ends_finite(self) -> bool:
        """Whether the last epoch has a loss that is a number."""
        return bool(self.history) and math.isfinite(_loss(self.history[-1]))

    def is_over(self, phase: Phase, patience: int | None) -> bool:
        """Say whether the phase has had its epochs, or none of lower validation loss for too long."""
        done = len(self.history)
        if done >= self.first_epoch + phase.epochs:
            return True
        if patience is None or done == self.first_epoch or "val_loss" not in self.history[-1]:
            return False
        lowest = self.lowest(self.first_epoch)
        return done - 1 - (self.first_epoch if lowest is None else lowest) >= patience


def _anew(folder: Path) -> str:
    """Say what to remove of a training such that it begins with the first epoch."""
    files = (folder / FILE, folder / "state" / FILE, folder / "best.keras")
    return f"remove {' and '.join(str(path) for path in files if path.exists())} to train this model anew"


def _loss(row: dict[str, float]) -> float:
    """Return an epoch's validation loss, or its training loss where nothing validated."""
    return row["val_loss"] if "val_loss" in row else row["loss"]
