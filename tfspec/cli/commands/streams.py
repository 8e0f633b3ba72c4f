"""Commands for devices that listen all day. With a TFLite file they need no TensorFlow."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional

from tfspec.base.errors import UserError, listed, unusable
from tfspec.base.files import check_not_read, check_place
from tfspec.base.options import Name, Pause, Range, SampleFormat, Seconds, Share
from tfspec.base.progress import remark
from tfspec.base.stopping import stopped_in_order
from tfspec.base.text import shown
from tfspec.cli.commands.recordings import STREAM, standard_input

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from tfspec.export.streaming_file import DetectorSettings
    from tfspec.inference.listening import Listener, StreamEvent
    from tfspec.scores.streams import StreamScores


SCORED = ("curve", "detections", "hard_negatives")
"""The tables of `evaluate_stream`, a CSV file each."""


def listen(
    model: Positional[Path],
    source: Positional[Path | None] = None,
    microphone: bool = False,
    threshold: Share | None = None,
    classes: tuple[Name, ...] = (),
    smoothing_seconds: Pause | None = None,
    refractory_seconds: Pause | None = None,
    hop_seconds: Seconds | None = None,
    out: Path | None = None,
    input_format: SampleFormat = "s16le",
    json: bool = False,
) -> None:
    """Listen to a recording, to standard input or to a microphone, and tell events as they come.

    An event is a class whose probability, averaged over a while, reaches its threshold; after it there is no
    other one for a while. How long, and from which probability on, a streaming model says itself.

    Args:
        model: streaming.tflite, or the folder or the run that holds it; of any other model of recordings,
            the .tflite file, which is by far the fastest, run folder, .keras file or SavedModel.
        source: recording of any length and sample rate; or - for samples of one channel on standard input, at
            the model's sample rate.
        microphone: listen to the system's microphone until interrupted; pip install 'tfspec[microphone]'.
        threshold: lowest averaged probability of an event; the model's own if not given, or 0.5.
        classes: what to listen for; all but names such as _silence_ if not given.
        smoothing_seconds: average probabilities over so long; the model's own if not given, or 0.5.
        refractory_seconds: no other event for so long after one; the model's own if not given, or 1.
        hop_seconds: from one window to the next of a model that is not a streaming one; 0.25 if not given.
        out: table of all events to write in the end: .csv, or .txt for Audacity; replaced if it is there.
        input_format: of standard input: 16-bit whole or 32-bit floating-point numbers.
        json: print one JSON document in a line for each event, and nothing else.
    """
    if (source is None) != microphone:
        raise UserError("listen needs a recording, - for standard input, or --microphone.")
    if out and source:
        check_not_read(out, [source])
    write = _events_writer(out) if out else None
    from tfspec.inference.listening import listen as heard_in
    from tfspec.inference.listening import load_listener

    loaded = load_listener(model, hop_seconds)
    settings = loaded.detector.adjusted(
        threshold, classes, smoothing_seconds=smoothing_seconds, refractory_seconds=refractory_seconds
    )
    events: list[StreamEvent] = []
    try:
        with stopped_in_order():
            for event in heard_in(loaded, _blocks(loaded, source, input_format), settings):
                events.append(event)
                _print_event(event, json)
    except (KeyboardInterrupt, BrokenPipeError, SystemExit) as stop:  # SystemExit at SIGTERM
        if write:
            write(events)
        if not (microphone and isinstance(stop, KeyboardInterrupt)):  # how listening to a microphone ends
            raise
    else:
        if write:
            write(events)
    if loaded.not_finite:
        remark(f"{loaded.not_finite} samples were NaN or infinite. Are they in another format?")


def evaluate_stream(
    model: Positional[Path],
    recordings: Positional[Path],
    events: Positional[Path],
    threshold: Share | None = None,
    classes: tuple[Name, ...] = (),
    smoothing_seconds: Pause | None = None,
    refractory_seconds: Pause | None = None,
    hop_seconds: Seconds | None = None,
    tolerance_seconds: Pause = 0.75,
    false_accepts_per_hour: Annotated[float, Range(0, 3600)] | None = None,
    save: bool = False,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Score a detector on long recordings: false accepts an hour, false rejects, and how late events are.

    An event finds a true one of its class from its start up to a tolerance after its end; all others are
    false accepts. Writes scores.json; curve.csv and curve.png, the same for many thresholds; detections.csv,
    what was found; and hard_negatives.csv, clips to train on with --hard-negatives. Choose thresholds on
    recordings for validation, and score them on others:

    tfspec evaluate-stream MODEL VALIDATION EVENTS --false-accepts-per-hour 1 --save, and then
    tfspec evaluate-stream MODEL TEST EVENTS

    Args:
        model: as in listen.
        recordings: recording, or folder of recordings, each a stream.
        events: table of the true events, with the columns start and end in seconds, label and, of several
            recordings, file: its path below the folder. Other sounds may have labels such as _unknown_.
        threshold: as in listen.
        classes: as in listen.
        smoothing_seconds: as in listen.
        refractory_seconds: as in listen.
        hop_seconds: as in listen.
        tolerance_seconds: how long after its end a true event can be found.
        false_accepts_per_hour: choose for each class the threshold with which few events are missed and there
            are so many at most, of all classes together.
        save: write threshold and times into the streaming model's streaming.json.
        out: folder to write to; files of the same name are replaced. If not given, of a run its streams/NAME,
            which `tfspec report` shows, NAME that of the recordings; else stream-scores.
        json: print one JSON document and nothing else.
    """
    if threshold is not None and false_accepts_per_hour is not None:
        raise UserError("Give one of --threshold and --false-accepts-per-hour. Received: both")
    from tfspec.cli.printing import print_json
    from tfspec.data.sources.stream_events import check_within, read_events
    from tfspec.inference.hard_negatives import hard_negatives
    from tfspec.inference.listening import load_listener
    from tfspec.inference.threshold_curve import choose_class_thresholds, hear_streams, threshold_curve

    out = out or _usual_folder(model, recordings)
    check_place(out, "folder")
    for name in SCORED:
        check_not_read(out / f"{name}.csv", [events])
    files = _recordings(recordings)
    truth = read_events(events, [*files])
    check_within(truth, _lengths(files), events)
    saved_in = _settings_file(model) if save else None
    loaded = load_listener(model, hop_seconds)
    settings = loaded.detector.adjusted(
        threshold, classes, smoothing_seconds=smoothing_seconds, refractory_seconds=refractory_seconds
    )
    heard = settings.thresholds(loaded.class_names)
    _tell_ignored(truth, heard)
    if false_accepts_per_hour is not None:
        _tell_without_events(truth, heard, events)
    streams = hear_streams(loaded, files, settings)
    curve = threshold_curve(streams, truth, tolerance_seconds)
    if false_accepts_per_hour is not None:
        chosen = choose_class_thresholds(streams, truth, false_accepts_per_hour, tolerance_seconds)
        settings = dataclasses.replace(settings, threshold=chosen)
    scores = streams.score(settings, truth, tolerance_seconds)
    document: dict[str, Any] = {"settings": dataclasses.asdict(settings), "scores": scores}
    detections = streams.detections(settings)
    negatives = hard_negatives(streams, detections, truth, files)
    _write_scores(out, document, dict(zip(SCORED, (curve, detections, negatives), strict=True)))
    if saved_in:
        _save(saved_in, settings)
    if json:
        print_json({**document, "out": str(out)})
    else:
        _print_scores(scores, settings, out)


def _usual_folder(model: Path, recordings: Path) -> Path:
    """Name the folder of scores where none is given."""
    if not (model / "config.json").is_file():
        return Path("stream-scores")
    path = recordings.resolve()  # its folder, too, tells one stream.wav from another
    return model / "streams" / (path.name if path.is_dir() else f"{path.parent.name}-{path.stem}")


def _recordings(path: Path) -> dict[str, Path]:
    """Find the recordings, each by its path below the folder."""
    from tfspec.inference.inputs import find_inputs

    inputs = find_inputs([path], "recording")
    inputs.tell()
    if inputs.problems:
        raise unusable("files", inputs.problems.items(), len(inputs.files))
    return {below.as_posix(): Path(file) for file, below in inputs.files.items()}


def _lengths(files: Mapping[str, Path]) -> dict[str, float]:
    """Read how long the recordings are, by their headers, before hours of them are listened to."""
    from tfspec.audio.inspection import recording_lengths

    lengths = dict(zip(files, recording_lengths(files.values()), strict=True))
    if problems := [(files[name], problem) for name, (_, problem) in lengths.items() if problem]:
        raise unusable("files", problems, len(files))
    return {name: seconds for name, (seconds, _) in lengths.items()}


def _tell_without_events(truth: pd.DataFrame, heard: Collection[str], path: Path) -> None:
    """Name the classes whose thresholds cannot be chosen, as no threshold finds more of them."""
    without = sorted({*heard} - {*truth["label"]})
    if len(without) == len(heard):
        raise UserError(
            f"{shown(path)} has no event of {listed(without)}, so there is nothing to choose thresholds by."
        )
    if without:
        remark(
            f"No events of {listed(without)}: the threshold will be the highest, and little will reach it."
        )


def _tell_ignored(truth: pd.DataFrame, heard: Collection[str]) -> None:
    """Name labels that do not count, but for those that say so themselves, such as `_unknown_`."""
    from tfspec.export.streaming_file import UNHEARD

    others = sorted({each for each in truth["label"] if not each.startswith(UNHEARD)} - {*heard})
    if others:
        remark(f"Not listened for, and no events: {listed(others)}")


def _settings_file(model: Path) -> Path:
    """Name what settings can be saved in."""
    from tfspec.export.streaming_file import streaming_paths
    from tfspec.inference.listening import find_streaming

    if (found := find_streaming(model)) is None:
        raise UserError(
            f"--save writes into a streaming model's streaming.json; {shown(model)} has none. Write it by "
            "`tfspec export RUN --streaming`, or leave out --save."
        )
    return streaming_paths(found)[1]


def _save(path: Path, settings: DetectorSettings) -> None:
    from tfspec.export.streaming_file import read_facts, write_facts

    write_facts(path, dataclasses.replace(read_facts(path), detector=settings))


def _write_scores(out: Path, document: dict[str, Any], tables: dict[str, pd.DataFrame]) -> None:
    """Write the tables and the picture of their curve; scores.json comes last."""
    from tfspec.base.files import written_beside
    from tfspec.inference import write_csv
    from tfspec.report.figures import threshold_figure

    for name, table in tables.items():
        write_csv(table, out / f"{name}.csv")
    with written_beside(out / "curve.png") as temporary:
        threshold_figure(tables["curve"], document["scores"]).savefig(temporary)
    with written_beside(out / "scores.json") as temporary:
        temporary.write_text(dumps(document, indent=2), "utf-8")


def _print_scores(scores: StreamScores, settings: DetectorSettings, out: Path) -> None:
    from tfspec.cli.printing import console

    thresholds = settings.thresholds([*scores["per_class"]])
    lines = [
        f"{scores['hours']:.3g} h, {scores['events']} events that are listened for",
        f"Thresholds: {listed([f'{name} {lowest:g}' for name, lowest in thresholds.items()])}",
        f"False accepts an hour: {_with_interval(scores, 'false_accepts_per_hour', 'false_accepts')}",
        f"False rejects: {_with_interval(scores, 'false_reject_rate', 'false_rejects')}",
    ]
    if scores["after_end_median"] is not None:
        late = f"{scores['after_end_median']:.2f} s, nine tenths within {scores['after_end_90']:.2f} s"
        lines.append(f"Found after an event's end: median {late}")
    console.print("\n".join([*lines, f"Thresholds and detections: {out}"]))


def _with_interval(scores: StreamScores, value: str, stem: str) -> str:
    """Write a score, its interval and the number behind it."""
    values: dict[str, Any] = {**scores}
    if values[value] is None:
        return "there are no events"
    low, high = values[f"{stem}_interval"]
    return f"{values[value]:.3g} (95%: {low:.3g} to {high:.3g}), {values[stem]} in all"


def _blocks(model: Listener, source: Path | None, input_format: SampleFormat) -> Iterable[np.ndarray]:
    """Open what is listened to."""
    if source is None:
        from tfspec.inference.microphone import microphone_blocks

        return microphone_blocks(model.sample_rate, model.hop_samples)
    if source == STREAM:
        from tfspec.inference.streams import stream_blocks

        return stream_blocks(standard_input(), input_format, model.hop_samples)
    from tfspec.audio.decoding import audio_blocks

    return audio_blocks(source, model.sample_rate)


def _print_event(event: StreamEvent, json: bool) -> None:
    from tfspec.cli.printing import console, print_json

    if json:
        print_json(dataclasses.asdict(event), indent=None)
    else:
        console.print(shown(f"{event.time:.2f} s: {event.label} ({event.score:.1%})"))
    sys.stdout.flush()


def _events_writer(path: Path) -> Callable[[Iterable[StreamEvent]], None]:
    """Choose what writes a table of events, before there are any."""
    if path.suffix.lower() not in (".csv", ".txt"):
        raise UserError(f"The name of a table of events must end in .csv or .txt. Received: {shown(path)}")
    check_place(path)

    def write(events: Iterable[StreamEvent]) -> None:
        from tfspec.inference import write_audacity, write_csv

        table = _table(events)
        if path.suffix.lower() == ".csv":
            write_csv(table, path)
        else:
            write_audacity(table.assign(start=table["time"], end=table["time"]), path)

    return write


def _table(events: Iterable[StreamEvent]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(events, columns=["time", "label", "score"])
