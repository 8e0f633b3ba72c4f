"""What each of the eight steps gives, and how a step that gives something else is told."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras
import pandas as pd

from tfspec.augment import Augmentation
from tfspec.base.errors import UserError
from tfspec.base.text import excerpt
from tfspec.report.figures import Picture
from tfspec.training import Training

GIVES: Mapping[str, tuple[str, type]] = {
    "manifest": ("a pandas DataFrame", pd.DataFrame),
    "split": ("a pandas DataFrame", pd.DataFrame),
    "reader": ("a reader, which has signal_shape and sample_rate and is called with rows", object),
    "augmentation": ("a tfspec.augment.Augmentation of layers of tfspec.augment", Augmentation),
    "front_end": ("a Keras layer", keras.Layer),
    "backbone": ("a Keras model that begins with keras.Input(feature_shape)", keras.Model),
    "training": ("a tfspec.training.Training", Training),
    "picture": ("a tfspec.report.figures.Picture", Picture),
}
"""What a step must return, in words and as a class."""


def hold_steps(pipeline: type) -> None:
    """Have the steps that a class defines refuse to give anything else than their kind.

    Args:
        pipeline: a subclass of `Steps`, whose steps are replaced.

    Example:
        >>> class Mine:
        ...     def front_end(self):
        ...         "Forgets its `return`."
        >>> hold_steps(Mine)
        >>> Mine().front_end()
        Traceback (most recent call last):
        tfspec.base.errors.UserError: ...: `front_end` of Mine must return a Keras layer. Received: None
    """
    for step in GIVES:
        if inspect.isfunction(function := vars(pipeline).get(step)):
            setattr(pipeline, step, _held(step, function))


def _held(step: str, function: Callable) -> Callable:
    kind, expected = GIVES[step]
    signature, code = inspect.signature(function), function.__code__
    where = f"{code.co_filename}, line {code.co_firstlineno}: `{step}`"

    @functools.wraps(function)
    def held(steps: Any, *arguments: Any, **named: Any) -> Any:
        try:
            signature.bind(steps, *arguments, **named)
        except TypeError as error:
            own = type(steps).__name__
            raise UserError(
                f"{where} of {own} must take what that of tfspec.Pipeline takes: {error}"
            ) from None
        given = function(steps, *arguments, **named)
        if not isinstance(given, expected) or not ALSO.get(step, lambda _: True)(given):
            raise UserError(
                f"{where} of {type(steps).__name__} must return {kind}. Received: {excerpt(repr(given))}"
            )
        return given

    return held


def _reads(given: object) -> bool:
    """Whether something has what a `Reader` has; its properties are not asked, as they may open files."""
    missing = object()
    attributes = [inspect.getattr_static(given, name, missing) for name in ("signal_shape", "sample_rate")]
    return callable(given) and not inspect.isclass(given) and missing not in attributes


def _draws(given: Augmentation) -> bool:
    """Whether layers draw as tfspec's do, by example and seed; those of Keras don't."""
    return all(hasattr(layer, "sample") for layer in given.layers)


def _knows_its_input(given: keras.Model) -> bool:
    """Whether a model was told what it takes; a subclass of keras.Model by itself never is."""
    return getattr(given, "input_shape", None) is not None


ALSO: Mapping[str, Callable[[Any], bool]] = {
    "reader": _reads,
    "augmentation": _draws,
    "backbone": _knows_its_input,
}
"""What a class does not tell."""
