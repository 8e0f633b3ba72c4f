"""What a worker of a data service reads from: a member of a run."""

from __future__ import annotations

import json

from tfspec.base.frames import Frames
from tfspec.data.examples import Examples
from tfspec.data.readers import Reader
from tfspec.experiment.members import members_of
from tfspec.experiment.registry import pipeline_of
from tfspec.experiment.run import Run
from tfspec.experiment.steps import Steps
from tfspec.models.events import frames_of


def open_examples(source: str, pipeline: str | None = None) -> Examples:
    """Open the examples of which a worker makes batches.

    Args:
        source: JSON of a run folder, the name of a member, a part and the run's digest, as trainings tell it.
        pipeline: name or Python file of the run's pipeline; None for what the run remembers.

    Raises:
        UserError: it is not a run folder, or that of a pipeline that this process cannot find.
    """
    folder, name, part, _ = json.loads(source)
    run = Run(folder)
    member = members_of(pipeline_of(run, pipeline), run.split)[name]
    steps, rows, class_names = member.steps, member.part(part), member.class_names
    weights = steps.training(rows, class_names).weights if part == "train" else None
    read = steps.reader()
    frames = _frames(steps, read, len(class_names))
    return Examples(rows, read, class_names, weights, steps.labels, frames)


def _frames(steps: Steps, read: Reader, num_classes: int) -> Frames | None:
    """Tell where the frames lie of the network that trains on the examples, if it has any."""
    front_end = steps.front_end()
    feature_shape = front_end.compute_output_shape((None, *read.signal_shape))[1:]
    return frames_of(
        front_end, steps.backbone(feature_shape, num_classes), read.signal_shape, read.sample_rate
    )
