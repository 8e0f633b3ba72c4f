"""The command line."""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import os
import re
import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.markup import escape
from tyro.conf import Positional

from tfspec import __version__
from tfspec.audio.opening import RecordingError
from tfspec.audio.recordings import counted
from tfspec.base.errors import UserError, user_error_in
from tfspec.base.files import written_beside
from tfspec.base.options import Expression, Hertz, Host, Name, Port, Range, Ratio, Seconds, Seed, Share
from tfspec.base.text import UNWRITABLE, shown, shown_lines
from tfspec.borrowed import port_of
from tfspec.cli.parsing import parse, parse_call
from tfspec.data.check import check_folder
from tfspec.data.manifest import SPEAKER_PATTERN
from tfspec.data.sources.pictures import write_table
from tfspec.data.sources.simulate import BATCH, RADIO_CLASSES, radio_batches, radio_pictures
from tfspec.distributed import replicated as replicas
from tfspec.distributed.launcher import launch
from tfspec.distributed.service import check_address, start_dispatcher, start_worker
from tfspec.experiment.pipeline import Pipeline
from tfspec.experiment.registry import find_pipeline
from tfspec.experiment.run import Run, open_examples
from tfspec.export.quantization import Quantize
from tfspec.inference import long_recordings as detection
from tfspec.inference.files import load_model, predict_files
from tfspec.pipelines import PIPELINES, RadioSignals
from tfspec.report import figures as report

NOT_ON_DISK = "No space left on device|Disk quota exceeded|Read-only file system|File too large"


class _Plain(Console):
    """Prints what comes from outside without what could do harm in a terminal."""

    def print(self, *objects, **options):
        """Print as rich does, text line by line."""
        plain = (shown_lines(each) if isinstance(each, str) else each for each in objects)
        super().print(*plain, **options)


console = _Plain(soft_wrap=True)


def demo(out: Path | None = None) -> None:
    """Simulate radio signals, train, score and export a classifier, and use it: a minute or two.

    Args:
        out: run folder to write; runs/radio_signals-TIME if not given.
    """
    pipeline = RadioSignals(
        out=out,
        num_train=1600,
        num_validation=400,
        snr=(0.3, 0.8),
        epochs=14,
        batch_size=16,
        augment=("turns",),
    )
    run = pipeline.train()
    _print_run(run)
    _print_parity(run.export(), run.folder)

    # Numbers that neither training nor validation has used
    seeds = np.array([[pipeline.seed, number] for number in range(2000, 2000 + len(RADIO_CLASSES))])
    pictures = radio_pictures(RADIO_CLASSES, seeds, pipeline.snr)
    tflite = load_model(run.folder / "export" / "model.tflite")
    console.print("\nFour fresh signals through the TFLite file:")
    for label, row in zip(RADIO_CLASSES, tflite.probabilities(pictures), strict=True):
        console.print(f"  {label:14} is taken for {tflite.class_names[row.argmax()]:14} ({row.max():.0%})")


def evaluate(
    run: Positional[Path],
    data: Path | None = None,
    part: Literal["validation", "test"] = "validation",
    on_bad_file: Literal["stop", "skip"] | None = None,
    json: bool = False,
) -> None:
    """Score a run's best model again, or on another data set.

    Args:
        run: run folder.
        data: data set of the same kind, scored whole; the run's own if not given.
        part: of the run's own data.
        on_bad_file: stop if a file of `data` cannot be used, or leave these out; as in training if not given.
        json: print one JSON document and nothing else.
    """
    trained = Run(run)
    scores = trained.evaluate(data, on_bad_file, part)
    if json:
        _print_json(scores)
    else:
        _print_scores(scores, trained.evaluation_folder(data, part))


def resume(run: Positional[Path], strategy: replicas.Strategy | None = None) -> None:
    """Go on with a run that was interrupted; it ends as if it never was.

    Args:
        run: run folder.
        strategy: devices to train on; as the run began if not given.
    """
    begun = Run(run)
    if strategy:
        begun.pipeline.strategy = strategy
    _print_run(begun.resume())


def view(
    run: Positional[Path],
    example: Annotated[int, Range(0, 10**9)] = 0,
    part: Literal["validation", "test"] = "validation",
    out: Path | None = None,
) -> None:
    """Draw an example beside the probabilities of its classes.

    Args:
        run: run folder.
        example: its place in predictions.csv, from 0.
        part: of the run's own data.
        out: png, pdf or svg file to write; figures/view_EXAMPLE.png in the run folder if not given.
    """
    if out and out.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UserError(f"The picture must be a png, pdf or svg file. Received: {out}")
    trained = Run(run)
    figure = trained.view(example, part)
    path = out or trained.evaluation_folder(part=part) / "figures" / f"view_{example}.png"
    with written_beside(path) as part_:
        figure.savefig(part_)
    console.print(escape(f"Drawn: {path}"))


def simulate(
    kind: Positional[Literal["radio"]],
    out: Positional[Path],
    num: Annotated[int, Range(1, 10_000_000)] = 4000,
    seed: Seed = 0,
    snr: tuple[Ratio, Ratio] | None = None,
) -> None:
    """Write a CSV table of simulated radio signals: pixels in columns 0 to 8191, and labels.

    Args:
        kind: radio, the four SETI signal classes in turn.
        out: table to write, replaced if it is there.
        num: number of signals.
        seed: same seed, same signals.
        snr: range of the signals' amplitude in units of the noise's; each class's published one if not given.
    """
    batches = radio_batches(num, seed, snr)
    write_table(out, report.track(batches, "Simulating signals", -(-num // BATCH)))
    console.print(escape(f"{num} signals: {out}"))


def predict(
    model: Positional[Path],
    files: Positional[tuple[Path, ...]],
    hop_seconds: Seconds | None = None,
    json: bool = False,
) -> None:
    """Classify recordings of any sample rate and length, or pictures of spectrograms.

    Files that cannot be used are named on standard error, and the others are done: exit code 1.

    Args:
        model: run folder, .keras file or .tflite file.
        files: wav, flac, ogg or mp3; png for a model that takes pictures.
        hop_seconds: classify whole long recordings, one window every so many seconds; without it, the
            beginning of each, cut or padded as in training.
        json: print one JSON document and nothing else.
    """
    if not files:
        raise UserError("predict needs at least one recording: tfspec predict RUN FILE…")
    loaded = load_model(model)
    table = predict_files(loaded, files, hop_seconds)
    columns = [f"p_{name}" for name in loaded.class_names]
    bad = table[table["problem"].notna()]
    if json:
        rows = table[["file", "start", "predicted", "problem"]].to_dict("records")
        for row, values in zip(rows, table[columns].to_numpy(), strict=True):
            probabilities = dict(zip(loaded.class_names, values.tolist(), strict=True))
            row["probabilities"] = None if row["problem"] else probabilities
        _print_json(rows)
    else:
        for row, best in zip(table.itertuples(), table[columns].max(axis=1), strict=True):
            if row.problem is None:
                start = "" if hop_seconds is None else f" at {row.start:.2f} s"
                console.print(escape(shown(f"{row.file}{start}: {row.predicted} ({best:.1%})")))
    _fail_for_bad(dict(zip(bad["file"], bad["problem"], strict=True)))


def _fail_for_bad(problems: dict[str, str]) -> None:
    """Name the files that cannot be used, a line each; the exit code is then 1."""
    for file, problem in problems.items():
        print(f"tfspec: {shown(file)} cannot be used: {shown(problem)}", file=sys.stderr)
    if problems:
        sys.exit(1)


def detect(
    model: Positional[Path],
    files: Positional[tuple[Path, ...]],
    hop_seconds: Seconds | None = None,
    threshold: Share = 0.5,
    out: Path = Path("detections"),
    json: bool = False,
) -> None:
    """Find what is where in long recordings: scores of every second, and events for Audacity and Raven.

    Writes NAME.seconds.csv, NAME.events.csv, NAME.audacity.txt and NAME.raven.txt for each recording.
    Files that cannot be used are named on standard error, and the others are done: exit code 1.

    Args:
        model: run folder, .keras file or .tflite file.
        files: wav, flac, ogg or mp3, of any sample rate and length.
        hop_seconds: one window every so many seconds; half a window if not given.
        threshold: lowest score of an event.
        out: folder to write to; files of the same name are replaced.
        json: print one JSON document and nothing else.
    """
    if not files:
        raise UserError("detect needs at least one recording: tfspec detect RUN FILE…")
    if len({file.stem for file in files}) < len(files):
        raise UserError("Recordings of the same name would overwrite each other's results. Give them apart.")
    loaded = load_model(model)
    found, bad = {}, {}
    for file in report.track(files, "Listening", len(files)):
        try:
            seconds = detection.detect(loaded, file, hop_seconds)
        except RecordingError as error:
            bad[os.fspath(file)] = error.problem
            continue
        events = detection.find_events(seconds, threshold)
        with written_beside(out / f"{file.stem}.seconds.csv") as part:
            seconds.to_csv(part, index=False)
        detection.write_csv(events, out / f"{file.stem}.events.csv")
        detection.write_audacity(events, out / f"{file.stem}.audacity.txt")
        detection.write_raven(events, out / f"{file.stem}.raven.txt", loaded.sample_rate or 0)
        found[os.fspath(file)] = events
    if not found:
        listed = "; ".join(f"{shown(file)} ({problem})" for file, problem in bad.items())
        raise UserError(f"{len(bad)} of {len(files)} files cannot be used: {listed}.")
    if json:
        events_of = {file: events.to_dict("records") for file, events in found.items()}
        _print_json(events_of | {file: {"problem": problem} for file, problem in bad.items()})
    else:
        for file, events in found.items():
            for event in events.itertuples():
                times = f"{event.start:.1f}–{event.end:.1f} s"
                console.print(escape(shown(f"{file} {times}: {event.label} ({event.score:.1%})")))
        console.print(escape(shown(f"Scores and events: {out}")))
    _fail_for_bad(bad)


def export(run: Positional[Path], quantize: Quantize = "none", calibrated: bool = False) -> None:
    """Write a SavedModel and a TFLite file that take the raw signal, and prove them on the validation part.

    Args:
        run: run folder; the files go to its folder export/.
        quantize: make the TFLite file smaller: the backbone's weights in float16; in int8 (dynamic); or its
            activations in int8 too, calibrated on the training part. The front end stays in float32.
        calibrated: divide the logits by the temperature that suits the validation part best, so that
            probabilities are worth what they say.
    """
    parity = Run(run).export(quantize, calibrated)
    if parity["tflite"]["quantize"] != quantize:
        console.print("A backbone with a loop has no int8 activations: quantised as with --quantize dynamic")
    _print_parity(parity, run)


def check(
    folder: Positional[Path],
    sample_rate: Hertz | None = None,
    min_seconds: Annotated[float, Range(0, 86_400)] = 0.1,
    speaker_pattern: Expression = SPEAKER_PATTERN,
    json: bool = False,
) -> None:
    """List what is wrong with a folder of class folders before a run finds out. Exit code 1 if anything is.

    Args:
        folder: holds a folder of recordings per class.
        sample_rate: the sample rate that all should have; the commonest one if not given.
        min_seconds: recordings below this length are too short.
        speaker_pattern: regular expression with a group for the speaker, matched at the start of file names.
        json: print one JSON document and nothing else.
    """
    result = check_folder(
        folder,
        sample_rate,
        min_seconds,
        speaker_pattern,
        lambda items, total: report.track(items, "Checking files", total),
    )
    if json:
        _print_json(result)
    else:
        _print_check(result)
    if any(result["problems"].values()):
        sys.exit(1)


def data_server(
    role: Positional[Literal["dispatcher", "worker"]],
    port: Port = 0,
    dispatcher: Name | None = None,
    host: Host = "localhost",
    pipeline: Name | None = None,
) -> None:
    """Make batches for those that train with --data-service: one dispatcher, as many workers as it takes.

    Whoever reaches their ports can have them run anything: only in a network that is closed to others.

    Args:
        role: the dispatcher, which tells the workers what to do, or a worker.
        port: to listen on; any that is free if not given.
        dispatcher: grpc://host:port of the dispatcher, for a worker.
        host: name of this machine to those that train.
        pipeline: Python file of the pipeline that trains, for a worker, if it is not a built-in one.
    """
    if (role == "worker") != (dispatcher is not None):
        raise UserError("A worker, and only a worker, needs --dispatcher grpc://host:port.")
    if dispatcher is not None:
        check_address(dispatcher)
    if pipeline:
        found = find_pipeline(pipeline)
        PIPELINES[found.name] = found
    if dispatcher is None:
        server = start_dispatcher(port)
    else:
        server = start_worker(dispatcher, host, port, open_examples)
    print(f"The {role} listens at grpc://{host}:{port_of(server)}", flush=True)
    threading.Event().wait()  # the server's own `join` is deaf to interrupts


def train(pipeline: Pipeline) -> None:
    """Train a pipeline: `tfspec train NAME [options]`, NAME one of the built-in ones or a Python file."""
    _print_run(pipeline.train())


def prepare(pipeline: Pipeline) -> None:
    """Compute a pipeline's features and keep them, for `tfspec train` with the same options to find."""
    store = pipeline.prepare()
    megabytes = sum(path.stat().st_size for path in store.shards) / 1e6
    shape = " × ".join(map(str, store.signal_shape))
    made = f"Features of {store.num_rows} examples, {shape} {store.dtype}, {megabytes:.1f} MB"
    console.print(escape(f"{made}: {store.folder}"))


def launch_workers(arguments: Sequence[str]) -> None:
    """Start several workers on this machine: `tfspec launch --workers 2 -- train NAME [options]`."""
    own, command = list(arguments), []
    if "--" in own:
        own, command = own[: own.index("--")], own[own.index("--") + 1 :]
    workers = parse_call(_workers, own, "tfspec launch")()
    if not command:
        raise UserError("Give a command after --, such as: tfspec launch --workers 2 -- train …")
    gpus = range(len(tf.config.list_physical_devices("GPU")))
    sys.exit(
        launch(
            [sys.executable, "-c", "from tfspec.cli.commands import main; main()", *command], workers, gpus
        )
    )


def _workers(workers: Annotated[int, Range(1, 256)]) -> int:
    """Start several workers on this machine, to try out what is meant for several: `… -- train NAME …`.

    Args:
        workers: how many.
    """
    return workers


COMMANDS: dict[str, Callable] = {
    "demo": demo,
    "evaluate": evaluate,
    "resume": resume,
    "predict": predict,
    "detect": detect,
    "export": export,
    "check": check,
    "view": view,
    "simulate": simulate,
    "data-server": data_server,
}
PIPELINE_COMMANDS: dict[str, Callable[[Pipeline], None]] = {"train": train, "prepare": prepare}
"""Those whose options are the fields of a pipeline, which they name first."""
LAUNCH = "launch"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; what a user can put right ends as one line on standard error and exit code 2."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):  # which may take less than Unicode, and never half a character
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _flushed():
            _run(arguments)
    except UserError as error:
        _fail(str(error))
    except tf.errors.OpError as error:
        _fail_in_graph(error)
    except BrokenPipeError:  # as of `tfspec … | head`
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        _fail(f"{error.filename or 'Input or output'}: {error.strerror or error}")
    except MemoryError as error:
        _fail(f"Not enough memory. {error}")
    except UnicodeEncodeError as error:
        _fail(f"{error.object!r} cannot be written as {error.encoding}. Set PYTHONUTF8=1, or rename it.")
    except KeyboardInterrupt:
        _fail("Interrupted.", code=130)


@contextlib.contextmanager
def _flushed():
    """Write all out while errors can still be told; what cannot be written is not tried again at the end."""
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise


def _fail_in_graph(error: tf.errors.OpError) -> None:
    """Tell what a user can put right of what reaches us as the text of a TensorFlow error."""
    if cause := user_error_in(error.message):
        _fail(str(cause))
    if re.search(NOT_ON_DISK, error.message):
        _fail(error.message)
    if isinstance(error, tf.errors.ResourceExhaustedError):
        _fail(f"Not enough memory. {error.message}")
    if not replicas.is_lost(error):
        raise error
    _fail("Another worker has stopped, so this one stops too. Start all again: tfspec resume RUN", code=3)


def _run(arguments: list[str]) -> None:
    command, *options = arguments or ["--help"]
    if command in ("-h", "--help"):
        print(_usage())
    elif command == "--version":
        print(__version__)
    elif command in PIPELINE_COMMANDS:
        _run_pipeline(command, options)
    elif command == LAUNCH:
        launch_workers(options)
    elif command in COMMANDS:
        parse_call(COMMANDS[command], options, f"tfspec {command}")()
    else:
        known = ", ".join((*PIPELINE_COMMANDS, LAUNCH, *COMMANDS))
        raise UserError(f"No command {command!r}. Give one of {known}.")


def _run_pipeline(command: str, arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: tfspec {command} NAME [options]\n\nNAME is one of {', '.join(PIPELINES)},")
        print(f"or a Python file that defines a Pipeline. `tfspec {command} NAME --help` lists its options.")
        return
    name, *options = arguments
    PIPELINE_COMMANDS[command](parse(find_pipeline(name), options, f"tfspec {command} {name}"))


def _usage() -> str:
    lines = [
        f"  {name:11} {(inspect.getdoc(call) or '').splitlines()[0]}"
        for name, call in sorted({**COMMANDS, **PIPELINE_COMMANDS, LAUNCH: launch_workers}.items())
    ]
    return "usage: tfspec COMMAND …, tfspec COMMAND --help\n\n" + "\n".join(lines)


def _fail(message: str, code: int = 2) -> None:
    print(f"tfspec: {shown(' '.join(message.split()))}", file=sys.stderr)
    sys.exit(code)


def _print_json(document: Any) -> None:
    text = json.dumps(_finite(document), indent=2, ensure_ascii=False)
    encoding = sys.stdout.encoding or "utf-8"
    print("".join(each if _is_writable(each, encoding) else json.dumps(each)[1:-1] for each in text))


def _finite(document: Any) -> Any:
    """Put null in the place of numbers that JSON does not know."""
    if isinstance(document, dict):
        return {name: _finite(value) for name, value in document.items()}
    if isinstance(document, (list, tuple)):
        return [_finite(value) for value in document]
    return None if isinstance(document, float) and not math.isfinite(document) else document


def _is_writable(character: str, encoding: str) -> bool:
    if character.isascii():
        return character != "\x7f"
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return unicodedata.category(character) not in UNWRITABLE


def _print_run(run: Run) -> None:
    if not replicas.is_chief(run.pipeline.open_devices()):
        return  # all workers have the same scores
    _print_scores(run.metrics(), run.folder)
    if run.has_test_part:
        console.print("\nTest part, neither trained nor validated on:")
        _print_scores(run.metrics("test"), run.evaluation_folder(part="test"))


def _print_scores(scores: dict[str, Any], folder: Path) -> None:
    console.print(report.score_table(scores))
    console.print(
        f"accuracy {scores['accuracy']:.3f}, macro F1 {scores['macro_f1']:.3f}, "
        f"kappa {scores['kappa']:.3f}, {scores['examples']} examples"
    )
    console.print(
        f"KL divergence {scores['kl']:.3f} (of the prior {scores['kl_prior']:.3f}), "
        f"calibration error {scores['calibration_error']:.3f}"
    )
    if scores["groups"]:
        console.print(f"95% intervals over {scores['groups']} groups: {_intervals(scores)}")
    else:
        console.print(
            "Not every example tells its group (speaker, person): no scores of groups, no intervals."
        )
    if smoothed := scores.get("smoothed"):
        console.print(
            f"smoothed over time: accuracy {smoothed['accuracy']:.3f}, macro F1 {smoothed['macro_f1']:.3f}, "
            f"kappa {smoothed['kappa']:.3f}"
        )
        console.print(f"95% intervals: {_intervals(smoothed)}")
    if trained_on := scores.get("groups_trained_on"):
        console.print(f"{len(trained_on)} of its groups were trained on: the score is too good.")
    console.print(escape(f"Predictions and figures: {folder}"))


def _intervals(scores: dict[str, Any]) -> str:
    ends = {name: scores["intervals"][name] for name in ("accuracy", "macro_f1", "kappa")}
    return ", ".join(
        f"{name.replace('_f1', ' F1')} {low:.3f}–{high:.3f}" for name, (low, high) in ends.items()
    )


def _print_parity(parity: dict[str, Any], folder: Path) -> None:
    for name, result in parity.items():
        console.print(
            f"{name}: same top class as Keras on {result['same_top_class']:.2%} of {result['signals']} "
            f"signals, probabilities differ by at most {result['largest_difference']:.1e}"
        )
    tflite = parity["tflite"]
    console.print(
        f"TFLite: {tflite['bytes'] / 1000:.0f} kB, {tflite['milliseconds']:.1f} ms a signal on one core"
    )
    console.print(escape(f"Exported to {folder / 'export'}"))


def _print_check(result: dict[str, Any]) -> None:
    classes = ", ".join(f"{name} {count}" for name, count in result["classes"].items())
    console.print(
        escape(
            f"{result['recordings']} recordings, {result['speakers']} speakers, {result['seconds']:.0f} s, "
            f"{result['sample_rate']} Hz\nclasses: {classes}"
        )
    )
    if without := result["without_speaker"]:
        console.print(f"without speaker: {without}")
    if result["passed_over"]:
        console.print(escape(f"passed over: {counted(result['passed_over'])}"))
    for name, found in result["problems"].items():
        console.print(f"{name.replace('_', ' ')}: {len(found) or 'none'}")
        for entry in found:
            console.print(escape(f"  {entry}"))
