"""What stands in streaming.json beside a streaming TFLite file: how that is run, and what makes an event."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tfspec.base.boundary import in_brief
from tfspec.base.errors import UserError
from tfspec.base.files import file_problem, written_beside
from tfspec.base.model import HALF, NOT_OURS, Labels
from tfspec.base.options import AnyCount, Count, Hertz, Name, Pause, Range, Share, check_options

FORMAT = 1
MODEL_NAME, FACTS_NAME = "streaming.tflite", "streaming.json"
"""What the two files of a folder are called."""
UNHEARD = "_"
"""What the names of classes begin with that nobody listens for, such as `_unknown_` and `_silence_`."""


@dataclass(frozen=True)
class DetectorSettings:
    """When the probabilities of a stream make an event; `inference.detector` says exactly how.

    Args:
        threshold: lowest smoothed probability of an event: a number, for all classes but those whose names
            begin with "_"; or one for each class that is listened for, by its name.
        smoothing_seconds: probabilities are averaged over so long.
        refractory_seconds: after an event there is no other one for so long.

    Raises:
        UserError: a number is outside its range.

    Example:
        >>> settings = DetectorSettings(threshold=0.75)
        >>> settings.thresholds(["_unknown_", "no", "yes"])
        {'no': 0.75, 'yes': 0.75}
        >>> settings.smoothing_hops(0.02), settings.refractory_hops(0.02)
        (25, 50)
    """

    threshold: float | Mapping[str, float] = 0.5
    smoothing_seconds: Pause = 0.5
    refractory_seconds: Pause = 1.0

    def __post_init__(self):
        given = {name: value for name, value in vars(self).items() if name != "threshold"}
        check_options(DetectorSettings, given)
        several = self.threshold.values() if isinstance(self.threshold, Mapping) else [self.threshold]
        for threshold in several:
            check_options(_threshold, {"threshold": threshold})

    def thresholds(self, class_names: Sequence[str]) -> dict[str, float]:
        """Return the thresholds of the classes that are listened for, in the model's order.

        Args:
            class_names: all classes of a model.

        Returns:
            Lowest smoothed probability by name.

        Raises:
            UserError: no class is listened for, or one that the model doesn't have.
        """
        if isinstance(self.threshold, Mapping):
            chosen = {name: self.threshold[name] for name in class_names if name in self.threshold}
            if unknown := sorted(self.threshold.keys() - chosen.keys()):
                raise UserError(f"No class {', '.join(unknown)}. There are {', '.join(class_names)}.")
        else:
            chosen = {name: self.threshold for name in class_names if not name.startswith(UNHEARD)}
        if not chosen:
            raise UserError(f"None of the classes {', '.join(class_names)} is listened for. Name some.")
        return chosen

    def adjusted(
        self, threshold: float | None = None, classes: Sequence[str] = (), **seconds: float | None
    ) -> DetectorSettings:
        """Replace what is given.

        Args:
            threshold: of all classes that are listened for.
            classes: the classes that are listened for; those without a threshold so far get 0.5.
            seconds: `smoothing_seconds` and `refractory_seconds`.

        Raises:
            UserError: a number is outside its range.
        """
        lowest = self.threshold
        if classes:
            own, others = (lowest, HALF) if isinstance(lowest, Mapping) else ({}, lowest)
            lowest = {name: own.get(name, others) for name in classes}
        if threshold is not None:
            lowest = dict.fromkeys(lowest, threshold) if isinstance(lowest, Mapping) else threshold
        given = {name: value for name, value in seconds.items() if value is not None}
        return dataclasses.replace(self, threshold=lowest, **given)

    def smoothing_hops(self, hop_seconds: float) -> int:
        """Return over how many hops probabilities are averaged, 1 at least."""
        return max(1, round(self.smoothing_seconds / hop_seconds))

    def refractory_hops(self, hop_seconds: float) -> int:
        """Return how many hops after that of an event can have no other one."""
        return round(self.refractory_seconds / hop_seconds)


def _threshold(threshold: Share) -> None:
    """Say what a threshold may be."""


@dataclass(frozen=True)
class StreamingState:
    """One of the tensors that a streaming file gives at one hop and takes at the next.

    Args:
        name: of the tensor among the signature's inputs, and among its outputs.
        shape: of the tensor.
        type: of its elements.
        scale: what an int8 element is worth; 0 for float32.
        zero_point: which int8 element stands for 0; 0 for float32.
        initial: all elements before the first hop: the zero point for int8, 0.0 for float32.
    """

    name: Name
    shape: tuple[Count, ...]
    type: Literal["float32", "int8"] = "float32"
    scale: float = 0.0
    zero_point: Annotated[int, Range(-128, 127)] = 0
    initial: int | float = 0.0


@dataclass(frozen=True)
class StreamingFacts:
    """What is to be known of a streaming TFLite file in order to run it.

    The file's signature `serving_default` takes `samples`, (1, hop_samples) or (1, hop_samples, channels)
    float32, and the states by their names; it gives `probabilities`, (1, classes) float32, and the states of
    the next hop.

    Args:
        classes: names of what the probabilities stand for, in their order.
        labels: whether one class holds, or several can at once.
        sample_rate: samples per second.
        hop_samples: how many samples a channel one step takes.
        clip_samples: length of the clips that it was trained on, of which a step sees the last one.
        warm_up_hops: hops after the beginning in which a clip is not yet full.
        states: what goes from one hop to the next.
        channels: of the samples; None for one without an axis of its own.
        quantize: what became of the network.
        sha256: digest of the file; None where it is not held to one.
        detector: how events are found.

    Raises:
        UserError: a fact is of another type or outside its range.

    Example:
        >>> state = StreamingState("state_0", (1, 160))
        >>> facts = StreamingFacts(("no", "yes"), "one", 16000, 320, 15920, 50, (state,))
        >>> StreamingFacts.from_json(facts.to_json()) == facts
        True
        >>> facts.hop_seconds
        0.02
    """

    classes: tuple[Name, ...]
    labels: Labels
    sample_rate: Hertz
    hop_samples: Count
    clip_samples: Count
    warm_up_hops: AnyCount
    states: tuple[StreamingState, ...]
    channels: Count | None = None
    quantize: Literal["none", "int8"] = "none"
    sha256: str | None = None
    detector: DetectorSettings = DetectorSettings()

    def __post_init__(self):
        checked = check_options(StreamingFacts, vars(self))
        for state in self.states:
            check_options(StreamingState, vars(state))
        if len(set(self.classes)) < len(self.classes) or not self.classes:
            raise UserError(f"classes must be one or more different names. Received: {checked['classes']}")
        self.detector.thresholds(self.classes)

    @property
    def hop_seconds(self) -> float:
        """How long a hop is."""
        return self.hop_samples / self.sample_rate

    def to_json(self) -> str:
        """Write the facts as a JSON document."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> StreamingFacts:
        """Read what `to_json` wrote.

        Args:
            text: the document.

        Raises:
            ValueError: it is not such a document; the message says what is wrong.
        """
        document = json.loads(text)
        if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
            raise ValueError(f"it is not of format {FORMAT}, the only one known here")
        facts = check_options(cls, _only_fields(cls, document))
        states = [check_options(StreamingState, _only_fields(StreamingState, s)) for s in facts["states"]]
        facts["states"] = tuple(StreamingState(**state) for state in states)
        facts["detector"] = DetectorSettings(**_only_fields(DetectorSettings, facts["detector"]))
        return cls(**facts)


def _only_fields(kind: type, document: Any) -> dict[str, Any]:
    """Let a JSON object pass that has the fields of a dataclass and no others."""
    names = {field.name for field in dataclasses.fields(kind)}
    if not isinstance(document, dict) or document.keys() != names:
        raise ValueError(f"an object must have {', '.join(sorted(names))}")
    return document


def streaming_paths(path: str | os.PathLike) -> tuple[Path, Path]:
    """Name the two files of a streaming model.

    Args:
        path: their folder, or either of them.

    Returns:
        The TFLite file and the JSON file, whether they are there or not.

    Example:
        >>> [each.as_posix() for each in streaming_paths("export/streaming.json")]
        ['export/streaming.tflite', 'export/streaming.json']
    """
    path = Path(path)
    folder = path.parent if path.suffix in (".tflite", ".json") else path
    return folder / MODEL_NAME, folder / FACTS_NAME


def write_facts(path: str | os.PathLike, facts: StreamingFacts) -> None:
    """Write streaming.json, whole or not at all.

    Args:
        path: the file.
        facts: what it says.

    Example:
        >>> import tempfile
        >>> facts = StreamingFacts(("no", "yes"), "one", 16000, 320, 15920, 50, ())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_facts(f"{folder}/streaming.json", facts)
        ...     read_facts(f"{folder}/streaming.json").classes
        ('no', 'yes')
    """
    with written_beside(path) as temporary:
        temporary.write_text(facts.to_json(), "utf-8")


def read_facts(path: str | os.PathLike) -> StreamingFacts:
    """Read streaming.json.

    Args:
        path: the file.

    Returns:
        What it says.

    Raises:
        UserError: the file is missing or damaged, or was written by another version.

    Example:
        >>> read_facts("missing.json")
        Traceback (most recent call last):
        tfspec.base.errors.UserError: missing.json cannot be used as a streaming model's facts: no such file
    """
    problem = f"{path} cannot be used as a streaming model's facts"
    if reason := file_problem(path):
        raise UserError(f"{problem}: {reason}")
    try:
        return StreamingFacts.from_json(Path(path).read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # what is no UTF-8 and what is no JSON, too
        raise UserError(f"{problem}: {in_brief(error)}; {NOT_OURS}") from error
