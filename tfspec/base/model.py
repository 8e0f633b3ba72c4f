"""What a model must have to be used: the one protocol of Keras models and TFLite files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeGuard

from tfspec.base.errors import UserError
from tfspec.base.text import excerpt

if TYPE_CHECKING:
    import numpy as np

    from tfspec.base.frames import EventRule, Frames

Takes = Literal["recording", "windows", "picture"]
"""Where a model's signals come from: recordings, in slices of one channel; windows of a sensor's samples, or
whatever else stands in arrays; pictures of spectra."""
Labels = Literal["one", "several"]
"""What labels an example has: one class, or shares that sum to one (softmax); or several classes at once, or
none of them (a sigmoid each)."""
HALF = 0.5
"""Lowest probability at which a class holds where nobody has chosen another one."""
SMALLEST = 1e-37
"""Probability next to zero, whose logarithm is finite."""
NOT_OURS = "it is damaged or was not made by tfspec"
"""What to say of a file that cannot be loaded as a model."""
FLOATS = {"recording": ("−1…1", "int16 by 1 / 32768"), "picture": ("0…1", "uint8 by 1 / 255")}
"""Of models whose signals are decoded: in which range, and what makes such floats of whole numbers."""
FIRST_PICTURES = (64, 128)
"""Shape of the only pictures of models that were saved before models said what they take."""


class Model(Protocol):
    """A `Classifier`, one from a TFLite file, or anything else that does the same."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the probabilities stand for, in their order."""

    @property
    def signal_shape(self) -> tuple[int, ...]:
        """Shape of one signal."""

    @property
    def sample_rate(self) -> int | None:
        """Samples per second; None where the signal is not sampled in time."""

    @property
    def takes(self) -> Takes:
        """Where its signals come from."""

    @property
    def labels(self) -> Labels:
        """Whether one class holds, or several can at once."""

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """Lowest probability at which each class holds; None where it is the likeliest one that holds."""

    def probabilities(self, signal: np.ndarray) -> np.ndarray:
        """Classify (batch, *signal_shape) signals: (batch, classes)."""


class EventModel(Model, Protocol):
    """A model with an `event_head`, which says of each frame, too, what is heard in it."""

    @property
    def frames(self) -> Frames:
        """Where the frames lie in a signal."""

    @property
    def event_rule(self) -> EventRule:
        """How events are made of what is heard in them."""

    def frame_probabilities(self, signal: np.ndarray) -> np.ndarray:
        """Say what is heard in the frames of (batch, *signal_shape) signals: (batch, frames, classes)."""


def check_model(model: object, loader: Literal["load_model", "load_listener"] = "load_model") -> None:
    """Refuse what is no model, such as the path of one.

    Args:
        model: what should be one.
        loader: the function that makes one.

    Raises:
        UserError: it is none.

    Example:
        >>> check_model("run")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: No model is given: load_model(PATH) makes one of a run's ...
    """
    if not hasattr(model, {"load_model": "probabilities", "load_listener": "step"}[loader]):
        raise UserError(
            f"No model is given: {loader}(PATH) makes one of a run's folder, a .keras or a .tflite file. "
            f"Received: {excerpt(repr(model))}"
        )


def check_floats(signal: Any, takes: Takes) -> None:
    """Refuse whole numbers where files of whole numbers are decoded to floats: they would be far too loud.

    Windows of sensors are taken as they are, as those in files are.

    Args:
        signal: an array, or a tensor.
        takes: where the model's signals come from.

    Raises:
        UserError: they are whole numbers, and not those of a sensor.

    Example:
        >>> import numpy as np
        >>> check_floats(np.zeros(3, np.int16), "recording")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: This model takes floats in −1…1. Received: int16. Scale them, ...
    """
    import numpy as np

    kind = signal.dtype if hasattr(signal, "dtype") else np.asarray(signal).dtype
    if takes in FLOATS and kind.name.startswith(("int", "uint")):
        span, scaling = FLOATS[takes]
        raise UserError(
            f"This model takes floats in {span}. Received: {kind.name}. Scale them, such as {scaling}."
        )


def checked_signals(signal: np.ndarray, shape: tuple[int | None, ...], takes: Takes) -> np.ndarray:
    """Return signals in float32, where a model takes such signals.

    Args:
        signal: (batch, *shape) numbers.
        shape: that of one signal, None where any size will do.
        takes: where the model's signals come from.

    Raises:
        UserError: they have another shape, or are whole numbers that must be scaled.

    Example:
        >>> import numpy as np
        >>> checked_signals(np.zeros([2, 100], np.int16), (100,), "windows").dtype
        dtype('float32')
    """
    import numpy as np

    check_floats(signal, takes)
    signals = np.asarray(signal, np.float32)
    sizes = zip(shape, signals.shape[1:], strict=False)
    if signals.ndim != 1 + len(shape) or any(wanted not in (None, given) for wanted, given in sizes):
        raise UserError(
            f"This model takes signals of shape {shape}, in a batch. "
            f"Received: an array of shape {signals.shape}"
        )
    return signals


def hears_frames(model: Any) -> TypeGuard[EventModel]:
    """Tell whether a model says of each frame what is heard in it.

    Args:
        model: any; those of earlier versions do not know of frames.
    """
    return getattr(model, "frames", None) is not None


def scores_in_threads(model: Model) -> bool:
    """Tell whether several threads may use a model at once, each of which then takes one core.

    Args:
        model: any; one that does not say so in `in_threads` is used by one thread at a time.

    Example:
        >>> scores_in_threads(None)
        False
    """
    return getattr(model, "in_threads", False)


def usually_takes(signal_shape: Sequence[int | None], sample_rate: int | None) -> Takes:
    """Tell what a model takes that does not say it.

    Args:
        signal_shape: shape of one signal.
        sample_rate: samples per second; None where the signal is not sampled in time.

    Returns:
        "recording" for one channel at a sample rate, "picture" for (64, 128) without one, else "windows".

    Example:
        >>> usually_takes((8000,), 8000), usually_takes((3000, 3), 100), usually_takes((64, 128), None)
        ('recording', 'windows', 'picture')
    """
    if sample_rate is None:
        return "picture" if tuple(signal_shape) == FIRST_PICTURES else "windows"
    return "recording" if len(signal_shape) == 1 else "windows"
