"""What steps of one's own give is held to its kind where it is asked, not where it first does harm."""

import inspect
from pathlib import Path

import keras
import numpy as np
import pytest
from keywords import Keywords

from tfspec.augment import Augmentation, Gain
from tfspec.base.errors import UserError
from tfspec.data.readers import ArrayReader
from tfspec.experiment.features import check_features
from tfspec.experiment.giving import GIVES
from tfspec.experiment.steps import Steps


def giving(step: str, given: object) -> Keywords:
    """Make a pipeline of which one step gives something."""
    return type("Own", (Keywords,), {step: lambda self, *arguments: given})()


def ask(pipeline: Steps, step: str) -> object:
    """Ask a step, whatever it takes."""
    taken = inspect.signature(getattr(pipeline, step)).parameters.values()
    return getattr(pipeline, step)(*[None for each in taken if each.kind is each.POSITIONAL_OR_KEYWORD])


@pytest.mark.parametrize("step", GIVES)
def test_a_step_that_forgets_its_return_is_told_with_its_line(step):
    with pytest.raises(UserError, match=rf"test_giving\.py, line \d+: `{step}` of Own must .* None$"):
        ask(giving(step, None), step)


@pytest.mark.parametrize(
    ("step", "given"),
    [
        ("manifest", [{"path": "a.wav"}]),
        ("augmentation", Gain()),
        ("augmentation", Augmentation(signals=keras.layers.GaussianNoise(0.1))),
        ("front_end", lambda x: x),
        ("backbone", keras.layers.Dense(2)),
        ("backbone", keras.Sequential([keras.layers.Dense(2)])),
        ("reader", ArrayReader),
        ("reader", lambda rows: np.zeros([len(rows), 3])),
    ],
)
def test_what_is_easily_taken_for_what_a_step_gives_is_refused(step, given):
    with pytest.raises(UserError, match=f"`{step}` of Own must return .* Received: "):
        ask(giving(step, given), step)


def test_a_reader_is_not_asked_for_what_is_slow_or_gone():
    class Gone:
        sample_rate = None

        @property
        def signal_shape(self):
            raise FileNotFoundError

        def __call__(self, rows):
            return Path("gone").read_bytes()

    gone = Gone()
    assert ask(giving("reader", gone), "reader") is gone


def test_a_step_that_takes_something_else_is_told_with_its_line():
    pipeline = type("Own", (Keywords,), {"split": lambda self: None})()
    with pytest.raises(UserError, match=r"test_giving.py, line \d+: `split` of Own must take .* too many"):
        pipeline.split(None)


def test_features_of_three_axes_are_refused_before_a_run_begins():
    flat = keras.Sequential([keras.Input((8, 4)), keras.layers.Dense(3)])
    pipeline = type("Own", (Keywords,), {"front_end": lambda self: flat})()
    pipeline.reader = lambda: ArrayReader(np.zeros([2, 8, 4]))
    with pytest.raises(UserError, match=r"\(batch, frames, bins, channels\)\. Received: \(None, 8, 3\)"):
        check_features(pipeline)
