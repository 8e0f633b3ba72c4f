"""What the command line says of a run: scores, exports, and what is wrong with a data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfspec.base.model import Takes
from tfspec.base.text import number_of, shown
from tfspec.cli.printing import console
from tfspec.data.check import FATAL
from tfspec.distributed import devices
from tfspec.experiment.run import Run
from tfspec.experiment.steps import Steps
from tfspec.report.figures import score_table
from tfspec.scores.groups import caution
from tfspec.scores.types import AnyScores, OtherScores, Scores, SeveralScores

MOST_CASES = 20
"""How many cases of a problem are listed: of windows there may be a million."""


def print_run(run: Run, pipeline: Steps) -> None:
    """Say what a run came to, on all of its parts."""
    if not devices.is_chief(devices.open_strategy(pipeline.strategy)):
        return  # all workers have the same scores
    if run.has_validation_part:
        print_scores(run.metrics(), run.folder)
    else:
        console.print("Nothing was held out to validate: the models are those of the last epoch.")
    if run.has_test_part:
        console.print("\nTest part, neither trained nor validated on:")
        print_scores(run.metrics("test"), run.evaluation_folder(part="test"))


def print_options(pipeline: Steps) -> None:
    """List all options of a pipeline, and beside those that somebody has chosen what else they would be."""
    for field in dataclasses.fields(pipeline):
        value = getattr(pipeline, field.name)
        default = "" if value == field.default else f"  (default: {field.default})"
        console.print(f"{field.name:24} {value}{default}", highlight=False)


def print_scores(scores: AnyScores, folder: Path) -> None:
    """Say how good a model is, and where the details are."""
    console.print(score_table(scores))
    if scores["labels"] == "one":
        _print_one(scores)
    else:
        _print_several(scores)
    if trained_on := scores.get("groups_trained_on"):
        console.print(f"{len(trained_on)} of its groups were trained on: the score is too good.")
    console.print(f"Predictions and figures: {folder}")


def _print_one(scores: Scores) -> None:
    """Say how good a model is that names one class an example."""
    console.print(
        f"accuracy {scores['accuracy']:.3f}, macro F1 {scores['macro_f1']:.3f}, "
        f"kappa {scores['kappa']:.3f}, {number_of(scores['examples'], 'example')}"
    )
    console.print(
        f"KL divergence {scores['kl']:.3f} (of the prior {scores['kl_prior']:.3f}), "
        f"calibration error {scores['calibration_error']:.3f}"
    )
    _print_intervals(scores, ("accuracy", "macro_f1", "kappa"))
    others = {"smoothed over time": scores.get("smoothed"), "whole recordings": scores.get("recordings")}
    for what, found in others.items():
        if found:
            console.print(
                f"{what}: accuracy {found['accuracy']:.3f}, macro F1 {found['macro_f1']:.3f}, "
                f"kappa {found['kappa']:.3f}"
            )
            if found["intervals"]:
                console.print(f"95% intervals: {_intervals(found, ('accuracy', 'macro_f1', 'kappa'))}")


def _print_several(scores: SeveralScores) -> None:
    """Say how good a model is of whose classes several can hold at once."""
    ranking = {name: scores[name] for name in ("mean_average_precision", "lwlrap", "macro_auc")}
    said = [f"{_spoken(name)} {value:.3f}" for name, value in ranking.items() if value is not None]
    console.print(", ".join([*said, number_of(scores["examples"], "example")]))
    console.print(
        f"macro F1 {scores['macro_f1']:.3f}, micro F1 {scores['micro_f1']:.3f}, "
        f"all labels right {scores['exact']:.3f}, calibration error {scores['calibration_error']:.3f}"
    )
    _print_intervals(scores, ("mean_average_precision", "macro_f1"))


def _print_intervals(scores: AnyScores, names: Sequence[str]) -> None:
    if scores["intervals"]:
        drawn = "examples" if scores["groups"] == scores["examples"] else "groups"
        console.print(f"95% intervals over {scores['groups']} {drawn}: {_intervals(scores, names)}")
        if said := caution(scores["groups"]):
            console.print(said)
    elif scores["groups"]:
        console.print("All examples that are scored are of one group: what others would score nobody knows.")
    else:
        console.print(
            "Not every example tells its group (speaker, person): no scores of groups, no intervals."
        )


def _intervals(scores: AnyScores | OtherScores, names: Sequence[str]) -> str:
    ends = {name: scores["intervals"][name] for name in names if name in scores["intervals"]}
    return ", ".join(f"{_spoken(name)} {low:.3f}–{high:.3f}" for name, (low, high) in ends.items())


def _spoken(name: str) -> str:
    spelt = {"lwlrap": "LWLRAP", "macro_auc": "macro AUC"}
    return spelt.get(name, name.replace("_f1", " F1").replace("_", " "))


def print_parity(parity: dict[str, Any], folder: Path) -> None:
    """Say how far exported files are from the Keras model, how large and how fast."""
    for name, result in parity.items():
        (agreement,) = (key for key in result if key.startswith("same_"))
        of = f"{result['hops']} hops" if "hops" in result else f"{result['signals']} signals"
        console.print(
            f"{name}: {agreement.replace('_', ' ')} as Keras on {result[agreement]:.2%} of {of}, "
            f"probabilities differ by at most {result['largest_difference']:.1e}"
        )
    for result in parity.values():
        if "bytes" in result:
            title, one = ("Streaming TFLite", "hop") if "hops" in result else ("TFLite", "signal")
            size, time = f"{result['bytes'] / 1000:.0f} kB", f"{result['milliseconds']:.2g} ms"
            console.print(f"{title}: {size}, {time} a {one} on one core")
    console.print(f"Exported to {folder / 'export'}")


def print_micro(facts: dict[str, Any], folder: Path) -> None:
    """Say what a classifier takes of a microcontroller, as far as it was measured."""
    size, memory, instructions = (
        facts[name] for name in ("flash_bytes", "ram_bytes", "instructions_per_second")
    )
    if size is not None:
        console.print(f"On a Cortex-M4F: {size / 1000:.0f} kB of flash, {memory / 1000:.0f} kB of memory")
    if instructions is not None:
        console.print(f"{instructions / 1e6:.1f} million instructions a second")
    console.print(f"C, network and test: {folder / 'micro'}; `make` there builds a listener")


def print_check(result: dict[str, Any], takes: Takes | None) -> None:
    """List what `tfspec check` found, of each problem the first cases."""
    classes = ", ".join(f"{name} {count:g}" for name, count in result["classes"].items())
    sound = f", {result['seconds']:.0f} s, {result['sample_rate']} Hz" if "seconds" in result else ""
    several = f"{result['examples']} examples of " if result["examples"] != result["recordings"] else ""
    files = number_of(result["recordings"], (takes or "recording").removesuffix("s"))
    groups = number_of(result["speakers"], "group")
    console.print(f"{several}{files}, {groups}{sound}\nclasses: {classes}")
    if without := result["without_speaker"]:
        console.print(f"without group: {without}")
    for name, found in result["problems"].items():
        kind = "" if name in FATAL or not found else ", which training takes as they are"
        console.print(f"{name.replace('_', ' ')}: {len(found) or 'none'}{kind}")
        for entry in found[:MOST_CASES]:
            console.print(f"  {shown(entry)}")
        if (more := len(found) - MOST_CASES) > 0:
            console.print(f"  and {more:,} more (--json names all)")
