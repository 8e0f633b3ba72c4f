"""Experiments on people: some test, the others take turns in cross-validation, or some of them validate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd

from tfspec.base.errors import UserError
from tfspec.base.options import AnyCount, Name, Range, Share
from tfspec.data.splits import draw_groups, folds
from tfspec.experiment.pipeline import Pipeline


@dataclass(kw_only=True)
class People(Pipeline):
    """Base of the experiments that train and test on different people, the groups of the manifest."""

    published_test: ClassVar[tuple[str, ...]] = ()
    """People who test where all of them are there, if `test` is not given."""

    test: AnyCount | Share | Literal["none"] | tuple[Name, ...] | None = None
    """People kept for the end: their ids, how many, or which part of all, drawn at random; 0 or none for
    nobody. If not given, the published ones where they are; otherwise nobody in cross-validation, and without
    it a fifth."""
    validation: AnyCount | Share | tuple[Name, ...] = 0.1
    """People among the others on whom every epoch is measured, without cross-validation: their ids, how many,
    or which part."""
    cross_validation: Annotated[int, Range(0, 10_000)] | Literal["leave_one_out"] | None = 5
    """Number of folds that the people who do not test are parted into, or each of them in turn: one model is
    trained for every fold, and validated on it, and for new people the mean of all counts. 0 for none."""

    def __post_init__(self):
        """Check what can be checked before any file is read."""
        super().__post_init__()
        if isinstance(self.cross_validation, int) and (self.cross_validation or 2) < 2:
            raise UserError(f"Cross-validation needs at least 2 folds. Received: {self.cross_validation}")

    def split(self, manifest):
        """Part the people, never the windows of one."""
        tested = manifest["group"].isin(draw_groups(manifest, self._people_who_test(manifest), self.seed))
        rest = manifest[~tested]
        if not self.cross_validation:
            validated = rest["group"].isin(draw_groups(rest, self.validation, self.seed))
            rest = rest.assign(part=np.where(validated, "validation", "train"))
        elif self.cross_validation == "leave_one_out":
            rest = rest.assign(part="train", fold=pd.factorize(rest["group"], sort=True)[0])
        else:
            rest = folds(rest, self.cross_validation, self.seed).assign(part="train")
        rows = manifest[tested].assign(part="test", **({"fold": -1} if "fold" in rest else {}))
        return pd.concat([rest, rows]).sort_index()

    def _people_who_test(self, manifest: pd.DataFrame) -> int | float | tuple[str, ...]:
        if self.test is not None:
            return 0 if self.test == "none" else self.test
        if self.published_test and set(self.published_test) <= set(manifest["group"]):
            return self.published_test
        return 0 if self.cross_validation else 0.2
