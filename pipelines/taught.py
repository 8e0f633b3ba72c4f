"""The option of a network that also learns from what a larger one answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.text import excerpt, number_of, shown
from tfspec.data.splits import group_names
from tfspec.experiment.run import Run
from tfspec.experiment.steps import Steps
from tfspec.models import Classifier
from tfspec.training import Teacher


def check_tells_nothing(teacher: Run, held_out: pd.DataFrame, remedy: str) -> None:
    """Refuse a teacher that has trained on what is held out here, of which it would tell.

    Args:
        teacher: the run whose model is to teach.
        held_out: rows of the manifest that do not train.
        remedy: what to do, if it has.

    Raises:
        UserError: groups of those rows are in the teacher's train part.
    """
    known = sorted({*group_names(teacher.part("train"))} & {*group_names(held_out)})
    if known:
        raise UserError(
            f"{shown(teacher.folder)} has trained on {number_of(len(known), 'group')} of those held out here "
            f"and would tell of them: {listed([*map(excerpt, known)], 3)}. {remedy}"
        )


@dataclass(kw_only=True)
class Taught(Steps):
    """Base of the experiments whose networks can be taught.

    A teacher knows the same classes and features, and has trained on no group that is held out here, of which
    it would tell.
    """

    teacher: Path | None = None
    """Run on the same classes, features and split, such as of a larger network with --num-members 3, whose
    answers are learnt beside the labels."""

    def on_data(self, data):
        """Leave out who was to teach."""
        return replace(super().on_data(data), teacher=None)  # type: ignore[call-arg]

    def split(self, manifest):
        """Refuse a teacher who cannot teach this, before anything is written."""
        split = super().split(manifest)  # type: ignore[safe-super]  # a mixin, before what defines it
        if self.teacher is not None:
            self._check(Run(self.teacher), split)
        return split

    def _check(self, run: Run, split: pd.DataFrame) -> None:
        name, known = shown(run.folder), run.classifier
        if known.class_names != tuple(self.class_names(split)):
            others = listed([*map(excerpt, known.class_names)], 30)
            raise UserError(f"{name} cannot teach these classes, it knows others: {others}.")
        check_tells_nothing(run, split[split["part"] != "train"], "Give both the same --seed, which splits.")
        if not self._hears_as(known):
            raise UserError(f"{name} hears other features than this run, and cannot teach it.")

    def _hears_as(self, known: Classifier) -> bool:
        """Whether the features of a classifier are those of this run, as noise has them."""
        shape = self.reader().signal_shape
        if known.signal_shape != shape:
            return False
        noise = np.random.default_rng(0).normal(0, 0.1, (1, *shape)).astype(np.float32)
        ours, theirs = (np.asarray(layer(noise)) for layer in (self.front_end(), known.front_end))
        return ours.shape == theirs.shape and np.allclose(ours, theirs, atol=1e-3)

    def training(self, examples, class_names):
        """Learn from the teacher too, where there is one."""
        training = super().training(examples, class_names)
        if self.teacher is None:
            return training
        return replace(training, teacher=Teacher(Run(self.teacher).classifier.backbone))
