"""The models that a run trains: one, or one a fold, variant and seed."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pandas as pd

from tfspec.base.errors import UserError
from tfspec.experiment.run import Run
from tfspec.experiment.splitting import folds_of
from tfspec.experiment.steps import Steps
from tfspec.training import Progress


class Member(NamedTuple):
    """One of the models that a run trains.

    Args:
        steps: its pipeline.
        seed: of its weights, its batches and all else that is random.
        split: what it trains on and is validated on, in the column `part`.
        fold: number of the fold that validates it, None without cross-validation.
    """

    steps: Steps
    seed: int
    split: pd.DataFrame
    fold: int | None = None

    @property
    def is_first(self) -> bool:
        """Whether it is the run's first model: the others look like it."""
        return not self.fold and self.seed == self.steps.seed

    @property
    def class_names(self) -> list[str]:
        """Labels in the order of its logits."""
        return self.steps.class_names(self.split)

    def part(self, part: str) -> pd.DataFrame:
        """Return the rows that belong to a part of its split."""
        return self.split[self.split["part"] == part]


def members_of(steps: Steps, split: pd.DataFrame) -> dict[str, Member]:
    """List the models that a run trains, by the name of their folder in the run folder.

    Args:
        steps: the pipeline of the run.
        split: columns `part` and, for cross-validation, `fold`.

    Returns:
        One model, in the run folder itself; or one for each fold, variant and seed, such as `seed_0` and
        `seed_1`, or `fold_0_seed_0`.
    """
    made = {}
    for fold, its_split in folds_of(split).items():
        seeds = itertools.count(steps.seed)
        for variant, its_steps in steps.variants().items():
            for seed in itertools.islice(seeds, steps.num_members):
                parts = ["" if fold is None else f"fold_{fold}", variant, f"seed_{seed}"]
                name = "_".join(part for part in parts[: 2 + (steps.num_members > 1)] if part)
                made[name] = Member(its_steps, seed, its_split, fold)
    return made


def check_finished(run: Run, members: dict[str, Member]) -> None:
    """Refuse what a killed run has left so far.

    Args:
        run: the run.
        members: of `members_of`.

    Raises:
        UserError: not all models are trained to their end, or they have not been joined.
    """
    is_finished = [Progress.load(run.folder / name).finished for name in members]
    if not all(is_finished) or not (run.folder / "best.keras").exists():
        raise UserError(f"{run.folder} is not finished: `tfspec resume {run.folder}` goes on with it.")
