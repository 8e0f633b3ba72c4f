"""The option of a network that also learns from what a larger one answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError, listed
from tfspec.base.text import excerpt, number_of, shown
from tfspec.data.splits import group_names
from tfspec.experiment.run import Run
from tfspec.experiment.steps import Steps
from tfspec.training import Teacher, Training


@dataclass(kw_only=True)
class Taught(Steps):
    """Base of the experiments whose networks can be taught."""

    teacher: Path | None = None
    """Run on the same classes, features and split, such as of a larger network with --num-members 3, whose
    answers are learnt beside the labels."""

    def on_data(self, data):
        """Leave out who was to teach."""
        return replace(super().on_data(data), teacher=None)  # type: ignore[call-arg]

    def taught(self, training: Training, examples: pd.DataFrame, class_names: Sequence[str]) -> Training:
        """Have the network learn from the teacher, where there is one.

        Args:
            training: without a teacher.
            examples: rows of the manifest that train.
            class_names: labels in the order of the logits.

        Raises:
            UserError: the teacher is no run, knows other classes or features, or has trained on groups that
                do not train here, of which it would tell.
        """
        if self.teacher is None:
            return training
        run, name = Run(self.teacher), shown(self.teacher)
        known = run.classifier
        if known.class_names != tuple(class_names):
            others = listed([*map(excerpt, known.class_names)], 30)
            raise UserError(f"{name} cannot teach these classes, it knows others: {others}.")
        if told := sorted({*group_names(run.part("train"))} - {*group_names(examples)}):
            raise UserError(
                f"{name} has trained on {number_of(len(told), 'group')} that do not train here, and would "
                f"tell of them: {listed([*map(excerpt, told)], 3)}. Give both the same --seed, which splits."
            )
        if not self._hears_as(known):
            raise UserError(f"{name} hears other features than this run, and cannot teach it.")
        return replace(training, teacher=Teacher(known.backbone))

    def _hears_as(self, known) -> bool:
        """Whether the features of a classifier are those of this run, as noise has them."""
        shape = self.reader().signal_shape
        if known.signal_shape != shape:
            return False
        noise = np.random.default_rng(0).normal(0, 0.1, (1, *shape)).astype(np.float32)
        ours, theirs = (np.asarray(layer(noise)) for layer in (self.front_end(), known.front_end))
        return ours.shape == theirs.shape and np.allclose(ours, theirs, atol=1e-3)
