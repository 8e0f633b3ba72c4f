"""Scores of events in tables: what a page says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfspec.report.answers import short
from tfspec.report.page import Table
from tfspec.report.tables import number
from tfspec.scores.types import EventScores


def event_table(scores: EventScores) -> Table:
    """Put each score of a part's events in a row.

    Args:
        scores: of metrics.json.

    Example:
        >>> nothing = {"f1": 0.5, "precision": 1.0, "recall": 1 / 3, "intervals": {"f1": [0.4, 0.6]}}
        >>> scores = {"event_based": [{"collar": 0.2, **nothing}], "segment_based": nothing}
        >>> scores |= {"psds_located": (0.25, None), "psds_confused": (0.5, [0.4, 0.6])}
        >>> event_table(scores).rows[0]
        ['events, begin within 0.2 s', '0.500', '0.400–0.600', '1.000', '0.333']
    """
    rows = [_f1_row(f"events, begin within {each['collar']:g} s", each) for each in scores["event_based"]]
    rows.append(_f1_row("segments of a second", scores["segment_based"]))
    for name, (score, interval) in (
        ("PSDS, scenario 1", scores["psds_located"]),
        ("PSDS, scenario 2", scores["psds_confused"]),
    ):
        rows.append([name, number(score), _between(interval), "", ""])
    header = ["what is scored", "F1, or PSDS", "95% interval", "precision", "recall"]
    note = (
        "An event is right where it begins within so many seconds of the annotation, and ends within that or "
        "20% of its length. PSDS is over all thresholds: scenario 1 asks when, scenario 2 rather which "
        "class. Intervals are over recordings drawn anew."
    )
    return Table(header, rows, note)


def event_class_table(scores: EventScores, class_names: Sequence[str]) -> Table:
    """Put the events of each class in a row.

    Args:
        scores: of metrics.json.
        class_names: in the order of the rule's thresholds.
    """
    measured = [*scores["event_based"], scores["segment_based"]]
    spoken = [*(f"F1 within {each['collar']:g} s" for each in scores["event_based"]), "F1 of segments"]
    rule, rows = scores["rule"], []
    for place, name in enumerate(class_names):
        own = [each["classes"][name] for each in measured]
        rows.append(
            [
                short(name),
                f"{own[0]['events']:,}",
                *(_with_interval(each) for each in own),
                f"{rule['thresholds'][place]:.2f}",
                f"{rule['median_seconds'][place]:.2g} s",
            ]
        )
    note = "Thresholds of frames, and lengths of median filters, are those that suit the validation part."
    return Table(["class", "events", *spoken, "threshold", "filter"], rows, note)


def _f1_row(name: str, scores: dict[str, Any]) -> list[str]:
    interval = _between(scores["intervals"].get("f1"))
    return [name, number(scores["f1"]), interval, *(number(scores[each]) for each in ("precision", "recall"))]


def _with_interval(scores: dict[str, Any]) -> str:
    """Write a class's F1; earlier versions have no interval of it."""
    interval = _between(scores.get("f1_interval"))
    return f"{scores['f1']:.3f}" + (f" ({interval})" if interval else "")


def _between(interval: Sequence[float] | None) -> str:
    return f"{interval[0]:.3f}–{interval[1]:.3f}" if interval else ""
