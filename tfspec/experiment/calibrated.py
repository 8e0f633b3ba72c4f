"""Models whose probabilities are worth what they say, as far as the validation part tells."""

from __future__ import annotations

import numpy as np

from tfspec.base.errors import UserError
from tfspec.base.frames import EventRule
from tfspec.experiment.run import Run
from tfspec.models import Classifier, at_temperature
from tfspec.scores.several import tempered_sigmoid
from tfspec.scores.types import AnyScores


def calibrated_model(run: Run, fitted: AnyScores | dict) -> Classifier:
    """Divide the logits of a run's model by the temperature that suits the validation part.

    Thresholds move along, so that the same classes hold, and the same is heard in each window's frames.

    Args:
        run: the run.
        fitted: scores of its validation part, as metrics.json has them.

    Returns:
        A new classifier.

    Raises:
        UserError: nothing validated.
    """
    if "tempered" not in fitted:
        raise UserError(f"{run.folder} has no validation part to find a temperature on.")
    model, temperature = run.classifier, fitted["tempered"]["temperature"]
    tempered = model.with_backbone(at_temperature(model.backbone, temperature))
    if model.thresholds is not None:
        tempered.thresholds = tuple(tempered_sigmoid(np.array(model.thresholds), temperature).tolist())
    if (rule := model.event_rule) is not None:
        thresholds = tempered_sigmoid(np.array(rule.thresholds), temperature)
        tempered.event_rule = EventRule(tuple(thresholds.tolist()), rule.median_seconds)
    return tempered
