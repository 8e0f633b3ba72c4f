"""What scores are called, and what they measure: the layout of metrics.json."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class ClassScores(TypedDict):
    """One class against all others."""

    precision: float
    """Share of what is predicted as this class that is of this class, 0…1; 0 where it is never predicted."""
    recall: float
    """Share of its examples that are found, 0…1; 0 where it has no examples."""
    f1: float
    """Harmonic mean of both, 0…1."""
    examples: int
    """Examples of the class."""


class Summaries(TypedDict):
    """One number for all classes, each."""

    accuracy: float
    """Share of the examples that are right, 0…1."""
    balanced_accuracy: float
    """Mean recall of the classes that are there, 0…1."""
    macro_f1: float
    """Mean F1 of the classes that are there, 0…1."""
    kappa: float
    """Cohen's kappa, −1…1: agreement beyond chance."""


class LabelScores(Summaries):
    """What the predicted classes are worth, whatever the probabilities."""

    examples: int
    """Examples that were scored."""
    per_class: dict[str, ClassScores]
    """By the name of the class, in the model's order."""
    confusion_matrix: list[list[int]]
    """Examples of each true class (row) by the predicted one (column), in the model's order."""


class Ranking(TypedDict):
    """How well classes and examples are ranked; null where there is nothing to rank."""

    lwlrap: float | None
    """Label-weighted label-ranking average precision, above 0…1; with one class an example, the mean
    reciprocal rank."""
    macro_auc: float | None
    """Mean area under the ROC curve of the classes that are in some examples and not in all, 0…1."""
    mean_average_precision: float | None
    """Mean average precision of the same classes, 0…1."""


class CalibrationBin(TypedDict):
    """The examples whose largest probability lies in the same tenth."""

    confidence: float
    """Mean of their largest probabilities, 0…1."""
    share: float
    """Mean share that the predicted class has in truth, 0…1; with one class an example, the accuracy."""
    examples: int
    """How many they are, at least 1."""


class DistributionScores(TypedDict):
    """How well predicted distributions match the true ones; divergences and entropies in nats, from 0 up."""

    kl: float
    """Mean Kullback-Leibler divergence of the predicted distribution from the true one."""
    cross_entropy: float
    """Mean −Σ p log q for shares p and probabilities q; `entropy` and `kl` together."""
    entropy: float
    """Mean entropy of the labels, below which no prediction brings the cross-entropy."""
    kl_uniform: float
    """`kl` of the same probability for all classes."""
    kl_prior: float
    """`kl` of the prior."""
    top_2_accuracy: float
    """Share of the examples whose largest share is among the two largest probabilities, 0…1."""
    calibration_error: float
    """Expected calibration error, 0…1."""
    calibration: list[CalibrationBin]
    """The tenths of the largest probability in which there are examples, from the lowest up."""


class BriefScores(TypedDict):
    """What is said of a member, or of another mean of the members."""

    accuracy: float
    """Share of the examples that are right, 0…1."""
    kl: float
    """As in `DistributionScores`."""
    calibration_error: float
    """As in `DistributionScores`."""


class TemperedScores(BriefScores):
    """The mean of all members, its logits divided by a temperature."""

    temperature: float
    """0.01…100; above 1 the distributions get flatter, below 1 sharper."""


class WeightedScores(BriefScores):
    """The weighted mean of the members."""

    weights: dict[str, float]
    """By member, each 0…1, with the sum 1."""


class MemberScores(TypedDict, total=False):
    """An ensemble's members one by one, and what a temperature and weights make of their mean."""

    tempered: TemperedScores
    """At the temperature with the lowest cross-entropy on the validation part, where there is one."""
    members: dict[str, BriefScores]
    """Each member by itself, where there are several."""
    weighted: WeightedScores
    """With the weights best on the validation part, where several members predict all examples."""


CONFIDENCE = 0.95
"""Of every interval."""
Intervals = dict[str, list[float]]
"""Lower and upper end, by the names of `Summaries`, of what another set of as many groups would have brought;
empty where not every example's group is known."""


class OtherScores(LabelScores):
    """The same examples predicted in another way, or whole recordings by their windows."""

    intervals: Intervals


class EventScores(TypedDict):
    """How well events are found in whole recordings, by what is heard in frames."""

    rule: dict[str, list[float]]
    """Lowest probability of a frame and length of the median filter of each class, chosen on validation."""
    event_based: list[dict[str, Any]]
    """As of `events.event_scores`, with one collar each."""
    segment_based: dict[str, Any]
    """As of `events.segment_scores`."""
    psds_located: tuple[float, list[float] | None]
    """Of DCASE's first scenario, and its interval."""
    psds_confused: tuple[float, list[float] | None]
    """Of its second."""


class _Origin(TypedDict, total=False):
    events: EventScores
    """Where a model says what is heard in frames, and all events are annotated."""
    groups_trained_on: list[str]
    """Groups of another data set that are in the training part too: their scores are too good."""
    part: Literal["validation", "test"]
    """Of the run's own data."""
    data: str
    """Path of the other data set."""


class _SomeScores(_Origin, total=False):
    smoothed: OtherScores
    """Where the pipeline smooths."""
    recordings: OtherScores
    """Where examples are windows of recordings of one class each."""


class Scores(LabelScores, Ranking, DistributionScores, MemberScores, _SomeScores):
    """All scores of a part: what `evaluate` returns and metrics.json holds."""

    labels: Literal["one"]
    """One class an example."""
    groups: int
    """Groups (persons, speakers, recordings) in the part; 0 where not every example's group is known."""
    intervals: Intervals


class SeveralClassScores(ClassScores):
    """One class where several can hold at once; labels that nobody knows do not count."""

    threshold: float
    """Lowest probability at which it holds: that with the highest F1 on the validation part."""
    auc: float | None
    """Area under the ROC curve, 0…1; null where it holds in no example, or in all."""
    average_precision: float | None
    """Average precision, 0…1; null likewise."""
    unknown: int
    """Examples of which nobody knows whether it holds."""


class SeveralSummaries(TypedDict):
    """One number for all classes, each, by what reaches its threshold."""

    micro_f1: float
    """F1 of all labels together, 0…1."""
    macro_f1: float
    """Mean F1 of the classes that hold in some example, 0…1."""
    exact: float
    """Share of the examples of which all labels that are known are right, 0…1."""


class SeveralBriefScores(TypedDict):
    """What is said of a member, or of the mean of all at a temperature."""

    mean_average_precision: float | None
    """As in `Ranking`."""
    cross_entropy: float
    """As in `SeveralScores`."""
    calibration_error: float
    """As in `SeveralScores`."""


class SeveralTemperedScores(SeveralBriefScores):
    """The mean of all members, its logits divided by a temperature."""

    temperature: float
    """0.01…100; above 1 the probabilities come nearer to a half, below 1 they go away from it."""


class SeveralMemberScores(TypedDict, total=False):
    """An ensemble's members one by one, and what a temperature makes of their mean."""

    tempered: SeveralTemperedScores
    """At the temperature with the lowest cross-entropy on the validation part, where there is one."""
    members: dict[str, SeveralBriefScores]
    """Each member by itself, where there are several."""


class SeveralScores(SeveralSummaries, Ranking, SeveralMemberScores, _Origin):
    """All scores of a part where several classes can hold at once.

    Of the part that the thresholds were chosen on, those of each fifth of the groups were chosen on the rest,
    so that no example helps to choose what it is scored by.
    """

    labels: Literal["several"]
    """Several classes at once."""
    examples: int
    """Examples that were scored."""
    per_class: dict[str, SeveralClassScores]
    """By the name of the class, in the model's order."""
    cross_entropy: float
    """Mean −y log p − (1 − y) log (1 − p) of all labels that are known, in nats."""
    cross_entropy_prior: float
    """The same for how often each class holds in the training part."""
    calibration_error: float
    """Expected calibration error of all decisions, class by class and example by example, 0…1."""
    calibration: list[CalibrationBin]
    """The tenths of the probability in which there are labels, from the lowest up."""
    groups: int
    """Groups (persons, speakers, recordings) in the part; 0 where not every example's group is known."""
    intervals: Intervals
    """Of `SeveralSummaries` and `mean_average_precision`."""


AnyScores = Scores | SeveralScores
"""What `evaluate` returns; `labels` tells which."""
